//! Breakers that are open, written down: a restart asks nobody sooner.

use realm_executor::{BreakerChange, Guarded, Opened, Standing};
use realm_protocol::{CallId, FailureCode, Timestamp, budget::Spend, journal::Table, wire_map};

use crate::{
    CallFailure, Node, Refusal, Response,
    outbound::{Invoke, Origin, Task},
    state::{self, standing},
};

wire_map! {
    /// A breaker that is open.
    pub struct StoredBreaker {
        /// Why it opened.
        0 => reason: String,
        /// When it opened first.
        1 => since: Timestamp,
        /// Until when nothing is asked.
        2 => until: Timestamp,
        /// How long it rests, milliseconds.
        3 => rest_ms: u64,
    }
}

/// The breaker of what has failed lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerView {
    /// Whose.
    pub of: Guarded,
    /// How it stands.
    pub standing: Standing,
}

/// A breaker to be closed by hand.
#[derive(Clone, Debug)]
pub struct ResetAsked {
    /// Whose.
    pub of: Guarded,
    /// Who asks, for the audit log.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

impl Invoke {
    /// The other organisation that it asks, and the loop there, where a person does.
    fn by_hand(&self) -> Option<Vec<Guarded>> {
        let by_hand = matches!(self.origin, Origin::Control(_));
        by_hand.then(|| Guarded::of_peer(&self.address))
    }
}

impl Node {
    /// A breaker has opened or closed.
    pub(crate) fn breaker_changed(&mut self, change: &BreakerChange) {
        let name = change.of.to_string();
        let row = [standing::BREAKER, name.as_bytes()].concat();
        let Some(opened) = &change.opened else {
            tracing::info!(breaker = name, "closed");
            return self.delete(Table::Standing, &row);
        };
        tracing::warn!(breaker = name, reason = opened.reason, "opened");
        let stored = StoredBreaker {
            reason: opened.reason.clone(),
            since: opened.since,
            until: opened.until,
            rest_ms: opened.rest_ms,
        };
        self.put(Table::Standing, &row, state::write(&stored));
    }

    /// Whom a call by hand asks. Calls of runs are guarded where they are made.
    fn guarded(&self, call: CallId) -> Option<Vec<Guarded>> {
        match &self.calls.get(&call)?.task {
            Task::Invoke(invoke) => invoke.by_hand(),
            _ => None,
        }
    }

    /// A call by hand asks another organisation, also one that runs leave alone: it is how people find
    /// out, and what lets runs through again.
    ///
    /// # Errors
    /// Whose breaker is open, while another call finds out.
    pub(crate) fn ask_peer(&mut self, call: CallId) -> Result<(), CallFailure> {
        let Some(of) = self.guarded(call) else {
            return Ok(());
        };
        let now = self.now;
        let asked = self.executor.breakers_mut().ask_by_hand(call, of, now);
        asked.map_err(|broken| CallFailure {
            retry_after_ms: Some(broken.retry_after_ms),
            ..CallFailure::new(FailureCode::Overloaded, broken.to_string())
        })
    }

    /// A call by hand has ended: what it cost, and how.
    pub(crate) fn heard_of_peer(
        &mut self,
        call: CallId,
        spent: Option<&Spend>,
        failure: Option<FailureCode>,
    ) {
        let Some(of) = self.guarded(call) else {
            return;
        };
        let now = self.now;
        let breakers = self.executor.breakers_mut();
        let money = spent.map_or_else(Vec::new, |spent| spent.money.clone());
        let mut changes = breakers.pay(&of, &money, now);
        changes.extend(breakers.end_of_peer(call, failure, now));
        for change in changes {
            let (kind, payload) = change.event();
            self.note_call(call, kind, payload);
            self.breaker_changed(&change);
        }
    }

    /// Takes up what was written down.
    pub(crate) fn recover_breakers(&mut self, breakers: Vec<(String, StoredBreaker)>) {
        for (name, stored) in breakers {
            let opened = Opened {
                reason: stored.reason,
                since: stored.since,
                until: stored.until,
                rest_ms: stored.rest_ms,
            };
            if let Ok(of) = name.parse() {
                self.executor.breakers_mut().take_up(of, opened);
            }
        }
    }

    /// The breakers of all that has failed lately.
    pub fn breakers(&self) -> Vec<BreakerView> {
        let breakers = self.executor.breakers().all();
        let breakers = breakers.map(|(of, standing)| BreakerView {
            of: of.clone(),
            standing,
        });
        breakers.collect()
    }

    /// Closes a breaker by its owner's word, and forgets what has failed.
    pub(crate) fn reset_breaker(&mut self, of: &Guarded) -> Result<Response, Refusal> {
        let stood = self.executor.breakers_mut().reset(of);
        let stood = stood.ok_or_else(|| Refusal::NotFound {
            what: "breaker",
            name: of.to_string(),
        })?;
        if stood.opened().is_some() {
            self.breaker_changed(&BreakerChange {
                of: of.clone(),
                opened: None,
            });
        }
        Ok(Response::Done)
    }
}
