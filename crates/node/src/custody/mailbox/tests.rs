use realm_protocol::{RealmId, RealmPath};

use super::*;

fn scope(number: u8) -> Scope {
    Scope {
        root: RealmId::new([number; 32]),
        path: RealmPath::ROOT,
    }
}

/// A call from under a root; from this realm itself without one.
fn kept(share: Option<u8>, bytes: usize) -> Kept {
    let Scope { root, path } = scope(share.unwrap_or(0));
    Kept {
        digest: Digest::of(&[]),
        source: Place {
            root,
            path,
            realm: None,
            node: None,
        },
        call: CallId::new([1; 16]),
        created: Timestamp::from_millis(0),
        share: share.map(scope),
        bytes,
        until: Timestamp::from_millis(1_000),
        written: JournalSeq(0),
        given: None,
        given_up: false,
    }
}

fn child(number: usize) -> Label {
    format!("child-{number}").parse().unwrap()
}

/// Keeps as many calls as are let in; gives their number.
fn fill(custodian: &mut Custodian, child: &Label, share: Option<u8>, bytes: usize) -> usize {
    let mut count = 0;
    while custodian.has_room(child, &kept(share, bytes), None) {
        let number = custodian.last + 1;
        custodian.insert(child, number, kept(share, bytes));
        count += 1;
    }
    count
}

#[test]
fn a_share_is_bounded_in_calls_and_bytes_for_one_child_and_in_bytes_for_all() {
    let mut custodian = Custodian::default();
    let large = limits::CUSTODY_SHARE_BYTES / 8;

    assert_eq!(fill(&mut custodian, &child(0), Some(1), large), 8);
    assert_eq!(
        fill(&mut custodian, &child(1), Some(1), 1),
        limits::CUSTODY_SHARE
    );
    let elsewhere: usize = (2..12)
        .map(|number| fill(&mut custodian, &child(number), Some(1), large))
        .sum();

    let in_all = limits::CUSTODY_SHARE_BYTES_IN_ALL / large;
    assert_eq!(8 + elsewhere, in_all - 1, "a byte each is in the way");
    assert_eq!(fill(&mut custodian, &child(0), Some(2), large), 8);
    assert_eq!(fill(&mut custodian, &child(0), None, large), 16);
}

#[test]
fn what_takes_the_place_of_another_needs_only_the_room_beyond_it() {
    let mut custodian = Custodian::default();
    let large = limits::CUSTODY_SHARE_BYTES / 2;
    fill(&mut custodian, &child(0), Some(1), large);

    assert!(!custodian.has_room(&child(0), &kept(Some(1), large), None));
    assert!(custodian.has_room(&child(0), &kept(Some(1), large), Some(1)));
    assert!(!custodian.has_room(&child(0), &kept(Some(1), large + 1), Some(1)));
    custodian.remove(&child(0), 1);
    assert_eq!(fill(&mut custodian, &child(0), Some(1), large), 1);
    custodian.remove(&child(0), 2);
    custodian.remove(&child(0), 3);
    assert!(custodian.shares.is_empty());
}
