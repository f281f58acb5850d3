//! Durable runs, in a realm in miniature.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod budgets;
mod clocks;
mod pauses;
mod phases;
mod records;
mod restarts;
mod routes;
mod world;
