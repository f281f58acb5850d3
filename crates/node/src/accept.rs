//! Calls from elsewhere that take long: accepted, so that nobody need wait for them on a link.

use realm_crypto::Opened;
use realm_executor::WaitingFor;
use realm_protocol::{
    CallId, FailureCode, Kind, Priority, RealmId, RunId, Timestamp, cbor,
    journal::{Change, Status},
    json::Object,
    limits,
    message::{Accepted, Progress, Stage, StatusAsked},
};

use crate::{
    CallFailure, Node,
    answer::{Remote, Responder, failure_body},
    attempt::Request,
    outbound::Task,
    relay::Release,
    serve::Served,
    state::{self, AcceptedCaller, StoredRun},
    timers::Timer,
};

/// When a call that there was no room for may be accepted after all, milliseconds.
const ROOM_MS: u64 = 60_000;

impl Remote {
    fn to_accepted(&self) -> AcceptedCaller {
        AcceptedCaller {
            source: self.source.clone(),
            call: self.call,
            header: self.digest,
            contract: self.contract,
            max_reply: self.max_reply,
            hops: self.hops,
        }
    }
}

impl AcceptedCaller {
    /// Whether it is this call of that realm's.
    pub(crate) fn is_of(&self, call: CallId, realm: Option<RealmId>) -> bool {
        self.call == call && self.source.realm == realm
    }
}

impl Node {
    /// Sees to it that those who wait elsewhere for a run are told when it takes long, or at once
    /// where that is known.
    pub(crate) fn accept_later(&mut self, run: RunId) {
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let waits = served.record.resume.is_some()
            && served.responders.iter().any(Responder::takes_accepted);
        if !waits {
            return;
        }
        let still = served.record.status == Status::Paused;
        let at = match still || !served.accepted.is_empty() {
            true => self.now.tick,
            false => served.started.tick.plus(limits::ACCEPT_AFTER_MS),
        };
        self.timers.set_earlier(Timer::Accept(run), at);
    }

    /// Accepts the calls that wait for a run: written down, then told. Where there is no room they
    /// wait on.
    pub(crate) fn accept(&mut self, run: RunId) {
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let waiting = std::mem::take(&mut served.responders);
        let mut callers = Vec::new();
        for responder in waiting {
            match responder {
                Responder::Remote(remote) if remote.takes_accepted => callers.push(remote),
                other => self.keep_responder(run, other),
            }
        }
        let mut accepted = Vec::new();
        for remote in callers {
            if self.has_room_for(run, &remote) {
                accepted.extend(self.note_caller(run, &remote).then_some(remote));
            } else {
                self.keep_responder(run, Responder::Remote(remote));
                let again = self.now.tick.plus(ROOM_MS);
                self.timers.set(Timer::Accept(run), again);
            }
        }
        let Some(body) = self.accepted_body(run) else {
            return;
        };
        for remote in accepted {
            let payload = Object::new()
                .with("header", &remote.digest)
                .with("by", &self.name_of(&remote.source.scope()));
            self.note_in_run(run, "call.accepted", payload);
            self.reply(
                &remote,
                Kind::Accepted,
                &cbor::encode(&body),
                Release::Durable,
            );
        }
    }

    fn keep_responder(&mut self, run: RunId, responder: Responder) {
        if let Some(served) = self.serving.get_mut(run) {
            served.responders.push(responder);
        }
    }

    /// Whether another call may be accepted; one that is already, may be again.
    fn has_room_for(&self, run: RunId, remote: &Remote) -> bool {
        let served = self.serving.get(run);
        let again = served.is_some_and(|served| {
            let mut accepted = served.accepted.iter();
            accepted.any(|caller| caller.is_of(remote.call, remote.source.realm))
        });
        let root = remote.source.root;
        let ends = self.calls.values().filter_map(|out| match &out.task {
            Task::Deliver(delivery) => Some(&delivery.to),
            _ => None,
        });
        let (mut all, mut of_root) = (0_usize, 0_usize);
        for caller in self.serving.accepted().chain(ends) {
            all = all.saturating_add(1);
            of_root = of_root.saturating_add(usize::from(caller.source.root == root));
        }
        let foreign = root != self.me.root();
        again || all < limits::ACCEPTED && (!foreign || of_root < limits::ACCEPTED_SHARE)
    }

    /// Writes down with a run that this caller is to be told its end; false if the run does not
    /// outlive the process.
    fn note_caller(&mut self, run: RunId, remote: &Remote) -> bool {
        self.change_accepted(run, |accepted| {
            accepted.retain(|caller| !caller.is_of(remote.call, remote.source.realm));
            accepted.push(remote.to_accepted());
        })
    }

