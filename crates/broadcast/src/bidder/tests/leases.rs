//! Work under a lease, and its outcome.

use super::*;

#[test]
fn a_lease_is_counted_from_what_it_answers_and_work_stops_at_its_end() {
    let (mut bidder, bid) = bidding(1);
    bidder.handle(award(bid, 0, 1), at(100));
    // On its way for three seconds, it has one left.
    bidder.handle(lease(0), at(3_100));
    let begun = drain(&mut bidder);
    assert!(
        begun
            .iter()
            .any(|it| matches!(it, Output::Work(it) if it.until.as_millis() == 4_100))
    );

    bidder.handle_timeout(at(4_100));

    let outputs = drain(&mut bidder);
    assert!(outputs.contains(&Output::Stop { bid, waits_ms: 0 }));
    assert_eq!(ends(&outputs), [LeaseEnd::Failed]);
}

#[test]
fn a_renewal_counts_from_the_progress_that_it_answers_even_if_another_has_left_since() {
    let (mut bidder, bid) = bidding(1);
    bidder.handle(award(bid, 0, 1), at(0));
    bidder.handle(lease(0), at(10));
    bidder.handle_timeout(at(2_000));
    bidder.handle_timeout(at(3_000));
    let sent = drain(&mut bidder);
    let progress = sent
        .iter()
        .filter(|it| matches!(it, Output::Progress { .. }));
    assert_eq!(progress.count(), 2);

    bidder.handle(lease(1), at(3_500));
    bidder.handle_timeout(at(5_999));
    assert_eq!(ends(&drain(&mut bidder)), []);
    bidder.handle_timeout(at(6_000));

    assert_eq!(ends(&drain(&mut bidder)), [LeaseEnd::Failed]);
}

#[test]
fn work_that_is_taken_back_is_said_to_have_stopped_once_it_has_or_before_its_announcer_waits_no_more()
 {
    let below = Stopped {
        confirmed: 2,
        silent: 1,
    };
    for (ends_at, said, heard) in [(1_000, 1_000, Some(below)), (9_000, 1_760, None)] {
        let (mut bidder, bid) = bidding(1);
        bidder.handle(award(bid, 0, 1), at(0));
        bidder.handle(lease(0), at(1));
        drain(&mut bidder);

        bidder.handle(withdraw(Some(2_000)), at(10));
        let told = drain(&mut bidder);
        bidder.handle_timeout(at(said - 1));
        let early = drain(&mut bidder);
        let worked = Input::Worked {
            bid,
            result: Err(FailureCode::LoopFailed),
            spent: None,
            below: Some(below),
        };
        if ends_at <= said {
            bidder.handle(worked, at(ends_at));
        }
        bidder.handle_timeout(at(said));

        assert_eq!(
            told,
            [Output::Stop {
                bid,
                waits_ms: 1_532
            }]
        );
        assert_eq!(ends(&early), []);
        let outputs = drain(&mut bidder);
        let outcome = outputs.iter().find_map(|it| match it {
            Output::Deliver { outcome, .. } => Some(outcome),
            _ => None,
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.failure, Some(FailureCode::Cancelled));
        assert_eq!(outcome.below, heard);
    }
}

#[test]
fn an_outcome_is_sent_until_it_is_acknowledged_and_not_for_ever() {
    let work = |bid| Input::Worked {
        bid,
        result: Err(FailureCode::LoopFailed),
        spent: None,
        below: None,
    };
    let begin = || {
        let (mut bidder, bid) = bidding(1);
        bidder.handle(award(bid, 0, 1), at(0));
        bidder.handle(lease(0), at(1));
        bidder.handle(work(bid), at(2));
        bidder
    };
    let mut unheard = begin();
    let mut heard = begin();
    drain(&mut heard);
    let ack = OutcomeAck {
        broadcast: fixtures::announcement().broadcast,
        slot: 0,
        epoch: 1,
    };
    let from = fixtures::announcement().announcer;

    heard.handle(Input::Ack { from, ack }, at(50));
    for bidder in [&mut unheard, &mut heard] {
        while let Some(next) = bidder.poll_timeout() {
            bidder.handle_timeout(at(next.as_millis()));
        }
    }

    assert_eq!(ends(&drain(&mut unheard)).len(), 8);
    assert_eq!(ends(&drain(&mut heard)), []);
}

#[test]
fn after_a_restart_what_was_reserved_is_given_back_and_what_had_begun_has_failed() {
    let story = |leased: bool| {
        let (mut before, bid) = bidding(1);
        before.handle(award(bid, 0, 1), at(0));
        if leased {
            before.handle(lease(0), at(1));
        }
        let entries = drain(&mut before)
            .into_iter()
            .filter_map(|output| match output {
                Output::Write(entry) => Some(*entry),
                _ => None,
            });
        let mut after = bidder(1);
        after.resume(entries, at(5));
        let ends = ends(&drain(&mut after));
        (ends, after.load())
    };

    assert_eq!(story(false), (vec![LeaseEnd::NotBegun], 0));
    assert_eq!(story(true), (vec![LeaseEnd::Failed], 0));
}
