//! The market for work without an address: announce, bid, award, lease, aggregate.
//!
//! [`Announcer`] is one broadcast at the realm that announces it, [`Bidder`] a realm's part in the
//! broadcasts of others; both take inputs and time, and give what is to be done. [`rank()`] orders
//! bids by a published rule, [`select()`] says who wins, [`aggregate()`] makes results one, and
//! [`fan_out`] says whom an announcement is passed to. What an announcer writes down
//! ([`log::Entry`]) makes it again after a restart, and proves afterwards what it did
//! ([`announcer::recompute`]), as far as one bidder may see it too ([`view::recompute`]). Time is an argument, arithmetic is in integers, and the same input
//! gives the same output everywhere. It must never know keys, links, policy, or how work is run.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod aggregate;
pub mod announcer;
pub mod bidder;
mod close;
#[cfg(test)]
mod fixtures;
pub mod log;
mod number;
mod quota;
mod rank;
mod resend;
mod rule;
mod scope;
mod select;
mod transcript;
pub mod trust;
pub mod view;
mod work;

pub use aggregate::{
    Aggregate, AggregateError, Citation, Contribution, Part, Said, aggregate, is_enough,
};
pub use announcer::Announcer;
pub use bidder::Bidder;
pub use close::{CloseError, Closed, Standing, close_due, close_pages};
pub use rank::{Candidate, Ranked, Ranking, Scale, bids_root, rank};
pub use rule::{RuleError, check_announcement};
pub use scope::{
    Capabilities, FanOut, Left, Neighbour, Pass, Side, SummaryError, Tallying, fan_out, is_asked,
    window_below,
};
pub use select::{Selected, TooFewBids, select};
pub use transcript::{TranscriptError, Unsealed, open_transcript, open_view};
pub use trust::Trust;
pub use work::slot_key;
