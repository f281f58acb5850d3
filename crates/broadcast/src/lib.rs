//! The market for work without an address: announce, bid, award, lease, aggregate.
//!
//! [`rank()`] orders bids by a published rule and [`select()`] says who wins; [`aggregate()`] makes
//! results one and cites who said what. Time and randomness are arguments, arithmetic is in
//! integers, and the same input gives the same output everywhere. It must never know keys, links,
//! policy, or how work is run.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod aggregate;
mod close;
#[cfg(test)]
mod fixtures;
mod quota;
mod rank;
mod rule;
mod scope;
mod select;
mod work;

pub use aggregate::{
    Aggregate, AggregateError, Citation, Contribution, Part, Said, aggregate, is_enough,
};
pub use close::{CloseError, Closed, Standing, close_pages};
pub use quota::Quotas;
pub use rank::{Candidate, Ranked, Ranking, Scale, bids_root, rank};
pub use rule::{RuleError, check_announcement};
pub use scope::{
    Capabilities, FanOut, Left, Neighbour, Pass, Side, SummaryError, Tallying, fan_out, is_asked,
    window_below,
};
pub use select::{Selected, TooFewBids, select};
pub use work::slot_key;
