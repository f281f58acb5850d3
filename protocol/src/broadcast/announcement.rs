//! What is announced, how far, and what comes back before any bid does.

use super::{Aggregation, Rule};
use crate::{
    BroadcastId, CallId, Digest, LoopId, Place, Scope, Timestamp,
    cbor::{Blob, numbered},
    records::{Record, Signed},
    wire_map,
};

numbered! {
    /// What a loop does outside itself, and so whether its work may be given out again.
    Effects ("known effects") {
        /// Nothing: doing it again is harmless.
        None = 1,
        /// The same, however often it is done under one key.
        Idempotent = 2,
        /// Something that must not happen twice.
        Once = 3,
    }
}

wire_map! {
    /// How near realms are that are asked whatever they are called.
    #[derive(Copy, Default)]
    pub struct Levels {
        /// Levels below the announcer.
        0 => down: u64,
        /// Levels above the announcer, each with so many levels below it as there are down.
        1 => up: u64,
        /// Levels of each peer's tree.
        2 => across: u64,
    }
}

wire_map! {
    /// How far an announcement goes.
    pub struct Reach {
        /// Levels below the announcer; 0 for none, 1 for its children.
        0 => down: u64,
        /// Levels above the announcer whose other subtrees are asked.
        1 => up: u64,
        /// Levels of each peer's tree; 0 for none, 1 for the peers themselves.
        2 => across: u64,
        /// If there are any, only realms at these places or below them are asked, and those besides.
        3 => realms: Vec<Scope>,
        /// Whoever else is asked where there are any.
        64 => besides: Option<Levels>,
    }
}

wire_map! {
    /// What a bid must keep to; one that does not is refused.
    pub struct BidLimits {
        /// The one currency of all bids; without it no bid may ask for a price.
        0 => currency: Option<String>,
        /// The highest price, in millionths of the currency.
        1 => price: Option<u64>,
        /// The longest time to the result, milliseconds.
        2 => time_ms: Option<u64>,
        /// The lowest confidence, in millionths.
        3 => confidence: Option<u64>,
    }
}

wire_map! {
    /// Work for whoever bids best, signed by the announcer. It holds no input.
    pub struct Announcement {
        /// The broadcast, [`BroadcastId::of`] its announcer and its commitment.
        0 => broadcast: BroadcastId,
        /// 1, or 2 where it is announced again, wider.
        1 => round: u64,
        /// Who announces, in full.
        2 => announcer: Place,
        /// The loop whose work it is.
        3 => loop_id: LoopId,
        /// Digest of the loop's contract.
        4 => contract: Digest,
        /// SHA-256 of the contract's input schema.
        5 => input_schema: Digest,
        /// SHA-256 of the contract's output schema.
        6 => output_schema: Digest,
        /// The contract's effects.
        7 => effects: Effects,
        /// What an agent must be able to do, ascending.
        8 => capabilities: Vec<LoopId>,
        /// What a bid must keep to.
        9 => limits: BidLimits,
        /// How far it goes.
        10 => reach: Reach,
        /// How long bids are taken, milliseconds from when it was announced.
        11 => window_ms: u64,
        /// How long after that the last award is made at the latest, milliseconds.
        12 => award_ms: u64,
        /// How long the work may take in all from the first award, milliseconds.
        13 => execution_ms: u64,
        /// How bids are chosen among.
        14 => rule: Rule,
        /// How results are made one.
        15 => aggregation: Aggregation,
        /// SHA-256 of the secret that ties are broken by.
        16 => commitment: Digest,
        /// When it was made.
        17 => created: Timestamp,
        /// How many calls and broadcasts led to this one.
        18 => depth: u64,
        /// The work, where it may be announced again: the same in each broadcast of it.
        64 => work: Option<CallId>,
    }
}

impl Record for Announcement {
    const TAGS: &'static [&'static str] = &["realm/1/announcement"];
}

wire_map! {
    /// Body of an Announce: the announcement as the realm before has it passed on.
    pub struct Announce {
        /// The announcement, as its announcer signed it.
        0 => announcement: Signed<Announcement>,
        /// How long the receiver has for its tally, milliseconds from receipt.
        1 => window_ms: u64,
        /// Levels that the receiver may pass it down.
        2 => down: u64,
        /// Levels that the receiver may pass it up.
        3 => up: u64,
        /// The announcer's [`crate::records::Chain`], encoded; absent where the receiver has it.
        4 => chain: Option<Blob>,
    }
}

wire_map! {
    /// Body of a Tally: what became of an announcement at a realm and all it passed it to.
    #[derive(Copy)]
    pub struct Tally {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// The round.
        1 => round: u64,
        /// Realms that were asked.
        2 => asked: u64,
        /// Bids that they have sent.
        3 => bids: u64,
        /// Neighbours that it was not passed to by policy, for want of a link, or in time, and
        /// those that suppressed it.
        4 => unreached: u64,
        /// How many of these suppressed it, because too many announcements come from where it does;
        /// absent for none.
        5 => suppressed: Option<u64>,
    }
}

wire_map! {
    /// What a subtree can do, as a set that says yes too often and never no too often.
    pub struct Summary {
        /// A Bloom filter of capabilities and loop ids.
        0 => filter: Blob,
        /// Realms that it speaks for.
        1 => realms: u64,
    }
}
