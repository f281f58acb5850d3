//! Emergency halts: what stands still by its owner's word, and what still goes on.
//!
//! What is asked of others is stopped before anything is written down: a disk that is slow delays the
//! answer, and not the halt.

mod above;
mod asked;
mod below;
pub(crate) mod stored;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use realm_executor::Halted;
use realm_protocol::{
    CallId, FailureCode, LoopId, RealmId, RunId, Scope, Timestamp,
    journal::{Direction, Run},
    json::Object,
};

use crate::{
    CallFailure, Node,
    answer::Responder,
    outbound::{Origin, Task},
    relay::Release,
};
pub(crate) use above::NOT_ABOVE;
use above::StoredAbove;
pub(crate) use below::StoredBelow;
use below::StoredOrder;
use stored::{StoredHalt, StoredHaltChange, StoredHalts, StoredLoopHalt};

pub use above::HaltedFromAbove;
pub use asked::{HaltAsked, HaltOf, UnhaltAsked, UnhaltOf};
pub(crate) use below::{HaltTask, TOLD_MS};
pub use views::{
    AboveHaltView, BelowHaltView, HaltChange, HaltView, HaltsView, LoopHaltView, StandingHalt,
};

/// Everything that stands still here and below, as written down.
#[derive(Debug, Default)]
pub(crate) struct Halts {
    number: u64,
    all: Option<StoredHalt>,
    /// Whether every realm below is meant with `all`.
    tree: bool,
    loops: BTreeMap<LoopId, StoredHalt>,
    /// The newest words of realms above.
    above: BTreeMap<RealmId, StoredAbove>,
    /// Realms below that were named.
    orders: BTreeMap<Scope, StoredOrder>,
    /// Children that go on while every realm below stands still.
    let_go: BTreeSet<Scope>,
    /// What realms below are told.
    below: BTreeMap<Scope, StoredBelow>,
    /// Number of the last word to one of them.
    word: u64,
    /// What was changed, the oldest first.
    changes: BTreeMap<u64, StoredHaltChange>,
}

