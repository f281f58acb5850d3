//! Which bids count, and which of them are waited for.

use super::*;

#[test]
fn each_bid_that_breaks_a_rule_is_refused_by_name() {
    let announcement = Announcement {
        limits: BidLimits {
            confidence: Some(800_000),
            ..fixtures::announcement().limits
        },
        ..fixtures::announcement()
    };
    let euros = |currency: &str, micros| {
        Some(Price {
            currency: currency.to_owned(),
            micros,
        })
    };
    let changes: [(Refusal, Change); 9] = [
        (Refusal::Unknown, |bid| {
            bid.announcement = Digest::new([0; 32]);
        }),
        (Refusal::Unknown, |bid| {
            bid.broadcast = BroadcastId::new([0; 16]);
        }),
        (Refusal::OutOfRange, |bid| bid.confidence = 1_000_001),
        (Refusal::OutOfRange, |bid| bid.load = 1_000_001),
        (Refusal::Holds, |bid| bid.expires_ms = 60_001),
        (Refusal::Holds, |bid| bid.expires_ms = 0),
        (Refusal::Time, |bid| bid.time_ms = 5_001),
        (Refusal::Confidence, |bid| bid.confidence = 799_999),
        (Refusal::Author, |bid| {
            bid.bidder.path = "elsewhere".parse().unwrap();
        }),
    ];
    let prices = [
        (Refusal::Currency, euros("USD", 1)),
        (Refusal::Price, euros("EUR", 100_001)),
    ];
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let mut honest = fixtures::bid(2, 10);
    honest.announcement = Signed::unsigned(&announcement).digest();
    let from = honest.bidder.clone();

    for (expected, change) in changes {
        let mut bid = honest.clone();
        change(&mut bid);
        assert_eq!(refusal(&mut announcer, &from, &bid, NOW), Some(expected));
    }
    for (expected, price) in prices {
        let bid = Bid {
            price,
            ..honest.clone()
        };
        assert_eq!(refusal(&mut announcer, &from, &bid, NOW), Some(expected));
    }
    let impostor = fixtures::place(2, "", 3);
    let forged = refusal(&mut announcer, &impostor, &honest, NOW);
    assert_eq!(forged, Some(Refusal::Author));
    let free = Bid {
        price: None,
        ..honest
    };
    assert_eq!(refusal(&mut announcer, &from, &free, NOW), None);
}

#[test]
fn an_agent_bids_once_and_nobody_after_the_time_or_the_last_place() {
    let announcement = Announcement {
        rule: Rule {
            max_bids: 3,
            ..fixtures::announcement().rule
        },
        ..fixtures::announcement()
    };
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let mut try_bid = |number, micros, tick| {
        let mut bid = fixtures::bid(number, micros);
        bid.announcement = Signed::unsigned(&announcement).digest();
        let now = Now {
            tick: Tick::from_millis(tick),
            ..NOW
        };
        let from = bid.bidder.clone();
        refusal(&mut announcer, &from, &bid, now)
    };

    assert_eq!(try_bid(2, 10, 1_000), None);
    assert_eq!(try_bid(2, 9, 1_000), Some(Refusal::Duplicate));
    assert_eq!(try_bid(3, 10, 2_999), None);
    assert_eq!(try_bid(4, 10, 3_000), Some(Refusal::Late));
    assert_eq!(try_bid(4, 10, 2_999), None);
    // The third was the last, and ended the bidding.
    assert_eq!(try_bid(5, 10, 2_999), Some(Refusal::Late));
}

#[test]
fn a_root_has_its_share_of_bids_and_no_more() {
    let mut announcement = fixtures::announcement();
    announcement.rule.max_bids = 1_000;
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let refused: Vec<Option<Refusal>> = (0..70)
        .map(|number| {
            let mut bid = fixtures::bid(2, 10);
            bid.bidder = fixtures::place(2, &format!("a{number}"), number);
            bid.announcement = Signed::unsigned(&announcement).digest();
            let from = bid.bidder.clone();
            refusal(&mut announcer, &from, &bid, NOW)
        })
        .collect();

    assert!(refused[..64].iter().all(Option::is_none));
    assert!(refused[64..].iter().all(|it| *it == Some(Refusal::Quota)));
}

