//! One agent's part in one broadcast.

use std::{collections::BTreeMap, sync::Arc};

use realm_protocol::{
    CallId, Digest, LoopId, Place, Tick, Timestamp,
    broadcast::{Announcement, Bid, Outcome, Price, Stopped},
    budget::Budget,
    cbor::Blob,
};

use super::DayBudget;
use crate::resend::Resend;

/// What a job is for.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Digest of the announcement; none after a restart, when it is needed no more.
    pub(super) announced: Option<Digest>,
    pub(super) work: Announced,
    /// Who announced.
    pub(super) announcer: Place,
    pub(super) agent: LoopId,
    /// What its confirmed bids may come to; none after a restart, when it is needed no more.
    pub(super) budget: Option<DayBudget>,
    pub(super) state: State,
}

/// What an announcement says of the work itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announced {
    /// How long it may take in all, milliseconds.
    pub(super) execution_ms: u64,
    /// How many calls and broadcasts led to it.
    pub(super) depth: u64,
    /// What its keys name it by, if not by its broadcast.
    pub(super) name: Option<CallId>,
}

/// The slot that a job has won.
#[derive(Clone, Debug)]
pub(super) struct Won {
    pub(super) slot: u64,
    pub(super) epoch: u64,
    pub(super) bid: Digest,
    /// When the confirmation was sent.
    pub(super) confirmed: Tick,
    /// What is reserved for it, and since when.
    pub(super) price: Option<Price>,
    pub(super) at: Timestamp,
    /// What the work may use; none for no bound.
    pub(super) budget: Option<Budget>,
}

/// Where a job stands.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// The agent is asked for its offer.
    Asking {
        announcement: Arc<Announcement>,
        contract: Digest,
        until: Tick,
    },
    /// A bid is out.
    Offered {
        bid: Box<Bid>,
        digest: Digest,
        until: Tick,
    },
    /// The award is confirmed, and the lease is waited for.
    Reserved {
        won: Won,
        until: Tick,
        /// When the confirmation is sent again.
        again: Resend,
    },
    /// The work is done.
    Working { won: Won, lease: Held },
    /// The outcome is out, and its acknowledgement is waited for.
    Ended {
        outcome: Box<Outcome>,
        output: Option<Blob>,
        sends: u32,
        next: Tick,
    },
    /// The broadcast is closed, or nothing more is said.
    Over { until: Tick },
}

/// A lease as its holder counts it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// When the work must stop.
    pub(super) until: Tick,
    /// How long the last lease was, milliseconds.
    pub(super) lease_ms: u64,
    /// When the last messages were sent that a lease may answer, by their numbers.
    pub(super) sent: BTreeMap<u64, Tick>,
    /// When the next is due.
    pub(super) next: Tick,
    /// How far the work has come, in millionths.
    pub(super) done: u64,
    /// Until when the work has to have stopped, once it was taken back.
    pub(super) stops: Option<Tick>,
    /// What was heard from those that worked for it in turn, and were told to stop.
    pub(super) below: Option<Stopped>,
}

/// Messages remembered that a lease may answer; an answer to an older one is too old.
const REMEMBERED: usize = 8;

impl Held {
    /// The last message that a lease may answer.
    pub(super) fn number(&self) -> u64 {
        self.sent.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// Remembers when the next progress is sent, and gives its number.
    pub(super) fn send(&mut self, now: Tick) -> u64 {
        let number = self.number().saturating_add(1);
        self.sent.insert(number, now);
        if self.sent.len() > REMEMBERED {
            self.sent.pop_first();
        }
        self.next = now.plus((self.lease_ms / 4).max(1));
        number
    }

    /// Takes a renewal, which counts from when the progress was sent that it answers; false where it gives
    /// no more time.
    pub(super) fn renew(&mut self, answers: u64, lease_ms: u64) -> bool {
        let sent = self.sent.get(&answers).filter(|_| answers > 0).copied();
        let Some(sent) = sent.filter(|sent| sent.plus(lease_ms) > self.until) else {
            return false;
        };
        self.until = sent.plus(lease_ms);
        self.next = self.next.max(sent.plus(lease_ms / 2));
        self.lease_ms = lease_ms;
        true
    }

    /// The announcer says again what it has said: it was restarted, and may not have heard the last progress. The
    /// next is sent at once, unless one was just sent.
    pub(super) fn ask_again(&mut self, now: Tick) {
        let last = self.sent.last_key_value().map_or(now, |(_, sent)| *sent);
        if now.since(last) >= self.lease_ms / 64 {
            self.next = now;
        }
    }
}

impl Job {
    /// Whether it takes room.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Reserved { .. } | State::Working { .. })
    }

    /// Whether a bid is out, has won, or may still be made.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Over { .. })
    }

    /// Whether its bid may still be made, or is out and has not won.
    pub(super) fn is_offer(&self) -> bool {
        matches!(self.state, State::Asking { .. } | State::Offered { .. })
    }

    /// The slot it holds.
    pub(super) fn won(&self) -> Option<&Won> {
        match &self.state {
            State::Reserved { won, .. } | State::Working { won, .. } => Some(won),
            _ => None,
        }
    }

    /// When something happens by itself.
    pub(super) fn until(&self) -> Tick {
        match &self.state {
            State::Asking { until, .. } | State::Offered { until, .. } | State::Over { until } => {
                *until
            }
            State::Reserved { until, again, .. } => {
                again.next().map_or(*until, |next| next.min(*until))
            }
            State::Working { lease, .. } => lease.until.min(lease.stops.unwrap_or(lease.next)),
            State::Ended { next, .. } => *next,
        }
    }
}
