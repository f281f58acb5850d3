//! From award to outcome: who won, who reserves, the input, and what became of it.

use super::Price;
use crate::{
    BroadcastId, Digest, FailureCode, RunId, Timestamp,
    budget::{Budget, Spend},
    cbor::{Blob, numbered},
    limits,
    records::{Record, Signed},
    wire_map,
};

wire_map! {
    /// Body of an Award: a bid has won a slot. It holds no input.
    pub struct Award {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// Rises with every award of the slot.
        2 => epoch: u64,
        /// Digest of the bid that won.
        3 => bid: Digest,
        /// How long the award waits for its confirmation, milliseconds.
        4 => confirm_ms: u64,
        /// How long each lease would be, milliseconds.
        5 => lease_ms: u64,
        /// What the work and all that it causes may use; none for no bound.
        6 => budget: Option<Budget>,
    }
}

numbered! {
    /// What a winner says to its award.
    ConfirmAnswer ("a known answer to an award") {
        /// It has reserved what it needs.
        Reserved = 1,
        /// It has no room for it.
        Busy = 2,
        /// Its bid has expired.
        Expired = 3,
        /// It knows nothing of such a bid.
        Unknown = 4,
        /// It has confirmed a later award of the slot.
        Stale = 5,
        /// Its owner does not permit it any more.
        Refused = 6,
    }
}

wire_map! {
    /// Body of a Confirm, signed by the winner.
    #[derive(Copy)]
    pub struct Confirm {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The award's epoch.
        2 => epoch: u64,
        /// Digest of the bid.
        3 => bid: Digest,
        /// What the winner says.
        4 => answer: ConfirmAnswer,
    }
}

impl Record for Confirm {
    const TAGS: &'static [&'static str] = &["realm/1/confirm"];
}

wire_map! {
    /// Body of a Lease: the input and the time to work on it, or more time.
    pub struct Lease {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The award's epoch.
        2 => epoch: u64,
        /// What it answers: 0 the confirmation, otherwise the progress of this number.
        3 => answers: u64,
        /// How long it is, milliseconds from when the holder sent what it answers.
        4 => lease_ms: u64,
        /// Idempotency key of the work; the same for every holder of the slot.
        5 => key: Digest,
        /// Input, JSON; with the first lease, and only there.
        6 => input: Option<Blob>,
    }
}

wire_map! {
    /// Body of a Progress from the holder of a lease: it works, and wants more time.
    #[derive(Copy)]
    pub struct WorkProgress {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The award's epoch.
        2 => epoch: u64,
        /// Rises with every progress, from 1.
        3 => number: u64,
        /// How far the work has come, in millionths.
        4 => done: u64,
        /// What the work has announced in its turn; none where it has announced nothing.
        64 => offshoots: Option<Offshoots>,
    }
}

wire_map! {
    /// How many broadcasts leased work has announced in its turn, at all levels below its holder.
    #[derive(Copy, Default)]
    pub struct Offshoots {
        /// Those under way.
        0 => under_way: u64,
        /// Those that gave an output.
        1 => given: u64,
        /// Those that ended without one.
        2 => failed: u64,
    }
}

impl Offshoots {
    /// Both together; of each kind at most as many as are told.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |one: u64, other: u64| one.saturating_add(other).min(limits::OFFSHOOTS);
        Self {
            under_way: sum(self.under_way, other.under_way),
            given: sum(self.given, other.given),
            failed: sum(self.failed, other.failed),
        }
    }

    /// None where there are none.
    pub fn any(self) -> Option<Self> {
        Some(self).filter(|it| *it != Self::default())
    }
}

numbered! {
    /// How a lease ended, as its holder says.
    LeaseEnd ("a known end of a lease") {
        /// With an output.
        Done = 1,
        /// Before the work began.
        NotBegun = 2,
        /// After the work began, without an output.
        Failed = 3,
    }
}

wire_map! {
    /// How many holders of leases have said that they stopped when their work was taken back, at all
    /// levels below a holder.
    #[derive(Copy, Default)]
    pub struct Stopped {
        /// Who said so.
        0 => confirmed: u64,
        /// Who did not in time.
        1 => silent: u64,
    }
}

impl Stopped {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            confirmed: self.confirmed.saturating_add(other.confirmed),
            silent: self.silent.saturating_add(other.silent),
        }
    }
}

wire_map! {
    /// How a lease ended, signed by its holder.
    pub struct Outcome {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The award's epoch.
        2 => epoch: u64,
        /// Digest of the bid.
        3 => bid: Digest,
        /// How it ended.
        4 => end: LeaseEnd,
        /// SHA-256 of the output, if there is one.
        5 => output: Option<Digest>,
        /// Why there is none.
        6 => failure: Option<FailureCode>,
        /// How sure the holder is of the output, in millionths; none for as sure as its bid.
        7 => confidence: Option<u64>,
        /// What it cost; none for nothing.
        8 => charged: Option<Price>,
        /// The holder's run, if the work began.
        9 => run: Option<RunId>,
        /// When it was made.
        10 => created: Timestamp,
        /// What the work and all that it caused have used. Its money is the holder's own matter: what is
        /// owed is what is charged.
        65 => spent: Option<Spend>,
        /// Of work that was taken back: what its holder has heard of those that worked for it in turn.
        66 => below: Option<Stopped>,
    }
}

impl Record for Outcome {
    const TAGS: &'static [&'static str] = &["realm/1/outcome"];
}

wire_map! {
    /// Body of a Result or Failure of leased work.
    pub struct Deliver {
        /// How the lease ended.
        0 => outcome: Signed<Outcome>,
        /// Output, JSON, if there is one.
        1 => output: Option<Blob>,
    }
}

wire_map! {
    /// Body of a ResultAck for leased work: the announcer has written the outcome down.
    #[derive(Copy)]
    pub struct OutcomeAck {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The award's epoch.
        2 => epoch: u64,
    }
}

wire_map! {
    /// Body of a Cancel of awarded work.
    #[derive(Copy)]
    pub struct Withdraw {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The award's epoch.
        2 => epoch: u64,
        /// How long its sender waits to hear that the work has stopped, milliseconds; with it the holder may
        /// first hear the same from those that work for it in turn.
        64 => waits_ms: Option<u64>,
    }
}
