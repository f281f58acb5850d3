//! `people`, `login`, `logout`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Who uses the realm.
#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// List those whom the configuration names, and those who have signed in.
    #[command(alias = "list")]
    Ls,
    /// Say who somebody is, and what they may do.
    #[command(alias = "get")]
    Show {
        /// What they are called: `ann`, or `ann@ldap` for somebody of the directory.
        name: String,
    },
    /// Say whom a pseudonym stands for that another realm's trace shows, or which ones somebody has.
    Who {
        /// The pseudonym, `person-…`, or what they are called here.
        name: String,
    },
}

/// `login`.
#[derive(Args, Debug)]
pub struct LoginArgs {
    /// Your name in the directory; without it you sign in at the provider, by a code that you enter there.
    pub name: Option<String>,
    /// File that your password is in, or `-` for standard input; otherwise it is asked for.
    #[arg(long, value_name = "FILE", requires = "name")]
    pub password_file: Option<PathBuf>,
}
