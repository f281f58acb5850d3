use rand_chacha::ChaCha8Rng;
use rand_core::{CryptoRng, SeedableRng as _};
use realm_crypto::{KemKey, Outgoing, ReplyKey, Side, SigningKey, seal};
use realm_protocol::{
    CallId, Digest, Kind, Place, Priority, RealmId, RealmPath, Timestamp,
    records::{KemPurpose, KemRecord},
};

use super::*;

const NOW: Tick = Tick::from_millis(0);

fn scope(path: &str) -> Scope {
    Scope {
        root: RealmId::new([1; 32]),
        path: path.parse().unwrap(),
    }
}

fn node(number: u16) -> NodeId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    NodeId::new(id)
}

/// What both ends of a sealed call share.
fn reply_key(rng: &mut impl CryptoRng) -> ReplyKey {
    let signer = SigningKey::from_seed(&[1; 32]);
    let realm = RealmId::new([1; 32]);
    let place = Place {
        root: realm,
        path: RealmPath::ROOT,
        realm: Some(realm),
        node: Some(signer.node_id()),
    };
    let kem = KemRecord {
        realm,
        node: signer.node_id(),
        key: KemKey::from_secret([2; 32]).public(),
        purpose: KemPurpose::Live,
        not_before: Timestamp::from_millis(0),
        not_after: Timestamp::from_millis(1),
    };
    let out = Outgoing {
        kind: Kind::Call,
        source: &place,
        destination: &place,
        created: Timestamp::from_millis(0),
        ttl_ms: 1,
        call: CallId::new([1; 16]),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        max_reply: 0,
        receipt: None,
        content: b"call",
    };
    seal(rng, &signer, &kem, &out).unwrap().1
}

/// Makes sessions that differ.
fn maker() -> impl FnMut() -> Session {
    let mut rng = ChaCha8Rng::from_seed([1; 32]);
    let key = reply_key(&mut rng);
    let mine = Ephemeral::generate(&mut rng);
    let theirs = Ephemeral::generate(&mut rng).public();
    let mut number = 0_u64;
    move || {
        number += 1;
        let answer = Digest::of(&[&number.to_be_bytes()]);
        Session::derive(Side::Callee, &key, answer, &mine, &theirs).unwrap()
    }
}

#[test]
fn a_child_that_opens_many_sessions_takes_the_place_of_its_own_alone() {
    let mut session = maker();
    let mut sessions = Sessions::new(true);
    let (health, billing) = (scope("health"), scope("billing"));
    let other = (node(u16::MAX), billing.clone());
    sessions.hold(other, session(), true, Some(&billing), NOW);

    for number in 0..=u16::try_from(limits::SESSIONS_SHARE).unwrap() {
        let child = (node(number), health.clone());
        sessions.hold(child, session(), false, Some(&health), NOW);
    }

    assert_eq!(sessions.len(), limits::SESSIONS_SHARE + 1);
    assert!(sessions.newest(node(u16::MAX), NOW).is_some());
    assert_eq!(sessions.of(node(0)).count(), 0, "its own oldest is gone");
}

#[test]
fn one_node_holds_few_sessions_and_may_leave_fewer_unused() {
    let mut session = maker();
    let mut sessions = Sessions::new(true);
    let health = scope("health");
    for _ in 0..limits::SESSIONS_PER_NODE + 3 {
        sessions.hold((node(1), health.clone()), session(), false, None, NOW);
    }

    assert_eq!(sessions.len(), limits::SESSIONS_PER_NODE);
    assert!(!sessions.may_take(node(1), NOW));
    assert!(sessions.may_take(node(2), NOW));
    assert!(sessions.may_take(node(1), Tick::from_millis(UNUSED_MS)));
    assert_eq!(sessions.way(node(1), NOW), Way::Sealed, "none was used yet");
}

#[test]
fn an_offer_goes_with_each_sealed_call_of_ten_seconds_and_is_then_another() {
    let mut rng = ChaCha8Rng::from_seed([2; 32]);
    let mut sessions = Sessions::new(true);
    let mut at = |millis| {
        let now = Tick::from_millis(millis);
        let offer = sessions.offer(node(1), now, || Ephemeral::generate(&mut rng));
        offer.public()
    };

    assert_eq!(at(0), at(OFFER_MS - 1));
    assert_ne!(at(OFFER_MS - 1), at(OFFER_MS));
}
