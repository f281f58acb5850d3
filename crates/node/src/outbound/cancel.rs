//! Calls that are taken back.

use std::collections::BTreeSet;

use realm_protocol::{
    CallId, FailureCode, Kind, Priority, RunId, Scope, cbor, journal::Table, limits, message,
};

use super::{OutCall, Task};
use crate::{
    CallFailure, Node,
    attempt::Request,
    delivery::AGAIN,
    state::{StoredAcceptance, standing},
    storing::Storing,
};

/// Takes a call back whose callee has to be resolved first.
#[derive(Clone, Debug)]
pub(crate) struct CancelTask {
    /// The call of this realm's that is over.
    pub(crate) call: CallId,
    reason: String,
}

impl CancelTask {
    pub(crate) fn new(call: CallId, reason: &str) -> Self {
        let reason = reason.to_owned();
        Self { call, reason }
    }

    /// What the callee is sent.
    pub(crate) fn content(&self) -> Vec<u8> {
        let reason = Some(self.reason.clone());
        cbor::encode(&message::Cancel { reason })
    }
}

impl Node {
    /// Takes a call back: the callee is told, the caller hears `Cancelled`.
    pub(crate) fn cancel_call(&mut self, call: CallId, reason: &str) {
        self.take_call_back(call, &CallFailure::new(FailureCode::Cancelled, reason));
    }

    /// Takes a call back: the callee is told, and the caller hears why.
    pub(crate) fn take_call_back(&mut self, call: CallId, failure: &CallFailure) {
        let reason = failure.message.as_str();
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let now = self.wall();
        // An attempt that has not left never does.
        let withdrawn = out.sent.is_some_and(|sent| self.out.withdraw_letter(sent));
        let left = out.attempts > u32::from(withdrawn) || out.acceptance().is_some();
        let may_be_kept = out.storing() != Storing::No;
        if left && matches!(out.task, Task::Invoke(_)) {
            let scope = out.scope.clone();
            self.cancel_kept_own(&scope, call);
            let chain = self.trust.chain(&scope, now).cloned();
            let known = chain.and_then(|chain| {
                // The callee's parent drops what it keeps, whatever the Cancel is sealed to.
                let kem = chain.kem_at(now).or_else(|| chain.stored_kem_at(now));
                kem.cloned().map(|kem| (chain, kem))
            });
            if let Some((chain, kem)) = known {
                let content = CancelTask::new(call, reason).content();
                let request = Request {
                    kind: Kind::Cancel,
                    destination: chain.place(),
                    created: now,
                    ttl_ms: limits::CALL_MS,
                    call,
                    answers: None,
                    priority: Priority::Control,
                    max_reply: 0,
                    receipt: None,
                    content: &content,
                };
                let way = self.sessions.way(kem.node, self.now.tick);
                if let Ok((mut letter, _)) = self.seal_request(&kem, way, &request) {
                    if may_be_kept {
                        // Who keeps it may have forgotten who this is.
                        letter.chain = self.me.chain().map(|chain| chain.bytes().clone());
                    }
                    self.launch(letter);
                }
            } else {
                self.take_back(&scope, CancelTask::new(call, reason));
            }
        }
        self.end_call(call, Err(failure.clone()));
    }

    /// Takes back what no run waits for since a restart.
    pub(crate) fn forget_orphans(&mut self) {
        let runs = self.accepted.earlier.values().map(|earlier| earlier.caller);
        let gone: BTreeSet<RunId> = runs.filter(|run| !self.serving.has(*run)).collect();
        for run in gone {
            self.forget_earlier(run);
        }
    }

    /// A run here has ended: what it waited for before a restart, and never again, is taken back.
    pub(crate) fn forget_earlier(&mut self, run: RunId) {
        self.cancel_unasked_broadcasts(run);
        let gone = self
            .accepted
            .earlier
            .extract_if(.., |_, earlier| earlier.caller == run);
        let gone: Vec<(CallId, StoredAcceptance)> = gone.collect();
        for (call, earlier) in gone {
            self.delete(Table::Standing, &standing::accepted(call));
            self.take_back(
                &earlier.scope,
                CancelTask::new(call, "the run no longer waits"),
            );
        }
    }

    /// Takes a call back once its callee is resolved.
    pub(crate) fn take_back(&mut self, scope: &Scope, cancel: CancelTask) {
        if self.calls.len() >= self.config.max_calls {
            return;
        }
        let message = self.new_call();
        let deadline = self.now.tick.plus(limits::CALL_MS);
        let out = OutCall {
            backoff: AGAIN,
            ..OutCall::new(scope.clone(), deadline, Task::Cancel(cancel))
        };
        self.calls.insert(message, Box::new(out));
        self.try_call(message);
    }
}
