//! What realms say to each other in a broadcast: work without an address, announced, bid for,
//! awarded, leased, done and closed.
//!
//! An [`Announcement`] goes down its scope in an [`Announce`]; [`Tally`] and [`Bid`] come back. A
//! winner gets an [`Award`], answers with a [`Confirm`], gets a [`Lease`] with the input and ends
//! it with an [`Outcome`]. The [`Verdict`] in a [`Close`] lets every bidder tell whether it was
//! ranked by the rule, and a [`Transcript`] lets an
//! auditor check every step; both are handed on as [`Evidence`]. The normative text is `protocol/spec/broadcast.md`.

mod announcement;
mod bid;
mod close;
mod rule;
mod work;

pub use announcement::{Announce, Announcement, BidLimits, Effects, Levels, Reach, Summary, Tally};
pub use bid::{Bid, PlacedBid, Price};
pub use close::{
    Close, CloseAsked, Evidence, Receipt, Transcript, TranscriptSeal, Verdict, Winner,
};
pub use rule::{Aggregation, EarlyClose, Rule, Selection, Strategy, Waiting, Weights};
pub use work::{
    Award, Confirm, ConfirmAnswer, Deliver, Lease, LeaseEnd, Offshoots, Outcome, OutcomeAck,
    Stopped, Withdraw, WorkProgress,
};

/// One whole: what shares, confidence, load and trust are counted in.
pub const MILLION: u64 = 1_000_000;

/// Reads a decimal number of at most six places in millionths, `0.02` as 20,000; none for another
/// text, or one that is too large.
pub fn millionths(text: &str) -> Option<u64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && places.len() <= 6 && digits(whole) && digits(places);
    let number = fits.then(|| format!("{whole}{places:0<6}"))?;
    number.parse().ok()
}
