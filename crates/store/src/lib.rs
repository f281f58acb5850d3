//! Durable journal, versioned records, queries, and the engines behind them.
//!
//! [`Store`] is the handle: [`Store::append`] queues journal entries, one committer thread writes
//! them in groups, and [`Ack`] says up to where they are durable. Reads see what is committed:
//! records by table and key, runs by time, loop, peer, call and status, events by run.
//! [`Store::retain`] and [`Store::sweep`] forget what is old, a bounded number at a time.
//! [`Store::backup`] and [`restore`] move a store, [`Store::check`] and [`check_files`] look for
//! damage. Every value is sealed with the store key and bound to its place, so that what the disk
//! changed is refused and never served. This crate must never know who asks, or the network.

mod audit;
mod backup;
mod block;
mod check;
mod committer;

mod engine;
mod error;
mod expiry;
mod files;
mod group;
mod known;
mod layout;
mod lock;
mod meta;
mod migrate;
mod options;
mod plan;
mod pointer;
mod query;
mod reader;
mod restore;
mod retention;
mod sealer;
mod shared;
mod store;
mod upgrade;

#[cfg(test)]
mod tests;

pub use backup::BackupReport;
pub use check::{CheckReport, Problem, check_files};
pub use engine::Row;
pub use error::{
    AppendError, BackupError, EngineError, MigrateError, OpenError, ReadError, RestoreError,
    RetainError, StoreError, Unappended,
};
pub use layout::Tree;
pub use lock::{FileLock, LockError};
pub use migrate::{MigrateReport, migrate};
pub use options::{Ack, EngineKind, Options, Urgency};
pub use query::{Page, RunQuery};
pub use restore::{RestoreReport, restore};
pub use store::Store;
