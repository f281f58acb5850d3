//! Runs that outlive the process: what is written down of them, and how they go on.

use std::collections::BTreeMap;

use realm_executor::{Decision, Effects, Restart, Start, Waits};
use realm_protocol::{
    CallId, FailureCode, Now, RunId,
    cbor::CborError,
    journal::{self, Change, Run, Status, Table},
    json::{self, Object},
};

use crate::{
    CallFailure, Node, Refusal, Response,
    audit::Ended,
    people::User,
    serve::Served,
    state::{self, StoredGiven, StoredKey, StoredRun},
    traces::Counted,
};

/// A run that the end of a process broke off.
#[derive(Debug)]
pub(crate) struct BrokenOff {
    pub(crate) run: Run,
    pub(crate) stored: StoredRun,
    /// The index that its next event has.
    pub(crate) events: u64,
    pub(crate) frames: KnownFrames,
}

/// What was written down of a run's frames, or why it does not read.
pub(crate) type KnownFrames = BTreeMap<CallId, Result<journal::FrameRecord, CborError>>;

impl Node {
    pub(crate) fn keep_frame(&mut self, run: RunId, call: CallId, frame: &journal::FrameRecord) {
        self.put(Table::Frames, &frame_row(run, call), state::write(frame));
    }

    pub(crate) fn forget_frames(&mut self, run: RunId, calls: impl IntoIterator<Item = CallId>) {
        for call in calls {
            self.delete(Table::Frames, &frame_row(run, call));
        }
    }

    /// Writes down that a run stands still.
    pub(crate) fn run_paused(&mut self, run: RunId, undecided: bool) {
        if let Some(served) = self.serving.get_mut(run) {
            served.record.status = Status::Paused;
            served.undecided = undecided;
            self.out.change(Change::Run(served.record.clone()));
            self.tell_progress(run);
            self.heed_patience(run);
        }
    }

    /// Writes down that a run goes on.
    pub(crate) fn run_resumed(&mut self, run: RunId) {
        if let Some(served) = self.serving.get_mut(run) {
            served.record.status = Status::Running;
            served.undecided = false;
            self.out.change(Change::Run(served.record.clone()));
            self.tell_progress(run);
        }
    }

    /// Goes on with a run where the end of a process broke it off. Whoever asked asks again, under
    /// the same key, or reads the run's end in its trace.
    pub(crate) fn go_on_with(&mut self, broken_off: BrokenOff) {
        let BrokenOff {
            run: mut record,
            mut stored,
            events,
            frames,
        } = broken_off;
        let run = record.id;
        let calls: Vec<CallId> = frames.keys().copied().collect();
        if stored.input.is_some() {
            record.input.clone_from(&stored.input);
        } else if self.out.redacts() {
            // It began before the rules did, and from now on its record loses what they name.
            stored.input.clone_from(&record.input);
            record.resume = Some(state::write(&stored).into());
        }
        let input = record.input.as_deref().map(json::parse);
        let (Some(Ok(input)), Ok(loop_id)) = (input, record.loop_id.parse()) else {
            return self.cannot_go_on(record, calls, "its input or its loop does not read");
        };
        let known = frames.into_iter().map(|(call, frame)| match frame {
            Ok(frame) => Ok((call, frame)),
            Err(error) => Err(format!(
                "what is written down of its frame {call} does not read: {error}"
            )),
        });
        let known: BTreeMap<CallId, journal::FrameRecord> = match known.collect() {
            Ok(known) => known,
            Err(reason) => return self.cannot_go_on(record, calls, &reason),
        };
        let paused = known.get(&record.call).map_or(0, |root| {
            let still = root.paused.map_or(0, |since| self.now.wall.since(since));
            root.paused_ms.saturating_add(still)
        });
        let until = stored.until.plus(paused);
        let approvals = stored.approvals.take().into_iter().flatten();
        let approvals = approvals.map(realm_executor::ApprovalRule::try_from);
        let Ok(approvals) = approvals.collect() else {
            return self.cannot_go_on(record, calls, "an approval does not read");
        };
        let backend = stored.backend.as_deref().map(str::parse).transpose();
        let Ok(backend) = backend else {
            return self.cannot_go_on(record, calls, "its backend does not read");
        };
        let from = Restart {
            start: Start {
                run,
                call: record.call,
                loop_id,
                version: record.version.clone(),
                input,
                timeout_ms: until.since(self.now.wall),
                depth: stored.depth,
                caller: stored.caller.clone(),
                parent: stored.parent.clone(),
                durable: true,
                // Leased work does not go on: its lease ended with the process.
                work: None,
                stream: false,
                approvals,
                budgets: stored
                    .budgets
                    .iter()
                    .flatten()
                    .map(StoredGiven::given)
                    .collect(),
                backend,
            },
            started: record.started,
            known,
        };
        let pinned = from.known.get(&record.call).and_then(|root| root.manifest);
        let (loop_id, version) = (&from.start.loop_id, from.start.version.as_deref());
        let registered = self
            .registry
            .revision(pinned.as_ref(), record.call, loop_id, version);
        let effects = registered.map_or(Effects::Once, |registered| registered.effects);
        let asker = stored.asker();
        let key = stored.key.map(|row| {
            let key = StoredKey::under_way(run, stored.request, stored.forgotten, effects);
            (row.to_vec(), key)
        });
        record.status = Status::Running;
        let served = Served {
            call: record.call,
            caller: stored.scope,
            key,
            effects,
            responders: Vec::new(),
            accepted: stored.accepted,
            told: 0,
            started: Now {
                wall: record.started,
                tick: self.now.tick,
            },
            policies: stored.policies,
            record: record.clone(),
            events,
            trace: match stored.ordered {
                Some(_) => Counted::Since(events, Vec::new()),
                None => Counted::Not,
            },
            undecided: false,
            stream: None,
            counted: false,
            grants: stored.authority.map_or_else(Vec::new, |it| it.grants),
            asker,
            person: stored.person.clone().or_else(|| stored.caller.clone()),
            parent: stored.parent.as_ref().map(|parent| parent.run),
            ordered: stored.ordered.map(Box::new),
        };
        let is_counted = served.trace != Counted::Not;
        self.serving.insert(run, served);
        if is_counted {
            self.count_again(run);
        }
        let restarted = Object::new().with("reason", "the daemon was restarted");
        self.note_in_run(run, "run.restarted", restarted);
        if let Err(error) = self.executor.restart(from, &self.registry, self.now) {
            self.serving.forget(run);
            self.cannot_go_on(record, calls, &error.to_string());
        }
    }

