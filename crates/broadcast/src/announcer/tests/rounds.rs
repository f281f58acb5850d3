//! When the bidding ends, and when there is a second round.

use super::*;

#[test]
fn enough_good_bids_end_no_bidding_that_has_fewer_than_it_asks_for() {
    let mut announcement = fixtures::announcement();
    announcement.rule.min_bids = 2;
    announcement.rule.early = Some(EarlyClose {
        enough: 1,
        price: Some(20),
        time_ms: None,
        confidence: None,
    });
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let mut bids = |number, micros| {
        let mut bid = fixtures::bid(number, micros);
        bid.announcement = Signed::unsigned(&announcement).digest();
        let from = bid.bidder.clone();
        assert_eq!(refusal(&mut announcer, &from, &bid, NOW), None);
        matches!(announcer.phase, Phase::Bidding { .. })
    };

    assert!(bids(2, 10), "one is too few");
    assert!(!bids(3, 30), "two are not");
}

/// An announcer that asks for two bids and has one in its first round, which is over; and its announcement.
fn over_with_one_bid() -> (Announcer, Announcement) {
    let mut announcement = fixtures::announcement();
    announcement.rule.min_bids = 2;
    let mut plan = plan(&announcement);
    plan.rounds.push(Round {
        announcement: Signed::unsigned(&Announcement {
            round: 2,
            ..announcement.clone()
        }),
        fan: FanOut::default(),
    });
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    assert!(is_counted(&mut announcer, &announcement, 2));
    let tally = Tally {
        broadcast: announcement.broadcast,
        round: 1,
        asked: 1,
        bids: 1,
        unreached: 0,
        suppressed: None,
    };
    let from = Side::Parent;
    announcer.handle(Input::Tally { from, tally }, NOW);
    assert_eq!(
        announcer.poll_output(),
        Some(Output::FanOut { round: 2 }),
        "nobody is asked before it is known who is linked"
    );
    (announcer, announcement)
}

fn is_counted(announcer: &mut Announcer, announcement: &Announcement, number: u8) -> bool {
    let mut bid = fixtures::bid(number, 10);
    bid.announcement = Signed::unsigned(announcement).digest();
    let from = bid.bidder.clone();
    let counts = refusal(announcer, &from, &bid, NOW).is_none();
    while announcer.poll_output().is_some() {}
    counts
}

#[test]
fn the_second_round_goes_to_those_who_are_linked_when_it_begins() {
    let (mut announcer, _) = over_with_one_bid();
    let pass = Pass {
        to: Side::Child("new".parse().unwrap()),
        left: crate::scope::Left { down: 0, up: 0 },
        window_ms: 1,
    };
    let fan = FanOut {
        passes: vec![pass.clone()],
        unreached: 0,
    };

    announcer.handle(Input::FannedOut(fan), NOW);

    assert!(matches!(
        announcer.poll_output(),
        Some(Output::Write(entry)) if matches!(*entry, Entry::Announced(Announced { round: 2, .. }))
    ));
    let announced = Output::Announce { round: 2, pass };
    assert_eq!(announcer.poll_output(), Some(announced));
}

#[test]
fn a_bid_that_comes_before_the_second_round_begins_may_be_enough_without_it() {
    let (mut announcer, announcement) = over_with_one_bid();
    assert!(is_counted(&mut announcer, &announcement, 3));

    announcer.handle(Input::FannedOut(FanOut::default()), NOW);

    assert_eq!(announcer.ranking().ranked.len(), 2);
    let announced = |output| matches!(output, Output::Announce { .. });
    assert!(!std::iter::from_fn(|| announcer.poll_output()).any(announced));
}

#[test]
fn who_comes_first_wins_as_soon_as_nobody_later_can() {
    let mut announcement = fixtures::announcement();
    announcement.rule.selection = Selection::First;
    announcement.rule.awards = 1;
    announcement.rule.standbys = 1;
    announcement.rule.min_bids = 3;
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let bidding = (2..5).map(|number| {
        let mut bid = fixtures::bid(number, 10);
        bid.announcement = Signed::unsigned(&announcement).digest();
        let from = bid.bidder.clone();
        assert_eq!(refusal(&mut announcer, &from, &bid, NOW), None);
        matches!(announcer.phase, Phase::Bidding { .. })
    });

    assert_eq!(bidding.collect::<Vec<bool>>(), [true, true, false]);
}

#[test]
fn the_window_goes_on_after_a_restart_and_begins_anew_only_where_nobody_has_bid() {
    let announcement = fixtures::announcement();
    let restarted = |numbers: std::ops::Range<u8>| {
        let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
        for number in numbers {
            let bid = fixtures::bid(number, 10);
            let input = Input::Bid {
                from: bid.bidder.clone(),
                bid: Signed::unsigned(&bid),
                trust: 0,
                permitted: true,
            };
            announcer.handle(input, NOW);
        }
        let outputs = std::iter::from_fn(|| announcer.poll_output());
        let log: Vec<Entry> = outputs
            .filter_map(|output| match output {
                Output::Write(entry) => Some(*entry),
                _ => None,
            })
            .collect();
        let later = Now {
            wall: NOW.wall.plus(1_500),
            tick: Tick::from_millis(50_000),
        };
        let mut again = Announcer::resume(plan(&announcement), log, later).unwrap();
        again.handle(Input::Left, later);
        let until = again.poll_timeout().unwrap();
        while again.poll_output().is_some() {}
        let over = Now {
            wall: later.wall.plus(2_000),
            tick: until,
        };
        again.handle_timeout(over);
        let mut outputs = std::iter::from_fn(|| again.poll_output());
        let names = outputs.find_map(|output| match output {
            Output::Write(entry) => match *entry {
                Entry::BidsClosed(closed) => Some(closed.heard.is_some()),
                _ => None,
            },
            _ => None,
        });
        (until.as_millis(), names)
    };

    // Who told what before is not known any more, and nobody is said to have told nothing.
    assert_eq!(restarted(2..3), (50_500, Some(false)));
    assert_eq!(restarted(2..2), (52_000, Some(true)));
}
