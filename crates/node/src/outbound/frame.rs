//! Calls that the frames of runs here make to other realms.

use realm_executor::{CallError, Effects, RealmCall};
use realm_protocol::{CallId, Digest, FailureCode, Timestamp, json};

use super::{Check, Invoke, Origin};
use crate::{Node, pins::Pinned, storing::Storing, streams::Shown};

impl Node {
    /// A step of a run here calls a loop of another realm.
    pub(crate) fn invoke_from_frame(&mut self, asked: RealmCall) {
        let RealmCall {
            run,
            call,
            frame,
            asked,
            tried,
            address,
            version,
            pin,
            input,
            timeout_ms,
            depth,
            stream,
            budget,
            needs,
        } = asked;
        let scope = address.realm.as_ref().map(|name| self.resolve_name(name));
        let scope = match scope {
            Some(Ok(scope)) => scope,
            Some(Err(refusal)) => {
                return self.frame_call_failed(call, FailureCode::NoRoute, &refusal.to_string());
            }
            None => self.me.scope(),
        };
        if scope == self.me.scope() {
            return self.frame_call_failed(
                call,
                FailureCode::NoRoute,
                "a step names this realm as another one",
            );
        }
        let meant = (scope.clone(), address.loop_id.clone(), version.clone());
        let known = self.known.get(&meant);
        // What must not be done twice has one key for all attempts: the callee does it once.
        let repeatable = known.is_some_and(|known| known.effects != Effects::Once);
        // That key is as old as the first attempt, so that a callee which has forgotten it says so.
        let (work, created) = if repeatable {
            (call, tried)
        } else {
            (frame, asked)
        };
        let approvals = self.forwarded_approvals(run, frame, scope.root);
        let invoke = Invoke {
            run,
            origin: Origin::Frame,
            address,
            version,
            input: json::to_bytes(&input).into(),
            key: Digest::of(&[b"realm/1/key", &[1], run.as_bytes(), work.as_bytes()]),
            key_created: created,
            caller: self.person_behind(run).cloned(),
            depth,
            started: self.now,
            until: self.now.tick,
            detached: false,
            accepted: None,
            events: 0,
            check: Check::Open,
            pinned: pin.map(Pinned::from),
            named: None,
            storing: Storing::No,
            sealed: Timestamp::default(),
            stream: stream.then(Shown::default),
            budget,
            approvals,
            approved: self.approved_roles(run, frame),
            root: self.root_of(run),
            bearer: needs.map(|agent| (agent, run)),
            grant: None,
        };
        self.start_call(call, scope, invoke, timeout_ms);
    }

    /// Ends what a step asked of other realms, before it was asked.
    pub(crate) fn frame_call_failed(&mut self, call: CallId, code: FailureCode, message: &str) {
        let error = CallError {
            code,
            message: message.to_owned(),
            details: Vec::new(),
            may_have_begun: false,
        };
        self.executor
            .invoke_done(call, Err(error), None, &self.registry, self.now);
    }
}
