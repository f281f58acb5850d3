//! `approval`, as clap reads it.

use clap::Subcommand;

/// Calls that wait for people to approve them.
#[derive(Debug, Subcommand)]
pub enum ApprovalCommand {
    /// List calls that wait, the newest first.
    #[command(alias = "list")]
    Ls {
        /// Of this run.
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Those that were decided, too.
        #[arg(long)]
        all: bool,
    },
    /// Show exactly what would be done: the loop, its arguments, and on whose behalf.
    #[command(alias = "get")]
    Show {
        /// The request.
        id: String,
    },
    /// Let the call begin, once, as it is shown.
    Approve {
        /// The request.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End the call before it begins.
    Deny {
        /// The request.
        id: String,
        /// Why; whoever made the call is told.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}