impl StoredHalt {
    /// A word that excepts nothing.
    fn new(by: String, at: Timestamp, why: Option<String>) -> Self {
        Self {
            by,
            at,
            why,
            loops: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// The word as it stands for a run of a loop; none where that goes on all the same.
    fn of(&self, run: Option<RunId>, loop_id: &LoopId) -> Option<&Self> {
        let goes_on =
            self.loops.contains(loop_id) || run.is_some_and(|run| self.runs.contains(&run));
        (!goes_on).then_some(self)
    }
}

impl Halts {
    /// The owner's word that a run of a loop stands still by, or that no run of it begins.
    fn of(&self, run: Option<RunId>, loop_id: &LoopId) -> Option<&StoredHalt> {
        let all = self.all.as_ref().and_then(|halt| halt.of(run, loop_id));
        all.or_else(|| self.loops.get(loop_id)?.of(run, loop_id))
    }

    /// How many realms below are told something: no call of anybody's has to make room for it.
    pub(crate) fn told(&self) -> usize {
        self.below.len()
    }

    fn stored(&self) -> StoredHalts {
        let loops = self.loops.iter();
        let loops = loops.map(|(loop_id, halt)| StoredLoopHalt {
            loop_id: loop_id.clone(),
            halt: halt.clone(),
        });
        StoredHalts {
            number: self.number,
            all: self.all.clone(),
            loops: loops.collect(),
            tree: self.tree,
            word: self.word,
            above: self.above.values().cloned().collect(),
            orders: self.orders.values().cloned().collect(),
            let_go: self.let_go.iter().cloned().collect(),
        }
    }
}

impl Node {
    // What stands still.

    /// Lets stand still what is halted, and go on what no longer is.
    pub(crate) fn heed_halts(&mut self) {
        let runs = self.serving.iter();
        let runs = runs.filter(|(_, served)| self.is_to_stand_still(&served.record));
        self.set_halted(runs.map(|(run, _)| *run).collect());
        let outside = self.halts.all.is_some() || self.halts.said_above().is_some();
        if outside {
            self.stop_calls();
            self.stop_announced();
        }
        self.drain_executor();
        if outside {
            self.out.stop_work();
            self.holds.stop_work();
        }
    }

    /// Tells the executor what stands still, before runs of before a restart go on as well.
    pub(crate) fn set_halted(&mut self, runs: BTreeSet<RunId>) {
        let loops = self.halts.loops.iter();
        let loops = loops.map(|(id, halt)| (id.clone(), halt.runs.iter().copied().collect()));
        let halted = Halted {
            runs,
            loops: loops.collect(),
            outside: self.halts.said_above().is_some(),
        };
        self.executor.set_halted(halted, &self.registry, self.now);
    }

    /// Whether a run stands still as a whole.
    pub(crate) fn is_to_stand_still(&self, run: &Run) -> bool {
        let loop_id: Option<LoopId> = run.loop_id.parse().ok();
        let own = loop_id.and_then(|loop_id| self.halts.of(Some(run.id), &loop_id));
        own.is_some() || self.stops_from_above(run.direction)
    }

    /// Whether a realm above lets this work stand still.
    fn stops_from_above(&self, direction: Direction) -> bool {
        let for_others = direction != Direction::Local;
        let all = self.config.halted_from_above == HaltedFromAbove::All;
        self.halts.said_above().is_some() && (for_others || all)
    }

    /// Calls of other realms that no run holds are taken back.
    fn stop_calls(&mut self) {
        let own = |task: &Task| matches!(task, Task::Invoke(it) if it.origin != Origin::Frame);
        let calls = self.calls.iter().filter(|(_, out)| own(&out.task));
        let calls: Vec<CallId> = calls.map(|(call, _)| *call).collect();
        for call in calls {
            self.take_call_back(call, &halted("the realm was halted"));
        }
    }

    /// A run stands still: who waits for it hears so, and work for the market is given back.
    pub(crate) fn run_halted(&mut self, run: RunId) {
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let (call, record) = (served.call, served.record.clone());
        let all = std::mem::take(&mut served.responders);
        let (stay, told): (Vec<_>, Vec<_>) = all.into_iter().partition(Responder::takes_accepted);
        served.responders = stay;
        if let Some(stream) = &mut served.stream {
            told.iter().for_each(|held| stream.turn_away(held));
        }
        self.show(run);
        let word = self.word_of(&record);
        let payload = Object::new()
            .with_some("by", word.as_ref().map(|word| &word.by))
            .with_some("why", word.as_ref().and_then(|word| word.why.as_ref()));
        self.note_in_run(run, "halt.stopped", payload);
        let failure = halted(format!("run {run} is halted, and is kept where it stands"));
        let mut given_back = false;
        for responder in told {
            match responder {
                Responder::Local(local) => self.tell_failure(&local, (run, call), &failure),
                Responder::Remote(_) => {
                    self.answer_failure(&responder, &failure, Release::Durable);
                }
                market @ (Responder::Leased(_) | Responder::Asked(_)) => {
                    given_back = true;
                    if let Some(served) = self.serving.get_mut(run) {
                        served.responders.push(market);
                    }
                }
            }
        }
        if given_back {
            return self.executor.cancel(run, "the realm is halted", self.now);
        }
        let undecided = self.serving.get(run).is_some_and(|served| served.undecided);
        self.run_paused(run, undecided);
    }

    /// The word that a run stands still by, whoever said it.
    fn word_of(&self, run: &Run) -> Option<StoredHalt> {
        let loop_id: Option<LoopId> = run.loop_id.parse().ok();
        let own = loop_id.and_then(|loop_id| self.halts.of(Some(run.id), &loop_id).cloned());
        let above = || {
            let word = self.halts.said_above()?;
            Some(word.as_halt(self.name_of(&word.scope)))
        };
        own.or_else(above)
    }

    /// Nobody's word holds a run any more.
    pub(crate) fn run_unhalted(&mut self, run: RunId, held: bool) {
        self.note_in_run(run, "halt.lifted", Object::new());
        self.show(run);
        match held {
            true => self.let_go_on(run),
            false => self.run_resumed(run),
        }
    }

    // What is refused.

    /// Why no work of this kind begins here, whatever it is, for a realm.
    pub(crate) fn may_begin(
        &self,
        caller: &Scope,
        loop_id: &LoopId,
        direction: Direction,
    ) -> Result<(), CallFailure> {
        if self.halts.stops_below(caller) {
            let message = "the caller is halted by the realm that it asks, one above it";
            return Err(halted(message).before_work());
        }
        let all = self.halts.all.as_ref();
        let all = all.and_then(|all| all.of(None, self.registry.resolve(loop_id)));
        if all.is_some() {
            return Err(by_its_owner());
        }
        match self.stops_from_above(direction) {
            true => Err(by_one_above()),
            false => Ok(()),
        }
    }

    /// Why no run of a loop begins here.
    pub(crate) fn may_run(&self, loop_id: &LoopId) -> Result<(), CallFailure> {
        let called = self.registry.find(loop_id, None);
        let id = called.map_or(loop_id, |called| &called.manifest.id);
        match self.halts.of(None, id) {
            Some(_) => Err(by_its_owner()),
            None => Ok(()),
        }
    }

    /// Why this realm asks nothing of other realms; its owner's word stops its runs by themselves.
    pub(crate) fn may_ask(&self, by_a_run: bool) -> Result<(), CallFailure> {
        if self.halts.all.is_some() && !by_a_run {
            return Err(by_its_owner());
        }
        match self.halts.said_above() {
            Some(_) => Err(by_one_above()),
            None => Ok(()),
        }
    }

    /// Whether agents here may bid with this loop.
    pub(crate) fn may_offer(&self, loop_id: &LoopId) -> bool {
        let above = self.halts.said_above().is_some();
        !above && self.may_run(loop_id).is_ok()
    }
}

fn halted(message: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureCode::Halted, message)
}

/// Nothing begins. Who said so and why is nobody's business elsewhere.
fn by_its_owner() -> CallFailure {
    halted("the realm is halted by its owner").before_work()
}

fn by_one_above() -> CallFailure {
    halted("the realm is halted by one above it, and does nothing for others or through the tree")
        .before_work()
}
