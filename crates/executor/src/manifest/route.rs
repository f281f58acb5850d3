//! Loops that hand their work on to other loops, by priority and weight.

use std::{fmt, str::FromStr};

use realm_protocol::{CallId, Digest, LoopAddress, LoopId, RunId, limits};

use super::Call;

/// Domain of the digests that targets are chosen by.
const ROUTE_TAG: &[u8] = b"realm/1/route";

/// Hands its work on to one of its targets: the next one where the last has refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Further names that calls reach it by, where no loop has them.
    pub pattern: Option<Pattern>,
    /// At least one.
    pub targets: Vec<Target>,
}

/// One loop that a route hands work to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The loop, here or in another realm, and how long it has.
    pub call: Call,
    /// Whether the loop there is called what the caller called, instead of as the call says.
    pub keeps_name: bool,
    /// The highest comes first.
    pub priority: u64,
    /// Its share among those of its priority; with none it comes after the others.
    pub weight: u64,
}

impl Target {
    /// Its share unless told.
    pub const WEIGHT: u64 = 1;

    /// How long it has, milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        self.call.timeout_ms.unwrap_or(limits::CALL_MS)
    }

    /// The loop that is called, where the route was called by this name.
    pub fn address(&self, called: &LoopId) -> LoopAddress {
        let mut address = self.call.loop_id.clone();
        if self.keeps_name {
            address.loop_id = called.clone();
        }
        address
    }
}

impl Route {
    /// Milliseconds that all targets may take, one after the other.
    pub fn lasts_ms(&self) -> u64 {
        let targets = self.targets.iter();
        targets.fold(0, |sum: u64, target| {
            sum.saturating_add(target.timeout_ms())
        })
    }

    /// The order in which one call tries the targets, by their places in the list: the priorities
    /// from the highest down, and in each as the weights say. It follows from the run and the call
    /// alone, so that whoever knows both can work it out.
    pub fn order(&self, run: RunId, call: CallId) -> Vec<usize> {
        let mut left: Vec<(usize, &Target)> = self.targets.iter().enumerate().collect();
        let mut order = Vec::new();
        while let Some(highest) = left.iter().map(|(_, target)| target.priority).max() {
            let alike = left.iter().filter(|(_, of)| of.priority == highest);
            let alike: Vec<(usize, u64)> = alike.map(|(at, of)| (*at, of.weight)).collect();
            let total = alike
                .iter()
                .fold(0_u64, |sum, (_, of)| sum.saturating_add(*of));
            let mut drawn = draw(run, call, order.len()).checked_rem(total).unwrap_or(0);
            let chosen = alike.iter().find(|(_, weight)| {
                let hit = drawn < *weight || total == 0;
                drawn = drawn.saturating_sub(*weight);
                hit
            });
            let Some((chosen, _)) = chosen.copied() else {
                break;
            };
            order.push(chosen);
            left.retain(|(at, _)| *at != chosen);
        }
        order
    }
}

/// A number that a run and a call lead to, another one each time.
fn draw(run: RunId, call: CallId, time: usize) -> u64 {
    let time = (time as u64).to_be_bytes();
    let digest = Digest::of(&[ROUTE_TAG, run.as_bytes(), call.as_bytes(), &time]);
    let first = digest.as_bytes().first_chunk::<8>().copied();
    u64::from_be_bytes(first.unwrap_or_default())
}

/// The names that begin alike: `pharmacy/*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// What the names begin with.
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// Whether a name is among them.
    pub fn takes(&self, name: &LoopId) -> bool {
        name.as_str().len() > self.0.len() && name.as_str().starts_with(&self.0)
    }
}

/// The text is no pattern.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not the beginning of names with a `*` at its end: pharmacy/*")]
pub struct NotAPattern(String);

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let prefix = text.strip_suffix('*');
        let prefix = prefix.filter(|prefix| prefix.parse::<LoopId>().is_ok());
        prefix
            .map(|prefix| Self(prefix.to_owned()))
            .ok_or_else(|| NotAPattern(text.chars().take(140).collect()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.0)
    }
}

#[cfg(test)]
mod tests;
