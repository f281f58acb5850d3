//! Whether one contract can take the place of another without breaking its callers.
//!
//! A caller goes on working if the new input schema accepts whatever the old one accepted, the new
//! output schema promises at least what the old one promised, and the effects are no stronger.
//!
//! Schemas are compared keyword by keyword: `type`, `enum`, `const`, the bounds of numbers, lengths
//! and sizes, `properties`, `required`, `additionalProperties`, `items`, and `$ref` inside the
//! document are understood; every other keyword has to stay as it is. What cannot be decided so is
//! [`Verdict::Unknown`] and counts as breaking. So a change that is called compatible is; one that
//! is not may still be harmless.

mod bound;
mod finite;
mod inclusion;
mod keywords;
mod members;
mod reference;

use std::fmt;

use realm_protocol::limits;
use semver::{Version, VersionReq};
use serde_json::Value;

use crate::{Effects, Registered};
use inclusion::{Inclusion, Side};

/// What a contract says.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// JSON Schema of what is taken.
    pub input: &'a Value,
    /// JSON Schema of what is given.
    pub output: &'a Value,
    /// The effects.
    pub effects: Effects,
}

impl<'a> From<&'a Registered> for Terms<'a> {
    fn from(known: &'a Registered) -> Self {
        Self {
            input: &known.manifest.input_schema,
            output: &known.manifest.output_schema,
            effects: known.effects,
        }
    }
}

/// What a change of a contract means to its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// They go on working.
    Compatible,
    /// Some may not; it cannot be decided. It counts as breaking.
    Unknown,
    /// Some do not.
    Breaking,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Compatible, Self::Unknown, Self::Breaking];

    /// The name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Unknown => "unknown",
            Self::Breaking => "breaking",
        }
    }
}

/// One thing that may break a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// JSON Pointer into the definition: `/inputSchema/properties/age`. Where a `$ref` is passed,
    /// what it refers to stands in its place.
    pub pointer: String,
    /// What was and what is.
    pub what: String,
    /// Whether it breaks callers, or that is only not known.
    pub verdict: Verdict,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.what)
    }
}

/// What differs between two contracts, as far as it may break a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContractChange {
    /// The differences; empty if the change is compatible.
    pub differences: Vec<Difference>,
}

impl ContractChange {
    /// Compares a contract with the one that is to take its place.
    pub fn between(old: Terms<'_>, new: Terms<'_>) -> Self {
        let mut input = Inclusion::new(Side::Input, old.input, new.input);
        let mut output = Inclusion::new(Side::Output, new.output, old.output);
        let mut differences = input.decide();
        differences.append(&mut output.decide());
        if new.effects > old.effects {
            differences.push(Difference {
                pointer: "/effects".to_owned(),
                what: format!("was {}, is {}", old.effects, new.effects),
                verdict: Verdict::Breaking,
            });
        }
        differences.truncate(limits::DIFFERENCES);
        Self { differences }
    }

    /// What the change means to callers.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.differences.iter().map(|found| found.verdict);
        verdicts.max().unwrap_or(Verdict::Compatible)
    }

    /// Whether callers go on working.
    pub fn is_compatible(&self) -> bool {
        self.differences.is_empty()
    }
}

/// The version that tells callers of a break: they do not get it where they ask for `old` or
/// compatible ones. None if `new` does already.
pub fn version_to_break(old: &Version, new: &Version) -> Option<Version> {
    let same_line = VersionReq::parse(&format!("^{old}")).ok()?;
    let told = !same_line.matches(new) && new != old;
    let next = match (old.major, old.minor) {
        (0, 0) => Version::new(0, 0, old.patch.saturating_add(1)),
        (0, minor) => Version::new(0, minor.saturating_add(1), 0),
        (major, _) => Version::new(major.saturating_add(1), 0, 0),
    };
    (!told).then_some(next)
}
