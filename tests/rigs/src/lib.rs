//! Long runs against real daemons: crashes and failing disks, power cuts, soaks, hostile peers.
//!
//! A rig starts `realmd` as a person would, loads it over its local API, harms it, and compares
//! what the daemons remember with what callers were told and what agents did. Its own records lie
//! outside of every home. This crate must never know how a daemon works inside: it has the program,
//! the socket and the files of a home, and what anybody can say to its port; nothing else.

mod agent;
mod audit;
mod cli;
mod crash;
mod daemon;
mod dice;
mod disk;
mod hostile;
mod kill_matrix;
mod ledger;
mod load;
mod network;
mod pace;
mod sample;
mod soak;

pub use cli::main;
