//! What a bidder writes down: what it has reserved, begun and done.

use realm_protocol::{
    BroadcastId, CallId, Digest, LoopId, Place, Timestamp,
    broadcast::{Outcome, Price},
    cbor::{Blob, CborError, Reader, Wire, Writer},
    wire_map,
};

use crate::log::entries;

wire_map! {
    /// A slot is confirmed; room is kept for it.
    pub struct Reserved {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The slot.
        1 => slot: u64,
        /// The epoch.
        2 => epoch: u64,
        /// Digest of the bid.
        3 => bid: Digest,
        /// The agent that does the work.
        4 => agent: LoopId,
        /// Who awarded it.
        5 => announcer: Place,
        /// When.
        6 => at: Timestamp,
        /// What it is to cost; none for nothing.
        7 => price: Option<Price>,
        /// What the work's keys name it by, if not by its broadcast.
        8 => work: Option<CallId>,
    }
}

wire_map! {
    /// Work begins.
    pub struct Begun {
        /// Digest of the bid.
        0 => bid: Digest,
        /// When.
        1 => at: Timestamp,
    }
}

wire_map! {
    /// A slot has ended here.
    pub struct Given {
        /// How.
        0 => outcome: Outcome,
        /// Output, JSON, if there is one.
        1 => output: Option<Blob>,
    }
}

wire_map! {
    /// The announcer has the outcome, or is told it no more.
    pub struct Acked {
        /// Digest of the bid.
        0 => bid: Digest,
    }
}

entries! {
    /// One thing that a bidder writes down. Entries stand in the order in which they happened.
    Held {
        /// A slot is confirmed.
        1 => Reserved,
        /// Work begins.
        2 => Begun,
        /// A slot has ended here.
        3 => Given,
        /// The announcer has the outcome, or is told it no more.
        4 => Acked,
    }
}

impl Held {
    /// The bid that it is about.
    pub const fn bid(&self) -> Digest {
        match self {
            Self::Reserved(it) => it.bid,
            Self::Begun(it) => it.bid,
            Self::Given(it) => it.outcome.bid,
            Self::Acked(it) => it.bid,
        }
    }
}
