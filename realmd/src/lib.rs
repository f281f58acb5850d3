//! The daemon that hosts one realm.
//!
//! `cli` reads the command line; `start` brings a realm up and down again. `driver` is the one
//! loop that owns the node: it turns what happens into inputs and carries out effects. `serve`
//! and `api` are the local HTTP API over the home's socket, `handle` is how they speak to the
//! loop; [`Embedded`] is a realm inside another program. `home`, `init`, `config`, `backup` and
//! `restore` are the realm's files; `doctor` looks at everything. This crate reads clocks, the
//! environment, randomness and files so that the crates below need not. It must never know the
//! rules of the protocol.

mod addresses;
mod api;
mod archive;
mod backup;
mod ceremony;
mod check;
mod cli;
mod clock;
mod commands;
mod config;
mod containers;
mod daemon;
mod definitions;
mod doctor;
mod driver;
mod environment;
mod failure;
mod handle;
mod hardening;
mod home;
mod init;
mod journal;
mod logging;
mod notices;
mod notify;
mod people;
mod random;
mod recover;
mod restore;
mod secrets;
mod serve;
mod start;
mod token;
mod upkeep;

#[cfg(test)]
mod tests;

pub use start::{EmbedError, Embedded};

/// Runs the program.
pub fn main() -> std::process::ExitCode {
    // As its own launcher it is not the daemon: see `realm_backends::Launcher`.
    match realm_backends::confine_if_asked(std::env::args_os()) {
        Some(failed) => failed,
        None => cli::main(),
    }
}

/// Checks the text of a `realm.toml`, without the environment.
///
/// # Errors
/// What is wrong, one text a problem.
pub fn check_config(text: &str) -> Result<(), Vec<String>> {
    config::check("realm.toml", text)
}
