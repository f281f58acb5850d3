//! Commands about other realms.

use clap::{Args, Subcommand};

use super::Span;

/// Invite a realm.
#[derive(Args, Debug)]
pub struct InviteArgs {
    /// The child's label; for a peer, the name proposed for this realm there.
    #[arg(required_unless_present = "peer")]
    pub label: Option<String>,
    /// Invite another organisation's root to become a peer.
    #[arg(long)]
    pub peer: bool,
    /// Permit the newcomer to invoke loops here: `variant-call`, `report-*`.
    #[arg(long, value_name = "PATTERN")]
    pub allow: Vec<String>,
    /// How often the ticket can be used.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub uses: u32,
    /// How long the ticket is good.
    #[arg(long, default_value = "24h", value_name = "TIME")]
    pub ttl: Span,
    /// What this tree's root would like to be called there.
    #[arg(long, value_name = "NAME")]
    pub petname: Option<String>,
}

/// Redeem a ticket.
#[derive(Args, Debug)]
pub struct JoinArgs {
    /// `-` to read the ticket from stdin, `@FILE`, or the ticket, which other users of this
    /// machine can then see.
    pub ticket: String,
    /// What to call the inviter's root here.
    #[arg(long, value_name = "NAME")]
    pub petname: Option<String>,
    /// Permit the inviter to invoke loops here; for peers.
    #[arg(long, value_name = "PATTERN")]
    pub allow: Vec<String>,
}

/// Read tickets.
#[derive(Debug, Subcommand)]
pub enum TicketCommand {
    /// Show what a ticket says, except its secret.
    #[command(alias = "get")]
    Show {
        /// `-` to read the ticket from stdin, `@FILE`, or the ticket.
        ticket: String,
    },
}

/// Realms next to this one.
#[derive(Debug, Subcommand)]
pub enum PeerCommand {
    /// List parent, children and peers.
    #[command(alias = "list")]
    Ls,
    /// Show one of them.
    #[command(alias = "get")]
    Show {
        /// Its name.
        name: String,
    },
    /// Send it a message and wait for the answer.
    Ping {
        /// Its name.
        name: String,
    },
    /// End a peering, or cut off a child.
    Rm {
        /// Its name.
        name: String,
    },
}

/// Realms known here.
#[derive(Debug, Subcommand)]
pub enum RealmCommand {
    /// List them.
    #[command(alias = "list")]
    Ls,
    /// Draw them as trees.
    Tree,
    /// Show one with what proves it.
    #[command(alias = "get")]
    Show {
        /// Its name.
        name: String,
    },
    /// Cut off a child for good, with everything below it.
    Revoke {
        /// Its name.
        name: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}
