//! One loop that runs inside a run.

use std::sync::Arc;

use realm_protocol::{
    CallId, Digest, LoopAddress, LoopId, Now, RunId, Tick, Timestamp,
    budget::{Budget, Spend},
    journal::Consent,
    json::{self as strict},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{account::Account, action::Cost};
use crate::{
    ApprovalRule, Effects, Manifest, Pin, Registered, Retry, Route, ToolResult, Turn,
    mapping::{Binding, Scope},
    question::Interview,
    states::{Changes, Held},
};

/// Domain of the digests that frames are named by.
const FRAME_TAG: &[u8] = b"realm/1/frame";
/// Domain of the keys under which tools are asked.
const WORK_TAG: &[u8] = b"realm/1/work";

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) call: CallId,
    pub(super) parent: Option<Place>,
    pub(super) subject: Subject,
    /// What its loop was called by.
    pub(super) called: LoopId,
    pub(super) input: Value,
    pub(super) began: Began,
    /// When the attempt under way began.
    pub(super) tried: Timestamp,
    /// Milliseconds for one attempt.
    pub(super) timeout_ms: u64,
    pub(super) deadline: Tick,
    pub(super) depth: u64,
    /// Which attempt is under way, from 1.
    pub(super) attempt: u64,
    /// What its caller says of attempts; none for what the loop says.
    pub(super) retry: Option<Retry>,
    /// What its caller lets it and all below it use.
    pub(super) budget: Option<Box<(LoopId, Budget)>>,
    /// What people are asked for before it begins.
    pub(super) approvals: Vec<ApprovalRule>,
    /// How it stands with that.
    pub(super) consent: Option<Consent>,
    /// What it would use, where people are asked about that.
    pub(super) spending: Option<Spending>,
    pub(super) waiting: Waiting,
    /// When somebody was asked whose answer is not known; another realm, when it was asked first: all
    /// attempts have one key, and it is as old as the first.
    pub(super) asked: Option<Timestamp>,
    /// Whether an earlier attempt may have begun whose outcome is not known.
    pub(super) doubtful: bool,
    /// When the pause before the next attempt ends.
    pub(super) due: Option<Timestamp>,
    pub(super) progress: Progress,
    /// What it and all below it may use and have used; none where nothing is said of that.
    pub(super) account: Option<Box<Account>>,
    /// What is set aside for what it asks.
    pub(super) reserved: Option<Spend>,
    /// What another realm was given of that.
    pub(super) given: Option<Budget>,
    /// Into how many equal parts what is left is shared where it asks another realm.
    pub(super) share_of: u64,
    /// What it has asked people, and what those have said.
    pub(super) interview: Option<Box<Interview>>,
    /// What of its agent's state it was given.
    pub(super) held: Option<Box<Held>>,
    /// What it changes of that, if it ends well.
    pub(super) changes: Changes,
}

/// What a frame would use that people are asked about.
#[derive(Debug)]
pub(super) struct Spending {
    pub(super) wanted: Cost,
    pub(super) approved: bool,
}

/// When something began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    pub(super) wall: Timestamp,
    /// None if it was before a restart.
    tick: Option<Tick>,
}

impl Began {
    pub(super) const fn now(now: Now) -> Self {
        Self {
            wall: now.wall,
            tick: Some(now.tick),
        }
    }

    pub(super) const fn before_restart(wall: Timestamp) -> Self {
        Self { wall, tick: None }
    }

    /// Milliseconds since then.
    pub(super) fn lasted_ms(self, now: Now) -> u64 {
        match self.tick {
            Some(tick) => now.tick.since(tick),
            None => now.wall.since(self.wall),
        }
    }
}

/// What a frame runs.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A loop of this realm.
    Local(Arc<Registered>),
    /// A loop of another realm.
    Remote {
        address: LoopAddress,
        version: Option<String>,
        pin: Option<Pin>,
    },
}

