//! Calls of loops of this realm: policy is asked before each of them begins.

use realm_protocol::CallId;

use super::{Context, Run, Task};
use crate::{
    ApprovalRule, Body, LoopError,
    executor::{
        Action, StepAsked,
        frame::{Subject, Waiting},
    },
};

impl Run {
    /// Asks policy whether a frame may begin that another one calls here. About the first frame its caller was asked,
    /// and other realms ask about theirs.
    pub(super) fn ask_policy(&mut self, call: CallId, approved: bool, cx: &mut Context<'_>) {
        let Some(asked) = self.step_to(call) else {
            return self.begin_permitted(call, approved, cx);
        };
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.waiting = Waiting::Policy { approved };
            self.unspoken = self.unspoken.saturating_add(1);
            cx.shared.push(Action::Step(asked));
        }
    }

    /// The call that a frame is, where a loop of this realm makes it of another one.
    fn step_to(&self, call: CallId) -> Option<StepAsked> {
        let frame = self.frames.get(&call)?;
        let Subject::Local(called) = &frame.subject else {
            return None;
        };
        let caller = self.frames.get(&frame.parent?.frame)?.subject.manifest()?;
        Some(StepAsked {
            run: self.id,
            call,
            by: caller.id.clone(),
            tool: matches!(caller.body, Body::Prompt(_)),
            loop_id: called.manifest.id.clone(),
        })
    }

    /// Takes policy's word that a frame may begin, once people have approved it as `rules` say. A run that stands still
    /// begins nothing: the frame asks again once that is over.
    pub(in crate::executor) fn permit(
        &mut self,
        call: CallId,
        rules: Vec<ApprovalRule>,
        cx: &mut Context<'_>,
    ) {
        let Some(approved) = self.heard_policy(call) else {
            return;
        };
        if self.paused.is_some() {
            return self.ready.push_back(Task::Start(call));
        }
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let known = frame.approvals.len();
        for rule in rules {
            if !frame.approvals.contains(&rule) {
                frame.approvals.push(rule);
            }
        }
        let approved = approved && frame.approvals.len() == known;
        self.begin_permitted(call, approved, cx);
    }

    /// Takes policy's word that a frame may not begin.
    pub(in crate::executor) fn forbid(
        &mut self,
        call: CallId,
        error: LoopError,
        cx: &mut Context<'_>,
    ) {
        if self.heard_policy(call).is_some() {
            self.fail(call, error, cx);
        }
    }

    /// Whether people had approved a frame that waits for policy's word, which has come; none where it has ended.
    fn heard_policy(&mut self, call: CallId) -> Option<bool> {
        self.unspoken = self.unspoken.saturating_sub(1);
        let frame = self.frames.get_mut(&call)?;
        let Waiting::Policy { approved } = frame.waiting else {
            return None;
        };
        frame.waiting = Waiting::Nothing;
        Some(approved)
    }

    /// Goes on with a frame that policy lets begin: whoever has to approve it is asked, unless they have.
    fn begin_permitted(&mut self, call: CallId, approved: bool, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        if approved {
            return self.begin_body(call, cx);
        }
        if frame.question().is_some() {
            return self.put_question(call, cx);
        }
        if frame.needs_approval() {
            return self.ask_approval(call, cx);
        }
        self.begin_body(call, cx);
    }
}
