//! Arguments of `prompt` and `eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use realm_client::api::ScoreKind;

/// Prompts and their versions.
#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// List prompts with their versions, scores and shares of the calls.
    #[command(alias = "list")]
    Ls,
    /// Show a prompt with its scores and what was done with it.
    #[command(alias = "get")]
    Show {
        /// The prompt.
        id: String,
    },
    /// Show in what two versions differ.
    Diff {
        /// The prompt.
        id: String,
        /// The one version.
        from: String,
        /// The other; the current one where none is named.
        to: Option<String>,
    },
    /// Let a version be called from the next call on.
    Promote {
        /// The prompt.
        id: String,
        /// The version.
        #[arg(required_unless_present = "best")]
        version: Option<String>,
        /// The one with the best mean of scores of this kind instead; of equals the current one, or else the newest.
        #[arg(long, value_name = "person|evaluation|outcome", value_parser = score_kind, conflicts_with = "version")]
        best: Option<ScoreKind>,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Let the version be called again that was called before.
    Rollback {
        /// The prompt.
        id: String,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Let versions share the calls by weight, such as `1.1.0=9 1.2.0=1`; the current one alone ends that.
    Share {
        /// The prompt.
        id: String,
        /// Versions with their weights.
        #[arg(required = true, value_name = "VERSION=WEIGHT", value_parser = part)]
        shares: Vec<(String, u32)>,
        /// Why, for the history.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Say how good a version was, from 0 to 1.
    Score {
        /// The prompt.
        id: String,
        /// From 0 to 1.
        score: f64,
        /// The version; where none is named, the one that the run used, or else the current one.
        #[arg(long = "of", value_name = "VERSION")]
        version: Option<String>,
        /// The run that it is about.
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// By what it was found: a person says so, an evaluation found it, or what came of it showed it.
        #[arg(long, value_name = "person|evaluation|outcome", value_parser = score_kind, default_value = "person")]
        kind: ScoreKind,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

fn score_kind(text: &str) -> Result<ScoreKind, &'static str> {
    let kinds = [ScoreKind::Person, ScoreKind::Evaluation, ScoreKind::Outcome];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or("it is person, evaluation or outcome")
}

/// What is evaluated, with which cases.
#[derive(Args, Debug)]
#[command(
    after_help = "A case is an object {\"name\", \"input\", \"expect\"}: an output has to have the members of \
`expect`, where there is one. Exits with 0 if every loop's mean reaches the threshold, and with 1 if one does not."
)]
pub struct EvalArgs {
    /// Cases: a list in JSON, or an object a line; `-` for stdin.
    #[arg(value_name = "FILE")]
    pub cases: PathBuf,
    /// What is evaluated: `loop`, `loop:1.2.0`, `loop@realm/path`. Given again for each.
    #[arg(short, long = "loop", required = true, value_name = "LOOP")]
    pub loops: Vec<String>,
    /// A backend, `office` or with a model `office:small`, that the prompts of this realm ask instead of their own. Given again
    /// for each; every loop is evaluated with every one.
    #[arg(long = "backend", value_name = "BACKEND", conflicts_with = "score")]
    pub backends: Vec<String>,
    /// A loop that judges each output: its input is {input, output, expect}, its output {score} from 0 to 1.
    #[arg(long, value_name = "LOOP")]
    pub judge: Option<String>,
    /// The mean that every loop has to reach.
    #[arg(long, default_value_t = 1.0, value_name = "0..1")]
    pub threshold: f64,
    /// Calls at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: u16,
    /// Score the versions of this realm's prompts with the means.
    #[arg(long)]
    pub score: bool,
    /// Write the whole report there, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// A version and its weight.
fn part(text: &str) -> Result<(String, u32), String> {
    let parts = text.split_once('=');
    let parsed = parts.and_then(|(version, weight)| Some((version, weight.parse().ok()?)));
    match parsed {
        Some((version, weight)) if weight > 0 => Ok((version.to_owned(), weight)),
        _ => Err(format!(
            "`{text}` is no version and weight, such as 1.2.0=9"
        )),
    }
}
