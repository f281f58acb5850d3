use realm_protocol::{
    RealmId, RealmPath, Timestamp,
    broadcast::{BidLimits, ConfirmAnswer, EarlyClose, LeaseEnd, Outcome, Price, Rule, Selection},
    budget::{Amount, Currency},
    limits,
};

use super::*;
use crate::{fixtures, log::End};

const NOW: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    tick: Tick::from_millis(1_000),
};

/// What makes an honest bid another.
type Change = fn(&mut Bid);

fn plan(announcement: &Announcement) -> Plan {
    let waits = Pass {
        to: Side::Parent,
        left: crate::scope::Left { down: 0, up: 0 },
        window_ms: 1,
    };
    Plan {
        rounds: vec![Round {
            announcement: Signed::unsigned(announcement),
            fan: FanOut {
                passes: vec![waits],
                unreached: 0,
            },
        }],
        secret: [9; 32],
        input: b"{}".to_vec().into(),
        confirm_ms: 500,
        lease_ms: 5_000,
        at_once: 8,
        person_ms: 1_000,
        budget: None,
    }
}

/// Why a bid does not count; none if it does.
fn refusal(announcer: &mut Announcer, from: &Place, bid: &Bid, now: Now) -> Option<Refusal> {
    while announcer.poll_output().is_some() {}
    let input = Input::Bid {
        from: from.clone(),
        bid: Signed::unsigned(bid),
        trust: 0,
        permitted: true,
    };
    announcer.handle(input, now);
    match announcer.poll_output() {
        Some(Output::Refuse { why, .. }) => Some(why),
        _ => None,
    }
}

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
fn a_plan_that_contradicts_itself_does_not_begin() {
    let announcement = fixtures::announcement();
    let start = |change: fn(&mut Plan)| {
        let mut plan = plan(&announcement);
        change(&mut plan);
        Announcer::start(plan, NOW).map(|_| ())
    };

    assert_eq!(start(|plan| plan.rounds.clear()), Err(PlanError::Rounds));
    assert_eq!(start(|plan| plan.secret = [0; 32]), Err(PlanError::Secret));
    assert_eq!(start(|plan| plan.lease_ms = 0), Err(PlanError::Zero));
    assert_eq!(
        start(|plan| plan.rounds.push(plan.rounds[0].clone())),
        Err(PlanError::Different)
    );
    let large = |plan: &mut Plan| plan.input = vec![0; limits::WORK_BYTES + 1].into();
    assert_eq!(start(large), Err(PlanError::Input));
}

