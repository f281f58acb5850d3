//! What was asked and what was acknowledged, kept by the asker, outside of every daemon.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::Value;

use crate::pace::now;

/// What a loop's contract says of its effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effects {
    /// None.
    None,
    /// Twice is as good as once.
    Idempotent,
    /// Never twice.
    Once,
}

impl Effects {
    /// The id of the loop with these effects.
    pub(crate) const fn loop_id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

/// A call under an idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The key.
    pub(crate) key: String,
    /// What kind of loop was called.
    pub(crate) effects: Effects,
    /// Position of the realm that was asked to call.
    pub(crate) caller: usize,
    /// Position of the realm that was to run it.
    pub(crate) callee: usize,
    /// What was acknowledged; none where nothing was.
    pub(crate) answer: Option<Answer>,
}

/// What a daemon acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The run at the caller.
    pub(crate) run_id: String,
    /// The call, by its id in both realms.
    pub(crate) call_id: String,
    /// The output.
    pub(crate) output: Value,
    /// Whether it was said to be an earlier answer.
    pub(crate) replayed: bool,
    /// Bytes of effects that agents had written down by then.
    pub(crate) written: u64,
}

impl Answer {
    /// The agent's name for its effect.
    pub(crate) fn effect(&self) -> &str {
        self.output["effect"].as_str().unwrap_or_default()
    }
}

/// All calls of a run, in the order in which they were asked.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    calls: Vec<Call>,
    /// Positions of calls, in the order in which they were acknowledged.
    acknowledged: Vec<usize>,
    answered_without_effect: u64,
    failures: BTreeMap<String, u64>,
    wrong: Vec<String>,
    asked: u64,
    /// When somebody was down, or had just come back.
    troubles: Vec<(Instant, Option<Instant>)>,
    unexpected: u64,
}

impl Ledger {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call before it is asked; gives its position.
    pub(crate) fn ask(&self, call: Call) -> usize {
        let calls = &mut self.pages().calls;
        calls.push(call);
        calls.len() - 1
    }

    /// Notes that a call was acknowledged.
    pub(crate) fn acknowledge(&self, at: usize, answer: Answer) {
        let mut pages = self.pages();
        pages.acknowledged.push(at);
        if let Some(call) = pages.calls.get_mut(at) {
            call.answer = Some(answer);
        }
    }

    /// Notes that a loop without effects was answered.
    pub(crate) fn answered_without_effect(&self) {
        self.pages().answered_without_effect += 1;
    }

    /// Notes that a call that began then ended with a failure; nothing was promised. Where nobody
    /// was struck meanwhile, that was not to be expected.
    pub(crate) fn failed(&self, name: &str, began: Instant) {
        let mut pages = self.pages();
        let name = name.split('(').next().unwrap_or_default().trim().to_owned();
        *pages.failures.entry(name).or_default() += 1;
        let mut troubles = pages.troubles.iter();
        let is_explained = troubles.any(|(_, end)| end.is_none_or(|end| end >= began));
        pages.unexpected += u64::from(!is_explained);
    }

    /// Notes that somebody is struck; gives the trouble's number.
    pub(crate) fn begin_trouble(&self) -> usize {
        let troubles = &mut self.pages().troubles;
        troubles.push((now(), None));
        troubles.len() - 1
    }

    /// Notes that everybody is back.
    pub(crate) fn end_trouble(&self, number: usize) {
        if let Some(trouble) = self.pages().troubles.get_mut(number) {
            trouble.1 = Some(now());
        }
    }

    /// How many calls failed while nobody was struck.
    pub(crate) fn unexpected(&self) -> u64 {
        self.pages().unexpected
    }

    /// Notes that a call is asked.
    pub(crate) fn ask_any(&self) {
        self.pages().asked += 1;
    }

    /// How many calls have been asked.
    pub(crate) fn asked(&self) -> u64 {
        self.pages().asked
    }

    /// Notes an answer that cannot be right.
    pub(crate) fn wrong(&self, what: String) {
        self.pages().wrong.push(what);
    }

    /// Answers that could not be right.
    pub(crate) fn all_wrong(&self) -> Vec<String> {
        self.pages().wrong.clone()
    }

    /// How many calls have been acknowledged.
    pub(crate) fn count(&self) -> usize {
        self.pages().acknowledged.len()
    }

    /// Acknowledged calls, from the `from`-th on.
    pub(crate) fn acknowledged(&self, from: usize) -> Vec<Call> {
        let pages = self.pages();
        let places = pages.acknowledged.iter().skip(from);
        places
            .filter_map(|&at| pages.calls.get(at).cloned())
            .collect()
    }

    /// Every call under a key, acknowledged or not.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.pages().calls.clone()
    }

    /// What happened, on one line.
    pub(crate) fn summary(&self) -> String {
        let pages = self.pages();
        let failures: Vec<String> = pages
            .failures
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let replayed = pages
            .calls
            .iter()
            .filter(|call| call.answer.as_ref().is_some_and(|answer| answer.replayed));
        format!(
            "calls under a key {}, acknowledged {}, of these given again {}; \
             without effects {}; failed: {}",
            pages.calls.len(),
            pages.acknowledged.len(),
            replayed.count(),
            pages.answered_without_effect,
            if failures.is_empty() {
                "none".to_owned()
            } else {
                failures.join(", ")
            },
        )
    }
}
