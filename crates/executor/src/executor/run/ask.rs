//! Calls that interrupt themselves to ask people, and are asked again with what those have said.
//!
//! A question is a request for an approval in the midst of the work: it is written down, the run stands still
//! once nothing else of it is at work, and it outlives the process. The tool begins anew with its answers.

use realm_protocol::{CallId, FailureCode};
use serde_json::Value;

use super::{Context, Run};
use crate::{
    LoopError, Said,
    executor::frame::Frame,
    question::{Interview, Question, Reply},
};

impl Frame {
    /// What it asks people just now.
    pub(super) fn question(&self) -> Option<Value> {
        self.interview.as_ref()?.shown()
    }

    /// What people have said to its questions; none for a loop that asks nobody.
    pub(super) fn answers(&self) -> Option<Value> {
        self.subject.manifest()?.asks.as_ref()?;
        let interview = self.interview.as_ref();
        Some(interview.map_or_else(|| Value::Array(Vec::new()), |it| it.answers()))
    }
}

impl Run {
    /// Tells a question from an output.
    ///
    /// # Errors
    /// Why it is neither.
    pub(super) fn take_reply(&self, call: CallId, answer: Value) -> Result<Reply, LoopError> {
        let frame = self.frames.get(&call);
        let asks = frame.and_then(|frame| frame.subject.manifest()?.asks.as_ref());
        let (Some(frame), Some(_)) = (frame, asks) else {
            return Ok(Reply::Output(answer));
        };
        Reply::read(answer, frame.held.is_some()).map_err(|faults| {
            let what = "the answer is not that of a loop that asks people";
            let error = LoopError::new(FailureCode::SchemaOutput, what).after_work();
            error.with_details(faults)
        })
    }

    /// Asks people, and the tool again once they have said something.
    pub(super) fn ask_people(&mut self, call: CallId, question: Question, cx: &mut Context<'_>) {
        self.heard(call, None, cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        // It has begun, whatever becomes of it.
        frame.doubtful = true;
        frame.held = None;
        let interview = frame
            .interview
            .get_or_insert_with(Box::<Interview>::default);
        if !interview.ask(question) {
            let what = format!("`{}` asks people again and again", frame.subject.name());
            let error = LoopError::new(FailureCode::Budget, what).after_work();
            return self.fail(call, error, cx);
        }
        self.put_question(call, cx);
    }

    /// Puts the question of a frame to people, again after a restart.
    pub(super) fn put_question(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let rule = frame.subject.manifest().and_then(|own| own.asks.clone());
        if let Some(question) = frame.question() {
            // What they have said is good for this question alone, whatever becomes of the call.
            self.request_approval(call, (question, true), rule.into_iter().collect(), cx);
        }
    }

    /// Takes what people have said to a frame's question; gives whether there was one.
    pub(super) fn take_answer(&mut self, call: CallId, said: Said) -> bool {
        let frame = self.frames.get_mut(&call);
        let interview = frame.and_then(|frame| frame.interview.as_mut());
        interview.is_some_and(|interview| interview.answer(said))
    }
}