impl Subject {
    pub(super) fn manifest(&self) -> Option<&Arc<Manifest>> {
        match self {
            Self::Local(entry) => Some(&entry.manifest),
            Self::Remote { .. } => None,
        }
    }

    /// What may be repeated; another realm repeats nothing under one key.
    pub(super) fn effects(&self) -> Effects {
        match self {
            Self::Local(entry) => entry.effects,
            Self::Remote { .. } => Effects::Idempotent,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Local(entry) => entry.manifest.id.to_string(),
            Self::Remote { address, .. } => address.to_string(),
        }
    }
}

/// Where a child stands: its caller, and which of its calls it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) frame: CallId,
    pub(super) at: At,
}

/// Which of a frame's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) step: u64,
    pub(super) branch: Option<usize>,
    pub(super) item: Option<usize>,
    pub(super) fallback: bool,
}

/// What a frame waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Its children, or its turn.
    Nothing,
    /// A backend's answer to what was asked under this id.
    Backend { since: Tick, asked: CallId },
    /// Another realm's answer.
    Realm { since: Tick, asked: CallId },
    /// The end of announced work.
    Bidders { since: Tick, asked: CallId },
    /// The end of a pause, after which it goes on or tries again.
    Pause { until: Tick },
    /// Policy's word, without which nothing of it begins; approved where people have said so already.
    Policy { approved: bool },
    /// A person's word on work that may or may not have been done.
    Person,
    /// An approval, without which nothing of it begins; held once it is known that there is none yet.
    Approval { held: bool },
}

impl Waiting {
    /// Since when it waits for an answer, if it does.
    pub(super) const fn asked_since(&self) -> Option<Tick> {
        match self {
            Self::Backend { since, .. }
            | Self::Realm { since, .. }
            | Self::Bidders { since, .. } => Some(*since),
            _ => None,
        }
    }
}

/// How far a frame has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// A backend, another realm or whoever bids is asked.
    Leaf,
    Composite(Composition),
    Machine {
        state: Value,
        steps: u64,
    },
    Conversation(Conversation),
    Routing(Routing),
}

/// How far a route has come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Routing {
    /// What the route was called by.
    pub(super) called: LoopId,
    /// The targets in the order in which they are tried, by their places in the list.
    pub(super) order: Vec<usize>,
    /// How many have refused.
    pub(super) refused: usize,
    /// Why they have, one line each.
    pub(super) reasons: Vec<String>,
    /// Whether one of them may have begun all the same.
    pub(super) doubtful: bool,
}

impl Routing {
    /// Nobody has been tried. `names` are the route's own and what it was called by.
    pub(super) fn new(route: &Route, names: (&LoopId, &LoopId), run: RunId, call: CallId) -> Self {
        let (own, called) = names;
        let takes = route.pattern.as_ref();
        let taken = takes.is_some_and(|pattern| pattern.takes(called));
        Self {
            called: if taken { called } else { own }.clone(),
            order: route.order(run, call),
            refused: 0,
            reasons: Vec::new(),
            doubtful: false,
        }
    }
}

/// How far a model has come that calls loops.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// What it has called and been answered.
    pub(super) turns: Vec<Turn>,
    /// What it calls now, without results.
    pub(super) open: Option<Turn>,
    /// What came of that so far.
    pub(super) results: Vec<Option<ToolResult>>,
}

impl Conversation {
    /// What is written down of it; nothing before its first turn.
    pub(super) fn to_state(&self) -> Option<Value> {
        let begun = !self.turns.is_empty() || self.open.is_some();
        begun.then(|| json!({"turns": self.turns, "open": self.open}))
    }

    /// Reads what [`Conversation::to_state`] wrote.
    pub(super) fn from_state(state: &Value) -> Option<Self> {
        let part = |name: &str| state.get(name).cloned().unwrap_or_default();
        Some(Self {
            turns: serde_json::from_value(part("turns")).ok()?,
            open: serde_json::from_value(part("open")).ok()?,
            results: Vec::new(),
        })
    }

