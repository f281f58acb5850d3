//! What a node shows of what is halted.

use realm_protocol::{LoopId, RunId, Scope, Timestamp};

use super::{StoredAbove, StoredBelow, StoredHalt, StoredHaltChange};
use crate::Node;

/// What stands still here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaltsView {
    /// The whole realm.
    pub all: Option<HaltView>,
    /// Loops.
    pub loops: Vec<LoopHaltView>,
    /// Whether every realm below is meant with the whole realm.
    pub tree: bool,
    /// Realms above that let this one stand still.
    pub above: Vec<AboveHaltView>,
    /// Realms below that are told to stand still, or to go on.
    pub below: Vec<BelowHaltView>,
    /// Runs that stand still by that.
    pub runs: usize,
    /// What was changed, the newest first.
    pub changes: Vec<HaltChange>,
}

/// A word that lets something stand still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltView {
    /// Who said it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Option<String>,
    /// Loops that go on all the same.
    pub loops: Vec<LoopId>,
    /// Runs that go on all the same.
    pub runs: Vec<RunId>,
}

/// A loop that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopHaltView {
    /// The loop.
    pub loop_id: LoopId,
    /// The word.
    pub halt: HaltView,
}

/// The word of a realm above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboveHaltView {
    /// Where it stands.
    pub scope: Scope,
    /// Whose word it was first.
    pub by: Scope,
    /// Whether every realm below is meant as well.
    pub subtree: bool,
    /// When it came.
    pub at: Timestamp,
    /// Why.
    pub why: Option<String>,
}

/// What a realm below is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BelowHaltView {
    /// Where it stands.
    pub scope: Scope,
    /// Whether it is to stand still, and not to go on.
    pub halted: bool,
    /// Whether every realm below it is meant as well.
    pub subtree: bool,
    /// Since when.
    pub at: Timestamp,
    /// When it confirmed, if it has.
    pub confirmed: Option<Timestamp>,
    /// Runs that stand still there.
    pub runs: u64,
    /// Whether its own work stands still as well, and not only what it does for others.
    pub own: bool,
    /// Realms below it that have confirmed, as it says.
    pub below: Vec<Scope>,
    /// Realms below it that have not.
    pub open: Vec<Scope>,
    /// Realms below it that it did not name.
    pub unnamed: u64,
}

/// A word that something stands still by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingHalt {
    /// What stands still.
    pub what: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Option<String>,
}

impl StandingHalt {
    fn new(what: String, halt: &StoredHalt) -> Self {
        Self {
            what,
            by: halt.by.clone(),
            at: halt.at,
            why: halt.why.clone(),
        }
    }
}

/// What a word about this realm is about.
pub(super) const fn own(tree: bool) -> &'static str {
    match tree {
        true => "this realm and every realm below",
        false => "this realm",
    }
}

/// What a word of a realm above is about.
pub(super) const fn from_above(subtree: bool) -> &'static str {
    match subtree {
        true => "what this realm and those below do for the tree",
        false => "what this realm does for the tree",
    }
}

/// What a word about a realm below is about.
pub(super) fn below(name: &str, subtree: bool) -> String {
    match subtree {
        true => format!("{name} and every realm below it"),
        false => name.to_owned(),
    }
}

/// One change of what stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaltChange {
    /// Its number.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: String,
    /// Whether something stands still since, and does not go on.
    pub halted: bool,
    /// What it is about.
    pub what: String,
    /// Why.
    pub why: Option<String>,
}

impl From<&StoredHalt> for HaltView {
    fn from(stored: &StoredHalt) -> Self {
        let StoredHalt {
            by,
            at,
            why,
            loops,
            runs,
        } = stored.clone();
        Self {
            by,
            at,
            why,
            loops,
            runs,
        }
    }
}

impl Node {
    /// What stands still here.
    pub fn halts(&self) -> HaltsView {
        let loops = self.halts.loops.iter();
        let loops = loops.map(|(loop_id, halt)| LoopHaltView {
            loop_id: loop_id.clone(),
            halt: halt.into(),
        });
        let above = self.halts.above.values().filter(|word| word.halted);
        let changes = self.halts.changes.iter().rev();
        HaltsView {
            all: self.halts.all.as_ref().map(HaltView::from),
            loops: loops.collect(),
            tree: self.halts.tree,
            above: above.map(above_view).collect(),
            below: self.halts.below.values().map(below_view).collect(),
            runs: self.halted_runs(),
            changes: changes.map(change).collect(),
        }
    }

    /// Every word that something stands still by now: of people here, and of realms above.
    pub fn standing_halts(&self) -> Vec<StandingHalt> {
        let halts = &self.halts;
        let all = halts.all.iter();
        let all = all.map(|halt| StandingHalt::new(own(halts.tree).to_owned(), halt));
        let loops = halts.loops.iter();
        let loops = loops.map(|(id, halt)| StandingHalt::new(format!("loop {id}"), halt));
        let orders = halts.orders.values().map(|order| {
            let name = self.name_of(&order.scope);
            StandingHalt::new(below(&name, order.subtree), &order.halt)
        });
        let above = halts.above.values().filter(|word| word.halted);
        let above = above.map(|word| {
            let halt = word.as_halt(self.name_of(&word.scope));
            StandingHalt::new(from_above(word.subtree).to_owned(), &halt)
        });
        all.chain(loops).chain(orders).chain(above).collect()
    }

    /// Runs that stand still.
    pub(super) fn halted_runs(&self) -> usize {
        let runs = self.serving.iter();
        runs.filter(|(run, _)| self.executor.is_halted(**run))
            .count()
    }

    /// Whether the whole realm stands still.
    pub fn is_halted(&self) -> bool {
        self.halts.all.is_some()
    }

    /// Whether a run under way here stands still by its owner's word.
    pub fn is_run_halted(&self, run: RunId) -> bool {
        self.executor.is_halted(run)
    }
}

fn above_view(word: &StoredAbove) -> AboveHaltView {
    AboveHaltView {
        scope: word.scope.clone(),
        by: word.by.clone(),
        subtree: word.subtree,
        at: word.at,
        why: word.why.clone(),
    }
}

fn below_view(below: &StoredBelow) -> BelowHaltView {
    let said = below.confirmed.as_ref().map(|ack| &ack.said);
    BelowHaltView {
        scope: below.scope.clone(),
        halted: below.halted,
        subtree: below.subtree,
        at: below.at,
        confirmed: below.confirmed.as_ref().map(|ack| ack.at),
        runs: said.map_or(0, |said| said.runs),
        own: said.is_some_and(|said| said.own),
        below: said.map_or_else(Vec::new, |said| said.confirmed.clone()),
        open: said.map_or_else(Vec::new, |said| said.open.clone()),
        unnamed: said.map_or(0, |said| said.unnamed),
    }
}

fn change((number, stored): (&u64, &StoredHaltChange)) -> HaltChange {
    let StoredHaltChange {
        at,
        by,
        halted,
        what,
        why,
    } = stored.clone();
    HaltChange {
        number: *number,
        at,
        by,
        halted,
        what,
        why,
    }
}
