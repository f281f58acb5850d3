//! The programs as people meet them: real daemons, real sockets, real disks.
//!
//! A [`person::Person`] types commands and runs [`daemon::Daemon`]s. Readiness is a daemon's own
//! word; nothing sleeps, nothing asks again and again, no port or path is fixed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod api;
mod attached;
mod backup;
mod canary;
mod crash;
mod custody;
mod daemon;
mod demo;
mod directory;
mod erase;
mod examples;
mod files;
mod gate;
mod http;
mod keys;
mod limit;
mod lock;
mod models;
mod notices;
mod people;
mod person;
mod policies;
mod provider;
mod readme;
mod sandbox;
mod sdk;
mod slow;
mod story;
mod strangers;
mod watched;
