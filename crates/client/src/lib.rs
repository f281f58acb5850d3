//! The local API's types, a typed client of it, and the ticket's text form.
//!
//! [`api`] holds what crosses the socket, one file a subject; the daemon answers with these very
//! types. [`Client`] speaks to a daemon. [`catalogue`] numbers every error and says what helps;
//! [`Exit`] is what a program ends with. [`ticket`] reads and writes invitations, [`homes`] finds
//! the realms of this machine, [`json`] reads JSON strictly. [`trace`] makes a tree of a run's events.
//! This crate must never know keys, libp2p, or the node.

pub mod api;
pub mod catalogue;
mod client;
mod exit;
pub mod grant;
pub mod homes;
mod line;
pub mod terminal;
pub mod ticket;
pub mod trace;

pub use client::{Client, ClientError, RunEvents, StreamItem, Unreachable};
pub use exit::Exit;
pub use line::LineError;
pub use realm_protocol::{broadcast::millionths, json};
