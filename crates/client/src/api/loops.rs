//! Loops, the agents that run them, and the files that describe them.

use super::{Fault, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A loop, without its schemas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoopSummary {
    /// The loop's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// `prompt`, `composite`, `tool` or `stack`.
    pub kind: String,
    /// `none`, `idempotent` or `once`.
    pub effects: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Digest of its contract.
    pub digest: String,
    /// The realm that owns it; none for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
}

/// A loop's contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoopDetail {
    /// The loop.
    #[serde(flatten)]
    pub summary: LoopSummary,
    /// JSON Schema of its input.
    pub input_schema: Value,
    /// JSON Schema of its output.
    pub output_schema: Value,
    /// An input to fill in, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// Its whole definition; only for loops of this realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
}

/// Whose loops are meant, and how much of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LoopQuery {
    /// A realm by name; none for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// Whether to make an input to fill in.
    #[serde(default)]
    pub example: bool,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Who runs a loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    /// The loop's id.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The loop's version.
    pub version: String,
    /// Whether it comes with the realm and cannot be removed.
    #[serde(default)]
    pub builtin: bool,
    /// `mock`, `builtin`, `http`, `process`, `attached` or `composite`.
    pub backend: String,
    /// What is called: an address, the arguments of a program as JSON, a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Calls it works on now.
    pub running: u64,
    /// Calls it may work on at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// Instances of the agent that are attached now; absent for what does not attach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<u64>,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// The version that was removed; none for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How much of a loop is removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RemoveQuery {
    /// One version, which is not the current one; none for the whole loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Go on where other loops need it.
    #[serde(default)]
    pub force: bool,
}

/// A file, by value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceFile {
    /// Absolute path, or `-` for what came through a pipe.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// Whether it is here only because a definition refers to it by `$file`.
    #[serde(default)]
    pub referred: bool,
}

/// Files to register: the definitions, and those they refer to by `$file`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplyRequest {
    /// The files; a relative `$file` is looked up beside the file that names it.
    #[serde(default)]
    pub files: Vec<SourceFile>,
    /// Check everything, change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Go on where a version would break its own contract, or other loops need what would go.
    #[serde(default)]
    pub force: bool,
    /// Remove every loop that the files do not define.
    #[serde(default)]
    pub prune: bool,
    /// Keep new versions of loops that are there beside the current ones, which stay what they are.
    #[serde(default)]
    pub stage: bool,
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What `apply` did with a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApplyAction {
    /// It is new.
    Created,
    /// Another version took its place.
    Updated,
    /// Its version stayed, and what it is changed.
    Changed,
    /// It was there already.
    Unchanged,
    /// It is gone.
    Removed,
    /// The version is kept beside the current one.
    Staged,
    /// A version that was kept is the current one.
    Promoted,
    /// The version is the current one again that was it before.
    RolledBack,
    /// Versions share the calls that name none.
    Shared,
}

impl ApplyAction {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Staged => "staged",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolledBack",
            Self::Shared => "shared",
        }
    }
}

/// One definition that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The loop's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What was done.
    pub action: ApplyAction,
    /// The revision: SHA-256 of the definition's canonical JSON.
    pub digest: String,
    /// The version whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// What that means to callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<Compatibility>,
    /// Why it is not compatible, each `"<JSON Pointer>: <what was and is>"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The version that would tell callers of the break, where this one does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advised: Option<String>,
    /// What it calls: an address, the arguments of a program as JSON, a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The file it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What `apply` did; all of it, or nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyResult {
    /// The definitions, in order.
    #[serde(default)]
    pub applied: Vec<Applied>,
    /// The policies and rates that files of other systems become.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<AppliedRestriction>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What will not do what it seems to.
    #[serde(default)]
    pub warnings: Vec<Fault>,
}

/// What a restriction of another system's is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestrictionKind {
    /// A policy: `policy show`.
    Policy,
    /// A rate: `rate show`.
    Rate,
    /// A limit of the realm as a whole: `doctor` names it.
    Limit,
}

impl RestrictionKind {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Rate => "rate",
            Self::Limit => "limit",
        }
    }
}

/// What became of a policy or a rate that a file of another system asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedRestriction {
    /// Its id: the format, the document, and what it is called there.
    pub id: String,
    /// What it is kept as.
    pub kind: RestrictionKind,
    /// What was done.
    pub action: ApplyAction,
}

/// What `apply` would do with one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestrictionDiff {
    /// What would be done.
    #[serde(flatten)]
    pub applied: AppliedRestriction,
    /// The lines that differ, unified; empty if none do.
    pub text: String,
}

/// What a change of a contract means to its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Compatibility {
    /// They go on working.
    Compatible,
    /// It cannot be decided; it counts as breaking.
    Unknown,
    /// Some do not go on working.
    Breaking,
}

impl Compatibility {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Unknown => "unknown",
            Self::Breaking => "breaking",
        }
    }
}

/// What `apply` would do with one loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoopDiff {
    /// What would be done.
    #[serde(flatten)]
    pub applied: Applied,
    /// The lines that differ, unified, of the definition as YAML with sorted keys; empty if none
    /// do.
    pub text: String,
}

/// What `apply` would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffResult {
    /// Whether anything would change.
    pub differs: bool,
    /// The loops, in order.
    #[serde(default)]
    pub loops: Vec<LoopDiff>,
    /// The policies and rates that files of other systems become.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<RestrictionDiff>,
    /// What will not do what it seems to.
    #[serde(default)]
    pub warnings: Vec<Fault>,
}

/// One change of a loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoopChange {
    /// When it was made.
    pub at: Time,
    /// Who made it.
    pub by: String,
    /// What was done.
    pub action: ApplyAction,
    /// The version it was done to.
    pub version: String,
    /// The revision.
    pub digest: String,
    /// What it meant to callers; none if there was nothing to call before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<Compatibility>,
    /// Why it was not compatible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Why it was made, as who made it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One definition that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validated {
    /// The loop's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its kind.
    pub kind: String,
    /// The format it is written in: `realm`, `lsem`.
    pub format: String,
    /// The file it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What `validate` found; faults come as a problem document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidateResult {
    /// The definitions, in order.
    #[serde(default)]
    pub documents: Vec<Validated>,
    /// What will not do what it seems to.
    #[serde(default)]
    pub warnings: Vec<Fault>,
}

/// One foreign definition in our own form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// The loop's id.
    pub id: String,
    /// The format it was written in.
    pub format: String,
    /// The definition, YAML.
    pub text: String,
    /// The definition.
    pub document: Value,
    /// What has no counterpart.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What `import` made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportResult {
    /// The definitions, in order.
    #[serde(default)]
    pub documents: Vec<Imported>,
}
