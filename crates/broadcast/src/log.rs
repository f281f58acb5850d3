//! What an announcer writes down: enough to go on after a restart, and to prove what it did.

use realm_protocol::{
    Digest, FailureCode, Place, Scope, Timestamp,
    broadcast::{Announcement, Bid, Confirm, ConfirmAnswer, Deliver, Tally},
    budget::Budget,
    cbor::{Blob, CborError, Reader, Wire, Writer},
    numbered,
    records::Signed,
    wire_map,
};

use crate::{aggregate::Citation, announcer::judge};

wire_map! {
    /// The broadcast as it was planned; the first entry.
    pub struct Planned {
        /// The announcement of each round, signed.
        0 => rounds: Vec<Signed<Announcement>>,
        /// What ties are broken by.
        1 => secret: [u8; 32],
        /// SHA-256 of the input.
        2 => input: Digest,
        /// How long an award waits for its confirmation, milliseconds.
        3 => confirm_ms: u64,
        /// How long a lease is, milliseconds.
        4 => lease_ms: u64,
        /// Slots that are worked on at a time.
        5 => at_once: u64,
        /// How long a person is waited for, milliseconds.
        6 => person_ms: u64,
        /// What all awards together may use; none for no bound.
        7 => budget: Option<Budget>,
    }
}

wire_map! {
    /// A round begins.
    pub struct Announced {
        /// Which.
        0 => round: u64,
        /// When.
        1 => at: Timestamp,
    }
}

wire_map! {
    /// A bid counts.
    pub struct Counted {
        /// The bid, signed.
        0 => bid: Signed<Bid>,
        /// How the announcer trusts the bidder, in millionths.
        1 => trust: u64,
        /// When.
        2 => at: Timestamp,
    }
}

numbered! {
    /// Why no more bids are taken.
    CloseCause ("a known cause of the close") {
        /// The time is over.
        Window = 1,
        /// As many good bids as are enough.
        Enough = 2,
        /// As many bids as are taken.
        Full = 3,
        /// Every tally is back, with as many bids as they have sent.
        Tallied = 4,
        /// The broadcast is cancelled.
        Cancelled = 5,
    }
}

wire_map! {
    /// What was heard from one side that an announcement was passed to.
    pub struct SideHeard {
        /// The neighbour that stands there.
        0 => side: Scope,
        /// Bids that have come from there, as many as may count.
        1 => came: u64,
        /// Its tally, of bids with as many as may count; none where it has not answered.
        2 => tally: Option<Tally>,
    }
}

impl SideHeard {
    /// Whether the neighbour has answered, and as many bids have come as it told of.
    pub fn is_met(&self) -> bool {
        self.tally.is_some_and(|tally| self.came >= tally.bids)
    }
}

wire_map! {
    /// No more bids are taken; the ranking is fixed.
    pub struct BidsClosed {
        /// Why.
        0 => cause: CloseCause,
        /// The sum of all tallies by then.
        1 => tally: Tally,
        /// When.
        2 => at: Timestamp,
        /// What was heard from each side in the last round, of the first of them.
        64 => heard: Option<Vec<SideHeard>>,
    }
}

wire_map! {
    /// A slot is awarded.
    pub struct Awarded {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// The bid.
        2 => bid: Digest,
        /// When.
        3 => at: Timestamp,
        /// What the work may use: set aside with the bid's price; none where the broadcast has no bound.
        4 => budget: Option<Budget>,
    }
}

wire_map! {
    /// An award is answered, or is no longer waited for.
    pub struct Answered {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// What the winner signed; absent where it did not answer.
        2 => confirm: Option<Signed<Confirm>>,
        /// When.
        3 => at: Timestamp,
    }
}

wire_map! {
    /// A lease is granted, or renewed; with the first, its holder gets the input.
    pub struct Leased {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// What it answers: 0 the confirmation, otherwise the progress of this number.
        2 => answers: u64,
        /// How long it is, milliseconds.
        3 => lease_ms: u64,
        /// Who gets it.
        4 => holder: Place,
        /// When.
        5 => at: Timestamp,
    }
}

