//! Plans and logs that do not hold, and a log that breaks off.

use super::*;

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
