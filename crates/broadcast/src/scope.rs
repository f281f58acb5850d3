//! How an announcement spreads: to whom, how far, for how long, and what is counted on the way back.

mod fan_out;
mod summary;
mod tally;

pub use fan_out::{FanOut, Left, Neighbour, Pass, Side, fan_out, is_asked, window_below};
pub use summary::{Capabilities, SummaryError};
pub use tally::Tallying;

#[cfg(test)]
mod tests;
