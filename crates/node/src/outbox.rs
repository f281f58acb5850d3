//! Write before promise: effects that rest on the journal wait until it is durable.

use std::collections::VecDeque;

use realm_crypto::{Letter, SigningKey, sign_flush};
use realm_policy::Redaction;
use realm_protocol::audit::AuditNote;
use realm_protocol::{
    CallId, Digest,
    cbor::Blob,
    journal::{Change, Entry, Event, JournalSeq, Run},
    json,
    link::Frame,
};
use realm_router::LinkId;
use serde_json::Value;

use crate::{
    Effect, Refusal, Response, Urgency,
    audit::{self, AuditLog, Ended},
};

/// Collects one turn's changes and effects, and holds promises back until they are covered.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Effect>,
    /// Sealed and released; signed together when the effects are polled.
    letters: Vec<(LinkId, Letter)>,
    /// Promises by the entry they rest on; at most what the bounded work in flight can make.
    held: VecDeque<(JournalSeq, Promise)>,
    changes: Vec<Change>,
    promises: Vec<Promise>,
    last: JournalSeq,
    durable: JournalSeq,
    failed: bool,
    redaction: Redaction,
    audit: AuditLog,
}

/// What waits for the journal.
#[derive(Debug)]
enum Promise {
    Effect(Box<Effect>),
    Letter(LinkId, Box<Letter>),
}

impl Outbox {
    pub(crate) fn new(last: JournalSeq, redaction: Redaction, audit: AuditLog) -> Self {
        Self {
            last,
            durable: last,
            redaction,
            audit,
            ..Self::default()
        }
    }

    /// Adds a change to this turn's entry. What the owner wants nobody to read later is taken out
    /// of runs and events here, before anything is written.
    /// The end of a run gets an entry in the audit log.
    pub(crate) fn change(&mut self, change: Change) {
        let change = match change {
            Change::Run(run) => return self.run(run, Ended::default()),
            Change::Event(event) => Change::Event(self.as_written(event)),
            change => change,
        };
        self.changes.push(change);
    }

    /// An event as it is written down.
    pub(crate) fn as_written(&self, event: Event) -> Event {
        match self.redaction.is_empty() {
            true => event,
            false => self.redacted_event(event),
        }
    }

    /// Adds an event that is as it is written down.
    pub(crate) fn event(&mut self, written: Event) {
        self.changes.push(Change::Event(written));
    }

    /// Writes down where a run stands; where it has ended, with more for the audit log than the run
    /// itself says.
    pub(crate) fn run(&mut self, run: Run, ended: Ended) {
        let run = match self.redaction.is_empty() {
            true => run,
            false => self.redacted_run(run),
        };
        if run.ended.is_some() {
            self.audit(audit::of_run(&run, ended));
        }
        self.changes.push(Change::Run(run));
    }

    /// Adds an entry to the audit log.
    pub(crate) fn audit(&mut self, note: AuditNote) {
        let change = self.audit.note(note);
        self.changes.push(change);
    }

    pub(crate) fn log(&mut self) -> &mut AuditLog {
        &mut self.audit
    }

    pub(crate) fn log_ref(&self) -> &AuditLog {
        &self.audit
    }

    /// Whether runs are written down without what a restart may need of them.
    pub(crate) fn redacts(&self) -> bool {
        !self.redaction.is_empty()
    }

    fn redacted_run(&self, run: Run) -> Run {
        let redacted = |blob: Option<Blob>| blob.map(|blob| self.redacted(&blob));
        Run {
            input: redacted(run.input),
            output: redacted(run.output),
            ..run
        }
    }

    /// Paths are those of an input or output; patterns are looked for everywhere.
    fn redacted_event(&self, event: Event) -> Event {
        let Ok(mut payload) = json::parse(&event.payload) else {
            return event;
        };
        for name in ["input", "output"] {
            if let Some(data) = payload.get_mut(name) {
                self.redaction.apply(data);
            }
        }
        self.redaction.apply(&mut payload);
        Event {
            payload: Blob::from(json::to_bytes(&payload)),
            ..event
        }
    }

    /// A failed run's output is a message.
    fn redacted(&self, data: &[u8]) -> Blob {
        match json::parse(data) {
            Ok(mut value) => {
                self.redaction.apply(&mut value);
                json::to_bytes(&value).into()
            }
            Err(_) => {
                let mut text = Value::from(String::from_utf8_lossy(data));
                self.redaction.apply(&mut text);
                let text = text.as_str().unwrap_or_default();
                text.as_bytes().to_vec().into()
            }
        }
    }

    /// Releases an effect that promises nothing.
    pub(crate) fn emit(&mut self, effect: Effect) {
        self.ready.push_back(effect);
    }

    /// Releases an effect once everything recorded so far, this turn included, is durable.
    pub(crate) fn promise(&mut self, effect: Effect) {
        self.promises.push(Promise::Effect(Box::new(effect)));
    }

    /// Sends a letter that promises nothing.
    pub(crate) fn post(&mut self, link: LinkId, letter: Letter) {
        self.letters.push((link, letter));
    }

