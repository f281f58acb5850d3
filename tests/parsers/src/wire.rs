//! What crosses links and lies on the disk.

use std::fmt::Debug;

use bytes::Bytes;
use ciborium::Value;
use realm_protocol::{
    Envelope, Failure, Header, Hop, Place, Scope, Signature, Suite,
    cbor::{self, Wire},
    journal::{Event, Run},
    limits,
    link::{
        Accept, Beat, Bye, Frame, Hello, Join, Joined, NeedChain, Offer, Records, Renew, read_chain,
    },
    message::{
        Call, CallResult, Cancel, Contract, ContractsAsked, ContractsGiven, Plaintext, Resolve,
        Resolved,
    },
    trace::{TraceAsked, TraceShown},
};

/// First map key that a reader may ignore when it does not know it.
const IGNORABLE: u64 = 64;

/// Reads a document of the protocol by a reader that others wrote.
pub(crate) fn document(bytes: &[u8]) -> Option<Value> {
    cbor::check(bytes).ok()?;
    Some(ciborium::from_reader(bytes).expect("checked"))
}

/// Writes a document by a writer that others wrote.
pub(crate) fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("memory");
    bytes
}

/// Reads a value. If that succeeds, writing it gives the same bytes, but for keys that a reader
/// ignores, and reading those gives the same value.
pub(crate) fn one_encoding<T: Wire + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value = cbor::decode::<T>(bytes).ok()?;
    let written = cbor::encode(&value);
    if written != bytes {
        let read = document(bytes).expect("read before");
        let again = document(&written).expect("written by the product");
        assert!(
            is_without_ignored(&again, &read),
            "{value:?} has two encodings: {written:?}"
        );
    }
    let again = cbor::decode::<T>(&written);
    assert_eq!(
        again.as_ref(),
        Ok(&value),
        "what was written reads otherwise"
    );
    Some(value)
}

/// Whether a value is another one without map entries that a reader ignores. Which of those it knows is
/// its own matter.
fn is_without_ignored(value: &Value, other: &Value) -> bool {
    match (value, other) {
        (Value::Array(items), Value::Array(others)) => {
            let mut both = items.iter().zip(others);
            items.len() == others.len() && both.all(|(one, other)| is_without_ignored(one, other))
        }
        (Value::Map(entries), Value::Map(others)) => {
            let mut entries = entries.iter().peekable();
            let kept =
                others.iter().all(
                    |(key, other)| match entries.next_if(|(own, _)| own == key) {
                        Some((_, value)) => is_without_ignored(value, other),
                        None => key_number(key) >= Some(IGNORABLE),
                    },
                );
            kept && entries.next().is_none()
        }
        (value, other) => value == other,
    }
}

fn key_number(key: &Value) -> Option<u64> {
    key.as_integer().and_then(|key| u64::try_from(key).ok())
}

/// The checker agrees with a reader written by others: it accepts what that one reads and would
/// write so again, if it lies within the limits, and nothing else.
pub(crate) fn cbor(bytes: &[u8]) {
    let checked = cbor::check(bytes);
    if let Some(value) = document(bytes) {
        assert_eq!(written(&value), bytes, "accepted, but not the one encoding");
        assert!(is_plain_document(&value), "accepted past the limits");
        return;
    }
    let mut rest = bytes;
    let Ok(value) = ciborium::from_reader::<Value, _>(&mut rest) else {
        return;
    };
    if rest.is_empty() && is_plain_document(&value) {
        assert_ne!(written(&value), bytes, "refused: {checked:?}");
    }
}

fn is_plain_document(value: &Value) -> bool {
    let mut items = 0;
    is_plain(value, 1, &mut items) && items <= limits::CBOR_ITEMS
}

