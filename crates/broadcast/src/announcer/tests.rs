mod awards;
mod bids;
mod record;
mod rounds;

use realm_protocol::{
    RealmId, RealmPath, Timestamp,
    broadcast::{BidLimits, ConfirmAnswer, EarlyClose, LeaseEnd, Outcome, Price, Rule, Selection},
    budget::{Amount, Currency},
    limits,
};

use super::*;
use crate::{
    fixtures,
    log::{Announced, Counted, End},
};

const NOW: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    tick: Tick::from_millis(1_000),
};

/// What makes an honest bid another.
type Change = fn(&mut Bid);

fn plan(announcement: &Announcement) -> Plan {
    let waits = Pass {
        to: Side::Parent,
        left: crate::scope::Left { down: 0, up: 0 },
        window_ms: 1,
    };
    Plan {
        rounds: vec![Round {
            announcement: Signed::unsigned(announcement),
            fan: FanOut {
                passes: vec![waits],
                unreached: 0,
            },
        }],
        secret: [9; 32],
        input: b"{}".to_vec().into(),
        confirm_ms: 500,
        lease_ms: 5_000,
        at_once: 8,
        person_ms: 1_000,
        budget: None,
    }
}

/// Why a bid does not count; none if it does.
fn refusal(announcer: &mut Announcer, from: &Place, bid: &Bid, now: Now) -> Option<Refusal> {
    while announcer.poll_output().is_some() {}
    let input = Input::Bid {
        from: from.clone(),
        bid: Signed::unsigned(bid),
        trust: 0,
        permitted: true,
    };
    announcer.handle(input, now);
    match announcer.poll_output() {
        Some(Output::Refuse { why, .. }) => Some(why),
        _ => None,
    }
}

fn written(output: Output) -> Option<Entry> {
    match output {
        Output::Write(entry) => Some(*entry),
        _ => None,
    }
}
