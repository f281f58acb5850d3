//! One value of every type that crosses a link or reaches a disk, for tests.

mod broadcast;
mod journal;
mod messages;
mod records;

use crate::{
    CallId, Digest, Envelope, FailureCode, Header, Hop, Kind, LoopId, MessageId, NodeId, Phase,
    Place, Priority, RealmId, RealmPath, Secret16, Signature, Suite, TicketId, Timestamp,
    budget::{Budget, Spend},
    cbor::{self, Blob, CborError, Wire},
    link::{
        Accept, Beat, Bye, Frame, Hello, Join, Joined, NeedChain, Offer, Records, Renew, Taken,
    },
    records::{Record, Signed},
};

pub(crate) use messages::call;

/// A value's bytes, and what reading and writing them again gives.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) again: fn(&[u8]) -> Result<Vec<u8>, CborError>,
}

fn sample<T: Wire>(name: &'static str, value: &T) -> Sample {
    Sample {
        name,
        bytes: cbor::encode(value),
        again: |bytes| cbor::decode::<T>(bytes).map(|value| cbor::encode(&value)),
    }
}

pub(crate) fn all() -> Vec<Sample> {
    let mut samples = records::all();
    samples.extend(messages::all());
    samples.extend(broadcast::all());
    samples.extend(
        frames()
            .into_iter()
            .map(|frame| sample(frame.name(), &frame)),
    );
    samples.push(sample("Header", &header()));
    samples.push(sample("Chain", &records::chain()));
    samples.push(sample("Ticket", &records::ticket()));
    samples.push(sample("Run", &journal::run()));
    samples.push(sample("Event", &journal::event()));
    samples.push(sample("FrameRecord", &journal::frame_record()));
    samples
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn realm(number: u8) -> RealmId {
    RealmId::new([number; 32])
}

fn node(number: u8) -> NodeId {
    NodeId::new([number; 32])
}

fn digest(number: u8) -> Digest {
    Digest::new([number; 32])
}

fn path(text: &str) -> RealmPath {
    text.parse().unwrap()
}

fn loop_id() -> LoopId {
    "risk-classify".parse().unwrap()
}

fn place(root: u8, at: &str) -> Place {
    Place {
        root: realm(root),
        path: path(at),
        realm: Some(realm(root + 1)),
        node: Some(node(root + 2)),
    }
}

fn signed<T: Record>(record: &T) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    signed.signatures = vec![[7; 64]; T::TAGS.len()];
    signed
}

pub(crate) fn header() -> Header {
    Header {
        version: 1,
        id: MessageId::new([1; 16]),
        kind: Kind::Call,
        source: place(10, "health/cardiology"),
        destination: place(20, "genomics"),
        created: NOW,
        ttl_ms: 60_000,
        call: CallId::new([2; 16]),
        commitment: digest(3),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        suite: Suite::Sealed,
        key: Some(crate::KeyId::new([4; 8])),
        max_reply: 65_536,
        chunk: None,
        counter: None,
        receipt: None,
    }
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        hop: Hop {
            left: 17,
            phase: Phase::Up,
            age_ms: 0,
        },
        header: Blob::from(cbor::encode(&header())),
        signature: Signature::Single([5; 64]),
        body: Blob::from(vec![6; 300]),
        chain: None,
    }
}

fn frames() -> Vec<Frame> {
    let rooted = Envelope {
        signature: Signature::Root {
            signature: [5; 64],
            index: 5,
            siblings: vec![digest(6); 3],
        },
        chain: Some(Blob::from(cbor::encode(&records::chain()))),
        ..envelope()
    };
    vec![
        Frame::Envelope(envelope()),
        Frame::Envelope(rooted),
        Frame::Hello(Hello {
            oldest: 1,
            newest: 1,
            chain: records::chain(),
            clock: NOW,
            records: digest(1),
            joining: Some(true),
        }),
        Frame::Join(Join {
            ticket: TicketId::new([1; 16]),
            secret: Secret16::new([2; 16]),
            admission: Some(records::admission()),
            petname: Some("lab".parse().unwrap()),
        }),
        Frame::Offer(Offer {
            child_cert: Some(signed(&records::child_cert())),
            peering: None,
            chain: records::chain(),
        }),
        Frame::Accept(Accept {
            child_cert: None,
            peering: Some(signed(&records::peering())),
        }),
        Frame::Joined(Joined { record: digest(1) }),
        Frame::Renew(Renew {
            held: Some(digest(1)),
        }),
        Frame::Records(Records {
            chain: Some(records::chain()),
            revocations: vec![signed(&records::revocations())],
            issuers: vec![records::chain()],
            policies: vec![signed(&records::policy())],
            summary: None,
        }),
        Frame::Records(Records {
            summary: Some(crate::broadcast::Summary {
                filter: Blob::from(vec![1; crate::limits::SUMMARY_BYTES]),
                realms: 3,
            }),
            ..Records::default()
        }),
        Frame::NeedChain(NeedChain { header: digest(1) }),
        Frame::Beat(Beat {
            clock: NOW,
            records: digest(1),
            head: None,
            witnessed: None,
            proof: None,
        }),
        Frame::Bye(Bye {
            code: Some(FailureCode::Denied),
            detail: Some("the ticket is not valid".to_owned()),
        }),
        Frame::Taken(Taken { header: digest(1) }),
    ]
}

fn budget() -> Budget {
    Budget {
        money: "EUR 0.50".parse().ok(),
        tokens: Some(1_200),
        calls: Some(3),
    }
}

fn spend() -> Spend {
    let euros = "EUR 0.50".parse();
    Spend {
        money: euros.into_iter().collect(),
        tokens: 1_200,
        calls: 3,
        unpriced: 1,
    }
}

/// A Markdown table: head, and one row for each number below `rows`.
pub(crate) fn table(head: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    let columns = head.matches('|').count() - 1;
    let rule = format!("|{}", "---|".repeat(columns));
    let rows = (0..rows).map(row);
    let lines: Vec<String> = [head.to_owned(), rule].into_iter().chain(rows).collect();
    lines.join("\n") + "\n"
}

/// Holds a page of the specification against a table that the code gives.
pub(crate) fn assert_in_spec(page: &str, table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/").to_owned() + page;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text.contains(table),
        "{path} does not hold this table:\n\n{table}"
    );
}
