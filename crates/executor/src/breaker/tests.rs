use super::*;

fn at(ms: u64) -> Now {
    Now {
        wall: Timestamp::from_millis(1_000_000 + ms),
        tick: Tick::from_millis(ms),
    }
}

fn call(number: u64) -> CallId {
    CallId::at(Timestamp::from_millis(number), [0; 10])
}

fn office() -> Guarded {
    Guarded::Backend("office".to_owned())
}

/// Asks and ends one call at once.
fn end(breakers: &mut Breakers, number: u64, fault: Option<Fault>, now: Now) -> Vec<BreakerChange> {
    breakers.ask(call(number), vec![office()], now).unwrap();
    breakers.end(call(number), fault, now)
}

/// Breakers of which that of the office has just opened.
fn opened() -> Breakers {
    let mut breakers = Breakers::default();
    for number in 0..9 {
        assert_eq!(end(&mut breakers, number, Some(Fault::Failed), at(0)), []);
    }
    let changes = end(&mut breakers, 9, Some(Fault::Slow), at(0));
    let opened = changes[0].opened.as_ref().unwrap();
    assert_eq!(
        opened.reason,
        "of the last 10 calls: 9 failed, 1 took too long"
    );
    breakers
}

/// How many are not closed.
fn opens(breakers: &Breakers) -> usize {
    let opened = breakers
        .all()
        .filter(|(_, stands)| stands.opened().is_some());
    opened.count()
}

#[test]
fn it_opens_once_half_of_the_latest_calls_failed_and_then_refuses_with_the_reason() {
    let mut breakers = opened();
    let broken = breakers.ask(call(10), vec![office()], at(10_000));
    let broken = broken.unwrap_err();
    assert_eq!(broken.of, office());
    assert_eq!(broken.retry_after_ms, limits::BREAKER_MS - 10_000);
    assert!(broken.reason.contains("9 failed"));
    let other = vec![Guarded::Backend("other".to_owned())];
    assert_eq!(breakers.ask(call(11), other, at(10_000)), Ok(()));
}

#[test]
fn it_stays_closed_while_less_than_half_fail_and_forgets_faults_that_are_long_past() {
    let mut breakers = Breakers::default();
    for number in 0..200 {
        let fault = matches!(number % 5, 1 | 3).then_some(Fault::Failed);
        assert_eq!(end(&mut breakers, number, fault, at(number)), []);
    }
    for number in 200..220 {
        end(&mut breakers, number, None, at(number));
    }
    assert!(
        breakers.breakers.is_empty(),
        "nothing is kept of who is well"
    );
}

#[test]
fn after_its_rest_exactly_one_is_asked_whoever_else_comes() {
    let mut breakers = opened();
    let late = at(limits::BREAKER_MS);
    assert_eq!(breakers.ask(call(20), vec![office()], late), Ok(()));
    for number in 21..30 {
        let broken = breakers
            .ask(call(number), vec![office()], late)
            .unwrap_err();
        assert_eq!(broken.retry_after_ms, PROBED_MS);
    }
    let closed = breakers.end(call(20), None, late);
    assert_eq!(closed[0].opened, None);
    for number in 31..40 {
        assert_eq!(breakers.ask(call(number), vec![office()], late), Ok(()));
    }
}

#[test]
fn a_call_by_hand_waits_for_no_rest_and_is_the_one_probe_all_the_same() {
    let mut breakers = opened();
    assert_eq!(
        breakers.ask_by_hand(call(20), vec![office()], at(0)),
        Ok(())
    );

    let broken = breakers.ask_by_hand(call(21), vec![office()], at(0));
    assert_eq!(broken.unwrap_err().retry_after_ms, PROBED_MS);

    let closed = breakers.end(call(20), None, at(0));
    assert_eq!(closed[0].opened, None);
    assert_eq!(
        breakers.ask_by_hand(call(22), vec![office()], at(0)),
        Ok(())
    );
}

