//! What is run here, and who waits for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use realm_executor::{BackendChoice, Effects, Given};
use realm_protocol::{
    BroadcastId, CallId, Digest, GrantId, LoopId, Now, RealmId, RunId, Scope, Timestamp,
    journal::{Direction, JournalSeq, Run, Status},
    json,
    message::{PolicyUse, TraceParent},
};
use serde_json::Value;

use crate::{
    ControlId, LookId,
    answer::Responder,
    grants::Shown,
    people::User,
    receipts::Ordered,
    state::{AcceptedCaller, StoredKey, key_row},
    streams::Stream,
    traces::Counted,
};

/// Answers kept in memory until the store is sure to have them.
const RECENT: usize = 64;
/// Bytes of answers kept beyond what is not durable yet.
const RECENT_BYTES: usize = 1024 * 1024;
/// Callers that wait for one run; one more is `Overloaded`.
pub(super) const RESPONDERS: usize = 64;

/// Everything that is run here.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    pub(super) runs: BTreeMap<RunId, Served>,
    /// Keys under way: looked up, waiting for their turn, or running.
    pub(super) keys: BTreeMap<Vec<u8>, KeyState>,
    /// Calls whose key is looked up, or that wait for their turn.
    pub(super) looks: BTreeMap<LookId, Looking>,
    pub(super) recent: BTreeMap<Vec<u8>, StoredKey>,
    /// In the order they came, each with the entry it is written in.
    recent_bytes: usize,
    recent_order: VecDeque<(JournalSeq, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum KeyState {
    Looking(LookId),
    Running(RunId),
}

#[derive(Debug)]
pub(super) struct Looking {
    pub(super) incoming: Incoming,
    pub(super) others: Vec<Incoming>,
}

/// A run under way, and who waits for it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) call: CallId,
    pub(crate) caller: Scope,
    pub(crate) key: Option<(Vec<u8>, StoredKey)>,
    pub(crate) effects: Effects,
    pub(crate) responders: Vec<Responder>,
    /// Callers elsewhere whose calls were accepted.
    pub(crate) accepted: Vec<AcceptedCaller>,
    /// The number of the latest Progress that they were told.
    pub(crate) told: u64,
    pub(crate) started: Now,
    pub(crate) policies: Vec<PolicyUse>,
    pub(crate) record: Run,
    /// Events of the run's trace so far, the executor's and the node's own.
    pub(crate) events: u64,
    /// What they come to, for the receipt.
    pub(crate) trace: Counted,
    /// Whether it stands still until a person says what a call did whose outcome is unknown.
    pub(crate) undecided: bool,
    /// Who asked, as the caller's realm says.
    pub(crate) person: Option<String>,
    /// Who of this realm asked; a person with the roles they had then.
    pub(crate) asker: Option<User>,
    /// The caller's run.
    pub(crate) parent: Option<RunId>,
    /// What a caller elsewhere has signed of the call.
    pub(crate) ordered: Option<Box<Ordered>>,
    /// What it shows of its output while it runs, to those who want to see it.
    pub(crate) stream: Option<Stream>,
    /// Whether it counts as a use of a grant, which must outlive the answer.
    pub(crate) counted: bool,
    /// Where the grants are kept that it goes by, as far as they are.
    pub(crate) grants: Vec<GrantId>,
}

/// A call to be run here.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) responder: Responder,
    pub(super) call: CallId,
    pub(super) caller: Scope,
    pub(super) caller_realm: RealmId,
    pub(super) loop_id: LoopId,
    pub(super) version: Option<String>,
    pub(super) input: Value,
    pub(super) key: Option<(Digest, Timestamp)>,
    pub(super) timeout_ms: u64,
    pub(super) depth: u64,
    pub(super) caller_name: Option<String>,
    /// Who of this realm asks.
    pub(super) asker: Option<User>,
    pub(super) parent: Option<TraceParent>,
    pub(super) direction: Direction,
    /// The run of this realm's own broadcast that it is a part of.
    pub(super) part_of: Option<RunId>,
    /// Whether nobody waits for it.
    pub(super) detached: bool,
    /// How long it waited for its turn, milliseconds.
    pub(super) waited_ms: u64,
    /// Where it is leased work: of which broadcast, and what names the work of the slot, whoever
    /// holds it; its announcer cannot name another's.
    pub(super) work: Option<(BroadcastId, Digest)>,
    /// What it may use, by everybody who bounds it.
    pub(super) budgets: Vec<Given>,
    /// People of the caller's realm who have approved exactly this call, and until when that is good.
    pub(super) approved_by: BTreeMap<String, Timestamp>,
    /// What was believed of realms when it came, where it came from one.
    pub(super) epoch: u64,
    /// Whom its prompts ask instead of their own backends.
    pub(super) backend: Option<BackendChoice>,
    /// The grants that it goes by.
    pub(super) grants: Option<Box<Shown>>,
}

