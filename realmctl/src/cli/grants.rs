//! `grant`.

use clap::{Args, Subcommand};

use super::{Span, calls::BudgetArgs};

/// What realms let each other do, for a purpose and a time.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// Let another realm call loops of this one, or hand on some of what this one may.
    Create(GrantArgs),
    /// Take what another realm has granted this one.
    Add {
        /// `-` to read the line that `grant create` printed there from stdin, `@FILE`, or the line.
        grant: String,
    },
    /// List what was given and what is held.
    #[command(alias = "list")]
    Ls,
    /// Show who gave whom, what is left, and the line for its holder.
    #[command(alias = "get")]
    Show {
        /// Which.
        id: String,
    },
    /// Take one back, with all that was handed on of it; or let one go that is held.
    #[command(alias = "rm")]
    Revoke {
        /// Which.
        id: String,
    },
}

/// What is granted.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The realm that may use it.
    pub holder: String,
    /// A loop, or how loops' ids begin with `*` behind it; several times for more.
    #[arg(required = true, value_name = "LOOP")]
    pub loops: Vec<String>,
    /// How many calls may begin by it; any number unless told.
    #[arg(long, value_name = "N")]
    pub uses: Option<u64>,
    /// How long it is good.
    #[arg(long = "for", value_name = "TIME", default_value = "24h")]
    pub within: Span,
    /// The grant that this realm holds, to hand on some of.
    #[arg(long, value_name = "ID")]
    pub from: Option<String>,
    /// What each call may use.
    #[command(flatten)]
    pub budget: BudgetArgs,
}
