//! `rate`.

use clap::{Args, Subcommand};

/// How often calls of others begin.
#[derive(Debug, Subcommand)]
pub enum RateCommand {
    /// List the rates in force, with what they have done.
    #[command(alias = "list")]
    Ls,
    /// Show one.
    #[command(alias = "get")]
    Show {
        /// Which.
        name: String,
    },
    /// Put one in force, over the one of its name that was applied before.
    Apply(RateArgs),
    /// Let one go that was applied.
    #[command(alias = "remove")]
    Rm {
        /// Which.
        name: String,
    },
}

/// A rate.
#[derive(Debug, Args)]
pub struct RateArgs {
    /// What it is called.
    pub name: String,
    /// How many calls begin in a minute.
    #[arg(long, value_name = "N")]
    pub per_minute: u64,
    /// How many begin at once, before it holds.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub burst: u64,
    /// Whose calls: a realm, and all below it; everybody's but this realm's own unless told.
    #[arg(long, value_name = "REALM")]
    pub callers: Option<String>,
    /// Calls of which loop; several times for more, and of all unless told.
    #[arg(long = "loop", value_name = "LOOP")]
    pub loops: Vec<String>,
    /// Its callers share it; otherwise each organisation has as much.
    #[arg(long)]
    pub shared: bool,
    /// How many wait for their turn; one more is refused.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub queue: u64,
}
