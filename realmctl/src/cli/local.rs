//! Commands about this program and this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which realm is meant where none is named.
#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// List the realms of this machine.
    #[command(alias = "list")]
    Ls,
    /// Mean this realm from now on.
    Use {
        /// The realm.
        name: String,
    },
    /// Show which realm is meant.
    #[command(alias = "get")]
    Show,
}

/// Watch seven realms work together.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Leave everything running, and print the homes.
    #[arg(long)]
    pub keep: bool,
}

/// Who works in the demo.
#[derive(Debug, Subcommand)]
pub enum DemoAgent {
    /// Call variants: JSON on stdin, JSON on stdout.
    Variants,
    /// Serve prices over HTTP on loopback; the first line on stdout is the address.
    Prices,
    /// Read an electrocardiogram: JSON on stdin, JSON on stdout.
    SecondRead {
        /// File that the key of the work is added to.
        keys: PathBuf,
        /// Who reads.
        by: String,
        /// Never come to an end.
        #[arg(long)]
        endless: bool,
    },
}

/// Print the manual page.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write a page for every command into this folder instead.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Write a typed client.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Loops, as LOOP or LOOP@REALM; none for all that this realm may call.
    pub loops: Vec<String>,
    /// In which language.
    #[arg(long, value_enum)]
    pub lang: ClientLanguage,
    /// File to write; standard output unless told.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Languages that clients are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientLanguage {
    /// Interfaces, and a class with a method for each loop.
    Typescript,
    /// Dataclasses, and a class with a method for each loop.
    Python,
}
