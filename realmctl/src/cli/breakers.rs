//! `breaker`.

use clap::Subcommand;

/// Backends, agents, organisations and loops that have failed lately.
#[derive(Debug, Subcommand)]
pub enum BreakerCommand {
    /// List what has failed lately, and what is left alone because of that.
    #[command(alias = "list")]
    Ls,
    /// Say how one stands, and why.
    #[command(alias = "get")]
    Show {
        /// Whose: `backend/ID`, `agent/NAME`, `peer/NAME` or `loop/ID`.
        name: String,
    },
    /// Close one: it is asked again at once.
    Reset {
        /// Whose.
        name: String,
        /// Why, for those who read the audit log later.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}