#[test]
fn a_probe_that_fails_doubles_the_rest_up_to_a_bound() {
    let mut breakers = opened();
    let mut now = limits::BREAKER_MS;
    for (number, doubled) in (20..).zip([2, 4, 8, 16, 20, 20]) {
        breakers.ask(call(number), vec![office()], at(now)).unwrap();
        let changes = breakers.end(call(number), Some(Fault::Failed), at(now));
        let opened = changes[0].opened.as_ref().unwrap();
        assert_eq!(opened.rest_ms, doubled * limits::BREAKER_MS);
        assert_eq!(opened.reason, "the probe failed");
        now += opened.rest_ms;
    }
}

#[test]
fn a_probe_that_nobody_tells_the_end_of_lets_the_next_one_be_it() {
    let mut breakers = opened();
    let late = at(limits::BREAKER_MS);
    breakers.ask(call(20), vec![office()], late).unwrap();
    breakers.abandon(call(20));
    assert_eq!(breakers.ask(call(21), vec![office()], late), Ok(()));
    assert!(breakers.ask(call(22), vec![office()], late).is_err());
}

#[test]
fn what_was_asked_before_it_opened_neither_opens_nor_closes_it() {
    let mut breakers = Breakers::default();
    breakers.ask(call(90), vec![office()], at(0)).unwrap();
    breakers.ask(call(91), vec![office()], at(0)).unwrap();
    for number in 0..10 {
        end(&mut breakers, number, Some(Fault::Failed), at(0));
    }
    assert_eq!(breakers.end(call(90), None, at(1)), []);
    assert_eq!(breakers.end(call(91), Some(Fault::Failed), at(1)), []);
    assert_eq!(opens(&breakers), 1);
}

#[test]
fn who_is_refused_for_one_is_no_probe_of_another() {
    let mut breakers = opened();
    let worker: Guarded = "loop/worker".parse().unwrap();
    let opened = Opened {
        reason: "before the restart".to_owned(),
        since: at(0).wall,
        until: at(2 * limits::BREAKER_MS).wall,
        rest_ms: limits::BREAKER_MS,
    };
    breakers.take_up(worker.clone(), opened);
    let late = at(limits::BREAKER_MS);
    let both = vec![office(), worker.clone()];
    assert_eq!(breakers.ask(call(20), both, late).unwrap_err().of, worker);
    assert_eq!(breakers.ask(call(21), vec![office()], late), Ok(()));
    let stood = breakers.reset(&worker).unwrap();
    assert_eq!(stood.opened().unwrap().reason, "before the restart");
    assert_eq!(breakers.reset(&worker), None);
    assert_eq!(breakers.ask(call(22), vec![worker], late), Ok(()));
}

#[test]
fn answers_that_are_right_and_slow_count_as_faults_where_somebody_says_so() {
    for (slow, expected) in [(None, 0), (Some(500), 1)] {
        let mut breakers = Breakers::default();
        breakers.set_bounds(BreakerBounds {
            slow_ms: slow,
            ..BreakerBounds::default()
        });
        for number in 0..10 {
            breakers.ask(call(number), vec![office()], at(0)).unwrap();
        }
        for number in 0..10 {
            breakers.end(call(number), None, at(501));
        }
        assert_eq!(opens(&breakers), expected);
    }
}

#[test]
fn they_are_bounded_and_those_that_opened_are_kept() {
    let mut breakers = opened();
    for number in 0..(limits::BREAKERS as u64 + 10) {
        let of = vec![Guarded::Agent(format!("{number}.example.org"))];
        breakers.ask(call(number), of, at(0)).unwrap();
        breakers.end(call(number), Some(Fault::Failed), at(0));
    }
    assert_eq!(breakers.breakers.len(), limits::BREAKERS);
    assert_eq!(opens(&breakers), 1);
}

fn euros(micros: u64) -> Vec<Amount> {
    vec![Amount {
        currency: "EUR".parse().unwrap(),
        micros,
    }]
}

/// Breakers that let an euro be paid within a minute.
fn stingy() -> Breakers {
    let mut breakers = Breakers::default();
    breakers.set_bounds(BreakerBounds {
        paid: Some(euros(1_000_000)[0]),
        ..BreakerBounds::default()
    });
    breakers
}

