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
    /// Put the keys behind the passphrase in this file, or behind one that is asked for.
    #[arg(long, value_name = "FILE|prompt")]
    pub passphrase_file: Option<PathBuf>,
}

/// Make a realm out of a backup.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The backup.
    pub file: PathBuf,
    /// File with the passphrase of the keys in it, or the word `prompt`.
    #[arg(long, value_name = "FILE|prompt")]
    pub passphrase_file: Option<PathBuf>,
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
    /// Show which keys there are, where and since when; never a secret.
    #[command(alias = "get")]
    Show,
    /// Set, change or remove the passphrase of the key files; the daemon must not run.
    Passphrase(KeyPassphraseArgs),
    /// Seal the secrets that files hold, such as keys of models, under this realm's keys.
    Seal {
        /// The files, of one line each.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// File with the passphrase of the keys, or the word `prompt`.
        #[arg(long, value_name = "FILE|prompt")]
        passphrase_file: Option<PathBuf>,
    },
    /// Hand the realm to its recovery key; the daemon must not run.
    Rotate(KeyRotateArgs),
    /// Certify a node where the realm key is: no home is needed.
    Certify(KeyCertifyArgs),
    /// Take in records that were certified elsewhere; the daemon must not run.
    Install {
        /// The records.
        file: PathBuf,
        /// File with the passphrase of the keys, or the word `prompt`.
        #[arg(long, value_name = "FILE|prompt")]
        passphrase_file: Option<PathBuf>,
    },
}

/// The passphrase of a realm's key files.
#[derive(Args, Debug)]
pub struct KeyPassphraseArgs {
    /// File with the passphrase until now, or the word `prompt`.
    #[arg(long, value_name = "FILE|prompt")]
    pub passphrase_file: Option<PathBuf>,
    /// File with the new passphrase, or the word `prompt`.
    #[arg(long, value_name = "FILE|prompt", required_unless_present = "remove")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Make the key files plain.
    #[arg(long, conflicts_with = "new_passphrase_file")]
    pub remove: bool,
}

/// Hand a realm to its recovery key.
#[derive(Args, Debug)]
pub struct KeyRotateArgs {
    /// The recovery file: its key becomes the realm key.
    #[arg(long, value_name = "FILE")]
    pub recovery: PathBuf,
    /// Where the next recovery key goes; beside the old one unless told.
    #[arg(long, value_name = "FILE")]
    pub new_recovery: Option<PathBuf>,
    /// The realm key may be in other hands: everything it has signed is void at once.
    #[arg(long)]
    pub compromised: bool,
    /// Public records to work on instead of a home's.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub identity: Option<PathBuf>,
    /// Where the new records go.
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub out: Option<PathBuf>,
    /// File with the passphrase of the keys, or the word `prompt`.
    #[arg(long, value_name = "FILE|prompt")]
    pub passphrase_file: Option<PathBuf>,
}

/// Certify a node.
#[derive(Args, Debug)]
pub struct KeyCertifyArgs {
    /// The home's `keys/identity`, which holds public records only.
    pub identity: PathBuf,
    /// The file with the realm key.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Where the certified records go.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
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
