use realm_protocol::{
    RealmId, Scope, Tick,
    broadcast::{Announcement, Levels, Reach, Summary, Tally},
    cbor::Blob,
};

use super::*;
use crate::fixtures;

fn scope(root: u8, path: &str) -> Scope {
    Scope {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
    }
}

fn child(label: &str) -> Side {
    Side::Child(label.parse().unwrap())
}

fn peer(root: u8) -> Side {
    Side::Peer(RealmId::new([root; 32]))
}

fn neighbour(side: Side) -> Neighbour {
    Neighbour {
        side,
        can: None,
        reachable: true,
    }
}

fn reaching(down: u64, up: u64, across: u64, realms: &[Scope]) -> Announcement {
    Announcement {
        reach: Reach {
            down,
            up,
            across,
            realms: realms.to_vec(),
            besides: None,
        },
        ..fixtures::announcement()
    }
}

/// Who gets it, with the levels down and up that it has from there.
fn passed(fan: &FanOut) -> Vec<(Side, u64, u64)> {
    let passes = fan.passes.iter();
    passes
        .map(|pass| (pass.to.clone(), pass.left.down, pass.left.up))
        .collect()
}

fn fan(
    announcement: &Announcement,
    here: &str,
    from: Side,
    down: u64,
    up: u64,
    neighbours: &[Side],
) -> Vec<(Side, u64, u64)> {
    let neighbours: Vec<Neighbour> = neighbours.iter().cloned().map(neighbour).collect();
    let left = Left { down, up };
    passed(&fan_out(
        announcement,
        &scope(1, here),
        &from,
        left,
        1_000,
        &neighbours,
    ))
}

#[test]
fn an_announcement_goes_up_across_once_and_down_and_never_back() {
    let inner = [Side::Parent, child("a"), child("b")];
    let root = [child("a"), child("b"), peer(2), peer(3)];
    let wide = reaching(3, 2, 2, &[]);

    // From the announcer, two levels above its root.
    let from_here = fan(&wide, "x", Side::Here, 3, 2, &inner);
    assert_eq!(
        from_here,
        [(Side::Parent, 3, 1), (child("a"), 2, 0), (child("b"), 2, 0)]
    );
    // The parent leaves out the side that it came from, and starts down afresh.
    let from_child = fan(&wide, "", child("a"), 3, 1, &root);
    assert_eq!(
        from_child,
        [(child("b"), 2, 0), (peer(2), 1, 0), (peer(3), 1, 0)]
    );
    // Whoever got it from above or across passes it down alone.
    assert_eq!(
        fan(&wide, "y", Side::Parent, 1, 0, &inner),
        [(child("a"), 0, 0), (child("b"), 0, 0)]
    );
    assert_eq!(fan(&wide, "", peer(2), 1, 0, &root).len(), 2);
    assert_eq!(fan(&wide, "y", Side::Parent, 0, 0, &inner), []);
    assert_eq!(fan(&wide, "y", child("a"), 0, 0, &inner), []);
}

#[test]
fn named_realms_are_asked_and_those_on_the_way_pass_it_on_to_nobody_else() {
    let named = reaching(8, 8, 8, &[scope(1, "x/a/deep"), scope(2, "lab")]);
    let neighbours = [Side::Parent, child("a"), child("b")];

    let inner = fan(&named, "x", Side::Here, 8, 8, &neighbours);
    let root = fan(
        &named,
        "",
        child("x"),
        8,
        0,
        &[child("y"), peer(2), peer(3)],
    );

    assert_eq!(inner, [(Side::Parent, 8, 7), (child("a"), 7, 0)]);
    assert_eq!(root, [(peer(2), 7, 0)]);
    assert!(!is_asked(&named, &scope(1, "x/a")));
    assert!(is_asked(&named, &scope(1, "x/a/deep/er")));
}

#[test]
fn those_who_are_near_are_asked_beside_the_realms_that_are_named() {
    let besides = |down, up, across| {
        let mut announcement = reaching(8, 8, 8, &[scope(1, "health/a/deep"), scope(2, "lab")]);
        let besides = Levels { down, up, across };
        announcement.reach.besides = Some(besides);
        announcement
    };
    let asked = |announcement: &Announcement| {
        let places = [
            "1/health",
            "1/health/b",
            "1/health/b/c",
            "1",
            "1/law",
            "2",
            "3",
            "3/x",
        ];
        let asked = places.into_iter().filter(|place| {
            let (root, path) = place.split_once('/').unwrap_or((place, ""));
            is_asked(announcement, &scope(root.parse().unwrap(), path))
        });
        asked.collect::<Vec<&str>>().join(" ")
    };
    let inner = [Side::Parent, child("a"), child("b")];
    let root = [child("law"), peer(2), peer(3)];

    // The announcer stands at 1/health.
    assert_eq!(asked(&besides(1, 0, 0)), "1/health 1/health/b");
    assert_eq!(asked(&besides(8, 0, 0)), "1/health 1/health/b 1/health/b/c");
    assert_eq!(asked(&besides(0, 8, 1)), "1/health 1 2 3");
    assert_eq!(
        asked(&besides(1, 1, 2)),
        "1/health 1/health/b 1 1/law 2 3 3/x"
    );
    let children = besides(1, 0, 0);
    let from_here = fan(&children, "health", Side::Here, 8, 8, &inner);
    assert_eq!(
        from_here,
        [(Side::Parent, 8, 7), (child("a"), 7, 0), (child("b"), 7, 0)]
    );
    let below = fan(&children, "health/b", Side::Parent, 7, 0, &inner);
    assert_eq!(below, []);
    let above = fan(&children, "", child("health"), 8, 7, &root);
    assert_eq!(above, [(peer(2), 7, 0)]);
    let peers = besides(0, 8, 1);
    let above = fan(&peers, "", child("health"), 8, 7, &root);
    assert_eq!(above, [(peer(2), 7, 0), (peer(3), 7, 0)]);
}