impl BidsClosed {
    /// Whether all the time there was has not been enough for a side: where the bidding ends sooner, what is missing
    /// says nothing.
    pub fn is_short(&self, side: &SideHeard) -> bool {
        self.cause == CloseCause::Window && !side.is_met()
    }
}

numbered! {
    /// How a lease ended, as the announcer sees it.
    End ("a known end of a slot") {
        /// With a result that counts.
        Result = 1,
        /// Before the work began.
        NotBegun = 2,
        /// With a failure.
        Failed = 3,
        /// Without a word.
        Expired = 4,
        /// With a higher price than the bid's.
        Overcharged = 5,
        /// With an output that the schema refuses.
        Mismatched = 6,
        /// With an output of another digest, or none.
        Forged = 7,
        /// Because the announcer took it back.
        Withdrawn = 8,
    }
}

wire_map! {
    /// A lease ended.
    pub struct Ended {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// How.
        2 => end: End,
        /// What its holder signed and gave, if it did.
        3 => delivered: Option<Deliver>,
        /// When.
        4 => at: Timestamp,
    }
}

wire_map! {
    /// A person has decided, or is no longer waited for.
    pub struct Decided {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// Whether the work is given out again.
        2 => again: bool,
        /// When.
        3 => at: Timestamp,
        /// True where nobody had said anything by then.
        64 => unsaid: Option<bool>,
    }
}

wire_map! {
    /// An outcome came that is not used.
    pub struct Unused {
        /// What its holder signed and gave.
        0 => delivered: Deliver,
        /// When.
        1 => at: Timestamp,
        /// Whether the output breaks the announced schema; none where something else was wrong already.
        64 => mismatched: Option<bool>,
    }
}

wire_map! {
    /// The broadcast is cancelled.
    pub struct Cancelled {
        /// When.
        0 => at: Timestamp,
    }
}

wire_map! {
    /// A realm's chain proves which node signs for it.
    pub struct Proved {
        /// The [`realm_protocol::records::Chain`], encoded.
        0 => chain: Blob,
        /// When.
        1 => at: Timestamp,
    }
}

numbered! {
    /// How a broadcast ended.
    Ending ("a known ending of a broadcast") {
        /// With an output.
        Output = 1,
        /// With fewer bids than asked for.
        TooFewBids = 2,
        /// With fewer valid results than asked for.
        TooFewResults = 3,
        /// Without a consensus.
        NoConsensus = 4,
        /// Without a quorum.
        NoQuorum = 5,
        /// With a result that is not numeric.
        NotNumeric = 6,
        /// With a result that is no object.
        NotAnObject = 7,
        /// With a result that lacks its value.
        NoValue = 8,
        /// Without any confidence to weigh by.
        NoWeight = 9,
        /// With a sum past 2^53 - 1.
        TooLarge = 10,
        /// With a failure of the loop that aggregates.
        AggregatorFailed = 11,
        /// Because it was cancelled.
        Cancelled = 12,
        /// With results that are, made one, not what the contract says.
        Mismatched = 13,
    }
}

impl Ending {
    /// What it says to whoever waits for the output; none where there is one.
    pub const fn failure(self) -> Option<FailureCode> {
        Some(match self {
            Self::Output => return None,
            Self::TooFewBids => FailureCode::TooFewBids,
            Self::TooFewResults => FailureCode::TooFewResults,
            Self::NoConsensus => FailureCode::NoConsensus,
            Self::NoQuorum => FailureCode::NoQuorum,
            Self::NotNumeric
            | Self::NotAnObject
            | Self::NoValue
            | Self::NoWeight
            | Self::TooLarge
            | Self::AggregatorFailed => FailureCode::NotAggregated,
            Self::Cancelled => FailureCode::Cancelled,
            Self::Mismatched => FailureCode::SchemaOutput,
        })
    }
}