#[test]
fn a_log_that_does_not_follow_from_the_rule_is_found_out() {
    let announcement = fixtures::announcement();
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    for (number, micros) in [(2, 30), (3, 10), (4, 20)] {
        let bid = fixtures::bid(number, micros);
        announcer.handle(
            Input::Bid {
                from: bid.bidder.clone(),
                bid: Signed::unsigned(&bid),
                trust: 0,
                permitted: true,
            },
            NOW,
        );
    }
    let closing = Now {
        wall: NOW.wall.plus(2_000),
        tick: Tick::from_millis(3_000),
    };
    announcer.handle_timeout(closing);
    let outputs = std::iter::from_fn(|| announcer.poll_output());
    let log: Vec<Entry> = outputs
        .filter_map(|output| match output {
            Output::Write(entry) => Some(*entry),
            _ => None,
        })
        .collect();
    let tampered = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut log = log.clone();
        change(&mut log);
        recompute(&log).map(|_| ()).map_err(|fault| fault.wrong)
    };
    let award = |epoch| Wrong::Award { slot: 0, epoch };

    assert_eq!(tampered(&|_| {}), Ok(()));
    let other_bid = |log: &mut Vec<Entry>| {
        let Some(Entry::Awarded(last)) = log.pop() else {
            panic!("the last entry is the second award");
        };
        log.pop();
        log.push(Entry::Awarded(crate::log::Awarded { slot: 0, ..last }));
    };
    assert_eq!(tampered(&other_bid), Err(award(1)));
    let twice = |log: &mut Vec<Entry>| log.push(log[log.len() - 2].clone());
    assert_eq!(tampered(&twice), Err(award(1)));
    let uncounted = |log: &mut Vec<Entry>| {
        let bid = fixtures::bid(9, 100_001);
        let counted = Counted {
            bid: Signed::unsigned(&bid),
            trust: 0,
            at: NOW.wall,
        };
        log.insert(2, counted.into());
    };
    assert!(matches!(
        tampered(&uncounted),
        Err(Wrong::Counted {
            why: Refusal::Price,
            ..
        })
    ));
    let unconfirmed = |log: &mut Vec<Entry>| {
        let leased = crate::log::Leased {
            slot: 0,
            epoch: 1,
            answers: 0,
            lease_ms: 1,
            holder: fixtures::bid(3, 10).bidder,
            at: NOW.wall,
        };
        log.push(leased.into());
    };
    let (slot, epoch) = (0, 1);
    assert_eq!(tampered(&unconfirmed), Err(Wrong::Lease { slot, epoch }));
    let confirmed = |log: &mut Vec<Entry>, lease_ms| {
        let bid = fixtures::bid(3, 10);
        let confirm = Confirm {
            broadcast: bid.broadcast,
            slot,
            epoch,
            bid: Signed::unsigned(&bid).digest(),
            answer: realm_protocol::broadcast::ConfirmAnswer::Reserved,
        };
        let answered = crate::log::Answered {
            slot,
            epoch,
            confirm: Some(Signed::unsigned(&confirm)),
            at: NOW.wall,
        };
        log.push(answered.into());
        let leased = crate::log::Leased {
            slot,
            epoch,
            answers: 0,
            lease_ms,
            holder: bid.bidder,
            at: NOW.wall,
        };
        log.push(leased.into());
    };
    let ended = |log: &mut Vec<Entry>, end, after_ms| {
        let ended = crate::log::Ended {
            slot,
            epoch,
            end,
            delivered: None,
            at: NOW.wall.plus(after_ms),
        };
        log.push(ended.into());
    };
    let expired = |after_ms| {
        tampered(&|log| {
            confirmed(log, 1_000);
            ended(log, End::Expired, after_ms);
        })
    };
    assert_eq!(expired(1_000), Err(Wrong::End { slot, epoch }));
    assert_eq!(expired(6_000), Ok(()));
    let skipped = |log: &mut Vec<Entry>| {
        confirmed(log, 1_000);
        log.pop();
        ended(log, End::NotBegun, 0);
    };
    assert_eq!(tampered(&skipped), Err(Wrong::End { slot, epoch }));
    let robbed = |log: &mut Vec<Entry>| {
        confirmed(log, 1_000);
        ended(log, End::Withdrawn, 0);
    };
    assert_eq!(tampered(&robbed), Err(Wrong::End { slot, epoch }));
    let prolonged = |log: &mut Vec<Entry>| {
        confirmed(log, 1_000);
        let Some(Entry::Leased(lease)) = log.last().cloned() else {
            panic!("the last entry is the lease");
        };
        let renewed = crate::log::Leased {
            answers: 1,
            at: lease.at.plus(62_000 - 999),
            ..lease
        };
        log.push(renewed.into());
    };
    assert_eq!(tampered(&prolonged), Err(Wrong::Lease { slot, epoch }));
    let closed = |cause, at| {
        tampered(&|log| {
            let closing = log.iter_mut().find_map(|entry| match entry {
                Entry::BidsClosed(it) => Some(it),
                _ => None,
            });
            let closing = closing.unwrap();
            (closing.cause, closing.at) = (cause, at);
        })
    };
    let (begun, over) = (NOW.wall, NOW.wall.plus(2_000));
    assert_eq!(closed(CloseCause::Window, begun.plus(1_980)), Ok(()));
    let early = closed(CloseCause::Window, begun.plus(1_979));
    assert_eq!(early, Err(Wrong::Cause));
    assert_eq!(closed(CloseCause::Enough, over), Err(Wrong::Cause));
    assert_eq!(closed(CloseCause::Full, over), Err(Wrong::Cause));
    assert_eq!(closed(CloseCause::Cancelled, over), Err(Wrong::Order));
    let given_up = |log: &mut Vec<Entry>, after_ms| {
        confirmed(log, 1_000);
        ended(log, End::Expired, 6_000);
        let declined = crate::log::Answered {
            slot: 1,
            epoch,
            confirm: None,
            at: NOW.wall.plus(6_000),
        };
        log.push(declined.into());
        let mut left = Announcer::new(plan(&announcement)).unwrap();
        for entry in log.iter() {
            left.apply(entry, NOW);
        }
        let finished = crate::log::Finished {
            conclusion: left.settled(),
            at: NOW.wall.plus(after_ms),
        };
        log.push(finished.into());
    };
    assert_eq!(
        tampered(&|log| given_up(log, 29_699)),
        Err(Wrong::Owed),
        "a bid holds for 30 s, less a hundredth"
    );
    assert_eq!(tampered(&|log| given_up(log, 29_700)), Ok(()));
    let cancelled_twice = |log: &mut Vec<Entry>| {
        log.push(Cancelled { at: NOW.wall }.into());
        log.push(Cancelled { at: NOW.wall }.into());
    };
    assert_eq!(tampered(&cancelled_twice), Err(Wrong::Order));
    let headless = |log: &mut Vec<Entry>| {
        log.remove(0);
    };
    assert_eq!(tampered(&headless), Err(Wrong::Plan(PlanError::Log)));
}

