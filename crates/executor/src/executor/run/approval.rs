//! Frames that begin nothing before people have approved it.

use realm_protocol::{CallId, Tick, budget::Budget, journal::Consent};
use serde_json::Value;

use super::{Cause, Context, Pause, Run, Task};
use crate::{
    ApprovalRule, Effects, LoopError, Said,
    executor::{
        Action, ApprovalAsked, Cost,
        frame::{Frame, Progress, Spending, Subject, Waiting},
    },
};

impl Frame {
    /// Whether people have to approve it before it begins.
    pub(super) fn needs_approval(&self) -> bool {
        let mut rules = self.approvals.iter();
        rules.any(|rule| rule.applies(&self.input))
    }
}

impl Run {
    /// Asks whether a frame may begin.
    pub(super) fn ask_approval(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let rules = frame.approvals.iter();
        let rules = rules.filter(|rule| rule.applies(&frame.input));
        let rules = rules.cloned().collect();
        let repeatable = frame.subject.effects() != Effects::Once;
        let input = frame.input.clone();
        self.request_approval(call, (input, repeatable), rules, cx);
    }

    /// Asks people about a call that would use more than may be used unasked; whether it waits for them.
    pub(super) fn waits_for_spend(
        &mut self,
        call: CallId,
        wanted: Cost,
        rules: Vec<ApprovalRule>,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(frame) = self.frames.get_mut(&call) else {
            return false;
        };
        let asked = frame.spending.take();
        if rules.is_empty() || asked.is_some_and(|it| it.approved && it.wanted == wanted) {
            return false;
        }
        frame.spending = Some(Spending {
            wanted,
            approved: false,
        });
        let repeatable = frame.subject.effects() != Effects::Once;
        let input = frame.input.clone();
        // Whoever would be asked is not, for now.
        self.never_heard(call, cx);
        self.request_approval(call, (input, repeatable), rules, cx);
        true
    }

