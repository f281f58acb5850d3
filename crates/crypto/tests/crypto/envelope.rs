//! Messages sealed at one end and opened at the other.

use crate::signed::{seal, seal_reply, sign_clear};
use realm_crypto::{
    OpenError, Opened, RootMemo, SealError, Verified, VerifiedChain, VerifyError, open_clear,
    open_reply, open_sealed, verify_chain, verify_envelope,
};
use realm_protocol::{
    Digest, Envelope, Header, Kind, MessageId, Place, Signature, Suite, TAG_SINGLE,
    cbor::{self, Blob},
    limits,
    message::Plaintext,
    records::scopes,
};

use crate::{
    merkle::sign_bytes,
    tree::{NOW, Realm, outgoing, rng, trust},
};

pub(crate) struct Pair {
    pub(crate) here: Realm,
    pub(crate) there: Realm,
    pub(crate) source: VerifiedChain,
    pub(crate) target: VerifiedChain,
}

pub(crate) fn pair() -> Pair {
    let here = Realm::root(1).child(2, "health");
    let there = Realm::root(3).child(4, "genomics");
    Pair {
        source: here.verified(),
        target: there.verified(),
        here,
        there,
    }
}

impl Pair {
    pub(crate) fn call(&self, content: &[u8]) -> crate::signed::Sealed {
        let (source, target) = (self.source.place(), self.target.place());
        let out = outgoing(Kind::Call, source, target, None, content);
        let kem = self.target.kem_at(NOW).unwrap();
        seal(&mut rng(5), &self.here.node, kem, &out).unwrap()
    }

    fn open(&self, verified: &Verified) -> Result<Opened, OpenError> {
        open_sealed(verified, |id| {
            (id == self.there.kem.key_id()).then_some(&self.there.kem)
        })
    }
}

pub(crate) fn verify(envelope: &Envelope, source: &VerifiedChain) -> Result<Verified, VerifyError> {
    let header = envelope.read_header().unwrap();
    verify_envelope(
        envelope.clone(),
        header,
        source,
        4,
        &mut RootMemo::default(),
    )
}

/// Signs the envelope as its node would.
fn sign(envelope: &mut Envelope, realm: &Realm) {
    let signature = sign_bytes(&realm.node, TAG_SINGLE, &envelope.signed_input());
    envelope.signature = Signature::Single(signature);
}

fn rewrite(envelope: &mut Envelope, edit: impl FnOnce(&mut Header)) {
    let mut header = envelope.peek().unwrap();
    edit(&mut header);
    envelope.header = Blob::from(cbor::encode(&header));
}

#[test]
fn a_sealed_call_opens_and_its_answer_comes_back() {
    let pair = pair();
    let sealed = pair.call(b"question");
    let verified = verify(&sealed.envelope, &pair.source).unwrap();
    assert_eq!(verified.trust_epoch(), 4);

    let opened = pair.open(&verified).unwrap();

    assert_eq!(opened.content(), b"question");
    assert_eq!(opened.digest(), sealed.digest);
    assert_eq!(opened.header().id, sealed.id);
    assert_eq!(
        opened.header().commitment,
        Digest::of(&[opened.committed()])
    );

    let (from, to) = (pair.target.place(), pair.source.place());
    let out = outgoing(Kind::Result, from, to, Some(opened.digest()), b"answer");
    let key = opened.reply_key().unwrap();
    let reply = seal_reply(&mut rng(6), &pair.there.node, key, &out).unwrap();
    let verified = verify(&reply.envelope, &pair.target).unwrap();
    let answer = open_reply(&verified, &sealed.reply_key).unwrap();

    assert_eq!(answer.content(), b"answer");
    assert_eq!(answer.header().suite, Suite::Reply);
    assert!(answer.reply_key().is_none());
}

