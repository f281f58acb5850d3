use realm_protocol::RealmPath;

use super::*;

fn realm(number: u16) -> RealmId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    RealmId::new(id)
}

/// A place in the tree of a root; root 0 is this realm's own.
fn place(root: u16) -> Scope {
    Scope {
        root: realm(root),
        path: RealmPath::ROOT,
    }
}

fn share_of(scope: &Scope) -> Option<Scope> {
    (scope.root != realm(0)).then(|| scope.clone())
}

fn remember(histories: &mut Histories, realms: std::ops::Range<u16>, root: u16) {
    for number in realms {
        let history = StoredHistory {
            scope: place(root),
            successions: Vec::new(),
        };
        histories.recover(realm(number), history);
    }
}

fn set(realms: impl IntoIterator<Item = u16>) -> BTreeSet<RealmId> {
    realms.into_iter().map(realm).collect()
}

const SHARE: u16 = limits::HISTORIES_SHARE as u16;
const OWN: u16 = limits::HISTORIES_OWN_TREE as u16;

#[test]
fn a_share_makes_room_with_what_it_has_not_used_for_longest_and_needs_no_more() {
    let mut histories = Histories::default();
    remember(&mut histories, 10_000..10_008, 2);
    remember(&mut histories, 1..SHARE + 4, 1);
    histories.touch(realm(2));

    let forgotten = histories.trim(&set([1, 3]), &set([]), share_of);

    assert_eq!(
        forgotten.into_iter().collect::<BTreeSet<_>>(),
        set([4, 5, 6])
    );
    assert_eq!(histories.len(), limits::HISTORIES_SHARE + 8);
    assert!(histories.trim(&set([]), &set([]), share_of).is_empty());
}

#[test]
fn where_everything_is_needed_what_came_last_is_not_remembered() {
    let mut histories = Histories::default();
    remember(&mut histories, 1..SHARE + 3, 1);

    let forgotten = histories.trim(&set(1..SHARE + 3), &set([]), share_of);

    let last = set([SHARE + 1, SHARE + 2]);
    assert_eq!(forgotten.into_iter().collect::<BTreeSet<_>>(), last);
}

#[test]
fn the_own_tree_is_bounded_too_but_this_realm_and_those_above_it_stay() {
    let mut histories = Histories::default();
    remember(&mut histories, 1..OWN + 6, 0);

    let forgotten = histories.trim(&set([]), &set([1, 2]), share_of);

    let first = set([3, 4, 5]);
    assert_eq!(forgotten.into_iter().collect::<BTreeSet<_>>(), first);
}

#[test]
fn beyond_the_whole_the_share_that_holds_most_makes_room() {
    let mut histories = Histories::default();
    remember(&mut histories, 0..OWN, 0);
    for root in 1..=2 {
        remember(&mut histories, root * 1_000..root * 1_000 + SHARE, root);
    }
    remember(&mut histories, 5_000..5_003, 3);

    let forgotten = histories.trim(&set([]), &set([]), share_of);

    assert_eq!(forgotten.into_iter().collect::<BTreeSet<_>>(), set(0..3));
    assert_eq!(histories.len(), limits::HISTORIES);
}