    /// A run that should go on after a restart, and cannot, has ended.
    pub(crate) fn cannot_go_on(&mut self, record: Run, frames: Vec<CallId>, reason: &str) {
        self.forget_frames(record.id, frames);
        self.forget_earlier(record.id);
        let why = format!("it cannot go on after a restart: {reason}");
        let stored = record.resume.as_deref().map(state::read::<StoredRun>);
        let stored = stored.and_then(Result::ok);
        let (accepted, person) = stored
            .map(|it| (it.accepted, it.person))
            .unwrap_or_default();
        for caller in accepted {
            let failure = CallFailure::new(FailureCode::LoopFailed, why.clone());
            self.deliver_end(record.id, caller, (None, &Err(failure)));
        }
        let record = Run {
            output: Some(why.into_bytes().into()),
            ..record
        };
        self.end_broken_off(record, person);
    }

    /// A run that the end of the process broke off has ended, which somebody here may have asked for.
    pub(crate) fn end_broken_off(&mut self, record: Run, person: Option<String>) {
        let record = Run {
            status: Status::Failed,
            ended: Some(self.now.wall),
            error: Some("Interrupted".to_owned()),
            resume: None,
            erased: None,
            ..record
        };
        let ended = Ended {
            person,
            ..Ended::default()
        };
        self.out.run(record, ended);
    }

    /// How many events the trace of a run under way has so far; none if it is not under way.
    pub fn events_of(&self, run: RunId) -> Option<u64> {
        self.serving.get(run).map(|served| served.events)
    }

    /// What a run here waits for; nothing if it is not under way here.
    pub fn waits_of(&self, run: RunId) -> Vec<Waits> {
        let frames = self.executor.waits_of(run, self.now);
        frames.into_iter().chain(self.undecided_of(run)).collect()
    }

    pub(crate) fn pause_run(&mut self, run: RunId) -> Result<Response, Refusal> {
        match self.executor.pause(run, "paused by the owner", self.now) {
            true => Ok(Response::Done),
            false => Err(no_run(run)),
        }
    }

    pub(crate) fn resume_run(
        &mut self,
        run: RunId,
        decision: Option<Decision>,
    ) -> Result<Response, Refusal> {
        let resumed = self
            .executor
            .resume(run, decision, &self.registry, self.now);
        match resumed {
            Ok(()) => Ok(Response::Done),
            Err(realm_executor::ResumeError::NotFound) => Err(no_run(run)),
            Err(error) => Err(error.into()),
        }
    }
}

impl StoredRun {
    /// Who of this realm asked.
    pub(crate) fn asker(&self) -> Option<User> {
        let (name, roles) = (self.person.as_ref()?, self.roles.as_ref()?);
        Some(User::of(name, roles.iter().copied().collect()))
    }
}

/// Nothing of that run is under way here.
pub(crate) fn no_run(run: RunId) -> Refusal {
    Refusal::NotFound {
        what: "run under way",
        name: run.to_string(),
    }
}

/// The key of a frame's row: the run, then the call.
fn frame_row(run: RunId, call: CallId) -> Vec<u8> {
    [run.as_bytes().as_slice(), call.as_bytes()].concat()
}
