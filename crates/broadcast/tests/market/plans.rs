//! Broadcasts to begin with.

use realm_broadcast::{
    FanOut, Left, Pass, Side,
    announcer::{Plan, Round},
};
use realm_protocol::{
    BroadcastId, Digest, NodeId, Place, RealmId, Timestamp,
    broadcast::{
        Aggregation, Announcement, BidLimits, EarlyClose, Effects, Reach, Rule, Selection,
        Strategy, Waiting, Weights,
    },
    budget::{Amount, Budget},
    records::Signed,
};

use super::random::Random;

pub(super) const SECRET: [u8; 32] = [9; 32];
/// When the world begins, by the wall clock.
pub(super) const EPOCH: u64 = 1_800_000_000_000;

/// The announcer, a root.
pub(super) fn announcer() -> Place {
    place(1, "", 200)
}

/// A bidder of the announcer's tree if its number is even, else of a root of its own.
pub(super) fn bidder(number: usize) -> Place {
    let realm = u8::try_from(number).unwrap();
    if number.is_multiple_of(2) {
        place(1, &format!("b{number}"), realm)
    } else {
        place(100 + realm % 100, "lab", realm)
    }
}

fn place(root: u8, path: &str, realm: u8) -> Place {
    Place {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
        realm: Some(RealmId::new([realm; 32])),
        node: Some(NodeId::new([realm; 32])),
    }
}

/// The neighbour behind which a bidder stands.
pub(super) fn side(number: usize) -> Side {
    let bidder = bidder(number);
    match bidder.path.last_label() {
        Some(label) if bidder.root == announcer().root => Side::Child(label),
        _ => Side::Peer(bidder.root),
    }
}

pub(super) fn announcement() -> Announcement {
    let (realm, commitment) = (announcer().realm.unwrap(), Digest::of(&[&SECRET]));
    Announcement {
        broadcast: BroadcastId::of(realm, commitment),
        round: 1,
        announcer: announcer(),
        loop_id: "price-check".parse().unwrap(),
        contract: Digest::new([1; 32]),
        input_schema: Digest::new([2; 32]),
        output_schema: Digest::new([3; 32]),
        effects: Effects::Idempotent,
        capabilities: vec!["price".parse().unwrap()],
        limits: BidLimits {
            currency: Some("EUR".to_owned()),
            price: Some(1_000),
            time_ms: None,
            confidence: None,
        },
        reach: Reach {
            down: 1,
            up: 0,
            across: 0,
            realms: Vec::new(),
            besides: None,
        },
        window_ms: 2_000,
        award_ms: 60_000,
        execution_ms: 60_000,
        rule: Rule {
            selection: Selection::Best,
            weights: None,
            awards: 1,
            standbys: 8,
            min_bids: 1,
            max_bids: 100,
            early: None,
            per_realm: None,
        },
        aggregation: Aggregation {
            strategy: Strategy::CollectAll,
            waiting: Waiting::All,
            quorum: Some(600_000),
            threshold: Some(600_000),
            min_results: 1,
            confidence: None,
            field: Vec::new(),
        },
        commitment,
        created: Timestamp::from_millis(EPOCH),
        depth: 1,
        work: None,
    }
}

/// A plan of one round that goes to the first bidders, or of two of which the second goes to all.
pub(super) fn plan(announcement: &Announcement, reached: &[usize]) -> Plan {
    let rounds = (1..).zip(reached).map(|(round, bidders)| {
        let announcement = Announcement {
            round,
            ..announcement.clone()
        };
        let passes = (0..*bidders).map(|number| Pass {
            to: side(number),
            left: Left { down: 0, up: 0 },
            window_ms: announcement.window_ms * 9 / 10,
        });
        Round {
            fan: FanOut {
                passes: passes.collect(),
                unreached: 0,
            },
            announcement: Signed::unsigned(&announcement),
        }
    });
    Plan {
        rounds: rounds.collect(),
        secret: SECRET,
        input: b"{\"item\":1}".to_vec().into(),
        confirm_ms: 500,
        lease_ms: 4_000,
        at_once: 64,
        person_ms: 20_000,
        budget: None,
    }
}

/// A broadcast of any kind.
pub(super) fn random(random: &mut Random, bidders: usize) -> Plan {
    let first = announcement();
    let selection = random.pick(Selection::ALL);
    let weights = Weights {
        price: random.between(0, 5),
        time: random.between(0, 5),
        confidence: random.between(0, 5),
        trust: random.between(0, 5),
    };
    let awards = random.between(1, 6);
    let strategy = random.pick(Strategy::ALL);
    let early = EarlyClose {
        enough: random.between(1, 6),
        price: random.chance(500).then_some(500),
        time_ms: None,
        confidence: None,
    };
    let announcement = Announcement {
        effects: random.pick(Effects::ALL),
        window_ms: random.between(200, 3_000),
        execution_ms: random.between(4_000, 40_000),
        award_ms: random.between(2_000, 40_000),
        rule: Rule {
            selection,
            weights: (selection == Selection::Weighted).then_some(weights),
            awards,
            standbys: random.between(0, 6),
            min_bids: random.between(0, 4),
            max_bids: random.between(4, 40),
            early: random.chance(300).then_some(early),
            per_realm: random.chance(300).then_some(2),
        },
        aggregation: Aggregation {
            strategy,
            waiting: random.pick(Waiting::ALL),
            min_results: random.between(0, awards),
            ..first.aggregation.clone()
        },
        ..first
    };
    let few = usize::try_from(random.between(1, bidders as u64)).unwrap();
    let reached = if random.chance(500) {
        vec![few, bidders]
    } else {
        vec![bidders]
    };
    Plan {
        at_once: random.between(1, 8),
        lease_ms: random.between(1_000, 20_000),
        budget: random.chance(400).then(|| Budget {
            money: Some(euros(random.between(1_000, 4_000))),
            tokens: random.chance(500).then(|| random.between(0, 10_000)),
            calls: None,
        }),
        ..plan(&announcement, &reached)
    }
}

/// An amount of the currency that everybody bids in.
pub(super) fn euros(micros: u64) -> Amount {
    Amount {
        currency: "EUR".parse().unwrap(),
        micros,
    }
}
