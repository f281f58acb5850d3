//! What two realms that talk share, and what nobody else does.

use realm_crypto::{
    Ephemeral, OpenError, Opened, ReplyKey, Session, Side, Verified, open_in_session, open_reply,
    open_sealed, seal_in_session, sign_flush,
};
use realm_protocol::{Envelope, Kind, Signature, Suite, TAG_SINGLE, cbor, limits};

use crate::{
    envelope::{Pair, pair, verify},
    signed::{seal, seal_reply},
    tree::{NOW, outgoing, rng},
};

/// Both ends of a session, after a sealed call and its answer.
pub(crate) struct Ends {
    pub(crate) pair: Pair,
    pub(crate) caller: Session,
    pub(crate) callee: Session,
}

/// A sealed call and its answer, with both keys of the session that they make.
struct Talk {
    pair: Pair,
    offer: Ephemeral,
    taken: Ephemeral,
    callers: ReplyKey,
    callees: ReplyKey,
    answer: Envelope,
}

fn talk(seed: u8) -> Talk {
    let pair = pair();
    let (here, there) = (pair.source.place(), pair.target.place());
    let out = outgoing(Kind::Call, here, there, None, b"call");
    let kem = pair.target.kem_at(NOW).unwrap();
    let call = seal(&mut rng(seed), &pair.here.node, kem, &out).unwrap();
    let verified = verify(&call.envelope, &pair.source).unwrap();
    let opened = open_sealed(&verified, |id| {
        (id == pair.there.kem.key_id()).then_some(&pair.there.kem)
    });
    let callees = opened.unwrap().reply_key().cloned().unwrap();
    let out = outgoing(Kind::Result, there, here, Some(call.digest), b"answer");
    let answer = seal_reply(&mut rng(seed + 1), &pair.there.node, &callees, &out).unwrap();
    Talk {
        offer: Ephemeral::generate(&mut rng(seed + 2)),
        taken: Ephemeral::generate(&mut rng(seed + 3)),
        callers: call.reply_key,
        callees,
        answer: answer.envelope,
        pair,
    }
}

pub(crate) fn ends() -> Ends {
    let talk = talk(10);
    let answer = talk.answer.message_digest();
    let (offer, taken) = (&talk.offer, &talk.taken);
    let caller = Session::derive(Side::Caller, &talk.callers, answer, offer, &taken.public());
    let callee = Session::derive(Side::Callee, &talk.callees, answer, taken, &offer.public());
    Ends {
        caller: caller.unwrap(),
        callee: callee.unwrap(),
        pair: talk.pair,
    }
}

impl Ends {
    fn call(&mut self, content: &[u8]) -> (Verified, ReplyKey) {
        let (here, there) = (self.pair.source.place(), self.pair.target.place());
        let out = outgoing(Kind::Call, here, there, None, content);
        let (letter, key) =
            seal_in_session(&mut rng(20), &self.pair.here.node, &mut self.caller, &out).unwrap();
        let envelope = letter.sign(&self.pair.here.node);
        (verify(&envelope, &self.pair.source).unwrap(), key)
    }

    fn open(&mut self, verified: &Verified) -> Result<Opened, OpenError> {
        open_in_session(verified, &mut self.callee)
    }
}

#[test]
fn requests_go_both_ways_and_their_answers_come_back() {
    let mut ends = ends();
    assert_eq!(ends.caller.id(), ends.callee.id());

    let (verified, key) = ends.call(b"question");
    let opened = ends.open(&verified).unwrap();

    assert_eq!(opened.content(), b"question");
    assert_eq!(opened.header().suite, Suite::Session);
    let (here, there) = (ends.pair.source.place(), ends.pair.target.place());
    let out = outgoing(Kind::Result, there, here, Some(opened.digest()), b"answer");
    let theirs = opened.reply_key().unwrap();
    let reply = seal_reply(&mut rng(21), &ends.pair.there.node, theirs, &out).unwrap();
    let reply = verify(&reply.envelope, &ends.pair.target).unwrap();
    assert_eq!(open_reply(&reply, &key).unwrap().content(), b"answer");

    let out = outgoing(Kind::Call, there, here, None, b"and you?");
    let (letter, _) =
        seal_in_session(&mut rng(22), &ends.pair.there.node, &mut ends.callee, &out).unwrap();
    let back = verify(&letter.sign(&ends.pair.there.node), &ends.pair.target).unwrap();
    let opened = open_in_session(&back, &mut ends.caller).unwrap();
    assert_eq!(opened.content(), b"and you?");
}

