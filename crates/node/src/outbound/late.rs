//! What callees tell of calls that they accepted, in messages of their own.

use realm_crypto::Opened;
use realm_protocol::{
    CallId, Digest, Failure, FailureCode, Header, Kind, cbor, limits,
    message::{CallResult, Progress, ResultAck},
};

use super::Task;
use crate::{CallFailure, Node, Refused, relay::Release};

impl Node {
    /// Whether a call waits for an answer of this kind.
    pub(crate) fn awaits(&self, call: CallId, kind: Kind) -> bool {
        match self.calls.get(&call).map(|out| &out.task) {
            Some(Task::Invoke(_)) => matches!(kind, Kind::Result | Kind::Accepted),
            Some(Task::Contracts(_)) => kind == Kind::Contracts,
            Some(Task::Trace(_)) => kind == Kind::TraceShown,
            Some(Task::Status(_)) => kind == Kind::Accepted,
            Some(Task::Deliver(_)) => kind == Kind::ResultAck,
            Some(Task::Halt(_)) => kind == Kind::HaltAck,
            Some(Task::Cancel(_) | Task::Tell(_)) | None => false,
        }
    }

    /// Takes what a callee tells of a call that it accepted, in a message of its own.
    pub(crate) fn take_late(&mut self, opened: &Opened) {
        let header = opened.header();
        let Some(answers) = header.answers else {
            return;
        };
        let call = self.awaited(header, answers);
        let ends = header.kind != Kind::Progress;
        if ends && call.is_none() && self.waits_yet(header) {
            // It comes again, and the caller will have asked again by then.
            return;
        }
        let taken = match header.kind {
            Kind::Progress => self.take_progress(call, opened),
            Kind::Result => self.take_late_result(call, opened, answers),
            _ => self.take_late_failure(call, opened, answers),
        };
        if taken.is_none() {
            self.counters.refuse(Refused::Malformed);
            if let Some(call) = call.filter(|_| ends) {
                let message = "what the realm says of the end of the call does not read";
                let failure = CallFailure::new(FailureCode::Malformed, message);
                self.end_call(call, Err(failure));
            }
        }
        if ends {
            self.acknowledge_end(opened, call.is_some());
        }
    }

    /// Whether a call waits for its end though not for this message: another attempt of it is under
    /// way, or its run stands still since a restart.
    fn waits_yet(&self, header: &Header) -> bool {
        let earlier = self.accepted.earlier.get(&header.call);
        let earlier = earlier.is_some_and(|earlier| earlier.realm == header.source.realm);
        earlier
            || self.calls.get(&header.call).is_some_and(|out| {
                matches!(out.task, Task::Invoke(_)) && out.was_asked_of(&header.source)
            })
    }

    /// The call that waits for this. Which attempt of an accepted call is answered does not matter:
    /// one that was held up may have come last. An end may overtake the Accepted.
    fn awaited(&self, header: &Header, answers: Digest) -> Option<CallId> {
        let call = header.call;
        let out = self.calls.get(&call)?;
        let Task::Invoke(invoke) = &out.task else {
            return None;
        };
        let waits = invoke.accepted.is_some() || out.sent == Some(answers);
        (waits && out.was_asked_of(&header.source)).then_some(call)
    }

    fn take_progress(&mut self, call: Option<CallId>, opened: &Opened) -> Option<()> {
        let progress: Progress = cbor::decode(opened.content()).ok()?;
        let call = call?;
        let acceptance = self.calls.get_mut(&call)?.acceptance_mut()?;
        if acceptance.run == progress.run && acceptance.told < progress.number {
            acceptance.told = progress.number;
            self.stage_told(call, progress.stage);
        }
        Some(())
    }

    fn take_late_result(
        &mut self,
        call: Option<CallId>,
        opened: &Opened,
        answers: Digest,
    ) -> Option<()> {
        let result: CallResult = cbor::decode(opened.content()).ok()?;
        if let Some(call) = call {
            self.hear_late(call, opened, answers);
            self.call_answered(call, result);
        }
        Some(())
    }

    fn take_late_failure(
        &mut self,
        call: Option<CallId>,
        opened: &Opened,
        answers: Digest,
    ) -> Option<()> {
        let failure: Failure = cbor::decode(opened.content()).ok()?;
        if failure.answers != answers {
            return None;
        }
        if let Some(call) = call {
            let failure = self.told_failure(failure, opened.header().source.scope());
            self.hear_late(call, opened, answers);
            self.end_call(call, Err(failure));
        }
        Some(())
    }

    fn hear_late(&mut self, call: CallId, opened: &Opened, answers: Digest) {
        if let Some(out) = self.calls.get_mut(&call) {
            out.heard = Some(opened.digest());
            out.signed = Some(opened.signed());
            out.late = Some(answers);
        }
    }

    fn acknowledge_end(&mut self, opened: &Opened, awaited: bool) {
        let (header, Some(reply_key)) = (opened.header(), opened.reply_key()) else {
            return;
        };
        let content = cbor::encode(&ResultAck { awaited });
        let letter = self.seal_reply(
            (&header.source, header.call, opened.digest()),
            reply_key,
            Kind::ResultAck,
            (&content, limits::BODY_BYTES as u64),
        );
        if let Some(letter) = letter {
            self.launch_when(letter, Release::Durable);
        }
    }

    /// A failure in the clear says that a message was not opened, and so nothing of its run.
    pub(crate) fn not_of_a_run(&self, call: Option<CallId>, failure: &mut CallFailure) {
        let out = call.and_then(|call| self.calls.get(&call));
        if out.is_some_and(|out| matches!(out.task, Task::Status(_))) {
            failure.from = None;
        }
    }
}
