//! What asks a person before it begins.

use realm_protocol::{budget::Budget, records::Role};
use serde_json::Value;

use crate::{Condition, mapping::Scope};

/// That people approve a call before anything of it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// The role that those have who approve; owners always may.
    pub role: Role,
    /// How many different people.
    pub count: u64,
    /// Whether whoever asked for the work may not approve it.
    pub distinct_from_requester: bool,
    /// How long people have, and how long what they said is good for, milliseconds from the request.
    pub expires_ms: u64,
    /// Who may approve as well once nobody has for some time.
    pub escalate: Option<Escalation>,
    /// It is asked for only where this holds of the call's input; also where that cannot be told.
    pub when: Option<Condition>,
    /// Instead of before it begins, it is asked for before the call in it, or below it, that would make it use more
    /// than this.
    pub above: Option<Budget>,
    /// Whether what people said goes along with a call of another realm, whose policy may ask for it.
    pub forward: bool,
}

/// Who may approve as well once nobody has for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the request, milliseconds.
    pub after_ms: u64,
    /// The role.
    pub role: Role,
}

impl ApprovalRule {
    /// Whether a call with this input needs the approval before it begins.
    pub(crate) fn applies(&self, input: &Value) -> bool {
        self.above.is_none() && self.means(input)
    }

    /// Whether it is about a call with this input.
    pub(crate) fn means(&self, input: &Value) -> bool {
        let scope = Scope {
            input,
            outputs: &[],
            bindings: &[],
            item: None,
        };
        // What cannot be told is no reason to begin unasked.
        let holds = self.when.as_ref().map(|when| when.holds(&scope));
        holds.is_none_or(|holds| holds.unwrap_or(true))
    }
}
