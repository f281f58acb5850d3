//! The published rule: how bids are chosen among, and how results are made one.

use crate::{cbor::numbered, wire_map};

numbered! {
    /// What bids are ranked by.
    Selection ("a known selection") {
        /// The order in which the announcer counted them.
        First = 1,
        /// Price, then time, then confidence.
        Best = 2,
        /// The tie-breaking hash alone.
        Random = 3,
        /// As [`Selection::Best`]; every bid wins, up to the slots there are.
        All = 4,
        /// A score by [`Weights`].
        Weighted = 5,
    }
}

wire_map! {
    /// How much each property of a bid counts in its score.
    #[derive(Copy)]
    pub struct Weights {
        /// A low price.
        0 => price: u64,
        /// A short time.
        1 => time: u64,
        /// A high confidence.
        2 => confidence: u64,
        /// The announcer's own experience with the bidder.
        3 => trust: u64,
    }
}

wire_map! {
    /// When the taking of bids ends before its time. A bid is good if it keeps to all three.
    #[derive(Copy)]
    pub struct EarlyClose {
        /// So many good bids are enough.
        0 => enough: u64,
        /// The highest price, in millionths of the currency.
        1 => price: Option<u64>,
        /// The longest time to the result, milliseconds.
        2 => time_ms: Option<u64>,
        /// The lowest confidence, in millionths.
        3 => confidence: Option<u64>,
    }
}

wire_map! {
    /// How bids are chosen among.
    #[derive(Copy)]
    pub struct Rule {
        /// What they are ranked by.
        0 => selection: Selection,
        /// The weights of a score; with [`Selection::Weighted`], and only there.
        1 => weights: Option<Weights>,
        /// Slots: how many win.
        2 => awards: u64,
        /// Ranks after the winners' that may be awarded in place of one that fell out.
        3 => standbys: u64,
        /// Fewer bids are too few.
        4 => min_bids: u64,
        /// At so many bids, no more are taken.
        5 => max_bids: u64,
        /// When the taking of bids ends before its time.
        6 => early: Option<EarlyClose>,
        /// Bids of any one realm of the announcer's own tree and all below it; none for no bound.
        7 => per_realm: Option<u64>,
    }
}

numbered! {
    /// How results are made one.
    Strategy ("a known strategy") {
        /// One object of all members.
        Merge = 1,
        /// The best-ranked winner's.
        Select = 2,
        /// What a share of the results agree on.
        Consensus = 3,
        /// What a share of all winners agree on, silent and failed ones counted.
        Quorum = 4,
        /// What most results agree on.
        Vote = 5,
        /// The mean of a number.
        Average = 6,
        /// The mean of a number, weighted by confidence.
        WeightedAverage = 7,
        /// The sum of a number.
        Sum = 8,
        /// All, ordered by a number.
        Rank = 9,
        /// The one that came first.
        FirstValid = 10,
        /// The one with the highest confidence.
        HighestConfidence = 11,
        /// All, in rank order.
        CollectAll = 12,
        /// What a loop makes of all.
        Loop = 13,
    }
}

numbered! {
    /// How many results are waited for.
    Waiting ("a known way of waiting") {
        /// All of them.
        All = 1,
        /// A share of them.
        Quorum = 2,
        /// More than half of them.
        Majority = 3,
        /// One.
        Any = 4,
    }
}

wire_map! {
    /// How results are made one, and how many are waited for.
    pub struct Aggregation {
        /// How they are made one.
        0 => strategy: Strategy,
        /// How many are waited for.
        1 => waiting: Waiting,
        /// The share for [`Waiting::Quorum`] and [`Strategy::Quorum`], in millionths.
        2 => quorum: Option<u64>,
        /// The share for [`Strategy::Consensus`], in millionths.
        3 => threshold: Option<u64>,
        /// Fewer valid results are too few.
        4 => min_results: u64,
        /// A result with less confidence is not valid; in millionths.
        5 => confidence: Option<u64>,
        /// The members on the way to the value that is compared or counted; none for all.
        6 => field: Vec<String>,
    }
}