#[test]
fn two_answers_to_one_request_share_no_bytes_of_key_stream() {
    let pair = pair();
    let sealed = pair.call(b"question");
    let (from, to) = (pair.target.place(), pair.source.place());
    let out = outgoing(Kind::Result, from, to, Some(sealed.digest), b"answer");
    let mut rng = rng(6);
    let mut reply = || {
        let reply = seal_reply(&mut rng, &pair.there.node, &sealed.reply_key, &out).unwrap();
        reply.envelope.body
    };

    let (first, second) = (reply(), reply());

    let same = first.iter().zip(second.iter()).filter(|(a, b)| a == b);
    assert!(same.count() < first.len() / 16);
}

#[test]
fn an_answer_opens_under_its_own_request_alone() {
    let pair = pair();
    let sealed = pair.call(b"question");
    let (from, to) = (pair.target.place(), pair.source.place());
    let mut out = outgoing(Kind::Result, from, to, Some(sealed.digest), b"answer");
    let reply = seal_reply(&mut rng(6), &pair.there.node, &sealed.reply_key, &out).unwrap();
    let target = pair.target.kem_at(NOW).unwrap();
    let question = outgoing(Kind::Call, to, from, None, b"another");
    let other = seal(&mut rng(7), &pair.here.node, target, &question).unwrap();

    let verified = verify(&reply.envelope, &pair.target).unwrap();
    assert_eq!(
        open_reply(&verified, &other.reply_key).err(),
        Some(OpenError::Request)
    );
    assert_eq!(pair.open(&verified).err(), Some(OpenError::Suite));

    let mut relabelled = reply.envelope;
    rewrite(&mut relabelled, |header| {
        header.answers = Some(other.digest);
    });
    sign(&mut relabelled, &pair.there);
    let verified = verify(&relabelled, &pair.target).unwrap();
    assert_eq!(
        open_reply(&verified, &other.reply_key).err(),
        Some(OpenError::Ciphertext)
    );
    out.answers = None;
    let refused = seal_reply(&mut rng(6), &pair.there.node, &sealed.reply_key, &out);
    assert_eq!(refused.err(), Some(SealError::Request));
}

#[test]
fn a_body_sealed_to_a_forgotten_key_says_so() {
    let pair = pair();
    let verified = verify(&pair.call(b"question").envelope, &pair.source).unwrap();

    assert_eq!(
        open_sealed(&verified, |_| None).err(),
        Some(OpenError::UnknownKey)
    );
    let wrong = open_sealed(&verified, |_| Some(&pair.here.kem));
    assert_eq!(wrong.err(), Some(OpenError::Ciphertext));
}

#[test]
fn nobody_signs_anothers_ciphertext_as_their_own() {
    let pair = pair();
    let thief = Realm::root(8);
    let place = thief.verified();
    let mut stolen = pair.call(b"question").envelope;
    rewrite(&mut stolen, |header| header.source = place.place().clone());
    sign(&mut stolen, &thief);

    let verified = verify(&stolen, &place).unwrap();

    assert_eq!(pair.open(&verified).err(), Some(OpenError::Ciphertext));
}

#[test]
fn an_envelope_is_only_from_whom_its_chain_proves() {
    let pair = pair();
    let envelope = pair.call(b"question").envelope;
    assert_eq!(
        verify(&envelope, &pair.target).err(),
        Some(VerifyError::Source)
    );

    type Edit = fn(&mut Place);
    let other = Digest::new([0; 32]);
    let edits: [Edit; 4] = [
        |place| place.path = "billing".parse().unwrap(),
        |place| place.root = realm_protocol::RealmId::new([0; 32]),
        |place| place.realm = None,
        |place| place.node = None,
    ];
    for edit in edits {
        let mut moved = envelope.clone();
        rewrite(&mut moved, |header| edit(&mut header.source));
        sign(&mut moved, &pair.here);
        assert_eq!(
            verify(&moved, &pair.source).err(),
            Some(VerifyError::Source)
        );
    }
    let mut swapped = envelope.clone();
    rewrite(&mut swapped, |header| header.commitment = other);
    let header = swapped.read_header().unwrap();
    let swapped = verify_envelope(envelope, header, &pair.source, 0, &mut RootMemo::default());
    assert_eq!(swapped.err(), Some(VerifyError::Header));
}

