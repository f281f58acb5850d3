//! The daemon that hosts one realm.
mod clock; mod config; mod environment; mod failure; mod hardening; mod home; mod init; mod notify; mod random;
/// Runs the program.
pub fn main() -> std::process::ExitCode { std::process::ExitCode::SUCCESS }
