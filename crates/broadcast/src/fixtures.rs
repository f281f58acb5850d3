//! An announcement and bids to begin with, for tests.

use realm_protocol::{
    BroadcastId, Digest, NodeId, Place, RealmId, Timestamp,
    broadcast::{
        Aggregation, Announcement, Bid, BidLimits, Effects, Price, Reach, Rule, Selection,
        Strategy, Waiting,
    },
};

pub(crate) fn place(root: u8, path: &str, realm: u8) -> Place {
    Place {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
        realm: Some(RealmId::new([realm; 32])),
        node: Some(NodeId::new([realm; 32])),
    }
}

pub(crate) fn announcement() -> Announcement {
    announced(place(1, "health", 10), [9; 32])
}

/// The same by a realm with a secret of its own.
pub(crate) fn announced(announcer: Place, secret: [u8; 32]) -> Announcement {
    let commitment = Digest::of(&[&secret]);
    Announcement {
        broadcast: BroadcastId::of(announcer.realm.unwrap(), commitment),
        round: 1,
        announcer,
        loop_id: "risk-classify".parse().unwrap(),
        contract: Digest::new([1; 32]),
        input_schema: Digest::new([2; 32]),
        output_schema: Digest::new([3; 32]),
        effects: Effects::Idempotent,
        capabilities: vec!["risk".parse().unwrap()],
        limits: BidLimits {
            currency: Some("EUR".to_owned()),
            price: Some(100_000),
            time_ms: Some(5_000),
            confidence: None,
        },
        reach: Reach {
            down: 2,
            up: 0,
            across: 0,
            realms: Vec::new(),
            besides: None,
        },
        window_ms: 2_000,
        award_ms: 30_000,
        execution_ms: 60_000,
        rule: Rule {
            selection: Selection::Best,
            weights: None,
            awards: 2,
            standbys: 2,
            min_bids: 1,
            max_bids: 100,
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
        commitment,
        created: Timestamp::from_millis(1_800_000_000_000),
        depth: 1,
        work: None,
    }
}

/// A bid for it by the realm of this number, under a root of its own.
pub(crate) fn bid(number: u8, micros: u64) -> Bid {
    Bid {
        broadcast: announcement().broadcast,
        announcement: realm_protocol::records::Signed::unsigned(&announcement()).digest(),
        bidder: place(number, "", number),
        agent: "risk-classify".parse().unwrap(),
        contract: Digest::new([1; 32]),
        price: Some(Price {
            currency: "EUR".to_owned(),
            micros,
        }),
        time_ms: 1_000,
        confidence: 900_000,
        load: 0,
        created: announcement().created,
        expires_ms: 30_000,
    }
}
