//! Reading Cedar text, with every problem and where it stands.

use std::{collections::BTreeMap, fmt, ops::Range, str::FromStr};

use cedar_policy::{PolicySet, ValidationMode, ffi::DetailedError};
use realm_protocol::limits;
use serde::{Deserialize, Serialize};

use crate::{approval, schema};

mod nesting;
mod overruled;

pub use overruled::{conflicts, overruled, overruled_with};

/// One thing wrong with a policy's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyProblem {
    /// The policy; empty where the text has no id yet.
    pub id: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl PolicyProblem {
    /// A problem of a policy as a whole.
    pub(crate) const fn whole(id: String, what: String) -> Self {
        Self {
            id,
            line: 1,
            column: 1,
            what,
            hint: None,
        }
    }

    fn at(id: &str, text: &str, offset: usize, what: String, hint: Option<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self {
            id: id.to_owned(),
            line: before.matches('\n').count() + 1,
            column,
            what,
            hint,
        }
    }

    fn from_cedar(id: &str, text: &str, error: &DetailedError) -> Self {
        let label = error.source_locations.first();
        let offset = label.map_or(0, |label| label.loc.start);
        let hint = error.help.clone();
        let hint = hint.or_else(|| label.and_then(|label| label.label.clone()));
        // The validator names policies by their place in the text; the position says it better.
        let what = error.message.strip_prefix("for policy `");
        let what = what.and_then(|what| what.split_once("`, "));
        let what = what.map_or(error.message.as_str(), |(_, what)| what);
        Self::at(
            id,
            text,
            offset,
            what.to_owned(),
            hint.or_else(|| hint_for(what)),
        )
    }
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.id.is_empty() {
            write!(f, "{}:", self.id)?;
        }
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

/// What Cedar cannot know to suggest.
fn hint_for(what: &str) -> Option<String> {
    let hint = if what.contains("on entity type `Realm` not found") {
        "only loops have a name: say `resource is Loop` in the scope"
    } else if what.contains("policy is impossible") {
        "invoke, announce, bid, award, spend, approve and promote-prompt are about loops, use about agents, \
         tools and hosts, relay, join and administer about realms, discover and read-trace about both"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// Reads Cedar text and checks it strictly against the schema; gives every problem, or none.
///
/// A policy that can never apply counts as a problem.
pub fn check(text: &str) -> Vec<PolicyProblem> {
    parse("", text, Strictness::Validated)
        .err()
        .unwrap_or_default()
}

/// How far a text must hold up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// It is Cedar.
    Parsed,
    /// It also fits the schema.
    Validated,
}

pub(crate) fn parse(
    id: &str,
    text: &str,
    strictness: Strictness,
) -> Result<PolicySet, Vec<PolicyProblem>> {
    if text.len() > limits::POLICY_BYTES {
        let what = format!("a policy has at most {} bytes", limits::POLICY_BYTES);
        return Err(vec![PolicyProblem::whole(id.to_owned(), what)]);
    }
    if let Some(offset) = nesting::excess(text) {
        let what = "the policy is nested too deeply".to_owned();
        let hint = "split it into several policies".to_owned();
        return Err(vec![PolicyProblem::at(id, text, offset, what, Some(hint))]);
    }
    let set = PolicySet::from_str(text).map_err(|errors| {
        let errors = errors.iter().map(DetailedError::from);
        errors
            .map(|error| PolicyProblem::from_cedar(id, text, &error))
            .collect::<Vec<_>>()
    })?;
    if set.num_of_templates() > 0 {
        let what = "a template (`?principal`, `?resource`) is never asked".to_owned();
        return Err(vec![PolicyProblem::whole(id.to_owned(), what)]);
    }
    let wrong = approval::problems(id, &set);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    match strictness {
        Strictness::Parsed => Ok(set),
        Strictness::Validated => validate(id, text, &set).map(|()| set),
    }
}

fn validate(id: &str, text: &str, set: &PolicySet) -> Result<(), Vec<PolicyProblem>> {
    let result = schema::VALIDATOR.validate(set, ValidationMode::Strict);
    let mut found: Vec<_> = result
        .validation_errors()
        .map(DetailedError::from)
        .collect();
    if found.is_empty() {
        found = result
            .validation_warnings()
            .map(DetailedError::from)
            .collect();
    }
    if found.is_empty() {
        return Ok(());
    }
    let spans: Vec<Range<usize>> = found.iter().map(span).collect();
    let mut problems = BTreeMap::new();
    for (error, wide) in found.iter().zip(&spans) {
        // What is wrong with a whole policy mostly follows from what is wrong inside it.
        if !spans.iter().any(|narrow| inside(narrow, wide)) {
            // Cedar checks a policy once for every kind of request: one complaint is enough.
            let problem = PolicyProblem::from_cedar(id, text, error);
            let first = problems
                .entry((wide.start, wide.end))
                .or_insert(problem.clone());
            if problem.what < first.what {
                *first = problem;
            }
        }
    }
    Err(problems.into_values().collect())
}

fn span(error: &DetailedError) -> Range<usize> {
    let location = error.source_locations.first().map(|label| label.loc);
    location.map_or(0..usize::MAX, |location| location.start..location.end)
}

fn inside(narrow: &Range<usize>, wide: &Range<usize>) -> bool {
    narrow != wide && narrow.start >= wide.start && narrow.end <= wide.end
}