#[test]
fn bids_that_do_not_count_end_the_bidding_no_sooner_than_their_quota_lets_them() {
    let mut announcement = fixtures::announcement();
    announcement.rule.max_bids = 1_000;
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let tally = Tally {
        broadcast: announcement.broadcast,
        round: 1,
        asked: 3,
        bids: limits::BIDS_PER_ROOT as u64 + 1,
        unreached: 0,
        suppressed: None,
    };
    let from = Side::Parent;
    announcer.handle(Input::Tally { from, tally }, NOW);
    let mut bidding = || {
        while announcer.poll_output().is_some() {}
        matches!(announcer.phase, Phase::Bidding { .. })
    };
    assert!(bidding());

    // All of one realm, each by another agent, and too dear.
    for number in 0..200 {
        let mut bid = fixtures::bid(7, 100_001);
        bid.agent = format!("agent-{number}").parse().unwrap();
        bid.announcement = Signed::unsigned(&announcement).digest();
        let _why = refusal(&mut announcer, &bid.bidder.clone(), &bid, NOW);
    }
    let still = matches!(announcer.phase, Phase::Bidding { .. });
    let mut honest = fixtures::bid(3, 10);
    honest.announcement = Signed::unsigned(&announcement).digest();
    let _why = refusal(&mut announcer, &honest.bidder.clone(), &honest, NOW);
    let over = !matches!(announcer.phase, Phase::Bidding { .. });

    assert!(still && over, "{still} {over}");
}

/// Whether bids are still taken once this realm has bid by so many agents at this price.
fn bids_on(
    announcer: &mut Announcer,
    announcement: &Announcement,
    bidder: &Place,
    agents: std::ops::Range<u64>,
    micros: u64,
) -> bool {
    for number in agents {
        let bid = Bid {
            announcement: Signed::unsigned(announcement).digest(),
            bidder: bidder.clone(),
            agent: format!("agent-{number}").parse().unwrap(),
            ..fixtures::bid(7, micros)
        };
        let _why = refusal(announcer, bidder, &bid, NOW);
    }
    matches!(announcer.phase, Phase::Bidding { .. })
}

/// A broadcast of a root that waits for one neighbour, and what that neighbour's tally says.
fn waits_for(side: Side, announcement: &mut Announcement, bids: u64) -> Announcer {
    announcement.announcer.path = RealmPath::ROOT;
    let mut plan = plan(announcement);
    plan.rounds[0].fan.passes[0].to = side.clone();
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let tally = Tally {
        broadcast: announcement.broadcast,
        round: 1,
        asked: 3,
        bids,
        unreached: 0,
        suppressed: None,
    };
    announcer.handle(Input::Tally { from: side, tally }, NOW);
    announcer
}

#[test]
fn bids_beyond_what_may_count_from_a_side_are_not_waited_for() {
    let mut announcement = fixtures::announcement();
    announcement.rule.max_bids = 1_000;
    announcement.rule.per_realm = Some(2);
    let child = Side::Child("a".parse().unwrap());
    let peer = Side::Peer(RealmId::new([2; 32]));
    let inside = fixtures::place(1, "a", 7);
    let outside = fixtures::place(2, "", 7);

    for (side, bidder, counts) in [
        (child, inside, 2),
        (peer, outside, limits::BIDS_PER_ROOT as u64),
    ] {
        let mut announcer = waits_for(side, &mut announcement, 1_000_000);
        let mut bids = |agents| bids_on(&mut announcer, &announcement, &bidder, agents, 10);
        assert!(bids(0..counts - 1));
        assert!(!bids(counts - 1..counts), "as many as may count have come");
        assert_eq!(announcer.ranking().ranked.len() as u64, counts);
    }
}