#[test]
fn a_node_without_the_message_scope_sends_nothing() {
    let pair = pair();
    let envelope = pair.call(b"question").envelope;
    let mut chain = pair.here.chain();
    chain.kem.clear();
    chain.links[1].node_cert = pair.here.node_cert(|cert| cert.scopes = scopes::ISSUE);
    let source = verify_chain(&chain, &trust(pair.source.root())).unwrap();

    assert_eq!(verify(&envelope, &source).err(), Some(VerifyError::Scope));
}

#[test]
fn every_header_field_is_signed() {
    let pair = pair();
    let envelope = pair.call(b"question").envelope;
    let edits: [fn(&mut Header); 16] = [
        |h| h.version += 1,
        |h| h.id = MessageId::new([0; 16]),
        |h| h.kind = Kind::Cancel,
        |h| h.source.path = realm_protocol::RealmPath::ROOT,
        |h| h.destination.path = realm_protocol::RealmPath::ROOT,
        |h| h.destination.node = None,
        |h| h.created = h.created.plus(1),
        |h| h.ttl_ms += 1,
        |h| h.call = realm_protocol::CallId::new([0; 16]),
        |h| h.commitment = Digest::new([0; 32]),
        |h| h.answers = Some(Digest::new([0; 32])),
        |h| h.priority = realm_protocol::Priority::Bulk,
        |h| h.flags = Some(1),
        |h| h.suite = Suite::Clear,
        |h| h.key = None,
        |h| h.max_reply += 1,
    ];
    for (index, edit) in edits.iter().enumerate() {
        let mut changed = envelope.clone();
        rewrite(&mut changed, edit);

        assert!(verify(&changed, &pair.source).is_err(), "edit {index}");
    }
}

#[test]
fn parts_of_two_good_envelopes_make_no_third() {
    let pair = pair();
    let first = pair.call(b"one").envelope;
    let target = pair.target.kem_at(NOW).unwrap();
    let out = outgoing(
        Kind::Call,
        pair.source.place(),
        pair.target.place(),
        None,
        b"two",
    );
    let second = seal(&mut rng(7), &pair.here.node, target, &out)
        .unwrap()
        .envelope;
    for parts in 1..7_u8 {
        let from = |bit: u8| if parts & bit == 0 { &first } else { &second };
        let mixed = Envelope {
            hop: first.hop,
            header: from(1).header.clone(),
            signature: from(2).signature.clone(),
            body: from(4).body.clone(),
            chain: None,
        };

        let refused = verify(&mixed, &pair.source).err();

        assert_eq!(refused, Some(VerifyError::Signature), "mix {parts}");
    }
}

#[test]
fn resolution_goes_in_the_clear_and_calls_do_not() {
    let pair = pair();
    let (source, target) = (pair.source.place(), pair.target.place());
    let asked = outgoing(Kind::Resolve, source, target, None, b"who");
    let clear = sign_clear(&mut rng(5), &pair.here.node, &asked).unwrap();
    let verified = verify(&clear.envelope, &pair.source).unwrap();
    assert_eq!(open_clear(&verified).unwrap().content(), b"who");

    let call = outgoing(Kind::Call, source, target, None, b"question");
    let refused = sign_clear(&mut rng(5), &pair.here.node, &call).err();
    assert_eq!(refused, Some(SealError::MustBeSealed(Kind::Call)));
    let mut bare = clear.envelope;
    rewrite(&mut bare, |header| header.kind = Kind::Call);
    sign(&mut bare, &pair.here);
    let verified = verify(&bare, &pair.source).unwrap();
    assert_eq!(
        open_clear(&verified).err(),
        Some(OpenError::MustBeSealed(Kind::Call))
    );
}

