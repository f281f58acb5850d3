use realm_protocol::{
    RealmId, Timestamp,
    broadcast::{Announcement, LeaseEnd, Stopped, Withdraw},
    records::Signed,
};
use serde_json::{Value, json};

use super::*;
use crate::{fixtures, work::slot_key};

fn at(tick: u64) -> Now {
    Now {
        wall: Timestamp::from_millis(1_800_000_000_000 + tick),
        tick: Tick::from_millis(tick),
    }
}

fn bidder(capacity: u64) -> Bidder {
    Bidder::new(fixtures::place(2, "lab", 2), capacity, 30_000)
}

fn agent(name: &str, terms: Terms) -> Agent {
    Agent {
        agent: name.parse().unwrap(),
        contract: Digest::new([1; 32]),
        terms,
        budget: None,
    }
}

fn quote(when: Option<&str>, price: Figure) -> Terms {
    Terms::Quote(Quote {
        when: when.map(str::to_owned),
        price: Some(("EUR".to_owned(), price)),
        time: Figure::Fixed(1_000),
        confidence: Figure::Fixed(900_000),
    })
}

fn fixed() -> Terms {
    quote(None, Figure::Fixed(20_000))
}

fn hear(bidder: &mut Bidder, announcement: &Announcement, agents: Vec<Agent>) -> Vec<Output> {
    let heard = Heard {
        announcement: Signed::unsigned(announcement),
        window_ms: 1_000,
        agents,
    };
    bidder.announced(heard, &evaluate, at(0));
    drain(bidder)
}

/// Expressions that these tests know.
fn evaluate(text: &str, facts: &Value) -> Option<Value> {
    match text {
        "free" => Some(json!(facts["load"] == json!(0.0))),
        "half the highest price" => Some(json!(facts["highestPrice"].as_f64()? / 2.0)),
        "broken" => Some(json!("x")),
        _ => None,
    }
}

fn drain(bidder: &mut Bidder) -> Vec<Output> {
    std::iter::from_fn(|| bidder.poll_output()).collect()
}

fn bids(outputs: &[Output]) -> Vec<&Bid> {
    let bids = outputs.iter().filter_map(|output| match output {
        Output::Bid { bid, .. } => Some(&**bid),
        _ => None,
    });
    bids.collect()
}

/// A bidder whose bid of one agent is out, and the bid's digest.
fn bidding(capacity: u64) -> (Bidder, Digest) {
    let mut bidder = bidder(capacity);
    let outputs = hear(
        &mut bidder,
        &fixtures::announcement(),
        vec![agent("a", fixed())],
    );
    let digest = Signed::unsigned(bids(&outputs)[0]).digest();
    (bidder, digest)
}

fn award(bid: Digest, slot: u64, epoch: u64) -> Input {
    Input::Award {
        from: fixtures::announcement().announcer,
        award: Award {
            broadcast: fixtures::announcement().broadcast,
            slot,
            epoch,
            bid,
            confirm_ms: 500,
            lease_ms: 4_000,
            budget: None,
        },
        admission: Admission::Granted,
    }
}

fn lease(answers: u64) -> Input {
    let broadcast = fixtures::announcement().broadcast;
    Input::Lease {
        from: fixtures::announcement().announcer,
        lease: Lease {
            broadcast,
            slot: 0,
            epoch: 1,
            answers,
            lease_ms: 4_000,
            key: slot_key(broadcast, None, 0),
            input: (answers == 0).then(|| b"{}".to_vec().into()),
        },
    }
}

fn withdraw(waits_ms: Option<u64>) -> Input {
    Input::Withdraw {
        from: fixtures::announcement().announcer,
        withdraw: Withdraw {
            broadcast: fixtures::announcement().broadcast,
            slot: 0,
            epoch: 1,
            waits_ms,
        },
    }
}

fn answers(outputs: &[Output]) -> Vec<ConfirmAnswer> {
    let answers = outputs.iter().filter_map(|output| match output {
        Output::Confirm { confirm, .. } => Some(confirm.answer),
        _ => None,
    });
    answers.collect()
}

fn ends(outputs: &[Output]) -> Vec<LeaseEnd> {
    let ends = outputs.iter().filter_map(|output| match output {
        Output::Deliver { outcome, .. } => Some(outcome.end),
        _ => None,
    });
    ends.collect()
}