#[test]
fn who_sends_more_than_its_share_cuts_off_nobody_else_on_its_side() {
    let mut announcement = fixtures::announcement();
    announcement.rule.max_bids = 1_000;
    let peer = Side::Peer(RealmId::new([2; 32]));
    let share = limits::BIDS_PER_ROOT as u64 / 2;
    let mut announcer = waits_for(peer, &mut announcement, share + 1);
    let (flood, other) = (fixtures::place(2, "a", 7), fixtures::place(2, "b", 8));

    let mut bids =
        |bidder, agents, micros| bids_on(&mut announcer, &announcement, bidder, agents, micros);
    assert!(bids(&flood, 0..100, 100_001), "too dear");
    assert!(bids(&flood, 100..200, 10));
    assert!(!bids(&other, 0..1, 10));

    assert_eq!(announcer.ranking().ranked.len() as u64, share + 1);
}

#[test]
fn a_bid_of_a_later_round_that_no_room_is_left_for_is_waited_for_no_longer() {
    let mut announcement = fixtures::announcement();
    announcement.rule.min_bids = 3;
    announcement.rule.per_realm = Some(1);
    announcement.announcer.path = RealmPath::ROOT;
    let again = Announcement {
        round: 2,
        ..announcement.clone()
    };
    let child = Side::Child("a".parse().unwrap());
    let mut plan = plan(&announcement);
    plan.rounds[0].fan.passes[0].to = child.clone();
    let mut second = plan.rounds[0].clone();
    second.announcement = Signed::unsigned(&again);
    let fan = second.fan.clone();
    plan.rounds.push(second);
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let inside = fixtures::place(1, "a", 7);

    for (round, announcement) in [(1, &announcement), (2, &again)] {
        let tally = Tally {
            broadcast: announcement.broadcast,
            round,
            asked: 1,
            bids: 1,
            unreached: 0,
            suppressed: None,
        };
        let from = child.clone();
        announcer.handle(Input::Tally { from, tally }, NOW);
        let still = bids_on(&mut announcer, announcement, &inside, round..round + 1, 10);
        assert_eq!(still, round == 1, "round {round}");
        if round == 1 {
            announcer.handle(Input::FannedOut(fan.clone()), NOW);
        }
    }
}

#[test]
fn a_tally_that_says_too_little_cuts_nobody_off_on_another_side() {
    let announcement = fixtures::announcement();
    let child = Side::Child("a".parse().unwrap());
    let mut plan = plan(&announcement);
    let below = Pass {
        to: child.clone(),
        ..plan.rounds[0].fan.passes[0].clone()
    };
    plan.rounds[0].fan.passes.push(below);
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let tally = |bids| Tally {
        broadcast: announcement.broadcast,
        round: 1,
        asked: 1,
        bids,
        unreached: 0,
        suppressed: None,
    };
    let bids = |announcer: &mut Announcer, number| {
        let bid = fixtures::bid(number, 10);
        let from = bid.bidder.clone();
        assert_eq!(refusal(announcer, &from, &bid, NOW), None);
        matches!(announcer.phase, Phase::Bidding { .. })
    };
    let mut below = fixtures::bid(9, 20);
    below.bidder = fixtures::place(1, "health/a", 9);

    // Three bids come from above, of which the tally says nothing; one is on its way from below.
    let (from, said) = (Side::Parent, tally(0));
    announcer.handle(Input::Tally { from, tally: said }, NOW);
    let (from, said) = (child, tally(1));
    announcer.handle(Input::Tally { from, tally: said }, NOW);
    assert!((2..5).all(|number| bids(&mut announcer, number)));
    let from = below.bidder.clone();
    assert_eq!(refusal(&mut announcer, &from, &below, NOW), None);

    assert_eq!(announcer.ranking().ranked.len(), 4);
}
