//! How many bids may be open at a time.

use super::*;

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
fn agents_of_one_realm_have_no_more_bids_open_in_all_than_four_for_each_announcement() {
    let mut bidder = bidder(1);
    let ten = || {
        (0..10)
            .map(|number| agent(&format!("a{number}"), fixed()))
            .collect()
    };
    let sent = announcements_of(7, 0..100).map(|it| bids(&hear(&mut bidder, &it, ten())).len());

    assert_eq!(
        sent.sum::<usize>(),
        limits::OFFERS_PER_ROOT * limits::OFFER_AGENTS
    );

    assert_eq!(bid_for(&mut bidder, announcements_of(8, 0..1)), 1);
}

#[test]
fn what_is_open_of_one_id_under_two_roots_is_counted_under_each() {
    let mut bidder = bidder(1);
    let first = announcements_of(7, 0..1).next().unwrap();
    let again = Announcement {
        announcer: fixtures::place(8, "moved", 7),
        ..first.clone()
    };
    let named = |from: usize, to: usize| {
        (from..to)
            .map(|number| agent(&format!("a{number}"), fixed()))
            .collect()
    };
    assert_eq!(bids(&hear(&mut bidder, &first, named(0, 4))).len(), 4);
    let of_other = bids(&hear(&mut bidder, &again, named(4, 300))).len();
    assert_eq!(of_other, limits::OFFERS_PER_ROOT * limits::OFFER_AGENTS / 2);

    let one = || vec![agent("a", fixed())];
    let sent = |bidder: &mut Bidder, root| {
        let sent = announcements_of(root, 1..200).map(|it| bids(&hear(bidder, &it, one())).len());
        sent.sum::<usize>()
    };
    assert_eq!(sent(&mut bidder, 7), limits::OFFERS_PER_ROOT - 1);
    assert_eq!(sent(&mut bidder, 8), limits::OFFERS_PER_ROOT - 1);
    for from in [first.announcer, again.announcer] {
        assert!(bidder.takes_part(first.broadcast));
        let broadcast = first.broadcast;
        bidder.handle(Input::Closed { from, broadcast }, at(10));
        drain(&mut bidder);
    }
    let of_first = announcements_of(7, 200..201).next().unwrap();
    assert_eq!(bids(&hear(&mut bidder, &of_first, one())).len(), 1);
}

#[test]
fn broadcasts_with_many_able_agents_leave_room_for_others_of_their_root() {
    let mut bidder = bidder(1);
    let many = || {
        (0..16)
            .map(|number| agent(&format!("a{number}"), fixed()))
            .collect()
    };
    let sent = announcements_of(7, 0..32).map(|it| bids(&hear(&mut bidder, &it, many())).len());
    let sent: Vec<usize> = sent.collect();

    assert_eq!(sent, [[16; 16], [limits::OFFER_AGENTS; 16]].concat());
    assert_eq!(bid_for(&mut bidder, announcements_of(7, 32..64)), 32);
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

    let jobs = bidder.jobs.iter().count();
    assert_eq!(jobs, limits::OFFERS, "what is over is bounded");
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