#[test]
fn an_agent_bids_what_it_is_told_to_or_says_why_not() {
    let announcement = fixtures::announcement();
    for (terms, expected) in [
        (fixed(), Ok(20_000)),
        (quote(Some("free"), Figure::Fixed(1)), Ok(1)),
        (
            quote(
                None,
                Figure::Expression("half the highest price".to_owned()),
            ),
            Ok(50_000),
        ),
        (
            quote(Some("broken"), Figure::Fixed(1)),
            Err(NoBid::Expression),
        ),
        (
            quote(None, Figure::Expression("unknown".to_owned())),
            Err(NoBid::Expression),
        ),
        (quote(None, Figure::Fixed(100_001)), Err(NoBid::Price)),
    ] {
        let mut bidder = bidder(1);
        let outputs = hear(&mut bidder, &announcement, vec![agent("a", terms)]);
        let said = match &outputs[0] {
            Output::Bid { bid, .. } => Ok(bid.micros()),
            Output::NoBid { why, .. } => Err(*why),
            other => panic!("{other:?}"),
        };
        assert_eq!(said, expected);
        assert!(
            matches!(outputs[1], Output::Decided { bids, .. } if bids == u64::from(expected.is_ok()))
        );
    }
}

#[test]
fn a_busy_bidder_sees_its_load_and_a_condition_keeps_it_from_bidding() {
    let (mut bidder, bid) = bidding(1);
    bidder.handle(award(bid, 0, 1), at(10));
    drain(&mut bidder);
    let next = fixtures::announced(fixtures::announcement().announcer, [2; 32]);

    let terms = quote(Some("free"), Figure::Fixed(1));
    let outputs = hear(&mut bidder, &next, vec![agent("a", terms)]);

    assert_eq!(bidder.load(), 1_000_000);
    assert!(matches!(
        outputs[0],
        Output::NoBid {
            why: NoBid::Condition,
            ..
        }
    ));
}

#[test]
fn an_agent_that_is_asked_bids_what_it_answers_and_silence_is_no_bid() {
    let asked = || {
        agent(
            "a",
            Terms::Ask {
                when: None,
                limit_ms: 300,
            },
        )
    };
    let announcement = fixtures::announcement();
    let mut answering = bidder(1);
    let mut silent = bidder(1);

    assert_eq!(hear(&mut answering, &announcement, vec![asked()]).len(), 1);
    hear(&mut silent, &announcement, vec![asked()]);
    let offer = Offer {
        price: None,
        time_ms: 5,
        confidence: 1,
    };
    let answered = Input::Answered {
        broadcast: announcement.broadcast,
        round: 1,
        agent: "a".parse().unwrap(),
        offer: Some(offer),
    };
    answering.handle(answered, at(100));
    silent.handle_timeout(at(300));

    assert_eq!(bids(&drain(&mut answering)).len(), 1);
    let outputs = drain(&mut silent);
    assert!(matches!(
        outputs[0],
        Output::NoBid {
            why: NoBid::Declined,
            ..
        }
    ));
    assert!(matches!(outputs[1], Output::Decided { bids: 0, .. }));
}

#[test]
fn the_same_announcement_again_gets_the_same_bid_and_a_later_round_another() {
    let (mut bidder, bid) = bidding(1);
    let second = Announcement {
        round: 2,
        ..fixtures::announcement()
    };

    let again = hear(
        &mut bidder,
        &fixtures::announcement(),
        vec![agent("a", fixed())],
    );
    let anew = hear(&mut bidder, &second, vec![agent("a", fixed())]);

    assert_eq!(Signed::unsigned(bids(&again)[0]).digest(), bid);
    assert_eq!(
        bids(&anew)[0].announcement,
        Signed::unsigned(&second).digest()
    );
}

#[test]
fn what_an_agent_says_of_an_earlier_round_is_no_answer_to_a_later_one() {
    let terms = Terms::Ask {
        when: None,
        limit_ms: 300,
    };
    let first = fixtures::announcement();
    let second = Announcement {
        round: 2,
        ..first.clone()
    };
    let mut bidder = bidder(1);
    let mut asked = |it| match hear(&mut bidder, it, vec![agent("a", terms.clone())]).as_slice() {
        [Output::Ask { round, .. }] => *round,
        other => panic!("not asked: {other:?}"),
    };
    assert_eq!([asked(&first), asked(&second)], [1, 2]);
    let mut answered = |round| {
        let offer = Offer {
            price: None,
            time_ms: round,
            confidence: 1,
        };
        let answered = Input::Answered {
            broadcast: first.broadcast,
            round,
            agent: "a".parse().unwrap(),
            offer: Some(offer),
        };
        bidder.handle(answered, at(100));
        drain(&mut bidder)
    };

    let (early, right) = (answered(1), answered(2));

    assert_eq!(early, []);
    assert_eq!(bids(&right)[0].time_ms, 2);
    assert!(matches!(
        right[1],
        Output::Decided {
            round: 2,
            bids: 1,
            ..
        }
    ));
}