    /// Whether another attempt asks for its next turn alone: it has had some, and calls nothing now.
    pub(super) const fn stands(&self) -> bool {
        !self.turns.is_empty() && self.open.is_none()
    }

    /// How much it has been told and has called.
    pub(super) fn bytes(&self) -> usize {
        let size = |value: &Value| strict::to_bytes(value).len();
        let of_turn = |turn: &Turn| {
            let calls = turn.calls.iter().map(|call| size(&call.arguments));
            let results = turn.results.iter().map(|result| size(&result.output));
            calls.chain(results).sum::<usize>()
        };
        self.turns.iter().map(of_turn).sum()
    }
}

/// How far a composite has come.
#[derive(Debug, Default)]
pub(super) struct Composition {
    /// Of the steps behind; `null` for one that did not run.
    pub(super) outputs: Vec<Value>,
    pub(super) bindings: Vec<Binding>,
    /// The last step that ran.
    pub(super) last: Option<usize>,
    /// The calls of the step under way, by branch.
    pub(super) current: Vec<Branch>,
    /// Whether the step under way is a wait.
    pub(super) waits: bool,
    /// The last wait.
    pub(super) wait: Wait,
}

/// A wait of a composite.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait {
    /// Its step, from 1; zero for none yet.
    pub(super) step: u64,
    /// When it ends; none once it has. What is written down of that decides, and no clock.
    pub(super) due: Option<Timestamp>,
}

/// The calls of one branch of a step.
#[derive(Debug)]
pub(super) struct Branch {
    /// The items; none for a call that is made once.
    pub(super) items: Option<Vec<Value>>,
    /// The next item to begin with.
    pub(super) next: usize,
    /// Calls under way.
    pub(super) open: usize,
    /// Calls that have ended.
    pub(super) done: usize,
    /// By item.
    pub(super) outputs: Vec<Value>,
}

impl Branch {
    pub(super) fn new(items: Option<Vec<Value>>) -> Self {
        let calls = items.as_ref().map_or(1, Vec::len);
        Self {
            items,
            next: 0,
            open: 0,
            done: 0,
            outputs: vec![Value::Null; calls],
        }
    }

    /// A branch that does not run.
    pub(super) fn skipped() -> Self {
        Self {
            done: 1,
            next: 1,
            ..Self::new(None)
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done == self.outputs.len()
    }

    /// One output, or the list of them.
    pub(super) fn into_output(self) -> Value {
        let single = self.items.is_none();
        let mut outputs = self.outputs;
        match outputs.pop() {
            Some(output) if single => output,
            last => {
                outputs.extend(last);
                Value::Array(outputs)
            }
        }
    }
}

impl Frame {
    /// A frame whose first attempt begins now, without a caller in this run. It has `timeout_ms` for
    /// each attempt, and none of it after `latest`.
    pub(super) fn new(
        call: CallId,
        (subject, called, input): (Subject, LoopId, Value),
        (timeout_ms, latest): (u64, Tick),
        depth: u64,
        now: Now,
    ) -> Self {
        Self {
            call,
            parent: None,
            subject,
            called,
            input,
            began: Began::now(now),
            tried: now.wall,
            timeout_ms,
            deadline: now.tick.plus(timeout_ms).min(latest),
            depth,
            attempt: 1,
            retry: None,
            budget: None,
            approvals: Vec::new(),
            consent: None,
            spending: None,
            waiting: Waiting::Nothing,
            asked: None,
            doubtful: false,
            due: None,
            progress: Progress::Leaf,
            account: None,
            reserved: None,
            given: None,
            share_of: 1,
            interview: None,
            held: None,
            changes: Changes::new(),
        }
    }

