mod awards;
mod bids;
mod leases;
mod room;

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
