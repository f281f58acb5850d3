//! `receipt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Moment;

/// Receipts of calls.
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// List the newest receipts, by when the calls ended.
    #[command(alias = "list")]
    Ls {
        /// Which.
        #[command(flatten)]
        filter: ReceiptFilter,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Say what the receipt of a call proves.
    #[command(alias = "get")]
    Show {
        /// The call.
        call: String,
    },
    /// Write receipts as a file that `verify` checks.
    Export {
        /// Which.
        #[command(flatten)]
        filter: ReceiptFilter,
        /// Add the orders, from which who has the inputs and outputs can recognise them.
        #[arg(long)]
        open: bool,
        /// File to write; one that exists is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Which receipts are meant; all must match.
#[derive(Args, Debug)]
pub struct ReceiptFilter {
    /// Of calls from or to this realm, and those below it.
    #[arg(long, value_name = "REALM")]
    pub peer: Option<String>,
    /// Of this loop.
    #[arg(long = "loop", value_name = "LOOP")]
    pub loop_id: Option<String>,
    /// Of this call.
    #[arg(long, value_name = "CALL")]
    pub call: Option<String>,
    /// Ended within this time until now, `24h`, or since a moment, `2026-11-01T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Ended before this time ago, or before a moment.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}