/// How many calls there are. Those that were accepted, and runs that stand still, have bounds of their own: they may last
/// for days.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Runs and looks under way, accepted ones too.
    pub(crate) under_way: usize,
    /// Those whose callers stand on one side, without accepted ones.
    pub(crate) of_side: usize,
    /// Runs that stand still.
    pub(crate) paused: usize,
    /// Those of them whose callers stand on that side.
    pub(crate) paused_of_side: usize,
}

impl Serving {
    /// Whether it is being found out what became of a key.
    pub(crate) fn is_looking(&self) -> bool {
        !self.looks.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len().saturating_add(self.waiting().count())
    }

    /// Runs and looks under way, but for runs that stand still.
    pub(crate) fn under_way(&self) -> usize {
        self.taken(&|_| false).under_way
    }

    /// Calls that wait for what is looked up, or for their turn.
    fn waiting(&self) -> impl Iterator<Item = &Incoming> {
        self.looks.values().flat_map(Looking::all)
    }

    /// What is taken, in all and by callers on one side.
    pub(crate) fn taken(&self, on_side: &impl Fn(&Scope) -> bool) -> Taken {
        let mut taken = Taken::default();
        for served in self.runs.values() {
            let of_side = usize::from(on_side(&served.caller));
            if served.record.status == Status::Paused {
                taken.paused += 1;
                taken.paused_of_side += of_side;
                continue;
            }
            taken.under_way += 1;
            if served.accepted.is_empty() {
                taken.of_side += of_side;
            }
        }
        for incoming in self.waiting() {
            taken.under_way += 1;
            taken.of_side += usize::from(on_side(&incoming.caller));
        }
        taken
    }

    /// Whether the message with this header is being served.
    pub(crate) fn is_serving(&self, header: Digest) -> bool {
        let runs = self
            .runs
            .values()
            .flat_map(|served| served.responders.iter());
        let waiting = self.waiting().map(|incoming| &incoming.responder);
        let mut received = runs.chain(waiting).filter_map(Responder::received);
        received.any(|(digest, _)| digest == header)
    }

    /// Whether a caller of this root is shown the output of a run.
    pub(crate) fn watches_from(&self, root: RealmId) -> bool {
        let mut streams = self
            .runs
            .values()
            .filter_map(|served| served.stream.as_ref());
        streams.any(|stream| stream.has_watcher_of(root))
    }

    /// The run that this request alone waits for, if it is one whose output it is shown.
    pub(crate) fn waited_for_alone(&self, control: ControlId) -> Option<RunId> {
        let mut runs = self.runs.iter();
        let found = runs.find(|(_, served)| {
            let alone = served.accepted.is_empty() && served.responders.len() == 1;
            let mut responders = served.responders.iter();
            alone && responders.any(|held| held.is_streamed_to(control))
        });
        found.map(|(run, _)| *run)
    }

    /// Takes up a run that a restart goes on with.
    pub(crate) fn insert(&mut self, run: RunId, served: Served) {
        if let Some((row, _)) = &served.key {
            self.keys.insert(row.clone(), KeyState::Running(run));
        }
        self.runs.insert(run, served);
    }

    /// Forgets a run that could not go on.
    pub(crate) fn forget(&mut self, run: RunId) {
        if let Some((row, _)) = self.runs.remove(&run).and_then(|served| served.key) {
            self.keys.remove(&row);
        }
    }