#[test]
fn a_cancel_that_a_restart_cut_in_two_is_carried_out() {
    let announcement = fixtures::announcement();
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    announcer.handle(Input::Cancel { waits_ms: 0 }, NOW);
    let outputs = std::iter::from_fn(|| announcer.poll_output());
    let mut log: Vec<Entry> = outputs.filter_map(written).collect();
    let closed = log.iter().position(|it| matches!(it, Entry::BidsClosed(_)));
    log.truncate(closed.unwrap() + 1);

    let mut again = Announcer::resume(plan(&announcement), log.clone(), NOW).unwrap();
    log.extend(std::iter::from_fn(|| again.poll_output()).filter_map(written));

    assert_eq!(again.conclusion().unwrap().ending, Ending::Cancelled);
    assert!(recompute(&log).is_ok());
}

fn written(output: Output) -> Option<Entry> {
    match output {
        Output::Write(entry) => Some(*entry),
        _ => None,
    }
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
fn an_award_is_sent_again_while_it_is_not_answered_and_a_lease_when_its_holder_confirms_again() {
    let announcement = fixtures::announcement();
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let (holder, bid) = (fixtures::place(2, "", 2), fixtures::bid(2, 30));
    announcer.handle(
        Input::Bid {
            from: holder.clone(),
            bid: Signed::unsigned(&bid),
            trust: 0,
            permitted: true,
        },
        NOW,
    );
    announcer.handle(Input::Unreached(Side::Parent), NOW);
    let sent = |announcer: &mut Announcer| {
        let mut sent = Vec::new();
        while let Some(output) = announcer.poll_output() {
            if let Output::Send { message, .. } = output {
                sent.push(message);
            }
        }
        sent
    };
    let after = |ms| Now {
        wall: NOW.wall.plus(ms),
        tick: NOW.tick.plus(ms),
    };

    let first = sent(&mut announcer);
    assert!(matches!(first.as_slice(), [Message::Award(_)]));
    for ms in [63, 187, 437] {
        announcer.handle_timeout(after(ms));
        assert_eq!(sent(&mut announcer), first, "after {ms} ms");
    }
    let Message::Award(award) = &first[0] else {
        panic!("no award")
    };
    let confirm = Signed::unsigned(&Confirm {
        broadcast: award.broadcast,
        slot: award.slot,
        epoch: award.epoch,
        bid: award.bid,
        answer: ConfirmAnswer::Reserved,
    });
    let mut leases = 0;
    for _ in 0..2 * limits::AWARD_SENDS {
        let (from, confirm) = (holder.clone(), confirm.clone());
        announcer.handle(Input::Confirm { from, confirm }, after(450));
        leases += sent(&mut announcer).len();
    }
    assert_eq!(leases, limits::AWARD_SENDS as usize);
}

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

#[test]
fn a_slot_that_was_awarded_as_often_as_may_be_takes_no_share_of_the_budget() {
    let mut announcement = fixtures::announcement();
    announcement.rule.standbys = 8;
    let plan = Plan {
        at_once: 1,
        budget: Some(Budget {
            tokens: Some(1_000),
            ..Budget::default()
        }),
        ..plan(&announcement)
    };
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let mut log = Vec::new();
    let mut given = Vec::new();
    for number in 2..12 {
        let mut bid = fixtures::bid(number, 10);
        bid.announcement = Signed::unsigned(&announcement).digest();
        announcer.handle(
            Input::Bid {
                from: bid.bidder.clone(),
                bid: Signed::unsigned(&bid),
                trust: 0,
                permitted: true,
            },
            NOW,
        );
    }
    announcer.handle(Input::Unreached(Side::Parent), NOW);
    // Whoever is awarded the first slot has no room.
    while let Some(output) = announcer.poll_output() {
        match output {
            Output::Write(entry) => log.push(*entry),
            Output::Send {
                to,
                message: Message::Award(award),
            } => {
                given.push((award.slot, award.budget.unwrap().tokens.unwrap()));
                let confirm = Confirm {
                    broadcast: award.broadcast,
                    slot: award.slot,
                    epoch: award.epoch,
                    bid: award.bid,
                    answer: ConfirmAnswer::Busy,
                };
                let confirm = Signed::unsigned(&confirm);
                if award.slot == 0 {
                    announcer.handle(Input::Confirm { from: to, confirm }, NOW);
                }
            }
            _ => {}
        }
    }

    assert_eq!(given, [vec![(0, 500); 8], vec![(1, 1_000)]].concat());
    assert_eq!(recompute(&log).map(|_| ()), Ok(()));
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
        again.poll_timeout().unwrap().as_millis()
    };

    assert_eq!(restarted(2..3), 50_500);
    assert_eq!(restarted(2..2), 52_000);
}