#[test]
fn a_request_opens_once_and_only_within_the_window() {
    let mut ends = ends();
    let (first, _) = ends.call(b"first");
    let (second, _) = ends.call(b"second");

    assert!(ends.open(&second).is_ok());
    assert!(ends.open(&first).is_ok(), "out of order");
    assert_eq!(ends.open(&second).err(), Some(OpenError::Replayed));

    let (late, _) = ends.call(b"late");
    let mut newest = None;
    for _ in 0..limits::SESSION_WINDOW {
        newest = Some(ends.call(b"more").0);
    }
    assert!(ends.open(&newest.unwrap()).is_ok());
    assert_eq!(ends.open(&late).err(), Some(OpenError::Replayed));
}

#[test]
fn what_does_not_open_takes_no_counter() {
    let mut ends = ends();
    let others = talk(40);
    let answer = others.answer.message_digest();
    let mut other = Session::derive(
        Side::Callee,
        &others.callees,
        answer,
        &others.taken,
        &others.offer.public(),
    )
    .unwrap();
    let (verified, _) = ends.call(b"question");

    assert_eq!(
        open_in_session(&verified, &mut other).err(),
        Some(OpenError::UnknownKey)
    );
    assert!(ends.open(&verified).is_ok());
    // The caller's own key does not open what it seals: each way has its own.
    let (verified, _) = ends.call(b"question");
    let reflected = open_in_session(&verified, &mut ends.caller);
    assert_eq!(reflected.err(), Some(OpenError::Ciphertext));
}

#[test]
fn a_session_is_bound_to_both_whole_messages_and_to_both_keys() {
    let other_call = talk(30);
    let talk = talk(10);
    let answer = talk.answer.message_digest();
    let (offer, taken) = (&talk.offer, &talk.taken);
    let id = |key: &ReplyKey, answer, mine: &Ephemeral, theirs: &[u8; 32]| {
        Session::derive(Side::Caller, key, answer, mine, theirs).map(|session| session.id())
    };
    let right = id(&talk.callers, answer, offer, &taken.public()).unwrap();

    let mut reworded = talk.answer.clone();
    reworded.body = vec![1_u8; reworded.body.len()].into();
    let stranger = Ephemeral::generate(&mut rng(50));

    assert_ne!(
        id(
            &talk.callers,
            reworded.message_digest(),
            offer,
            &taken.public()
        ),
        Some(right)
    );
    assert_ne!(
        id(&other_call.callers, answer, offer, &taken.public()),
        Some(right)
    );
    assert_ne!(
        id(&talk.callers, answer, offer, &stranger.public()),
        Some(right)
    );
    assert_ne!(
        id(&talk.callers, answer, &stranger, &taken.public()),
        Some(right)
    );
}

#[test]
fn a_key_that_agrees_on_what_everybody_knows_makes_no_session() {
    let talk = talk(10);
    let answer = talk.answer.message_digest();
    for weak in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        assert!(Session::derive(Side::Callee, &talk.callees, answer, &talk.taken, &weak).is_none());
    }
}

#[test]
fn a_request_in_a_session_begins_no_other() {
    let mut ends = ends();
    let (_, key) = ends.call(b"question");
    let answer = talk(10).answer.message_digest();
    let mine = Ephemeral::generate(&mut rng(51));
    let theirs = Ephemeral::generate(&mut rng(52)).public();

    assert!(Session::derive(Side::Caller, &key, answer, &mine, &theirs).is_none());
}

#[test]
fn the_header_of_a_request_in_a_session_cannot_be_another_s() {
    let mut ends = ends();
    let (verified, _) = ends.call(b"question");
    let mut envelope = verified.into_envelope();
    let mut header = envelope.peek().unwrap();
    header.max_reply += 1;
    envelope.header = cbor::encode(&header).into();
    let signed =
        crate::merkle::sign_bytes(&ends.pair.here.node, TAG_SINGLE, &envelope.signed_input());
    envelope.signature = Signature::Single(signed);
    let verified = verify(&envelope, &ends.pair.source).unwrap();

    assert_eq!(ends.open(&verified).err(), Some(OpenError::Ciphertext));
}

#[test]
fn letters_that_leave_together_share_a_signature_and_each_verifies() {
    for count in [1_u8, 2, 3, 5, 33] {
        let mut ends = ends();
        let (here, there) = (ends.pair.source.place(), ends.pair.target.place());
        let letters = (0..count).map(|number| {
            let content = [number];
            let out = outgoing(Kind::Call, here, there, None, &content);
            let node = &ends.pair.here.node;
            seal_in_session(&mut rng(number), node, &mut ends.caller, &out)
                .unwrap()
                .0
        });
        let envelopes = sign_flush(&ends.pair.here.node, letters.collect());

        for (number, envelope) in (0..count).zip(&envelopes) {
            let verified = verify(envelope, &ends.pair.source).unwrap();
            assert_eq!(ends.open(&verified).unwrap().content(), [number]);
        }
    }
}
