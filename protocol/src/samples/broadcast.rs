//! One value of every message and record of a broadcast.

use super::{NOW, Sample, budget, digest, loop_id, place, realm, sample, signed, spend};
use crate::{
    BroadcastId, FailureCode, RunId, Scope,
    broadcast::{
        Aggregation, Announce, Announcement, Award, Bid, BidLimits, Close, CloseAsked, Confirm,
        ConfirmAnswer, Deliver, EarlyClose, Effects, Lease, LeaseEnd, Offshoots, Outcome,
        OutcomeAck, PlacedBid, Price, Reach, Rule, Selection, Stopped, Strategy, Summary, Tally,
        Transcript, TranscriptSeal, Verdict, Waiting, Weights, Winner, Withdraw, WorkProgress,
    },
    cbor::Blob,
};

fn broadcast() -> BroadcastId {
    BroadcastId::of(realm(11), digest(4))
}

pub(super) fn all() -> Vec<Sample> {
    let mut samples = bidding();
    samples.extend(working());
    samples
}

fn bidding() -> Vec<Sample> {
    vec![
        sample("Announcement", &announcement()),
        sample(
            "Announce",
            &Announce {
                announcement: signed(&announcement()),
                window_ms: 1_800,
                down: 2,
                up: 0,
                chain: None,
            },
        ),
        sample(
            "Tally",
            &Tally {
                broadcast: broadcast(),
                round: 1,
                asked: 20,
                bids: 7,
                unreached: 1,
                suppressed: Some(1),
            },
        ),
        sample("Bid", &bid()),
        sample(
            "Summary",
            &Summary {
                filter: Blob::from(vec![0; 512]),
                realms: 3,
            },
        ),
        sample("Verdict", &verdict()),
        sample(
            "Transcript",
            &Transcript {
                seal: signed(&TranscriptSeal {
                    broadcast: broadcast(),
                    entries: 1,
                    digest: digest(1),
                    at: NOW,
                    reader: None,
                }),
                chain: None,
                pages: vec![Blob::from(vec![0x80])],
                digests: Blob::from(vec![1; 32]),
            },
        ),
        sample(
            "Close",
            &Close {
                broadcast: broadcast(),
                page: 0,
                pages: 1,
                verdict: signed(&verdict()),
                digests: Blob::from(vec![1; 64]),
                winners: vec![signed(&bid())],
                session: Some([1; 32]),
            },
        ),
        sample(
            "CloseAsked",
            &CloseAsked {
                bid: signed(&bid()),
            },
        ),
        sample(
            "PlacedBid",
            &PlacedBid {
                bid: signed(&bid()),
                session: Some([1; 32]),
            },
        ),
    ]
}

fn working() -> Vec<Sample> {
    let (broadcast, slot, epoch) = (broadcast(), 0, 1);
    vec![
        sample(
            "Award",
            &Award {
                broadcast,
                slot,
                epoch,
                bid: digest(1),
                confirm_ms: 2_000,
                lease_ms: 30_000,
                budget: Some(budget()),
            },
        ),
        sample(
            "Confirm",
            &Confirm {
                broadcast,
                slot,
                epoch,
                bid: digest(1),
                answer: ConfirmAnswer::Reserved,
            },
        ),
        sample(
            "Lease",
            &Lease {
                broadcast,
                slot,
                epoch,
                answers: 0,
                lease_ms: 30_000,
                key: digest(2),
                input: Some(Blob::from(b"{}".to_vec())),
            },
        ),
        sample(
            "WorkProgress",
            &WorkProgress {
                broadcast,
                slot,
                epoch,
                number: 1,
                done: 250_000,
                offshoots: Some(Offshoots {
                    under_way: 1,
                    given: 2,
                    failed: 0,
                }),
            },
        ),
        sample("Outcome", &outcome()),
        sample(
            "Deliver",
            &Deliver {
                outcome: signed(&outcome()),
                output: Some(Blob::from(b"{}".to_vec())),
            },
        ),
        sample(
            "OutcomeAck",
            &OutcomeAck {
                broadcast,
                slot,
                epoch,
            },
        ),
        sample(
            "Withdraw",
            &Withdraw {
                broadcast,
                slot,
                epoch,
                waits_ms: Some(5_000),
            },
        ),
    ]
}

fn announcement() -> Announcement {
    Announcement {
        broadcast: broadcast(),
        round: 1,
        announcer: place(10, "health"),
        loop_id: loop_id(),
        contract: digest(1),
        input_schema: digest(2),
        output_schema: digest(3),
        effects: Effects::Idempotent,
        capabilities: vec!["risk".parse().unwrap()],
        limits: BidLimits {
            currency: Some("EUR".to_owned()),
            price: Some(100_000),
            time_ms: Some(5_000),
            confidence: Some(500_000),
        },
        reach: Reach {
            down: 8,
            up: 1,
            across: 1,
            realms: vec![Scope {
                root: realm(1),
                path: "health".parse().unwrap(),
            }],
            besides: None,
        },
        window_ms: 2_000,
        award_ms: 10_000,
        execution_ms: 60_000,
        rule: Rule {
            selection: Selection::Weighted,
            weights: Some(Weights {
                price: 3,
                time: 1,
                confidence: 2,
                trust: 1,
            }),
            awards: 3,
            standbys: 2,
            min_bids: 1,
            max_bids: 100,
            early: Some(EarlyClose {
                enough: 5,
                price: Some(50_000),
                time_ms: Some(2_000),
                confidence: Some(900_000),
            }),
            per_realm: Some(4),
        },
        aggregation: Aggregation {
            strategy: Strategy::Consensus,
            waiting: Waiting::Quorum,
            quorum: Some(600_000),
            threshold: Some(660_000),
            min_results: 2,
            confidence: Some(500_000),
            field: vec!["risk".to_owned()],
        },
        commitment: digest(4),
        created: NOW,
        depth: 1,
        work: None,
    }
}

fn bid() -> Bid {
    Bid {
        broadcast: broadcast(),
        announcement: digest(1),
        bidder: place(20, "genomics"),
        agent: loop_id(),
        contract: digest(1),
        price: Some(Price {
            currency: "EUR".to_owned(),
            micros: 20_000,
        }),
        time_ms: 2_000,
        confidence: 900_000,
        load: 250_000,
        created: NOW,
        expires_ms: 30_000,
    }
}

fn outcome() -> Outcome {
    Outcome {
        broadcast: broadcast(),
        slot: 0,
        epoch: 1,
        bid: digest(1),
        end: LeaseEnd::Done,
        output: Some(digest(2)),
        failure: Some(FailureCode::LoopFailed),
        confidence: Some(800_000),
        charged: Some(Price {
            currency: "EUR".to_owned(),
            micros: 20_000,
        }),
        run: Some(RunId::new([1; 16])),
        created: NOW,
        spent: Some(spend()),
        below: Some(Stopped {
            confirmed: 3,
            silent: 1,
        }),
    }
}

fn verdict() -> Verdict {
    Verdict {
        broadcast: broadcast(),
        announcement: digest(1),
        secret: [7; 32],
        counted: 2,
        root: digest(2),
        order: digest(3),
        winners: vec![Winner {
            slot: 0,
            epoch: 1,
            bid: digest(1),
            awarded: Some(NOW),
        }],
        closed: NOW,
        unconfirmed: Some(vec![digest(4)]),
    }
}
