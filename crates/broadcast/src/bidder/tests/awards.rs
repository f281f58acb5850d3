//! Awards that are confirmed, and those that are not.

use super::*;

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
fn a_reservation_without_a_lease_is_given_back() {
    let (mut bidder, bid) = bidding(1);
    bidder.handle(award(bid, 0, 1), at(100));
    drain(&mut bidder);

    bidder.handle_timeout(at(1_100));

    assert_eq!(ends(&drain(&mut bidder)), [LeaseEnd::NotBegun]);
    assert_eq!(bidder.load(), 0);
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