    /// A caller takes back a call that was accepted.
    pub(crate) fn drop_accepted(&mut self, run: RunId, call: CallId, realm: Option<RealmId>) {
        self.change_accepted(run, |accepted| {
            accepted.retain(|caller| !caller.is_of(call, realm));
        });
    }

    /// Writes down anew who is to be told the end of a run.
    fn change_accepted(
        &mut self,
        run: RunId,
        change: impl FnOnce(&mut Vec<AcceptedCaller>),
    ) -> bool {
        let Some(served) = self.serving.get_mut(run) else {
            return false;
        };
        let Some(mut stored) = stored_run(served) else {
            return false;
        };
        change(&mut stored.accepted);
        served.record.resume = Some(state::write(&stored).into());
        served.accepted = stored.accepted;
        self.out.change(Change::Run(served.record.clone()));
        true
    }

    fn accepted_body(&self, run: RunId) -> Option<Accepted> {
        let served = self.serving.get(run)?;
        let loop_id = served.record.loop_id.parse().ok()?;
        let version = served.record.version.as_deref();
        let registered = self.registry.find(&loop_id, version);
        Some(Accepted {
            run,
            contract: registered.map(|registered| registered.contract),
            until: stored_run(served).map_or(Timestamp::default(), |stored| stored.until),
            stage: self.stage_of(run, served),
        })
    }

    fn stage_of(&self, run: RunId, served: &Served) -> Stage {
        if served.record.status == Status::Paused {
            return Stage::Paused;
        }
        let waits = self.executor.waits_of(run, self.now);
        let timed = |on: &WaitingFor| matches!(on, WaitingFor::Time(_));
        if !waits.is_empty() && waits.iter().all(|waits| timed(&waits.on)) {
            Stage::Waiting
        } else {
            Stage::Running
        }
    }

    /// A run stands still, or goes on: those whose calls it serves hear so.
    pub(crate) fn tell_progress(&mut self, run: RunId) {
        self.accept_later(run);
        let wall = self.now.wall;
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        if served.accepted.is_empty() {
            return;
        }
        served.told = served.told.saturating_add(1).max(wall.as_millis());
        let number = served.told;
        let callers = served.accepted.clone();
        let Some(stage) = self
            .serving
            .get(run)
            .map(|served| self.stage_of(run, served))
        else {
            return;
        };
        let content = cbor::encode(&Progress { run, number, stage });
        for caller in callers {
            self.send_progress(&caller, &content);
        }
    }

    /// Lost without harm: the caller asks now and then.
    fn send_progress(&mut self, caller: &AcceptedCaller, content: &[u8]) {
        let now = self.now;
        let chain = self.trust.chain(&caller.source.scope(), now.wall).cloned();
        let chain = chain.filter(|chain| Some(chain.realm()) == caller.source.realm);
        let known = chain.and_then(|chain| chain.kem_at(now.wall).cloned().map(|kem| (chain, kem)));
        let Some((chain, kem)) = known else { return };
        let request = Request {
            kind: Kind::Progress,
            destination: chain.place(),
            created: now.wall,
            ttl_ms: limits::CALL_MS,
            call: caller.call,
            answers: Some(caller.header),
            priority: Priority::Normal,
            max_reply: 0,
            receipt: None,
            content,
        };
        let way = self.sessions.way(kem.node, now.tick);
        if let Ok((letter, _)) = self.seal_request(&kem, way, &request) {
            self.launch(letter);
        }
    }

    /// Says how a run stands to the realm whose call it serves; to all others it is unknown.
    pub(crate) fn answer_status(&mut self, opened: &Opened, asked: StatusAsked) {
        let header = opened.header();
        let (call, realm, run) = (header.call, header.source.realm, asked.run);
        let served = self.serving.get(run).filter(|served| {
            let mut accepted = served.accepted.iter();
            accepted.any(|caller| caller.is_of(call, realm))
        });
        let body = match served {
            Some(_) => self.accepted_body(run),
            None => self.end_is_due(run, call, realm),
        };
        let Some(reply_key) = opened.reply_key() else {
            return;
        };
        let (kind, content) = match body {
            Some(body) => (Kind::Accepted, cbor::encode(&body)),
            None => {
                let unknown = CallFailure::new(FailureCode::Expired, "no such call is known");
                let body = failure_body(&unknown, opened.digest());
                (Kind::Failure, cbor::encode(&body))
            }
        };
        let letter = self.seal_reply(
            (&header.source, call, opened.digest()),
            reply_key,
            kind,
            (&content, limits::BODY_BYTES as u64),
        );
        if let Some(letter) = letter {
            self.launch(letter);
        }
    }
}

pub(crate) fn stored_run(served: &Served) -> Option<StoredRun> {
    state::read(served.record.resume.as_deref()?).ok()
}
