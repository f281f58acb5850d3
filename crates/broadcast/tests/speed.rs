//! What an announcer takes for each bid, but for signing, sealing and checking signatures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Instant;

use realm_broadcast::{
    Announcer, FanOut, Left, Pass, Side,
    announcer::{Input, Output, Plan, Round},
};
use realm_protocol::{
    BroadcastId, Digest, NodeId, Now, Place, RealmId, Tick, Timestamp,
    broadcast::{
        Aggregation, Announcement, Bid, BidLimits, Effects, Reach, Rule, Selection, Strategy,
        Waiting, Weights,
    },
    records::Signed,
};

const NOW: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    tick: Tick::from_millis(0),
};

fn place(number: u64) -> Place {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Place {
        root: RealmId::new([1; 32]),
        path: format!("r{number}").parse().unwrap(),
        realm: Some(RealmId::new(id)),
        node: Some(NodeId::new(id)),
    }
}

fn broadcast() -> BroadcastId {
    let realm = place(0).realm.unwrap();
    BroadcastId::of(realm, Digest::of(&[&[9; 32]]))
}

fn announcement() -> Announcement {
    Announcement {
        broadcast: broadcast(),
        round: 1,
        announcer: place(0),
        loop_id: "price-check".parse().unwrap(),
        contract: Digest::new([1; 32]),
        input_schema: Digest::new([2; 32]),
        output_schema: Digest::new([3; 32]),
        effects: Effects::None,
        capabilities: Vec::new(),
        limits: BidLimits {
            currency: None,
            price: None,
            time_ms: None,
            confidence: None,
        },
        reach: Reach {
            down: 8,
            up: 0,
            across: 0,
            realms: Vec::new(),
            besides: None,
        },
        window_ms: 2_000,
        award_ms: 10_000,
        execution_ms: 60_000,
        rule: Rule {
            selection: Selection::Weighted,
            weights: Some(Weights {
                price: 0,
                time: 1,
                confidence: 2,
                trust: 1,
            }),
            awards: 8,
            standbys: 8,
            min_bids: 1,
            max_bids: 8_192,
            early: None,
            per_realm: None,
        },
        aggregation: Aggregation {
            strategy: Strategy::CollectAll,
            waiting: Waiting::All,
            quorum: None,
            threshold: None,
            min_results: 1,
            confidence: None,
            field: Vec::new(),
        },
        commitment: Digest::of(&[&[9; 32]]),
        created: NOW.wall,
        depth: 0,
        work: None,
    }
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
#[expect(clippy::print_stdout, reason = "it says what it measured")]
fn a_bid_takes_microseconds() {
    for bids in [1_000, 5_000] {
        let announcement = Signed::unsigned(&announcement());
        let signed: Vec<(Place, Signed<Bid>)> = (1..=bids)
            .map(|number| (place(number), bid(&announcement, number)))
            .collect();
        let plan = Plan {
            rounds: vec![Round {
                announcement,
                fan: FanOut {
                    passes: vec![Pass {
                        to: Side::Parent,
                        left: Left { down: 0, up: 0 },
                        window_ms: 1_000,
                    }],
                    unreached: 0,
                },
            }],
            secret: [9; 32],
            input: b"{}".to_vec().into(),
            confirm_ms: 2_000,
            lease_ms: 30_000,
            at_once: 8,
            person_ms: 0,
            budget: None,
        };
        let started = Instant::now();
        let mut announcer = Announcer::start(plan, NOW).unwrap();
        for (from, bid) in signed {
            let trust = 500_000;
            announcer.handle(
                Input::Bid {
                    from,
                    bid,
                    trust,
                    permitted: true,
                },
                NOW,
            );
        }
        let closes = Now {
            tick: Tick::from_millis(2_000),
            ..NOW
        };
        announcer.handle_timeout(closes);
        let outputs = std::iter::from_fn(|| announcer.poll_output());
        let awards = outputs
            .filter(|it| matches!(it, Output::Send { .. }))
            .count();
        let took = started.elapsed();

        assert_eq!(awards, 8);
        println!("{bids} bids, counted and ranked, 8 awarded: {took:?}");
    }
}

fn bid(announcement: &Signed<Announcement>, number: u64) -> Signed<Bid> {
    Signed::unsigned(&Bid {
        broadcast: broadcast(),
        announcement: announcement.digest(),
        bidder: place(number),
        agent: "price-check".parse().unwrap(),
        contract: Digest::new([1; 32]),
        price: None,
        time_ms: number % 977,
        confidence: 500_000 + number % 1_009,
        load: 0,
        created: NOW.wall,
        expires_ms: 30_000,
    })
}