#[test]
fn room_is_kept_from_the_confirmation_on_and_not_before() {
    let mut bidder = bidder(1);
    let agents = vec![agent("a", fixed()), agent("b", fixed())];
    let outputs = hear(&mut bidder, &fixtures::announcement(), agents);
    let won: Vec<Digest> = bids(&outputs)
        .iter()
        .map(|it| Signed::unsigned(*it).digest())
        .collect();
    assert_eq!(bidder.load(), 0);

    bidder.handle(award(won[0], 0, 1), at(10));
    bidder.handle(award(won[0], 0, 1), at(20));
    bidder.handle(award(won[1], 1, 1), at(20));
    bidder.handle(award(Digest::new([0; 32]), 2, 1), at(20));

    use ConfirmAnswer::{Busy, Reserved, Unknown};
    assert_eq!(
        answers(&drain(&mut bidder)),
        [Reserved, Reserved, Busy, Unknown]
    );
    assert_eq!(bidder.load(), 1_000_000);
}

#[test]
fn an_award_of_an_earlier_epoch_than_one_that_was_confirmed_is_stale_whichever_agents_bid_it_names()
{
    let mut bidder = bidder(4);
    let two = vec![agent("a", fixed()), agent("b", fixed())];
    let outputs = hear(&mut bidder, &fixtures::announcement(), two);
    let bids: Vec<Digest> = bids(&outputs)
        .into_iter()
        .map(|bid| Signed::unsigned(bid).digest())
        .collect();

    bidder.handle(award(bids[0], 0, 2), at(10));
    bidder.handle(award(bids[1], 0, 1), at(11));
    bidder.handle(award(bids[1], 1, 1), at(12));

    let answers = answers(&drain(&mut bidder));
    use ConfirmAnswer::{Reserved, Stale};
    assert_eq!(answers, [Reserved, Stale, Reserved]);
}