#[test]
fn a_plaintext_serves_no_other_source_destination_or_message() {
    let pair = pair();
    let (source, target) = (pair.source.place(), pair.target.place());
    let out = outgoing(Kind::Failure, source, target, None, b"no");
    let envelope = sign_clear(&mut rng(5), &pair.here.node, &out)
        .unwrap()
        .envelope;
    let thief = Realm::root(8);
    let place = thief.verified();

    let mut stolen = envelope.clone();
    rewrite(&mut stolen, |header| header.source = place.place().clone());
    sign(&mut stolen, &thief);
    let verified = verify(&stolen, &place).unwrap();
    assert_eq!(open_clear(&verified).err(), Some(OpenError::Misplaced));

    let edits: [fn(&mut Header); 2] = [
        |header| header.id = MessageId::new([0; 16]),
        |header| header.destination.realm = None,
    ];
    for edit in edits {
        let mut changed = envelope.clone();
        rewrite(&mut changed, edit);
        sign(&mut changed, &pair.here);
        let verified = verify(&changed, &pair.source).unwrap();
        assert_eq!(open_clear(&verified).err(), Some(OpenError::Misplaced));
    }
    let mut other = envelope;
    let mut body = other.body.to_vec();
    body[40] ^= 1;
    other.body = body.into();
    sign(&mut other, &pair.here);
    let verified = verify(&other, &pair.source).unwrap();
    assert_eq!(open_clear(&verified).err(), Some(OpenError::Commitment));
}

#[test]
fn what_is_too_large_or_not_ones_own_is_not_sealed() {
    let pair = pair();
    let kem = pair.target.kem_at(NOW).unwrap();
    let (source, target) = (pair.source.place(), pair.target.place());
    let large = vec![0; limits::BODY_BYTES + 1];
    let mut out = outgoing(Kind::Call, source, target, None, &large);
    let seal = |signer, out: &_| seal(&mut rng(5), signer, kem, out).err();

    assert_eq!(seal(&pair.here.node, &out), Some(SealError::TooLarge));
    out.content = &large[1..];
    assert_eq!(seal(&pair.here.node, &out), None);
    assert_eq!(seal(&pair.there.node, &out), Some(SealError::Source));
    out.destination = source;
    assert_eq!(seal(&pair.here.node, &out), Some(SealError::Recipient));
}

#[test]
fn a_key_of_small_order_is_not_sealed_to() {
    let pair = pair();
    let mut kem = pair.target.kem_at(NOW).unwrap().clone();
    kem.key = [0; 32];
    let out = outgoing(
        Kind::Call,
        pair.source.place(),
        pair.target.place(),
        None,
        b"",
    );

    let refused = seal(&mut rng(5), &pair.here.node, &kem, &out).err();

    assert_eq!(refused, Some(SealError::Key));
}

#[test]
fn padding_is_zeros_and_content_is_bounded_for_the_reader_too() {
    let pair = pair();
    let (source, target) = (pair.source.place(), pair.target.place());
    let out = outgoing(Kind::Resolved, source, target, None, b"here");
    let envelope = sign_clear(&mut rng(5), &pair.here.node, &out)
        .unwrap()
        .envelope;
    let read = |edit: fn(&mut Plaintext)| {
        let mut changed = envelope.clone();
        let mut plaintext: Plaintext = cbor::decode(&changed.body).unwrap();
        edit(&mut plaintext);
        changed.body = Blob::from(cbor::encode(&plaintext));
        let commitment = Digest::of(&[&changed.body]);
        rewrite(&mut changed, |header| header.commitment = commitment);
        sign(&mut changed, &pair.here);
        open_clear(&verify(&changed, &pair.source).unwrap()).err()
    };

    assert_eq!(
        read(|plain| plain.padding = Some(Blob::from(vec![0; 9]))),
        None
    );
    let hidden = read(|plain| plain.padding = Some(Blob::from(vec![0, 1])));
    assert!(matches!(hidden, Some(OpenError::Malformed(_))));
    let large = read(|plain| plain.content = Blob::from(vec![0; limits::BODY_BYTES + 1]));
    assert_eq!(large, Some(OpenError::TooLarge));
}