/// An announcer with so much money that has awarded a slot to the one bid, at 30.
fn awarded(micros: u64) -> (Announcer, Bid) {
    let mut announcement = fixtures::announcement();
    announcement.limits.price = Some(micros);
    let currency: Currency = "EUR".parse().unwrap();
    let plan = Plan {
        budget: Some(Budget {
            money: Some(Amount { currency, micros }),
            ..Budget::default()
        }),
        ..plan(&announcement)
    };
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let mut bid = fixtures::bid(2, 30);
    bid.announcement = Signed::unsigned(&announcement).digest();
    assert_eq!(refusal(&mut announcer, &bid.bidder, &bid, NOW), None);
    announcer.handle(Input::Unreached(Side::Parent), NOW);
    while announcer.poll_output().is_some() {}
    (announcer, bid)
}

fn confirms(announcer: &mut Announcer, bid: &Bid) {
    let confirm = Confirm {
        broadcast: bid.broadcast,
        slot: 0,
        epoch: 1,
        bid: Signed::unsigned(bid).digest(),
        answer: ConfirmAnswer::Reserved,
    };
    let (from, confirm) = (bid.bidder.clone(), Signed::unsigned(&confirm));
    announcer.handle(Input::Confirm { from, confirm }, NOW);
}

/// Says how the work ended; gives what is written down, and how often that is acknowledged.
fn delivers(
    announcer: &mut Announcer,
    bid: &Bid,
    end: LeaseEnd,
    charged: u64,
) -> (Vec<Entry>, usize) {
    let output = (end == LeaseEnd::Done).then(|| Blob::from(b"1".to_vec()));
    let outcome = Outcome {
        broadcast: bid.broadcast,
        slot: 0,
        epoch: 1,
        bid: Signed::unsigned(bid).digest(),
        end,
        output: output.as_ref().map(|it| Digest::of(&[it])),
        failure: None,
        confidence: None,
        charged: Some(Price {
            currency: "EUR".to_owned(),
            micros: charged,
        }),
        run: None,
        created: NOW.wall,
        spent: None,
        below: None,
    };
    while announcer.poll_output().is_some() {}
    let delivered = Deliver {
        outcome: Signed::unsigned(&outcome),
        output,
    };
    let (from, matches) = (bid.bidder.clone(), true);
    announcer.handle(
        Input::Delivered {
            from,
            delivered,
            matches,
        },
        NOW,
    );
    let (mut written, mut acks) = (Vec::new(), 0);
    while let Some(output) = announcer.poll_output() {
        match output {
            Output::Write(entry) => written.push(*entry),
            Output::Send {
                message: Message::Ack(_),
                ..
            } => acks += 1,
            _ => {}
        }
    }
    (written, acks)
}

#[test]
fn what_a_winner_says_before_its_lease_takes_nothing_out_of_the_budget() {
    for end in [LeaseEnd::NotBegun, LeaseEnd::Failed] {
        let (mut announcer, bid) = awarded(40);
        let stake = announcer.spent();

        let before = delivers(&mut announcer, &bid, end, 0);
        assert_eq!(
            (before, announcer.spent()),
            ((Vec::new(), 1), stake.clone())
        );

        confirms(&mut announcer, &bid);
        let (written, acks) = delivers(&mut announcer, &bid, LeaseEnd::Done, 30);
        assert!(matches!(written.first(), Some(Entry::Ended(it)) if it.end == End::Result));
        assert_eq!((acks, announcer.spent()), (1, stake));
    }
}

#[test]
fn what_a_holder_says_after_its_result_gives_nothing_back() {
    for end in [LeaseEnd::NotBegun, LeaseEnd::Failed] {
        let (mut announcer, bid) = awarded(40);
        confirms(&mut announcer, &bid);
        delivers(&mut announcer, &bid, LeaseEnd::Done, 30);
        let charged = announcer.spent();

        let (written, acks) = delivers(&mut announcer, &bid, end, 0);

        assert!(matches!(written.as_slice(), [Entry::Unused(_)]));
        assert_eq!((acks, announcer.spent()), (1, charged));
    }
}