    /// Sends a letter once everything recorded so far, this turn included, is durable.
    pub(crate) fn post_promise(&mut self, link: LinkId, letter: Letter) {
        self.promises.push(Promise::Letter(link, Box::new(letter)));
    }

    /// Takes back a backend call that has not been released; false if it has been.
    pub(crate) fn withdraw(&mut self, call: CallId) -> bool {
        let is_meant =
            |effect: &Effect| matches!(effect, Effect::CallBackend(of, _) if *of == call);
        let before = self.ready.len();
        self.ready.retain(|effect| !is_meant(effect));
        self.withdraw_where(|promise| matches!(promise, Promise::Effect(it) if is_meant(it)))
            || self.ready.len() < before
    }

    /// Drops every letter that would begin work elsewhere and has not left: this realm is halted.
    pub(crate) fn stop_work(&mut self) {
        let begins = |letter: &Letter| letter.header().kind.begins_work();
        self.letters.retain(|(_, letter)| !begins(letter));
        self.withdraw_where(|promise| matches!(promise, Promise::Letter(_, it) if begins(it)));
    }

    /// Takes back a letter that waits for the journal; false if it has left.
    pub(crate) fn withdraw_letter(&mut self, digest: Digest) -> bool {
        self.withdraw_where(
            |promise| matches!(promise, Promise::Letter(_, letter) if letter.digest() == digest),
        )
    }

    /// Takes back the promises of this turn and of those before that are meant; false if none are.
    fn withdraw_where(&mut self, is_meant: impl Fn(&Promise) -> bool) -> bool {
        let before = self.promises.len().saturating_add(self.held.len());
        self.promises.retain(|promise| !is_meant(promise));
        self.held.retain(|(_, promise)| !is_meant(promise));
        before > self.promises.len().saturating_add(self.held.len())
    }

    /// Ends the turn: its changes become one entry, its promises wait for it.
    fn end_turn(&mut self, signer: &SigningKey) {
        if !self.failed {
            let head = self.audit.sign(signer);
            self.changes.extend(head);
        }
        if !self.changes.is_empty() {
            self.last = JournalSeq(self.last.0.saturating_add(1));
            let entry = Entry {
                changes: std::mem::take(&mut self.changes),
            };
            let urgency = if self.promises.is_empty() {
                Urgency::Soon
            } else {
                Urgency::Now
            };
            self.ready
                .push_back(Effect::Record(self.last, entry, urgency));
        }
        for promise in std::mem::take(&mut self.promises) {
            if self.failed {
                self.ready.extend(broken(promise));
            } else if self.last <= self.durable {
                self.release(promise);
            } else {
                self.held.push_back((self.last, promise));
            }
        }
    }

    /// The entry that this turn's changes will be; what is promised in this turn waits for it.
    pub(crate) fn next_entry(&self) -> JournalSeq {
        JournalSeq(self.last.0.saturating_add(1))
    }

    /// Releases the promises that rest on nothing later than `seq`.
    pub(crate) fn persisted(&mut self, seq: JournalSeq) {
        self.durable = self.durable.max(seq);
        while self
            .held
            .front()
            .is_some_and(|(rests_on, _)| *rests_on <= self.durable)
        {
            if let Some((_, promise)) = self.held.pop_front() {
                self.release(promise);
            }
        }
    }

    fn release(&mut self, promise: Promise) {
        match promise {
            Promise::Effect(effect) => self.ready.push_back(*effect),
            Promise::Letter(link, letter) => self.post(link, *letter),
        }
    }

    /// Nothing will be durable any more: local requests hear so, other promises are dropped.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
        let held = std::mem::take(&mut self.held);
        self.ready
            .extend(held.into_iter().filter_map(|(_, promise)| broken(promise)));
    }

    /// The entry that this turn's changes go into, and the last durable one.
    pub(crate) fn position(&self) -> (JournalSeq, JournalSeq) {
        (JournalSeq(self.last.0.saturating_add(1)), self.durable)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn is_idle(&self) -> bool {
        let begun = !self.changes.is_empty() || !self.promises.is_empty();
        !begun && self.ready.is_empty() && self.letters.is_empty() && self.held.is_empty()
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// The next effect. Letters come last and are signed here: those that were released since
    /// the last time share one signature.
    pub(crate) fn next(&mut self, signer: &SigningKey) -> Option<Effect> {
        self.end_turn(signer);
        if self.ready.is_empty() && !self.letters.is_empty() {
            let (links, letters): (Vec<LinkId>, Vec<Letter>) =
                std::mem::take(&mut self.letters).into_iter().unzip();
            let envelopes = sign_flush(signer, letters).into_iter();
            let frames = envelopes.map(|envelope| Frame::Envelope(envelope).encode());
            self.ready.extend(
                links
                    .into_iter()
                    .zip(frames)
                    .map(|(link, frame)| Effect::Send(link, frame)),
            );
        }
        self.ready.pop_front()
    }
}

/// What becomes of a promise that can no longer be kept.
fn broken(promise: Promise) -> Option<Effect> {
    match promise {
        Promise::Effect(effect) => match *effect {
            Effect::Respond(id, _) => {
                Some(Effect::Respond(id, Response::Refused(Refusal::StoreFailed)))
            }
            _ => None,
        },
        Promise::Letter(..) => None,
    }
}
