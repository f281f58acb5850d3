//! What realms say to each other in a broadcast: work without an address, announced, bid for,
//! awarded, leased, done and closed.
//!
//! An [`Announcement`] goes down its scope in an [`Announce`]; [`Tally`] and [`Bid`] come back. A
//! winner gets an [`Award`], answers with a [`Confirm`], gets a [`Lease`] with the input and ends
//! it with an [`Outcome`]. The [`Verdict`] in a [`Close`] lets every bidder tell whether it was
//! ranked by the rule, and a [`Transcript`] lets an auditor check every step. The normative text is `protocol/spec/broadcast.md`.

mod announcement;
mod bid;
mod close;
mod rule;
mod work;

pub use announcement::{Announce, Announcement, BidLimits, Effects, Reach, Summary, Tally};
pub use bid::{Bid, Price};
pub use close::{Close, Transcript, TranscriptSeal, Verdict, Winner};
pub use rule::{Aggregation, EarlyClose, Rule, Selection, Strategy, Waiting, Weights};
pub use work::{
    Award, Confirm, ConfirmAnswer, Deliver, Lease, LeaseEnd, Outcome, OutcomeAck, Withdraw,
    WorkProgress,
};

/// One whole: what shares, confidence, load and trust are counted in.
pub const MILLION: u64 = 1_000_000;
