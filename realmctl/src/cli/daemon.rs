//! Commands that need no daemon: `realmd` itself does them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Make a new realm.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The realm's name; with `--home`, the folder's unless told otherwise.
    pub name: Option<String>,
    /// Address to listen on, as multiaddr; a free port unless told otherwise.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// Where to write the recovery key, best on a removable disk.
    #[arg(long, value_name = "FILE")]
    pub recovery: Option<PathBuf>,
}

/// Make a realm out of a backup.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The backup.
    pub file: PathBuf,
}

/// Check or migrate a realm's store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Check every checksum, index and sealed value.
    Check,
    /// Bring the store to this version's form.
    Migrate,
}

/// A realm's keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show the public keys.
    #[command(alias = "get")]
    Show,
    /// Make a new node key.
    Rotate,
}

/// A realm's configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every key with its value and where that comes from.
    #[command(alias = "get")]
    Show,
    /// Explain a key.
    Explain {
        /// The key: `store.retention`.
        key: String,
    },
    /// Print the configuration's schema.
    Schema,
}