#[test]
fn an_award_by_another_realm_or_for_an_expired_bid_is_not_confirmed() {
    let (mut bidder, bid) = bidding(1);
    let Input::Award {
        mut from,
        award: it,
        admission,
    } = award(bid, 0, 1)
    else {
        unreachable!()
    };
    from.realm = Some(RealmId::new([9; 32]));
    let forged = Input::Award {
        from,
        award: it,
        admission,
    };

    bidder.handle(forged, at(10));
    assert_eq!(answers(&drain(&mut bidder)), []);
    // Two seconds of bidding, and thirty that the bid holds.
    bidder.handle(award(bid, 0, 1), at(32_000));
    assert_eq!(answers(&drain(&mut bidder)), [ConfirmAnswer::Expired]);
}

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
fn a_reservation_without_a_lease_is_given_back() {
    let (mut bidder, bid) = bidding(1);
    bidder.handle(award(bid, 0, 1), at(100));
    drain(&mut bidder);

    bidder.handle_timeout(at(1_100));

    assert_eq!(ends(&drain(&mut bidder)), [LeaseEnd::NotBegun]);
    assert_eq!(bidder.load(), 0);
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

/// Announcements of a realm under this root, by their numbers.
fn announcements_of(root: u8, numbers: std::ops::Range<u64>) -> impl Iterator<Item = Announcement> {
    numbers.map(move |number| {
        let mut secret = [root; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        fixtures::announced(fixtures::place(root, "", root), secret)
    })
}

/// How many of them two agents bid for.
fn bid_for(bidder: &mut Bidder, announcements: impl Iterator<Item = Announcement>) -> usize {
    let two = || vec![agent("a", fixed()), agent("b", fixed())];
    let sent = announcements.map(|it| bids(&hear(bidder, &it, two())).len());
    sent.sum::<usize>() / 2
}

#[test]
fn a_flood_of_one_root_leaves_room_for_others_and_floods_of_all_leave_room_for_the_own_tree() {
    let mut bidder = bidder(1);

    let of_one = bid_for(&mut bidder, announcements_of(7, 0..200));
    assert_eq!(of_one, limits::OFFERS_PER_ROOT);
    let of_others = (8..17).map(|root| bid_for(&mut bidder, announcements_of(root, 0..130)));
    assert_eq!(of_one + of_others.sum::<usize>(), limits::OFFERS);
    let own = bid_for(&mut bidder, announcements_of(2, 0..1_030));
    assert_eq!(own, limits::OFFERS);
}

#[test]
fn closed_broadcasts_take_no_room_whether_their_bids_lost_or_won() {
    let mut bidder = bidder(1);

    for announcement in announcements_of(7, 0..1_100) {
        let two = vec![agent("a", fixed()), agent("b", fixed())];
        let outputs = hear(&mut bidder, &announcement, two);
        let sent = bids(&outputs);
        assert_eq!(sent.len(), 2, "{outputs:?}");
        let (broadcast, from) = (announcement.broadcast, announcement.announcer);
        let award = Award {
            broadcast,
            slot: 0,
            epoch: 1,
            bid: Signed::unsigned(sent[0]).digest(),
            confirm_ms: 500,
            lease_ms: 4_000,
            budget: None,
        };
        let ack = OutcomeAck {
            broadcast,
            slot: 0,
            epoch: 1,
        };
        let withdraw = Withdraw {
            broadcast,
            slot: 0,
            epoch: 1,
            waits_ms: None,
        };
        let told = [
            Input::Award {
                from: from.clone(),
                award,
                admission: Admission::Granted,
            },
            Input::Withdraw {
                from: from.clone(),
                withdraw,
            },
            Input::Ack {
                from: from.clone(),
                ack,
            },
            Input::Closed { from, broadcast },
        ];
        for input in told {
            bidder.handle(input, at(0));
        }
        drain(&mut bidder);
    }

    assert_eq!(bidder.jobs.len(), limits::OFFERS, "what is over is bounded");
}

#[test]
fn a_close_ends_bids_of_its_announcers_broadcast_alone_and_its_announcement_is_nothing_new() {
    let (mut bidder, bid) = bidding(1);
    let announcement = fixtures::announcement();
    let (broadcast, from) = (announcement.broadcast, announcement.announcer.clone());
    let asks = agent(
        "b",
        Terms::Ask {
            when: None,
            limit_ms: 300,
        },
    );
    hear(&mut bidder, &announcement, vec![asks]);

    let evil = fixtures::place(9, "evil", 9);
    bidder.handle(
        Input::Closed {
            from: evil,
            broadcast,
        },
        at(10),
    );
    assert_eq!(drain(&mut bidder), []);
    assert!(bidder.agent_of(bid).is_some());
    bidder.handle(Input::Closed { from, broadcast }, at(20));

    let decided = drain(&mut bidder);
    assert!(matches!(decided[..], [Output::Decided { bids: 0, .. }]));
    let again = hear(&mut bidder, &announcement, vec![agent("a", fixed())]);
    assert!(bids(&again).is_empty(), "{again:?}");
    bidder.handle(award(bid, 0, 1), at(30));
    assert_eq!(answers(&drain(&mut bidder)), [ConfirmAnswer::Unknown]);
}

#[test]
fn another_announcer_takes_no_bids_place_by_saying_its_broadcasts_id() {
    let (mut bidder, bid) = bidding(1);
    let evil = Announcement {
        announcer: fixtures::place(9, "evil", 9),
        ..fixtures::announcement()
    };

    let outputs = hear(&mut bidder, &evil, vec![agent("a", fixed())]);
    bidder.handle(award(bid, 0, 1), at(10));

    assert!(bids(&outputs).is_empty(), "{outputs:?}");
    assert_eq!(answers(&drain(&mut bidder)), [ConfirmAnswer::Reserved]);
}

#[test]
fn a_reservation_ends_soon_whatever_time_the_award_gives_and_another_broadcasts_makes_none() {
    let (mut bidder, bid) = bidding(1);
    let Input::Award {
        from,
        award: right,
        admission,
    } = award(bid, 0, 1)
    else {
        panic!("an award")
    };
    let told = |award| Input::Award {
        from: from.clone(),
        award,
        admission,
    };
    let elsewhere = Award {
        broadcast: BroadcastId::new([9; 16]),
        ..right.clone()
    };
    bidder.handle(told(elsewhere), at(10));
    assert_eq!(answers(&drain(&mut bidder)), [ConfirmAnswer::Unknown]);

    let endless = Award {
        confirm_ms: u64::MAX,
        ..right
    };
    bidder.handle(told(endless), at(20));
    assert_eq!(answers(&drain(&mut bidder)), [ConfirmAnswer::Reserved]);
    bidder.handle_timeout(at(20 + limits::BID_MS));
    assert_eq!(bidder.load(), 0, "it waits for its lease no longer");
}

#[test]
fn a_confirmation_is_said_again_while_no_lease_has_come_and_not_for_ever() {
    let (mut bidder, bid) = bidding(1);
    bidder.handle(award(bid, 0, 1), at(0));
    let mut said = answers(&drain(&mut bidder)).len();
    let mut ended = Vec::new();
    while let Some(next) = bidder.poll_timeout().filter(|_| ended.is_empty()) {
        bidder.handle_timeout(at(next.as_millis()));
        let outputs = drain(&mut bidder);
        said += answers(&outputs).len();
        ended = ends(&outputs);
    }

    assert_eq!(said, limits::AWARD_SENDS as usize);
    assert_eq!(ended, [LeaseEnd::NotBegun]);
}
