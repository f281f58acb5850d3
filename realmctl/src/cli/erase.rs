//! `erase`.

use clap::{Args, Subcommand};

/// Content that is to go for good.
#[derive(Debug, Subcommand)]
pub enum EraseCommand {
    /// Erase the content of one run: its input, its output, and what its trace says of them.
    Run {
        /// The run.
        run: String,
        /// How.
        #[command(flatten)]
        how: EraseHow,
    },
    /// Erase the content of every run here that a person asked for, by the audit log.
    Person {
        /// What they are called here.
        name: String,
        /// How.
        #[command(flatten)]
        how: EraseHow,
    },
}

/// How content is erased.
#[derive(Args, Clone, Debug)]
pub struct EraseHow {
    /// Only say what would go.
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for those who read the audit log later.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}
