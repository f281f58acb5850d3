use realm_protocol::RealmId;

use super::*;
use crate::fixtures;

fn scope(root: u8, path: &str) -> Scope {
    Scope {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
    }
}

fn bounded(home: Scope, per_realm: Option<u64>) -> Quotas {
    let mut announcement = fixtures::announcement();
    announcement.announcer.path = home.path;
    announcement.rule.per_realm = per_realm;
    announcement.rule.max_bids = 1_000;
    Quotas::new(Shares::of(&announcement))
}

/// How many of `tries` bids count, going round the bidders.
fn counted(quotas: &mut Quotas, bidders: &[Scope], tries: usize) -> usize {
    let mut bids = bidders.iter().cycle().take(tries);
    let mut admit = |bidder| {
        let room = quotas.has_room(bidder);
        if room {
            quotas.count(bidder);
        }
        room
    };
    bids.by_ref().filter(|bidder| admit(bidder)).count()
}

#[test]
fn a_foreign_root_gains_nothing_by_splitting_into_realms() {
    let home = scope(1, "health");
    let one = [scope(2, "a")];
    let deep = [scope(2, "a/b/c/d"), scope(2, "a/b/c/e"), scope(2, "a/b/c")];
    let wide: Vec<Scope> = (b'a'..=b'z')
        .map(|it| scope(2, &char::from(it).to_string()))
        .collect();

    for (bidders, expected) in [(&one[..], 32), (&deep, 8), (&wide, 64)] {
        let mut quotas = bounded(home.clone(), None);
        assert_eq!(counted(&mut quotas, bidders, 1_000), expected);
        assert!(
            quotas.has_room(&scope(3, "a")),
            "another root has its own share"
        );
    }
}

#[test]
fn in_the_announcers_tree_the_rule_bounds_every_realm_but_those_above_the_announcer() {
    let mut quotas = bounded(scope(1, "health/heart"), Some(3));
    let bidders = [
        scope(1, "health/lung"),
        scope(1, "health/lung/left"),
        scope(1, "bank"),
    ];

    assert_eq!(counted(&mut quotas, &bidders, 90), 6);

    let mut quotas = bounded(scope(1, "health/heart"), None);
    assert_eq!(counted(&mut quotas, &bidders, 90), 90);
}

#[test]
fn a_bid_that_counts_no_more_makes_room() {
    let mut quotas = bounded(scope(1, ""), None);
    let bidder = scope(2, "a/b/c");
    assert_eq!(counted(&mut quotas, std::slice::from_ref(&bidder), 9), 8);

    quotas.release(&bidder);

    assert_eq!(counted(&mut quotas, &[bidder], 9), 1);
}

#[test]
fn one_foreign_root_fills_no_more_than_half_of_what_is_taken_unless_more_is_asked_for() {
    for (least, most, expected) in [(1, 10, 5), (1, 1, 1), (8, 10, 8), (1, 1_000, 64)] {
        let mut announcement = fixtures::announcement();
        (announcement.rule.min_bids, announcement.rule.max_bids) = (least, most);
        let mut quotas = Quotas::new(Shares::of(&announcement));
        assert_eq!(counted(&mut quotas, &[scope(2, "")], 100), expected);
    }
}
