//! An offer to do announced work.

use crate::{
    BroadcastId, Digest, LoopId, Place, Timestamp,
    budget::{Amount, Currency},
    records::{Record, Signed},
    wire_map,
};

wire_map! {
    /// An amount of money.
    pub struct Price {
        /// Three upper-case letters.
        0 => currency: String,
        /// Millionths of the currency.
        1 => micros: u64,
    }
}

impl From<&Price> for Amount {
    /// A price in no currency at all costs nothing that could be compared.
    fn from(price: &Price) -> Self {
        Self {
            currency: price.currency.parse().unwrap_or(Currency::NONE),
            micros: price.micros,
        }
    }
}

wire_map! {
    /// An offer to do announced work, signed by the bidder and sealed to the announcer. It reserves
    /// nothing.
    pub struct Bid {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// Digest of the announcement that it answers.
        1 => announcement: Digest,
        /// Who bids, in full.
        2 => bidder: Place,
        /// The bidder's loop that would do the work.
        3 => agent: LoopId,
        /// Digest of that loop's contract.
        4 => contract: Digest,
        /// What it would cost; none for nothing.
        5 => price: Option<Price>,
        /// How long it would take, milliseconds from the lease.
        6 => time_ms: u64,
        /// How sure the bidder is, in millionths.
        7 => confidence: u64,
        /// How busy the bidder is, in millionths.
        8 => load: u64,
        /// When it was made.
        9 => created: Timestamp,
        /// How long it holds, milliseconds from when it is counted.
        10 => expires_ms: u64,
    }
}

impl Record for Bid {
    const TAGS: &'static [&'static str] = &["realm/1/bid"];
}

impl Bid {
    /// What it would cost, in millionths of its currency.
    pub fn micros(&self) -> u64 {
        self.price.as_ref().map_or(0, |price| price.micros)
    }
}

wire_map! {
    /// Body of a Bid.
    pub struct PlacedBid {
        /// The bid.
        0 => bid: Signed<Bid>,
        /// An X25519 key that offers a session; only in a sealed message.
        1 => session: Option<[u8; 32]>,
    }
}
