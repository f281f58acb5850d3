//! Who is left alone, because too much that was asked of them lately has failed.

use realm_protocol::{CallId, FailureCode, LoopAddress, Tick, budget::Spend};

use super::{Context, Run};
use crate::{
    BackendError, Body, BreakerChange, Category, Fault, Guarded, LoopError, Tool,
    executor::{
        Action,
        frame::{Frame, Subject, attempt_id},
    },
};

impl Run {
    /// Whether those may be asked whom a frame is about to ask.
    ///
    /// # Errors
    /// Whose breaker is open, and why.
    pub(super) fn may_ask(&self, call: CallId, cx: &mut Context<'_>) -> Result<(), LoopError> {
        let Some(frame) = self.frames.get(&call) else {
            return Ok(());
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        let answer = cx.shared.breakers.ask(asked, self.guards(frame), cx.now);
        answer.map_err(|broken| LoopError {
            retry_after_ms: Some(broken.retry_after_ms),
            ..LoopError::new(FailureCode::Overloaded, broken.to_string())
        })
    }

    /// What a frame asked has ended.
    pub(super) fn heard(&mut self, call: CallId, fault: Option<Fault>, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        for change in cx.shared.breakers.end(asked, fault, cx.now) {
            self.breaker_changed(call, change, cx);
        }
    }

    /// A backend has failed at what a frame has asked since then.
    pub(super) fn heard_failure(
        &mut self,
        call: CallId,
        (error, since): (&BackendError, Tick),
        cx: &mut Context<'_>,
    ) {
        match error {
            BackendError::Timeout { .. } => self.ran_out(call, since, cx),
            error => self.heard(call, Fault::of_backend(error), cx),
        }
    }

    /// Another realm has answered what a frame asked, well or with a failure.
    pub(super) fn heard_of_peer(
        &mut self,
        call: CallId,
        failure: Option<FailureCode>,
        cx: &mut Context<'_>,
    ) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        for change in cx.shared.breakers.end_of_peer(asked, failure, cx.now) {
            self.breaker_changed(call, change, cx);
        }
    }

    /// No answer came in time to what a frame has asked since then. Only who had all the time that the loop itself
    /// gives took too long: a caller may give as little as it likes.
    pub(super) fn ran_out(&mut self, call: CallId, since: Tick, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let manifest = frame.subject.manifest();
        let own = manifest.map_or(0, |manifest| manifest.limits.timeout_ms);
        match cx.now.tick.since(since) >= own {
            true => self.heard(call, Some(Fault::Failed), cx),
            false => self.never_heard(call, cx),
        }
    }

    /// Nobody will say how it ended what a frame asked.
    pub(super) fn never_heard(&mut self, call: CallId, cx: &mut Context<'_>) {
        if let Some(frame) = self.frames.get(&call) {
            let asked = attempt_id(self.id, call, frame.attempt);
            cx.shared.breakers.abandon(asked);
        }
    }

    /// Something was paid for what a frame asked.
    pub(super) fn paid(&mut self, call: CallId, used: &Spend, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call).filter(|_| !used.money.is_empty()) else {
            return;
        };
        let of = self.guards(frame);
        for change in cx.shared.breakers.pay(&of, &used.money, cx.now) {
            self.breaker_changed(call, change, cx);
        }
    }

    /// Whom a frame asks.
    fn guards(&self, frame: &Frame) -> Vec<Guarded> {
        let entry = match &frame.subject {
            Subject::Remote { address, .. } => return Guarded::of_peer(address),
            Subject::Local(entry) => entry,
        };
        let manifest = &entry.manifest;
        let asked = match &manifest.body {
            Body::Tool(Tool::Echo | Tool::Count) | Body::Broadcast(_) => return Vec::new(),
            Body::Prompt(prompt) => Some(Guarded::Backend(self.backend_of(prompt).0.to_owned())),
            Body::Tool(Tool::Mcp(mcp)) => Some(Guarded::Backend(mcp.server.clone())),
            Body::Tool(Tool::Http(http)) => host(&http.url).map(Guarded::Agent),
            Body::Tool(Tool::Attached(_)) => manifest
                .agent()
                .map(|agent| Guarded::Agent(agent.to_string())),
            _ => None,
        };
        let own = Guarded::Loop(LoopAddress {
            loop_id: manifest.id.clone(),
            realm: None,
        });
        asked.into_iter().chain([own]).collect()
    }

    fn breaker_changed(&mut self, call: CallId, change: BreakerChange, cx: &mut Context<'_>) {
        let (kind, payload) = change.event();
        self.event(call, kind, payload, cx);
        cx.shared.push(Action::Breaker(change));
    }
}

/// The host in a URL, with its port where it names one.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

impl Fault {
    /// What a backend's failure says of it. What the work itself came to, or what was asked of it, does not.
    pub(super) const fn of_backend(error: &BackendError) -> Option<Self> {
        match error {
            BackendError::BadOutput { .. } | BackendError::TooLarge { .. } => Some(Self::Schema),
            BackendError::Unfinished { .. } => Some(Self::Unfinished),
            BackendError::Signal { .. } => Some(Self::Failed),
            // It does not let this realm in, whichever loop asks.
            BackendError::Status {
                code: 401 | 403, ..
            } => Some(Self::Failed),
            other => match other.category() {
                Category::Transient | Category::Unknown => Some(Self::Failed),
                Category::Permission => Some(Self::Denied),
                Category::Validation | Category::Business => None,
            },
        }
    }
}