wire_map! {
    /// The one outcome of a broadcast.
    pub struct Conclusion {
        /// How it ended.
        0 => ending: Ending,
        /// Output, JSON, if there is one.
        1 => output: Option<Blob>,
        /// Why there is none.
        2 => reason: Option<String>,
        /// Everybody who won a slot, by slot.
        3 => citations: Vec<Citation>,
        /// Slots whose holders have said how they ended, after a cancel.
        4 => confirmed: Vec<u64>,
        /// Slots whose holders have not.
        5 => silent: Vec<u64>,
    }
}

wire_map! {
    /// The broadcast has ended; the last entry, but for proofs and for outcomes that come late.
    pub struct Finished {
        /// Its outcome.
        0 => conclusion: Conclusion,
        /// When.
        1 => at: Timestamp,
    }
}

/// Declares an enum of entries, each written as its number and itself.
macro_rules! entries {
    ($(#[$meta:meta])* $log:ident { $( $(#[$doc:meta])* $number:literal => $name:ident, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $log { $( $(#[$doc])* $name($name), )* }

        impl Wire for $log {
            fn write(&self, out: &mut Writer) {
                out.array(2);
                match self {
                    $( Self::$name(entry) => {
                        out.uint($number);
                        entry.write(out);
                    } )*
                }
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
                from.array_of(2, "an entry of a broadcast")?;
                match from.uint()? {
                    $( $number => Wire::read(from).map(Self::$name), )*
                    _ => Err(CborError::Expected("a known entry of a broadcast")),
                }
            }
        }

        $( impl From<$name> for $log {
            fn from(entry: $name) -> Self {
                Self::$name(entry)
            }
        } )*
    };
}
pub(crate) use entries;

entries! {
    /// One thing that an announcer writes down. Entries stand in the order in which they happened.
    Entry {
    /// The broadcast as it was planned.
    1 => Planned,
    /// A round begins.
    2 => Announced,
    /// A bid counts.
    3 => Counted,
    /// No more bids are taken.
    4 => BidsClosed,
    /// A slot is awarded.
    5 => Awarded,
    /// An award is answered.
    6 => Answered,
    /// A lease is granted or renewed.
    7 => Leased,
    /// A lease ended.
    8 => Ended,
    /// A person has decided.
    9 => Decided,
    /// An outcome came that is not used.
    10 => Unused,
    /// The broadcast is cancelled.
    11 => Cancelled,
    /// The broadcast has ended.
    12 => Finished,
    /// A realm is proven.
    13 => Proved,
    }
}

impl Entry {
    /// When it was written; a plan has no time of its own, and says 0.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Planned(_) => Timestamp::from_millis(0),
            Self::Announced(it) => it.at,
            Self::Counted(it) => it.at,
            Self::BidsClosed(it) => it.at,
            Self::Awarded(it) => it.at,
            Self::Answered(it) => it.at,
            Self::Leased(it) => it.at,
            Self::Ended(it) => it.at,
            Self::Decided(it) => it.at,
            Self::Unused(it) => it.at,
            Self::Cancelled(it) => it.at,
            Self::Finished(it) => it.at,
            Self::Proved(it) => it.at,
        }
    }
}

impl End {
    /// Whether what was given or charged is not what was agreed on.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::Overcharged | Self::Mismatched | Self::Forged)
    }
}

impl Unused {
    /// Takes what was delivered, and what it would have been worth.
    pub(crate) fn of(delivered: Deliver, worth: End, at: Timestamp) -> Self {
        Self {
            delivered,
            at,
            mismatched: match worth {
                End::Mismatched => Some(true),
                End::Result => Some(false),
                _ => None,
            },
        }
    }

    /// What the outcome would have been worth, had it ended the lease of its bid in time.
    pub fn worth(&self, bid: &Bid) -> Option<End> {
        let outcome = self.delivered.outcome.peek().ok()?;
        let matches = self.mismatched != Some(true);
        Some(judge(&outcome, &self.delivered, bid, matches))
    }
}

impl Answered {
    /// Whether the winner has reserved what it needs.
    pub(crate) fn is_reserved(&self) -> bool {
        let confirm = self.confirm.as_ref().and_then(|it| it.peek().ok());
        confirm.is_some_and(|it| it.answer == ConfirmAnswer::Reserved)
    }
}
