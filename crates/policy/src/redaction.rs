//! What an owner wants nobody to read later: taken out before anything is written.

mod path;
#[cfg(test)]
mod tests;

use realm_protocol::limits;
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};
use thiserror::Error;

use path::{Path, Step};

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// Which rule cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RedactionError {
    /// There are more rules than any owner needs.
    #[error("{count} rules; at most {most} of a kind", most = limits::REDACTIONS)]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A rule is longer than any rule needs to be.
    #[error("`{rule}…` has {bytes} bytes; at most {most}", most = limits::REDACTION_BYTES)]
    TooLong {
        /// How it begins.
        rule: String,
        /// How long it is.
        bytes: usize,
    },
    /// A path is not in the part of RFC 9535 that is understood.
    #[error(
        "`{path}`, byte {at}: expected {expected}, as in $.patient.name, $.items[*].id, $..ssn"
    )]
    Path {
        /// The path.
        path: String,
        /// Where it goes wrong, from zero.
        at: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// A pattern is no regular expression, or too costly a one.
    #[error("`{pattern}`: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What the expression's parser says.
        reason: String,
    },
    /// A pattern matches where there is nothing.
    #[error("`{pattern}` matches the empty text, and so everything")]
    Empty {
        /// The pattern.
        pattern: String,
    },
}

/// Rules by path and by pattern, ready to be applied.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    paths: Vec<Path>,
    patterns: Vec<Regex>,
}

impl Redaction {
    /// Reads rules: paths of RFC 9535 (`$.patient.name`, `$['a b'][0]`, `$.items[*].id`, `$..ssn`)
    /// and regular expressions.
    ///
    /// # Errors
    /// Every rule that cannot be used.
    pub fn new<T: AsRef<str>>(paths: &[T], patterns: &[T]) -> Result<Self, Vec<RedactionError>> {
        let mut errors = Vec::new();
        for count in [paths.len(), patterns.len()] {
            if count > limits::REDACTIONS {
                errors.push(RedactionError::TooMany { count });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut redaction = Self::default();
        for rule in paths {
            match short(rule.as_ref()).and_then(Path::read) {
                Ok(path) => redaction.paths.push(path),
                Err(error) => errors.push(error),
            }
        }
        for rule in patterns {
            match short(rule.as_ref()).and_then(pattern) {
                Ok(pattern) => redaction.patterns.push(pattern),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(redaction)
        } else {
            Err(errors)
        }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.patterns.is_empty()
    }

    /// Takes out of a payload what the rules name: whole values by path, and by pattern what matches
    /// in texts, numbers and names of members. What is nested deeper than JSON on the wire may be
    /// is taken out whole.
    pub fn apply(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        let here: Vec<&[Step]> = self.paths.iter().map(Path::steps).collect();
        self.visit(value, here, limits::JSON_DEPTH);
    }

    /// `here` is what is left of the paths that lead to this value.
    fn visit(&self, value: &mut Value, here: Vec<&[Step]>, depth: usize) {
        if depth == 0 || here.iter().any(|steps| steps.is_empty()) {
            *value = Value::String(REDACTED.to_owned());
            return;
        }
        match value {
            Value::Object(members) => self.visit_members(members, &here, depth),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let below = path::below(&here, |step| step.is_index(index));
                    self.visit(item, below, depth - 1);
                }
            }
            Value::String(text) => {
                if let Some(cleaned) = self.cleaned(text) {
                    *text = cleaned;
                }
            }
            Value::Number(number) => {
                if self.cleaned(&number.to_string()).is_some() {
                    *value = Value::String(REDACTED.to_owned());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn visit_members(&self, members: &mut Map<String, Value>, here: &[&[Step]], depth: usize) {
        let before = std::mem::take(members);
        for (name, mut value) in before {
            let below = path::below(here, |step| step.is_name(&name));
            self.visit(&mut value, below, depth - 1);
            let mut name = self.cleaned(&name).unwrap_or(name);
            // Two names may become one; neither member may be lost.
            while members.contains_key(&name) {
                name.push('\'');
            }
            members.insert(name, value);
        }
    }

    /// The text without what the patterns match; none where they match nothing.
    fn cleaned(&self, text: &str) -> Option<String> {
        let mut cleaned: Option<String> = None;
        for pattern in &self.patterns {
            let now = cleaned.as_deref().unwrap_or(text);
            if pattern.is_match(now) {
                let after = pattern.replace_all(now, regex::NoExpand(REDACTED));
                cleaned = Some(after.into_owned());
            }
        }
        cleaned
    }
}

fn short(rule: &str) -> Result<&str, RedactionError> {
    if rule.len() <= limits::REDACTION_BYTES {
        return Ok(rule);
    }
    Err(RedactionError::TooLong {
        rule: rule.chars().take(40).collect(),
        bytes: rule.len(),
    })
}

fn pattern(pattern: &str) -> Result<Regex, RedactionError> {
    let built = RegexBuilder::new(pattern)
        .size_limit(limits::REDACTION_PROGRAM_BYTES)
        .build();
    let built = built.map_err(|error| RedactionError::Pattern {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })?;
    if built.is_match("") {
        return Err(RedactionError::Empty {
            pattern: pattern.to_owned(),
        });
    }
    Ok(built)
}