    /// The callers elsewhere whose calls were accepted and run.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &AcceptedCaller> {
        self.runs.values().flat_map(|served| &served.accepted)
    }

    /// The runs that somebody waits for who is meant.
    pub(crate) fn runs_that(&self, is_meant: impl Fn(&Responder) -> bool) -> Vec<RunId> {
        let meant = self.runs.iter();
        let meant = meant.filter(|(_, served)| served.responders.iter().any(&is_meant));
        meant.map(|(run, _)| *run).collect()
    }

    pub(crate) fn get(&self, run: RunId) -> Option<&Served> {
        self.runs.get(&run)
    }

    pub(crate) fn get_mut(&mut self, run: RunId) -> Option<&mut Served> {
        self.runs.get_mut(&run)
    }

    /// Every run under way here.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RunId, &Served)> {
        self.runs.iter()
    }

    /// Where the grants are kept that runs go by.
    pub(crate) fn grants(&self) -> BTreeSet<GrantId> {
        let runs = self.runs.values();
        runs.flat_map(|served| &served.grants).copied().collect()
    }

    /// The runs under way.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RunId> {
        self.runs.keys().copied()
    }

    pub(crate) fn has(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    /// Keeps an answer that entry `seq` writes down. What is not durable yet is never forgotten:
    /// the store could not tell it.
    pub(crate) fn keep_recent(
        &mut self,
        row: Vec<u8>,
        key: StoredKey,
        (seq, durable): (JournalSeq, JournalSeq),
    ) {
        let bytes = |key: &StoredKey| key.answer.as_ref().map_or(0, |answer| answer.content.len());
        self.recent_bytes = self.recent_bytes.saturating_add(bytes(&key));
        if let Some(older) = self.recent.insert(row.clone(), key) {
            self.recent_bytes = self.recent_bytes.saturating_sub(bytes(&older));
            // It counts from the entry that writes it now.
            self.recent_order.retain(|(_, other)| *other != row);
        }
        self.recent_order.push_back((seq, row));
        while (self.recent_order.len() > RECENT || self.recent_bytes > RECENT_BYTES)
            && let Some((seq, _)) = self.recent_order.front()
            && *seq <= durable
            && let Some((_, oldest)) = self.recent_order.pop_front()
        {
            let gone = self.recent.remove(&oldest);
            let bytes = gone.as_ref().map_or(0, bytes);
            self.recent_bytes = self.recent_bytes.saturating_sub(bytes);
        }
    }
}

impl Looking {
    fn all(&self) -> impl Iterator<Item = &Incoming> {
        std::iter::once(&self.incoming).chain(&self.others)
    }

    /// Lets another call wait for the same. One that asks again waits once, under its newest message; what
    /// does not fit is given back.
    pub(super) fn join(&mut self, incoming: Incoming) -> Result<(), Responder> {
        let digest = incoming.request_digest();
        let again = |held: &&mut Incoming| {
            held.responder.is_of(&incoming.responder) && held.request_digest() == digest
        };
        let full = self.others.len() >= RESPONDERS;
        let mut all = std::iter::once(&mut self.incoming).chain(&mut self.others);
        match all.find(again) {
            Some(held) => held.responder = incoming.responder,
            None if full => return Err(incoming.responder),
            None => self.others.push(incoming),
        }
        Ok(())
    }

    /// Whether such a call waits for it.
    pub(super) fn has(&self, is_its: impl Fn(&Responder) -> bool) -> bool {
        self.all().any(|held| is_its(&held.responder))
    }

    /// Takes calls out; gives them, and the rest, if others wait. They keep the turn.
    pub(super) fn leave(
        self,
        is_its: impl Fn(&Responder) -> bool,
    ) -> (Vec<Incoming>, Option<Self>) {
        let waited_ms = self.incoming.waited_ms;
        let all = std::iter::once(self.incoming).chain(self.others);
        let (gone, rest) = all.partition::<Vec<_>, _>(|held| is_its(&held.responder));
        let mut rest = rest.into_iter();
        let left = rest.next().map(|incoming| Self {
            incoming: Incoming {
                waited_ms,
                ..incoming
            },
            others: rest.collect(),
        });
        (gone, left)
    }
}

impl Served {
    /// Lets another caller wait for the answer. A call that asks again waits once, under its
    /// newest message; what does not fit is given back.
    pub(super) fn join(&mut self, responder: Responder) -> Result<(), Responder> {
        let full = self.responders.len() >= RESPONDERS;
        let mut held = self.responders.iter_mut();
        match held.find(|held| held.is_of(&responder)) {
            Some(held) => *held = responder,
            None if full => return Err(responder),
            None => self.responders.push(responder),
        }
        Ok(())
    }
}

impl Incoming {
    /// How many people of the caller's realm have approved it, as far as that is good.
    pub(super) fn approved_at(&self, now: Timestamp) -> u64 {
        let until = self.approved_by.values();
        until.filter(|until| **until > now).count() as u64
    }

    /// The row of its idempotency key.
    pub(super) fn key_row(&self) -> Option<Vec<u8>> {
        let (key, _) = self.key.as_ref()?;
        Some(key_row(self.caller_realm, key))
    }

    /// What an idempotency key stands for: loop, version and input, and another backend where one is named.
    pub(super) fn request_digest(&self) -> Digest {
        self.request_digest_with(&json::to_bytes(&self.input))
    }

    /// The same, with the input as it is written.
    pub(super) fn request_digest_with(&self, input: &[u8]) -> Digest {
        let version = self.version.as_deref().unwrap_or_default();
        let request = Digest::of(&[
            self.loop_id.as_str().as_bytes(),
            &[0],
            version.as_bytes(),
            &[0],
            input,
        ]);
        match &self.backend {
            Some(backend) => Digest::of(&[request.as_bytes(), backend.to_string().as_bytes()]),
            None => request,
        }
    }
}
