//! What the crate promises, through its public API.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod at_rest;
mod chain;
mod envelope;
mod merkle;
mod records;
mod sessions;
mod signed;
mod speed;
mod succession;
mod tamper;
mod tree;
mod vectors;
