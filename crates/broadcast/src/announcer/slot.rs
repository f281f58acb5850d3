//! One slot: who holds it, and what became of it.

use std::sync::Arc;

use realm_protocol::{
    Digest, FailureCode, Tick, Timestamp,
    broadcast::{Offshoots, Stopped},
    limits,
};
use serde_json::Value;

use crate::resend::Resend;

/// A slot of a broadcast.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// The last award's epoch; 0 before the first.
    pub(crate) epoch: u64,
    /// The bid that was awarded last.
    pub(crate) holder: Option<Digest>,
    /// When it was.
    pub(crate) awarded: Timestamp,
    pub(crate) state: State,
    /// How much of the work its holder said was done when it last asked for more time, in millionths.
    pub(crate) done: u64,
    /// What its holder said then that the work had announced in its turn.
    pub(crate) offshoots: Offshoots,
    /// How the last lease ended.
    pub(crate) last: Option<Last>,
}

/// Where a slot stands.
#[derive(Clone, Debug, Default)]
pub(crate) enum State {
    /// It waits for a bidder.
    #[default]
    Open,
    /// It waits for a confirmation.
    Awarded {
        until: Tick,
        /// When the award is sent again.
        again: Resend,
    },
    /// It is confirmed, and waits for its lease.
    Reserved,
    /// It is worked on.
    Leased {
        until: Tick,
        answers: u64,
        lease_ms: u64,
        /// From when on it may be renewed.
        renewable: Tick,
        /// How often the lease was sent.
        sends: u32,
    },
    /// It waits for a person.
    Asking { until: Tick },
    /// It has a result.
    Done(Given),
    /// Nothing comes of it any more.
    Over,
}

/// A result that counts.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) outcome: Digest,
    pub(crate) output: Arc<Value>,
    pub(crate) confidence: u64,
    pub(crate) arrival: u64,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) code: FailureCode,
    pub(crate) outcome: Option<Digest>,
    /// After a cancel, what its holder has heard from below.
    pub(crate) below: Stopped,
}

impl Slot {
    /// Whether somebody, or something, is waited for.
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.state, State::Open | State::Done(_) | State::Over)
    }

    /// Whether it is open and may be awarded once more.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, State::Open) && self.epoch < limits::EPOCHS
    }

    /// Whether nothing can change what becomes of it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.state, State::Done(_) | State::Over)
    }

    pub(crate) fn is_leased(&self) -> bool {
        matches!(self.state, State::Leased { .. })
    }

    /// When something happens by itself.
    pub(crate) fn until(&self) -> Option<Tick> {
        match self.state {
            State::Awarded { until, again } => Some(again.next().map_or(until, |at| at.min(until))),
            State::Leased { until, .. } | State::Asking { until } => Some(until),
            State::Open | State::Reserved | State::Done(_) | State::Over => None,
        }
    }

    /// Whether it is waited for no longer.
    pub(crate) fn is_due(&self, now: Tick) -> bool {
        match self.state {
            State::Awarded { until, .. }
            | State::Leased { until, .. }
            | State::Asking { until } => until <= now,
            State::Open | State::Reserved | State::Done(_) | State::Over => false,
        }
    }
}
