//! Who may do what.

use super::{Fault, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A permission to give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowRequest {
    /// Realm by name, with all below it; or `agent=NAME`, an agent of this realm with a token of its own.
    pub caller: String,
    /// `invoke`, `discover`, `relay`, `announce`, `bid`, `award` or `read-trace`.
    pub action: String,
    /// Loop id or `pattern*`, of another realm with `@REALM`; `*` for `relay`, which is about the realm.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// For how long, milliseconds; for ever unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// Show the policy, add nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// A permission given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Allowed {
    /// Its id, for `disallow`.
    pub policy_id: String,
    /// The policy, Cedar text.
    pub cedar: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// What will refuse all the same, and the command that helps.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Whether nothing was added.
    pub dry_run: bool,
}

/// A permission to take back: by its id, or by what it permits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DisallowRequest {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    /// Realm by name; alone, all that it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Loop id or pattern.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub loop_id: Option<String>,
    /// Show what would be removed, remove nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Permissions taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disallowed {
    /// The policies.
    #[serde(default)]
    pub removed: Vec<PolicyView>,
    /// Whether nothing was removed.
    pub dry_run: bool,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its id.
    pub id: String,
    /// `own`, `subtree`, or the realm above that decides: `acme/health`.
    pub level: String,
    /// What it does, in a few words; where these do not suffice, how its text begins.
    #[serde(default)]
    pub summary: String,
    /// Cedar text.
    pub cedar: String,
    /// When it was made; known of this realm's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// Cedar text to check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyText {
    /// File name, for messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id that it would have: the policy of that id in force is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The text.
    pub text: String,
    /// Whether it would decide for every realm below instead of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subtree: bool,
}

/// What a check of Cedar text found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChecked {
    /// Whether it can be used.
    pub valid: bool,
    /// Policies in it.
    pub policies: u64,
    /// What is wrong, at its place.
    #[serde(default)]
    pub errors: Vec<Fault>,
    /// What will not do what it seems to.
    #[serde(default)]
    pub warnings: Vec<Fault>,
}

/// Cedar text to take into force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyApply {
    /// The policy's id, whose text it replaces.
    pub id: String,
    /// The text.
    pub text: String,
    /// Whether it decides for every realm below instead of this one.
    #[serde(default)]
    pub subtree: bool,
    /// Check it, change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Cedar text taken into force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyApplied {
    /// The policy's id, for `disallow`.
    pub policy_id: String,
    /// Whether it took the place of another text.
    pub replaced: bool,
    /// What will not do what it seems to.
    #[serde(default)]
    pub warnings: Vec<Fault>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A decision of the past that would be another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange {
    /// The question.
    pub question: PolicyQuestion,
    /// The answer under what is in force.
    pub before: Expectation,
    /// The answer that it would be.
    pub after: Expectation,
    /// How often it was asked.
    pub times: u64,
    /// When it was asked last.
    pub last: Time,
    /// Ids of the policies that would forbid it; none where nothing would permit it.
    #[serde(default)]
    pub determining: Vec<String>,
}

/// What Cedar text would have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyShadow {
    /// Calls and denials of the past that were asked about again.
    pub asked: u64,
    /// Those whose names mean nothing here any more.
    pub unknown: u64,
    /// The decisions that would be others.
    #[serde(default)]
    pub changes: Vec<PolicyChange>,
}

/// A question to the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyQuestion {
    /// Realm by name, `person=NAME:ROLE` or `loop=ID`.
    pub principal: String,
    /// The action.
    pub action: String,
    /// `loop@realm`, a realm by name, `agent=NAME`, `tool=NAME` or `host=NAME`; a bare loop is of this realm.
    pub resource: String,
}

/// What a level says by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyLevel {
    /// `own`, or the realm above by name.
    pub level: String,
    /// `permits`, `forbids`, `silent` or `fails`.
    pub answer: String,
    /// Ids of the policies that say so.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Policies that failed, and so denied.
    #[serde(default)]
    pub errors: Vec<String>,
}

/// A question to the policy, answered and explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyExplained {
    /// The question.
    pub question: PolicyQuestion,
    /// The answer.
    pub got: Expectation,
    /// What each level says, the root's first.
    #[serde(default)]
    pub levels: Vec<PolicyLevel>,
    /// The command that would permit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// What a decision is, or should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// It is permitted.
    Permit,
    /// It is not.
    Deny,
}

impl Expectation {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
        }
    }
}

/// A question to the policy, and the answer it should give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyCase {
    /// Realm by name.
    pub principal: String,
    /// The action.
    pub action: String,
    /// `loop@realm` or a realm by name; a bare loop is of this realm.
    pub resource: String,
    /// The answer it should give.
    pub expect: Expectation,
}

/// Questions to the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyCases {
    /// The questions.
    #[serde(default)]
    pub cases: Vec<PolicyCase>,
}

/// A question, answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCaseResult {
    /// The question.
    pub case: PolicyCase,
    /// The answer.
    pub got: Expectation,
    /// Whether it is as it should be.
    pub ok: bool,
    /// The level that denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Ids of the policies it rests on; none where nothing permits.
    #[serde(default)]
    pub determining: Vec<String>,
}

/// All questions, answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTested {
    /// As they should be.
    pub passed: u64,
    /// Not.
    pub failed: u64,
    /// One a question.
    #[serde(default)]
    pub results: Vec<PolicyCaseResult>,
}

/// A denial, explained to the realm that decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// Its reference.
    pub reference: String,
    /// When it was decided.
    pub at: Time,
    /// Who asked.
    pub caller: String,
    /// To do what.
    pub action: String,
    /// With what.
    pub resource: String,
    /// Which level denied: `own`, or the realm above by name.
    pub level: String,
    /// Ids of the policies that forbid; none where nothing permits.
    #[serde(default)]
    pub determining: Vec<String>,
    /// Policies that failed, and so denied.
    #[serde(default)]
    pub errors: Vec<String>,
    /// The command that would permit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}
