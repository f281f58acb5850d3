//! Commands about permission.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Span;

/// Permit a realm or an agent to use loops.
#[derive(Args, Debug)]
pub struct AllowArgs {
    /// The realm, with all below it: `acme/health`; or an agent of this one: `agent=reader`.
    pub caller: String,
    /// `invoke`, `discover`, `relay`, `announce`, `bid` or `award`.
    pub action: String,
    /// Loop or pattern: `variant-call`, `report-*`; none for `relay`, which is about this realm.
    #[arg(value_name = "LOOP")]
    pub pattern: Option<String>,
    /// For how long: `30d`; for ever unless told.
    #[arg(long = "for", value_name = "TIME")]
    pub lasts: Option<Span>,
    /// Print the policy, add nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Take a permission back.
#[derive(Args, Debug)]
pub struct DisallowArgs {
    /// The policy's id, or the realm or agent that was permitted, which loses all it was allowed.
    #[arg(value_name = "POLICY|CALLER")]
    pub subject: String,
    /// The action, after a realm.
    pub action: Option<String>,
    /// The loop or pattern, after the action; none for `relay`.
    #[arg(value_name = "LOOP")]
    pub pattern: Option<String>,
    /// Print what would be removed, remove nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Read, check and ask the policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the policies.
    #[command(alias = "list")]
    Ls,
    /// Show a policy's text.
    #[command(alias = "get")]
    Show {
        /// Its id.
        id: String,
    },
    /// Check Cedar text, by itself and beside what is in force here and above.
    Check {
        /// The file; `-` for stdin.
        file: PathBuf,
        /// The policy's id; the file's name without its ending unless told.
        #[arg(long)]
        id: Option<String>,
        /// It would decide for every realm below instead of this one.
        #[arg(long)]
        subtree: bool,
    },
    /// Ask questions with known answers, from a JSON file:
    /// `{"cases": [{"principal", "action", "resource", "expect"}]}`.
    Test {
        /// The file; `-` for stdin.
        file: PathBuf,
    },
    /// Take Cedar text into force, in place of the policy of that id. What cannot be used changes nothing.
    Apply {
        /// The file; `-` for stdin.
        file: PathBuf,
        /// The policy's id; the file's name without its ending unless told.
        #[arg(long)]
        id: Option<String>,
        /// Let it decide for every realm below instead of this one.
        #[arg(long)]
        subtree: bool,
        /// Check it, change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Tell which decisions of the past Cedar text would change, if it were taken into force.
    Shadow {
        /// The file; `-` for stdin.
        file: PathBuf,
        /// The policy's id; the file's name without its ending unless told.
        #[arg(long)]
        id: Option<String>,
    },
    /// Explain a denial that this realm decided, or a question, and print what would permit it.
    Why {
        /// The reference in the caller's error; or who asks: `acme/health`, `person=ann`, `loop=triage`, `agent=reader`.
        #[arg(value_name = "REFERENCE|WHO")]
        who: String,
        /// To do what: `invoke`, `spend`, `read-trace`, …
        #[arg(requires = "what")]
        action: Option<String>,
        /// What it is about: a loop, a realm, `tool=NAME`, `host=NAME`, `agent=NAME`.
        what: Option<String>,
    },
}
