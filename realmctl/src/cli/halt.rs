//! Arguments of `halt` and `unhalt`.

use clap::Args;

use super::Span;

/// What is to stand still.
#[derive(Args, Debug)]
#[command(
    after_help = "Nothing new begins, running work stands still at its next step and is kept, and calls \
under way elsewhere are taken back. It holds over restarts, until `realmctl unhalt`. Realms below are told \
again and again until they confirm; those that have not are listed, and then the exit code is 13."
)]
pub struct HaltArgs {
    /// This realm and every realm below it: the default.
    #[arg(long, group = "of")]
    pub all: bool,
    /// One loop of this realm.
    #[arg(long = "loop", value_name = "LOOP", group = "of")]
    pub loop_id: Option<String>,
    /// One realm: this one, or one below.
    #[arg(long = "only", value_name = "REALM", group = "of")]
    pub only: Option<String>,
    /// One realm and every realm below it.
    #[arg(long, value_name = "REALM", group = "of")]
    pub subtree: Option<String>,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// How long to wait for realms below to confirm.
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub wait: Span,
    /// Only show what stands still.
    #[arg(long, conflicts_with_all = ["of", "why"])]
    pub show: bool,
}

/// What is to go on.
#[derive(Args, Debug)]
pub struct UnhaltArgs {
    /// Everything: the default.
    #[arg(long, group = "of")]
    pub all: bool,
    /// One loop, also where the whole realm stands still.
    #[arg(long = "loop", value_name = "LOOP", group = "of")]
    pub loop_id: Option<String>,
    /// One run.
    #[arg(long, value_name = "RUN", group = "of")]
    pub run: Option<String>,
    /// One realm, with what was halted with it: this one, or one below.
    #[arg(long = "only", value_name = "REALM", group = "of")]
    pub only: Option<String>,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// How long to wait for realms below to confirm.
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub wait: Span,
}
