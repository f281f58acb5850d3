//! What realms sign, before any signature is looked at.

use std::fmt::Debug;

use realm_protocol::{
    limits,
    records::{
        Admission, Chain, ChainLink, ChildCert, ChildLimits, Inception, KemRecord, NodeCert,
        Peering, Petname, PolicyRecord, RealmRecord, Record, RevocationList, Signed, Succession,
        Ticket,
    },
};

use crate::wire::one_encoding;

/// Reads bytes as a signed record and as its payload alone.
fn record<T: Record + PartialEq + Debug>(bytes: &[u8]) {
    one_encoding::<T>(bytes);
    let Some(signed) = one_encoding::<Signed<T>>(bytes) else {
        return;
    };
    assert!(signed.payload.len() <= limits::RECORD_BYTES);
    assert!(signed.signatures.len() <= T::TAGS.len());
    assert!(signed.signed_input(T::TAGS.len()).is_none());
    assert_eq!(signed.peek().ok(), one_encoding::<T>(&signed.payload));
}

pub(crate) fn identity(bytes: &[u8]) {
    record::<Inception>(bytes);
    record::<Succession>(bytes);
    record::<RealmRecord>(bytes);
    record::<KemRecord>(bytes);
}

pub(crate) fn certificate(bytes: &[u8]) {
    record::<NodeCert>(bytes);
    record::<ChildCert>(bytes);
    one_encoding::<ChildLimits>(bytes);
    one_encoding::<ChainLink>(bytes);
    one_encoding::<Chain>(bytes);
}

pub(crate) fn peering(bytes: &[u8]) {
    record::<Peering>(bytes);
    one_encoding::<Admission>(bytes);
    one_encoding::<Ticket>(bytes);
}

/// A policy record of an ancestor, and its text.
pub(crate) fn ceiling(bytes: &[u8]) {
    record::<PolicyRecord>(bytes);
    one_encoding::<Petname>(bytes);
}

pub(crate) fn revocation(bytes: &[u8]) {
    record::<RevocationList>(bytes);
}
