//! What composites and machines do step by step.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{Digest, LoopAddress, budget::Budget};

use super::{ApprovalRule, Origin};
use crate::{Category, Condition, Reference};

/// Steps in order; the output of the last one that ran is the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composite {
    /// At least one step.
    pub steps: Vec<Step>,
}

impl Composite {
    /// Every call in it, those of parallel steps too.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().flat_map(Step::calls)
    }

    /// Milliseconds that its `wait` steps take together.
    pub fn waits_ms(&self) -> u64 {
        let waits = self.steps.iter().map(|step| match step.work {
            Work::Wait { for_ms } => for_ms,
            Work::Call(_) | Work::Parallel(_) => 0,
        });
        waits.fold(0, u64::saturating_add)
    }
}

/// One step of a composite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub work: Work,
    /// It runs only where this holds; a step that does not run has the output `null`.
    pub when: Option<Condition>,
    /// The name later steps call its output by.
    pub output_binding: Option<String>,
}

impl Step {
    /// The calls it makes: one, one a branch, or none.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        let branches = match &self.work {
            Work::Parallel(branches) => branches.as_slice(),
            Work::Call(_) | Work::Wait { .. } => &[],
        };
        let own = self.call().into_iter();
        own.chain(branches.iter().filter_map(Self::call))
    }

    /// The call, if the step is one.
    pub const fn call(&self) -> Option<&Call> {
        match &self.work {
            Work::Call(call) => Some(call),
            Work::Parallel(_) | Work::Wait { .. } => None,
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Calls a loop, once or once for each item.
    Call(Box<Call>),
    /// Runs branches side by side, each a call; the output lists theirs, in order. The first
    /// failure stops the others.
    Parallel(Vec<Step>),
    /// Waits, as long as it takes and over restarts.
    Wait {
        /// How long, milliseconds.
        for_ms: u64,
    },
}

/// One call of a composite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The loop, here or in another realm.
    pub loop_id: LoopAddress,
    /// The version it needs: one version, or a requirement such as `^1.2`.
    pub loop_version: Option<String>,
    /// What a loop of another realm says of itself, as the owner approved it for a model; none where
    /// nobody did, and where no model calls it.
    pub digest: Option<Digest>,
    /// Where each member of the child's input comes from. None hands on the composite's own input,
    /// or the item.
    pub input_mapping: Option<BTreeMap<String, Reference>>,
    /// Calls the loop once for each item of a list; the output lists theirs, in order.
    pub for_each: Option<ForEach>,
    /// What is tried again; none for what the loop itself says.
    pub retry: Option<Retry>,
    /// Milliseconds for the call with all its attempts; none for the loop's own.
    pub timeout_ms: Option<u64>,
    /// The loop called with the same input when the call has failed for good.
    pub fallback: Option<Fallback>,
    /// What each of its calls may use, with all that it causes, beside what the loop itself says.
    pub budget: Budget,
    /// Who approves before each of its calls begins, beside what the loop itself asks for.
    pub approval: Option<ApprovalRule>,
    /// Where it was written.
    pub origin: Origin,
}

/// One call for each item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForEach {
    /// Where the list is.
    pub items: Reference,
    /// Calls at a time.
    pub concurrency: u64,
    /// Whether an item that fails has `{"error": {…}}` for its output instead of ending the step.
    pub keep_failures: bool,
}

/// Who is called when another loop has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The loop, here or in another realm.
    pub loop_id: LoopAddress,
    /// The version it needs.
    pub loop_version: Option<String>,
}

/// What is tried again, how often, and after what pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u64,
    /// How the pause grows.
    pub backoff: Backoff,
    /// The pause after the first attempt, milliseconds.
    pub delay_ms: u64,
    /// The longest pause, milliseconds.
    pub max_delay_ms: u64,
    /// The failures that are worth another attempt.
    pub on: BTreeSet<Category>,
}

impl Retry {
    /// The longest pause unless told, milliseconds.
    pub const MAX_DELAY_MS: u64 = 60 * 1_000;
    /// The first pause unless told, milliseconds.
    pub const DELAY_MS: u64 = 1_000;

    /// The pause before an attempt, counted from 2, without jitter, milliseconds.
    pub fn pause_ms(&self, attempt: u64) -> u64 {
        let before = attempt.saturating_sub(1).max(1);
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Linear => before,
            Backoff::Exponential => 1_u64
                .checked_shl(u32::try_from(before - 1).unwrap_or(u32::MAX))
                .unwrap_or(u64::MAX),
        };
        self.delay_ms.saturating_mul(factor).min(self.max_delay_ms)
    }
}

/// How the pause between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Not at all.
    Fixed,
    /// By the first pause each time.
    Linear,
    /// Twice as long each time.
    Exponential,
}

impl Backoff {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Fixed, Self::Linear, Self::Exponential];

    /// The name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Linear => "linear",
            Self::Exponential => "exponential",
        }
    }
}

/// A state machine: one loop called with its own last state until it completes. It answers
/// `{"continue": state}` or `{"complete": output}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The loop of one step; its first input is the machine's.
    pub step: Call,
    /// Steps it may take; one more ends it with `Budget`.
    pub max_steps: u64,
}
