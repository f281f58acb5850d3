use super::*;
use crate::{link::Frame, samples};

fn read(envelope: &Envelope) -> Result<Envelope, CborError> {
    cbor::decode(&cbor::encode(envelope))
}

fn rooted(index: u64, siblings: usize) -> Envelope {
    Envelope {
        signature: Signature::Root {
            signature: [5; 64],
            index,
            siblings: vec![Digest::new([6; 32]); siblings],
        },
        ..samples::envelope()
    }
}

#[test]
fn a_leaf_lies_inside_a_tree_of_at_most_1024() {
    for (index, siblings) in [(0, 0), (1, 1), (1_023, 10)] {
        let envelope = rooted(index, siblings);
        assert_eq!(read(&envelope), Ok(envelope));
    }
    for (index, siblings) in [
        (1, 0),
        (2, 1),
        (1_024, 10),
        (0, 11),
        (u64::MAX, 10),
        (0, 70),
    ] {
        let refused = read(&rooted(index, siblings));
        assert_eq!(
            refused,
            Err(CborError::Expected("an index inside its tree"))
        );
    }
}

#[test]
fn header_chain_and_frame_have_their_limits() {
    let header = |length| Envelope {
        header: Blob::from(vec![0; length]),
        ..samples::envelope()
    };
    let chain = |length| Envelope {
        chain: Some(Blob::from(vec![0; length])),
        ..samples::envelope()
    };
    read(&header(limits::HEADER_BYTES)).unwrap();
    read(&chain(limits::CHAIN_BYTES)).unwrap();

    read(&header(limits::HEADER_BYTES + 1)).unwrap_err();
    read(&chain(limits::CHAIN_BYTES + 1)).unwrap_err();
    let body = Envelope {
        body: Blob::from(vec![0; limits::FRAME_BYTES]),
        ..samples::envelope()
    };
    Frame::decode(&Frame::Envelope(body).encode()).unwrap_err();
}

#[test]
fn the_largest_message_fits_a_frame() {
    // Salt, padding of an eighth at most, encapsulated key and tag around the largest content.
    let body = limits::BODY_BYTES + limits::BODY_BYTES / 8 + 1_024;
    let envelope = Envelope {
        header: Blob::from(vec![0; limits::HEADER_BYTES]),
        body: Blob::from(vec![0; body]),
        chain: Some(Blob::from(vec![0; limits::CHAIN_BYTES])),
        ..rooted(1_023, limits::MERKLE_SIBLINGS)
    };

    assert!(Frame::Envelope(envelope).encode().len() <= limits::FRAME_BYTES);
}

#[test]
fn the_longest_header_fits_its_limit() {
    let longest = format!("{0}/{0}/{0}/{0}", "a".repeat(63));
    let mut header = samples::header();
    for place in [&mut header.source, &mut header.destination] {
        place.path = longest.parse().unwrap();
    }
    header.answers = Some(Digest::new([1; 32]));
    header.flags = Some(u64::MAX);
    header.chunk = Some(u64::MAX);
    header.ttl_ms = u64::MAX;
    header.max_reply = u64::MAX;

    assert!(cbor::encode(&header).len() <= limits::HEADER_BYTES);
}

#[test]
fn numbers_that_stand_for_nothing_are_refused() {
    for number in [0_u64, 29, u64::MAX] {
        cbor::decode::<Kind>(&cbor::encode(&number)).unwrap_err();
    }
    for number in [0_u64, 4] {
        cbor::decode::<Phase>(&cbor::encode(&number)).unwrap_err();
        cbor::decode::<Priority>(&cbor::encode(&number)).unwrap_err();
    }
    cbor::decode::<Suite>(&cbor::encode(&4_u64)).unwrap_err();
}

#[test]
fn the_kinds_in_the_specification_are_those_in_the_code() {
    let table = samples::table("| number | kind | |", Kind::ALL.len(), |at| {
        let kind = Kind::ALL[at];
        let spoken = if kind.is_spoken() {
            "spoken"
        } else {
            "reserved"
        };
        format!("| {} | {} | {spoken} |", kind.number(), kind.name())
    });

    samples::assert_in_spec("envelopes.md", &table);
}

#[test]
fn what_a_signature_covers_changes_with_header_and_body_alone() {
    let envelope = samples::envelope();
    let mut moved = envelope.clone();
    moved.hop.left = 1;
    moved.chain = Some(Blob::from(vec![1]));
    let mut other = envelope.clone();
    let mut body = other.body.to_vec();
    body[0] ^= 1;
    other.body = body.into();

    assert_eq!(envelope.signed_input(), moved.signed_input());
    assert_ne!(envelope.signed_input(), other.signed_input());
    assert_eq!(envelope.signed_input().len(), 64);
}

#[test]
fn a_message_may_be_kept_only_as_a_sealed_call_with_its_flag() {
    let header = |flags, kind, suite| Header {
        flags,
        kind,
        suite,
        ..samples::envelope().peek().unwrap()
    };
    let storable = header(Some(flags::STORABLE), Kind::Call, Suite::Sealed);
    let others = [
        header(None, Kind::Call, Suite::Sealed),
        header(Some(flags::ANSWER), Kind::Call, Suite::Sealed),
        header(Some(0), Kind::Call, Suite::Sealed),
        header(Some(flags::STORABLE), Kind::Cancel, Suite::Sealed),
        header(Some(flags::STORABLE), Kind::Call, Suite::Session),
    ];

    assert!(storable.is_storable());
    assert_eq!(storable.longest_ttl_ms(), limits::STORABLE_TTL_MS);
    for other in others {
        assert!(!other.is_storable(), "{other:?}");
        assert_eq!(other.longest_ttl_ms(), limits::TTL_MS);
    }
}

#[test]
fn an_answer_names_a_request_and_is_of_a_kind_that_answers() {
    let answers = |kind, flags, answers| {
        let header = Header {
            kind,
            flags,
            answers,
            ..samples::envelope().peek().unwrap()
        };
        header.is_answer()
    };
    let request = Some(Digest::new([7; 32]));

    assert!(answers(Kind::Result, None, request));
    assert!(answers(Kind::Contracts, Some(flags::ANSWER), request));
    assert!(!answers(Kind::Result, None, None));
    assert!(!answers(Kind::Call, None, request));
    assert!(!answers(Kind::Contracts, None, request));
    assert!(!answers(Kind::Contracts, Some(flags::STORABLE), request));
}