#[test]
fn one_opens_once_more_is_paid_within_a_minute_than_may_be() {
    let mut breakers = stingy();
    let of = [office()];
    assert_eq!(breakers.pay(&of, &euros(600_000), at(0)), []);
    assert_eq!(breakers.pay(&of, &euros(600_000), at(60_001)), []);
    let dollars = vec![Amount {
        currency: "USD".parse().unwrap(),
        micros: 9_000_000,
    }];
    assert_eq!(breakers.pay(&of, &dollars, at(60_002)), []);
    let changes = breakers.pay(&of, &euros(600_000), at(60_003));
    let reason = &changes[0].opened.as_ref().unwrap().reason;
    assert_eq!(
        reason,
        "EUR 1.20 was paid within a minute, and EUR 1.00 may be"
    );
    assert_eq!(breakers.pay(&of, &euros(600_000), at(60_004)), []);
    let refused = breakers.ask(call(1), of.to_vec(), at(60_005));
    assert_eq!(refused.unwrap_err().of, office());
}

#[test]
fn a_probe_that_costs_too_much_opens_it_again_though_it_was_answered() {
    let mut breakers = stingy();
    let of = [office()];
    breakers.pay(&of, &euros(2_000_000), at(0));
    let late = at(limits::BREAKER_MS);
    breakers.ask(call(1), of.to_vec(), late).unwrap();
    let changes = breakers.pay(&of, &euros(2_000_000), late);
    let opened = changes[0].opened.as_ref().unwrap();
    assert_eq!(opened.rest_ms, 2 * limits::BREAKER_MS);
    assert_eq!(breakers.end(call(1), None, late), []);
    assert_eq!(opens(&breakers), 1);
}

#[test]
fn of_those_that_are_paid_a_bounded_number_is_remembered() {
    let mut breakers = stingy();
    for number in 0..(limits::BREAKERS as u64 + 10) {
        let of = [Guarded::Agent(format!("{number}.example.org"))];
        breakers.pay(&of, &euros(1), at(0));
    }
    assert_eq!(breakers.paid.len(), limits::BREAKERS);
}

#[test]
fn what_a_loop_makes_of_answers_and_what_it_may_shuts_that_loop_and_nobody_it_asks() {
    for fault in [Fault::Schema, Fault::Denied, Fault::Unfinished] {
        let mut breakers = Breakers::default();
        let of = || vec![office(), "loop/greet".parse().unwrap()];
        for number in 0..10 {
            breakers.ask(call(number), of(), at(0)).unwrap();
            breakers.end(call(number), Some(fault), at(0));
        }

        let opened: Vec<String> = breakers.all().map(|(of, _)| of.to_string()).collect();
        assert_eq!(opened, ["loop/greet"], "{fault}");
    }
}

#[test]
fn a_probe_at_which_the_loop_was_at_fault_says_nothing_of_the_backend() {
    let mut breakers = Breakers::default();
    for number in 0..10 {
        end(&mut breakers, number, Some(Fault::Failed), at(0));
    }
    assert_eq!(
        end(
            &mut breakers,
            10,
            Some(Fault::Schema),
            at(limits::BREAKER_MS)
        ),
        []
    );
    assert_eq!(opens(&breakers), 1);
    let changes = end(&mut breakers, 11, None, at(limits::BREAKER_MS));
    assert_eq!(changes[0].opened, None, "the next one is the probe");
}

#[test]
fn whoever_is_too_fast_for_another_realm_does_not_shut_it() {
    let peer = || Guarded::of_peer(&"greet@lab/genomics".parse().unwrap());
    let mut breakers = Breakers::default();
    for number in 0..40 {
        breakers.ask(call(number), peer(), at(0)).unwrap();
        breakers.end_of_peer(call(number), Some(FailureCode::Overloaded), at(0));
    }
    assert_eq!(breakers.all().count(), 0);
    for number in 40..50 {
        breakers.ask(call(number), peer(), at(0)).unwrap();
        breakers.end_of_peer(call(number), Some(FailureCode::Denied), at(0));
    }
    let opened: Vec<String> = breakers.all().map(|(of, _)| of.to_string()).collect();
    assert_eq!(opened, ["loop/greet@lab/genomics"], "and not the peer");
    let other = Guarded::of_peer(&"count@lab/genomics".parse().unwrap());
    assert_eq!(breakers.ask(call(50), other, at(0)), Ok(()));
}
