//! What agents bid, and why they do not.

use super::*;

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
