use std::collections::BTreeSet;

use super::*;
use crate::{
    TAG_ROOT, TAG_SINGLE,
    broadcast::{Announcement, Bid, Confirm, Outcome, TranscriptSeal, Verdict},
};

#[test]
fn no_two_signatures_in_the_protocol_share_a_tag_and_none_begins_another() {
    let tags: Vec<&str> = [
        Inception::TAGS,
        Succession::TAGS,
        NodeCert::TAGS,
        ChildCert::TAGS,
        KemRecord::TAGS,
        RealmRecord::TAGS,
        Peering::TAGS,
        RevocationList::TAGS,
        PolicyRecord::TAGS,
        Approval::TAGS,
        Grant::TAGS,
        Announcement::TAGS,
        Bid::TAGS,
        Confirm::TAGS,
        Outcome::TAGS,
        Verdict::TAGS,
        TranscriptSeal::TAGS,
        &[TAG_SINGLE, TAG_ROOT],
    ]
    .concat();

    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
    // The zero byte after a tag keeps one that begins another apart.
    assert!(tags.iter().all(|tag| !tag.contains('\0')));
}

fn signed(signatures: usize, payload: usize) -> Vec<u8> {
    let mut record = Signed::unsigned(&RealmRecord {
        realm: RealmId::new([1; 32]),
        epoch: 1,
        node: crate::NodeId::new([2; 32]),
        created: crate::Timestamp::from_millis(0),
    });
    record.signatures = vec![[0; 64]; signatures];
    record.payload = vec![0; payload].into();
    cbor::encode(&record)
}

#[test]
fn a_record_has_no_more_signatures_than_tags_and_a_bounded_payload() {
    for (signatures, payload) in [(0, 10), (1, 10), (1, limits::RECORD_BYTES)] {
        cbor::decode::<Signed<RealmRecord>>(&signed(signatures, payload)).unwrap();
    }
    for (signatures, payload) in [(2, 10), (1, limits::RECORD_BYTES + 1)] {
        cbor::decode::<Signed<RealmRecord>>(&signed(signatures, payload)).unwrap_err();
    }
    cbor::decode::<Signed<RealmRecord>>(&[0x80]).unwrap_err();
}

#[test]
fn a_payload_stays_as_it_was_signed_with_keys_that_are_ignored() {
    let mut record = Signed::<RealmRecord>::unsigned(&RealmRecord {
        realm: RealmId::new([1; 32]),
        epoch: 1,
        node: crate::NodeId::new([2; 32]),
        created: crate::Timestamp::from_millis(0),
    });
    let mut payload = [&*record.payload, &[0x18, 64, 0xf5]].concat();
    payload[0] += 1;
    record.payload = payload.into();

    let again: Signed<RealmRecord> = cbor::decode(&cbor::encode(&record)).unwrap();

    assert_eq!(again.payload, record.payload);
    assert_eq!(again.peek().unwrap().epoch, 1);
}
