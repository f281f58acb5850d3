//! Prompts and their versions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApplyAction, Time};

/// A prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptSummary {
    /// The loop that it is.
    pub id: String,
    /// The version that calls get which name none.
    pub version: String,
    /// Its versions, the newest first.
    pub versions: Vec<PromptVersion>,
}

/// A version of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptVersion {
    /// The version.
    pub version: String,
    /// Its revision.
    pub digest: String,
    /// Whether it is the current one.
    pub current: bool,
    /// Its part of the calls that name no version, of the sum of all parts.
    pub weight: u32,
    /// How good it was found, by each kind of scores that there are of it.
    pub means: Vec<PromptMean>,
}

/// How good a version was found by scores of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptMean {
    /// By what.
    pub kind: ScoreKind,
    /// The mean, from 0 to 1.
    pub mean: f64,
    /// How often.
    pub count: u64,
}

/// A prompt with what was done with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptDetail {
    /// The prompt and its versions.
    #[serde(flatten)]
    pub summary: PromptSummary,
    /// What the model is told, with the places of variables.
    pub template: String,
    /// What it is told of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Who fills it.
    pub backend: String,
    /// Its latest scores, the newest last.
    pub scores: Vec<PromptScore>,
    /// What was done with it, the newest last.
    pub changes: Vec<PromptEvent>,
}

/// A score of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptScore {
    /// When it was given.
    pub at: Time,
    /// Who gave it.
    pub by: String,
    /// The version.
    pub version: String,
    /// From 0 to 1.
    pub score: f64,
    /// By what it was found.
    pub kind: ScoreKind,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The run that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// By what a score was found.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ScoreKind {
    /// A person says so.
    #[default]
    Person,
    /// An evaluation found it.
    Evaluation,
    /// What came of it showed it.
    Outcome,
}

impl ScoreKind {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Evaluation => "evaluation",
            Self::Outcome => "outcome",
        }
    }
}

/// Something that was done with a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptEvent {
    /// When.
    pub at: Time,
    /// Who did it.
    pub by: String,
    /// What was done.
    pub action: ApplyAction,
    /// The version it was done with.
    pub version: String,
    /// Why, as who did it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Which version is to be called from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromoteRequest {
    /// The version; or else `best` says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The one with the best mean of scores of this kind; of equals the current one, or else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<ScoreKind>,
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Back to the version before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRequest {
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Which versions share the calls that name none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShareRequest {
    /// The versions and their weights; the current one alone ends the sharing.
    pub shares: Vec<PromptShare>,
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A version's part of the calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromptShare {
    /// The version.
    pub version: String,
    /// Its weight, at least 1.
    pub weight: u32,
}

/// How good a version was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScoreRequest {
    /// From 0 to 1.
    pub score: f64,
    /// The version; where none is named, the one that the run used, or else the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// By what it was found.
    #[serde(default)]
    pub kind: ScoreKind,
    /// The run that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Which versions are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PromptDiffQuery {
    /// The one version.
    pub from: String,
    /// The other; the current one where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The lines in which two versions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptDiff {
    /// The one version.
    pub from: String,
    /// The other.
    pub to: String,
    /// A unified diff; empty where they do not differ.
    pub text: String,
}
