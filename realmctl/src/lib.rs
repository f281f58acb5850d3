//! The command line of a realm: arguments, printing, exit codes.
//!
//! [`main`] reads the command line into [`cli::Cli`] and runs one of `commands`. Whatever is
//! data goes to stdout through `output`, whatever is talk to stderr; everything that came from
//! elsewhere passes an escaper first; [`export`] writes traces for other programs. What needs no daemon is done by the `realmd` that lies
//! beside this program.
//! This crate must never know more than `realm-client` gives it.

pub mod cli;
mod commands;
mod complete;
mod daemon;
mod demo;
mod environment;
mod escape;
pub mod export;
mod failure;
mod files;
pub mod generate;
mod interrupt;
mod main_loop;
pub mod output;
mod session;
pub mod show;

pub use main_loop::main;