    pub(super) fn scope<'a>(&'a self, item: Option<(usize, &'a Value)>) -> Scope<'a> {
        let (outputs, bindings) = match &self.progress {
            Progress::Composite(composition) => (
                composition.outputs.as_slice(),
                composition.bindings.as_slice(),
            ),
            Progress::Leaf
            | Progress::Machine { .. }
            | Progress::Conversation(_)
            | Progress::Routing(_) => ([].as_slice(), [].as_slice()),
        };
        Scope {
            input: &self.input,
            outputs,
            bindings,
            item,
        }
    }

    /// Nobody is being asked any more.
    pub(super) fn hear(&mut self) {
        if let Subject::Local(_) = self.subject {
            self.asked = None;
        }
    }

    /// When it goes on by itself, if it waits for a time.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match &self.progress {
            Progress::Composite(composition) => composition.wait.due,
            Progress::Leaf
            | Progress::Machine { .. }
            | Progress::Conversation(_)
            | Progress::Routing(_) => self.due,
        }
    }

    /// The turns behind a model whose next one alone is tried again; none where it begins anew.
    pub(super) fn turns_kept(&self) -> Option<u64> {
        match &self.progress {
            Progress::Conversation(conversation) if conversation.stands() => {
                Some(conversation.turns.len() as u64)
            }
            _ => None,
        }
    }

    /// Whether its output can be worked out again from its input.
    pub(super) fn is_pure(&self) -> bool {
        self.subject.manifest().is_some_and(|own| own.is_pure())
    }

    /// What is said of attempts.
    pub(super) fn retry(&self) -> Option<&Retry> {
        let own = || self.subject.manifest().and_then(|own| own.retry.as_ref());
        self.retry.as_ref().or_else(own)
    }
}

/// The id of a child's frame. It depends on nothing but the run and the place, so a run that goes on
/// after a restart finds what it has done; and the run's id is nobody's choice, so no caller can
/// take a child's id for its own call.
pub(super) fn child_id(run: RunId, (parent, attempt): (CallId, u64), at: At) -> CallId {
    let At {
        step,
        branch,
        item,
        fallback,
    } = at;
    let place = |index: Option<usize>| index.map_or(u64::MAX, |index| index as u64).to_be_bytes();
    let digest = Digest::of(&[
        FRAME_TAG,
        run.as_bytes(),
        parent.as_bytes(),
        &attempt.to_be_bytes(),
        &step.to_be_bytes(),
        &place(branch),
        &place(item),
        &[u8::from(fallback)],
    ]);
    CallId::new(digest.half())
}

/// The id under which an attempt is asked of a backend or another realm: the frame's own, then others
/// that nobody outside can foresee.
pub(super) fn attempt_id(run: RunId, call: CallId, attempt: u64) -> CallId {
    if attempt == 1 {
        return call;
    }
    let digest = Digest::of(&[
        FRAME_TAG,
        run.as_bytes(),
        call.as_bytes(),
        &attempt.to_be_bytes(),
    ]);
    CallId::new(digest.half())
}

/// The key under which a tool is asked, the same in every attempt. It holds the run's id, or the
/// name of work that others may do as well, so no caller can make other runs' work look like its own.
pub(super) fn work_key(run: RunId, work: Option<Digest>, call: CallId) -> CallId {
    let parts = [WORK_TAG, named(&run, &work), call.as_bytes()];
    CallId::new(Digest::of(&parts).half())
}

/// The key under which a model is asked for one turn of a conversation. An attempt that a restart broke off is asked
/// again under it; another attempt has another one, because whoever keeps to such keys gives the same answer again, a
/// failure too.
pub(super) fn turn_key(
    run: RunId,
    work: Option<Digest>,
    call: CallId,
    (turn, attempt): (u64, u64),
) -> CallId {
    let (turned, again) = (turn.to_be_bytes(), attempt.to_be_bytes());
    let mut parts = vec![WORK_TAG, named(&run, &work), call.as_bytes()];
    if turn > 0 || attempt > 1 {
        parts.push(&turned);
    }
    if attempt > 1 {
        parts.push(&again);
    }
    CallId::new(Digest::of(&parts).half())
}

/// What makes keys of work differ from other work's.
fn named<'a>(run: &'a RunId, work: &'a Option<Digest>) -> &'a [u8] {
    match work {
        Some(work) => work.as_bytes(),
        None => run.as_bytes(),
    }
}