#[test]
fn a_neighbour_that_cannot_help_is_left_out_and_one_out_of_reach_is_counted() {
    let with = |entries: &[&str], reachable| Neighbour {
        can: Some(Capabilities::of(entries.iter().copied())),
        reachable,
        side: child(entries[0]),
    };
    let neighbours = [
        with(&["risk", "price"], true),
        with(&["price"], true),
        with(&["price"], false),
        with(&["risk"], false),
    ];
    let left = Left { down: 1, up: 0 };
    let announcement = fixtures::announcement();
    let fan = |window_ms| {
        fan_out(
            &announcement,
            &scope(1, ""),
            &Side::Here,
            left,
            window_ms,
            &neighbours,
        )
    };

    assert_eq!(passed(&fan(1_000)), [(child("risk"), 0, 0)]);
    assert_eq!(fan(1_000).unreached, 1);
    // Without time, nobody is reached.
    assert_eq!((fan(10).passes.len(), fan(10).unreached), (0, 2));
}

#[test]
fn each_level_keeps_a_tenth_of_the_time_for_itself() {
    let times = [2_000, 1_001, 100, 15, 10, 0].map(window_below);

    assert_eq!(times, [1_800, 900, 90, 5, 0, 0]);
}

#[test]
fn a_summary_holds_all_that_was_added_and_little_else() {
    let names: Vec<String> = (0..300)
        .map(|number| format!("capability.{number}"))
        .collect();
    let (some, others) = names.split_at(150);
    let mut all = Capabilities::of(some.iter().map(String::as_str));

    all.join(&Capabilities::of(others.iter().map(String::as_str)));

    let read = Capabilities::read(&all.write()).unwrap();
    assert!(names.iter().all(|name| read.hold(name)));
    assert_eq!(read.realms(), 2);
    let strangers = (0..10_000).filter(|it| read.hold(&format!("stranger.{it}")));
    assert!(strangers.count() < 100, "more than 1 % pass by mistake");
}

#[test]
fn a_summary_of_another_size_is_refused() {
    let short = Summary {
        filter: Blob::from(vec![0; 511]),
        realms: 1,
    };

    assert_eq!(Capabilities::read(&short), Err(SummaryError));
}

#[test]
fn tallies_add_up_and_silence_counts_as_out_of_reach() {
    let announcement = reaching(1, 0, 0, &[]);
    let neighbours = [child("a"), child("b"), child("c")].map(neighbour);
    let left = Left { down: 1, up: 0 };
    let from = Side::Here;
    let fan = fan_out(&announcement, &scope(1, ""), &from, left, 900, &neighbours);
    let tally = |round, bids| Tally {
        broadcast: announcement.broadcast,
        round,
        asked: 4,
        bids,
        unreached: 1,
        suppressed: None,
    };
    let due = Tick::from_millis(900);
    let mut tallying = Tallying::new(&announcement, &scope(1, ""), true, &fan, due);

    tallying.count_own(2);
    tallying.hear(&child("a"), &tally(1, 3));
    // Once more, and of another round, change nothing.
    tallying.hear(&child("a"), &tally(1, 3));
    tallying.hear(&child("b"), &tally(2, 3));
    tallying.lose(&child("b"));

    assert!(!tallying.is_complete());
    let sum = tallying.tally();
    assert_eq!((sum.asked, sum.bids, sum.unreached), (5, 5, 3));
}

#[test]
fn a_tally_holds_no_more_bids_of_anybody_than_may_count() {
    // The announcer stands at 1/health.
    let mut announcement = reaching(8, 8, 8, &[]);
    announcement.rule.per_realm = Some(5);
    announcement.rule.max_bids = 1_000;
    for (here, own, side, told, expected) in [
        (scope(2, ""), 0, child("a"), 1_000_000, 32),
        (scope(2, "a/b"), 9, child("c"), 1_000_000, 16),
        (scope(2, "a/b/c"), 16, child("d"), 2, 8),
        (scope(1, "law"), 9, child("tax"), 9, 5),
        (scope(1, ""), 7, child("law"), 9, 12),
        (scope(1, ""), 0, peer(2), 1_000_000, 64),
        (scope(1, "health"), 7, child("heart"), 3, 10),
    ] {
        let left = Left { down: 8, up: 8 };
        let from = match here == announcement.announcer.scope() {
            true => Side::Here,
            false if here.root == announcement.announcer.root => child("health"),
            false => Side::Parent,
        };
        let neighbours = [neighbour(side.clone())];
        let fan = fan_out(&announcement, &here, &from, left, 900, &neighbours);
        let due = Tick::from_millis(900);
        let mut tallying = Tallying::new(&announcement, &here, true, &fan, due);
        tallying.count_own(own);
        let tally = Tally {
            broadcast: announcement.broadcast,
            round: 1,
            asked: 1,
            bids: told,
            unreached: 0,
            suppressed: None,
        };
        tallying.hear(&side, &tally);
        assert_eq!(tallying.tally().bids, expected, "at {here:?}");
    }
}
