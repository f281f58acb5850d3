//! The virtual world: many realms, one thread, one seed, every fault.
//!
//! A [`World`] owns hosts, each with a [`realm_node::Node`] and a [`Disk`], a heap of things to
//! come, and a virtual clock. Everything random comes from the seed, so that a run can be
//! repeated. What must hold after every run is in [`invariants`].

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a world that cannot go on fails its test"
)]

pub mod audit;
mod canary;
mod disk;
pub mod errors;
mod flows;
mod grants;
mod host;
mod hostile;
pub mod invariants;
mod liar;
mod loops;
mod market;
mod person;
pub mod receipts;
mod schedule;
mod tree;
mod watch;
mod world;

pub use disk::Disk;
pub use flows::Flows;
pub use host::{Host, HostId, HostKeys, LinkEnd};
pub use hostile::Hostile;
pub use loops::Loops;
pub use market::{Market, Told};
pub use schedule::{Schedule, Verdict};
pub use tree::Tree;
pub use world::{CrashPoint, Faults, Outcome, Work, World};