/// Whether a value is of the types, nesting and order of keys that the protocol allows.
fn is_plain(value: &Value, depth: usize, items: &mut usize) -> bool {
    *items += 1;
    match value {
        Value::Integer(_) | Value::Bytes(_) | Value::Text(_) | Value::Bool(_) | Value::Null => true,
        Value::Array(inner) => {
            (inner.is_empty() || depth < limits::CBOR_DEPTH)
                && inner.iter().all(|item| is_plain(item, depth + 1, items))
        }
        Value::Map(entries) => {
            let keys: Option<Vec<u64>> = entries.iter().map(|(key, _)| key_number(key)).collect();
            (entries.is_empty() || depth < limits::CBOR_DEPTH)
                && entries.len() <= limits::CBOR_MAP_KEYS
                && keys.is_some_and(|keys| keys.is_sorted_by(|a, b| a < b))
                && entries.iter().all(|(_, value)| {
                    *items += 1;
                    is_plain(value, depth + 1, items)
                })
        }
        _ => false,
    }
}

pub(crate) fn frame(bytes: &[u8]) {
    one_encoding::<Hello>(bytes);
    one_encoding::<Join>(bytes);
    one_encoding::<Offer>(bytes);
    one_encoding::<Accept>(bytes);
    one_encoding::<Joined>(bytes);
    one_encoding::<Renew>(bytes);
    one_encoding::<Records>(bytes);
    one_encoding::<NeedChain>(bytes);
    one_encoding::<Beat>(bytes);
    one_encoding::<Bye>(bytes);
    let read = Frame::decode(&Bytes::copy_from_slice(bytes));
    if bytes.len() > limits::FRAME_BYTES {
        assert!(read.is_err(), "a frame that is too long");
        return;
    }
    let raw = one_encoding::<Frame>(bytes);
    assert_eq!(read.ok(), raw);
    if let Some(Frame::Envelope(envelope)) = raw {
        inside(&envelope);
    }
}

pub(crate) fn envelope(bytes: &[u8]) {
    one_encoding::<Signature>(bytes);
    if let Some(envelope) = one_encoding::<Envelope>(bytes) {
        inside(&envelope);
    }
}

/// What an envelope carries as bytes.
fn inside(envelope: &Envelope) {
    assert!(envelope.header.len() <= limits::HEADER_BYTES);
    let header = one_encoding::<Header>(&envelope.header);
    let counts = |header: &Header| header.counter.is_some() == (header.suite == Suite::Session);
    assert_eq!(envelope.peek().ok(), header.filter(counts));
    assert_eq!(envelope.signed_input().len(), 64);
    if let Some(chain) = &envelope.chain {
        assert!(chain.len() <= limits::CHAIN_BYTES);
        assert_eq!(
            read_chain(chain).is_ok(),
            one_encoding::<realm_protocol::records::Chain>(chain).is_some()
        );
    }
    message(&envelope.body);
}

pub(crate) fn header(bytes: &[u8]) {
    one_encoding::<Place>(bytes);
    one_encoding::<Scope>(bytes);
    let Some(header) = one_encoding::<Header>(bytes) else {
        return;
    };
    assert!(header.expires() >= header.created);
    assert!(header.source.is_at(&header.source));
    assert!(header.answers.is_some() || !header.is_answer());
}

pub(crate) fn hop(bytes: &[u8]) {
    one_encoding::<Hop>(bytes);
}

pub(crate) fn message(bytes: &[u8]) {
    if let Some(plaintext) = one_encoding::<Plaintext>(bytes) {
        content(&plaintext.content);
    }
    content(bytes);
}

fn content(bytes: &[u8]) {
    one_encoding::<Resolve>(bytes);
    one_encoding::<Resolved>(bytes);
    one_encoding::<Call>(bytes);
    one_encoding::<CallResult>(bytes);
    one_encoding::<Cancel>(bytes);
    one_encoding::<ContractsAsked>(bytes);
    one_encoding::<ContractsGiven>(bytes);
    one_encoding::<Contract>(bytes);
    one_encoding::<TraceAsked>(bytes);
    one_encoding::<TraceShown>(bytes);
    one_encoding::<Failure>(bytes);
}

pub(crate) fn journal(bytes: &[u8]) {
    one_encoding::<Run>(bytes);
    one_encoding::<Event>(bytes);
    let key = realm_crypto::StoreKey::from_bytes([7; 32]);
    assert!(key.open(b"row", bytes).is_err(), "a seal by nobody");
}
