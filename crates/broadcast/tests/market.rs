//! Whole broadcasts in virtual time: many bidders, one announcer, messages that are lost, doubled
//! and reordered, processes that die and come back, all from one seed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod market {
    //! The world, what holds in it, and stories told in it.

    mod invariants;
    mod plans;
    mod random;
    mod realms;
    mod stories;
    mod world;
}
