//! `audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Span;

/// The audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List entries, the newest first.
    #[command(alias = "list")]
    Ls {
        /// Which.
        #[command(flatten)]
        filter: AuditFilter,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// The page after this one, as the page before printed it.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Write entries as a file for others, the oldest first.
    Export(AuditExportArgs),
    /// Say what the calls of a month between this realm and another one come to, from their receipts.
    ///
    /// The other side's statement of that month comes to the same: `verify FILE --witness THEIRS` tells
    /// whether one of them leaves something out.
    Statement(StatementArgs),
    /// What this realm has seen, as a witness, of the audit logs of its children and peers.
    #[command(subcommand)]
    Witness(WitnessCommand),
}

/// `audit witness`.
#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// List the realms, and the newest head of each that is proven to go on from those before.
    #[command(alias = "list")]
    Ls,
    /// Say what proves that the audit log of a realm is not what it was, and check it.
    #[command(alias = "get")]
    Show {
        /// The realm.
        realm: String,
        /// File to write the proof to, for `verify`; one that exists is replaced.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say that you have seen that the audit log of a realm is not what it was: `doctor` tells of it no more.
    Acknowledge {
        /// The realm.
        realm: String,
        /// Why, for those who read the audit log later.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

/// Which entries are meant; all must match.
#[derive(Args, Debug)]
pub struct AuditFilter {
    /// About this loop.
    #[arg(long = "loop", value_name = "LOOP")]
    pub loop_id: Option<String>,
    /// Asked for by this person.
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
    /// Of calls from or to this realm, and those below it.
    #[arg(long, value_name = "REALM")]
    pub caller: Option<String>,
    /// What was done: `call.served`, or all of a kind: `policy.`.
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Written within this time until now, `24h`, or since a moment, `2026-11-01T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Written before this time ago, or before a moment.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

/// `audit export`.
#[derive(Args, Debug)]
pub struct AuditExportArgs {
    /// Which entries.
    #[command(flatten)]
    pub filter: AuditFilter,
    /// What to write.
    #[arg(long, value_enum, default_value_t = AuditFormat::Signed)]
    pub format: AuditFormat,
    /// File to write; one that exists is replaced.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `audit statement`.
#[derive(Args, Debug)]
pub struct StatementArgs {
    /// The other realm.
    #[arg(long, value_name = "REALM")]
    pub peer: String,
    /// The month, in UTC: calls count by when they ended.
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Month,
    /// File to write the signed statement to; one that exists is replaced.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// Its first moment.
    pub since: realm_client::api::Time,
    /// The first moment of the next.
    pub until: realm_client::api::Time,
}

impl std::str::FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let begins = |year: u32, month: u32| format!("{year:04}-{month:02}-01T00:00:00Z").parse();
        let read = text.split_once('-').and_then(|(year, month)| {
            let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
            let (next_year, next) = match month {
                12 => (year.checked_add(1)?, 1),
                _ => (year, month.checked_add(1)?),
            };
            let since = begins(year, month).ok()?;
            let until = begins(next_year, next).ok()?;
            Some(Self { since, until })
        });
        read.ok_or_else(|| "no month, such as 2026-11".to_owned())
    }
}

/// The form of an exported audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// A file that `verify` checks: the entries, and what proves that none is missing or changed.
    Signed,
    /// An array of entries. It proves nothing.
    Json,
    /// A row an entry. It proves nothing.
    Csv,
}

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long ago.
    Ago(Span),
    /// Then.
    At(realm_client::api::Time),
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(span) = text.parse() {
            return Ok(Self::Ago(span));
        }
        let wrong =
            || "neither a time span, such as 24h, nor a moment, such as 2026-11-01T00:00:00Z";
        text.parse().map(Self::At).map_err(|_| wrong().to_owned())
    }
}