    /// Asks people about what is shown of a frame. That is written down first: after a restart it asks again.
    pub(super) fn request_approval(
        &mut self,
        call: CallId,
        (input, repeatable): (Value, bool),
        rules: Vec<ApprovalRule>,
        cx: &mut Context<'_>,
    ) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Approval { held: false };
        frame.consent = Some(Consent::Asked);
        let (realm, version, revision, contract) = match &frame.subject {
            Subject::Local(entry) => {
                let version = Some(entry.manifest.version.to_string());
                (None, version, Some(entry.digest), Some(entry.contract))
            }
            Subject::Remote {
                address, version, ..
            } => (address.realm.clone(), version.clone(), None, None),
        };
        let asked = ApprovalAsked {
            run: self.id,
            call,
            loop_id: frame.subject.name(),
            realm,
            version,
            revision,
            contract,
            input,
            repeatable,
            rules,
            cost: frame.spending.as_ref().map(|it| it.wanted.clone()),
        };
        // What people take to decide is not the call's time.
        self.set_deadline(call, Tick::MAX, cx);
        self.keep(call, cx);
        cx.shared.push(Action::Approve(Box::new(asked)));
    }

    pub(in crate::executor) fn hold(&mut self, call: CallId) {
        if let Some(frame) = self.frames.get_mut(&call)
            && let Waiting::Approval { held } = &mut frame.waiting
        {
            *held = true;
        }
    }

    pub(in crate::executor) fn ask_again(&mut self, call: CallId) {
        if let Some(frame) = self.frames.get_mut(&call)
            && frame.waiting == (Waiting::Approval { held: true })
        {
            frame.waiting = Waiting::Nothing;
            let again = frame.asks_again();
            self.ready.push_back(again);
        }
    }

    /// Begins a frame whose approval has just been seen to be good, or goes on with one whose question people have
    /// answered. A run that stands still begins nothing: the frame asks again once that is over.
    pub(in crate::executor) fn approve(&mut self, call: CallId, said: Said, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        if !matches!(frame.waiting, Waiting::Approval { .. }) {
            return;
        }
        frame.waiting = Waiting::Nothing;
        let again = frame.asks_again();
        if self.paused.is_some() {
            return self.ready.push_back(again);
        }
        frame.consent = Some(Consent::Given);
        frame.tried = cx.now.wall;
        if let Some(spending) = &mut frame.spending {
            spending.approved = true;
        }
        let timeout = frame.timeout_ms;
        self.take_answer(call, said);
        self.set_deadline(call, cx.now.tick.plus(timeout), cx);
        match again {
            Task::Start(_) => self.ask_policy(call, true, cx),
            // In the midst of its work.
            _ => self.ready.push_back(again),
        }
    }

    pub(in crate::executor) fn deny(
        &mut self,
        call: CallId,
        error: LoopError,
        said: Option<Said>,
        cx: &mut Context<'_>,
    ) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        if !matches!(frame.waiting, Waiting::Approval { .. }) {
            return;
        }
        match said.filter(|_| frame.question().is_some()) {
            // To a question no is an answer.
            Some(said) => self.approve(call, said, cx),
            None => {
                frame.waiting = Waiting::Nothing;
                self.fail_for_good(call, error, cx);
            }
        }
    }

    /// Ends a pause for approvals once there is something to do.
    pub(in crate::executor) fn go_on_if_approved(&mut self, cx: &mut Context<'_>) {
        if let Some(Pause { since, cause }) = self.paused
            && cause == Cause::Approval
            && !self.halted
            && !self.waits_for_approval_alone()
        {
            self.end_pause(since, None, cx);
        }
    }

    /// Lets no time run out while nothing can go on before people have said something.
    pub(in crate::executor) fn stand_still_for_approval(&mut self, cx: &mut Context<'_>) {
        if self.paused.is_none() && self.waits_for_approval_alone() {
            let mut frames = self.frames.values();
            let held = frames.find(|frame| frame.is_held()).map(Frame::name);
            let name = held.unwrap_or_default();
            let reason = format!("`{name}` waits for a person's approval");
            self.pause(&reason, Cause::Approval, cx);
        }
    }

    /// Whether something waits for an approval, and nothing else is under way or ready.
    fn waits_for_approval_alone(&self) -> bool {
        let mut held = false;
        for frame in self.frames.values() {
            match frame.waiting {
                Waiting::Approval { held: true } => held = true,
                Waiting::Nothing => {}
                _ => return false,
            }
        }
        held && self.ready.is_empty()
    }

    pub(in crate::executor) fn most(&self, call: CallId) -> Option<Budget> {
        self.frames.contains_key(&call).then(|| self.left(call))
    }

    pub(in crate::executor) fn has_question(&self, call: CallId) -> bool {
        let frame = self.frames.get(&call);
        frame.is_some_and(|frame| frame.question().is_some())
    }

    /// What people are shown of a frame, and the loops that led to it.
    pub(in crate::executor) fn frame(&self, call: CallId) -> Option<(Value, Vec<String>)> {
        let frame = self.frames.get(&call)?;
        let mut names = Vec::new();
        let mut place = frame.parent;
        while let Some(caller) = place.and_then(|place| self.frames.get(&place.frame)) {
            names.push(caller.name());
            place = caller.parent;
        }
        names.reverse();
        let shown = frame.question().unwrap_or_else(|| frame.input.clone());
        Some((shown, names))
    }
}

impl Frame {
    /// What it does once more when people have said something of it.
    pub(super) fn asks_again(&self) -> Task {
        match &self.progress {
            Progress::Conversation(it) if !it.turns.is_empty() => Task::Advance(self.call),
            _ => Task::Start(self.call),
        }
    }

    fn is_held(&self) -> bool {
        self.waiting == Waiting::Approval { held: true }
    }

    fn name(&self) -> String {
        self.subject.name()
    }
}
