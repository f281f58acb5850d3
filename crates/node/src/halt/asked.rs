//! What people say about halts, and what of it is written down and taken up again.

use std::collections::BTreeSet;

use realm_executor::Halted;
use realm_protocol::{
    LoopId, RealmName, RunId, Scope, audit::AuditNote, cbor::CborError, journal::Table, limits,
};

use super::{
    StoredBelow, StoredHalt, StoredHaltChange, StoredHalts, StoredOrder, stored,
    views::{below, own},
};
use crate::{ControlId, Node, Refusal, Response, durable::no_run, state};

/// What is to stand still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltOf {
    /// The whole realm, and every realm below it.
    All,
    /// A loop of this realm.
    Loop(LoopId),
    /// One realm: this one, or one below.
    Realm(RealmName),
    /// One realm and every realm below it.
    Subtree(RealmName),
}

/// What is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnhaltOf {
    /// Everything.
    All,
    /// A loop of this realm.
    Loop(LoopId),
    /// One run.
    Run(RunId),
    /// One realm: this one, or one below, and what was halted with it.
    Realm(RealmName),
}

/// Something to stand still.
#[derive(Clone, Debug)]
pub struct HaltAsked {
    /// What.
    pub of: HaltOf,
    /// Who asks.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

/// Something to go on.
#[derive(Clone, Debug)]
pub struct UnhaltAsked {
    /// What.
    pub of: UnhaltOf,
    /// Who asks.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

impl Node {
    pub(crate) fn halt(&mut self, control: ControlId, asked: HaltAsked) {
        let HaltAsked { of, by, why } = asked;
        let halt = StoredHalt::new(by, self.wall(), why);
        match self.take_up_halt(of, halt.clone()) {
            Ok(what) => {
                tracing::warn!(%what, by = %halt.by, "halted");
                self.heed_halts();
                self.note_halt_change((true, what), halt.by, halt.why);
                self.tell_below();
                self.respond(control, Response::Done);
            }
            Err(refusal) => self.refuse(control, refusal),
        }
    }

    fn take_up_halt(&mut self, of: HaltOf, halt: StoredHalt) -> Result<String, Refusal> {
        let (name, subtree) = match of {
            HaltOf::All => {
                self.halts.all = Some(halt);
                self.halts.tree = true;
                self.halts.let_go.clear();
                return Ok(own(true).to_owned());
            }
            HaltOf::Loop(id) => return self.halt_loop(&id, halt),
            HaltOf::Realm(name) => (name, false),
            HaltOf::Subtree(name) => (name, true),
        };
        let scope = self.resolve_name(&name)?;
        if scope == self.me.scope() {
            self.halts.all = Some(halt);
            self.halts.tree |= subtree;
            return Ok(own(subtree).to_owned());
        }
        if !self.me.scope().contains(&scope) {
            let (what, name) = ("realm below this one", name.to_string());
            return Err(Refusal::NotFound { what, name });
        }
        let limit = limits::HALTED_REALMS;
        if self.halts.orders.len() >= limit && !self.halts.orders.contains_key(&scope) {
            let what = "halted realms";
            return Err(Refusal::Full { what, limit });
        }
        self.halts.let_go.remove(&scope);
        // Only a word that lifts it lets those below go on.
        let held = self.halts.orders.get(&scope);
        let subtree = subtree || held.is_some_and(|held| held.subtree);
        let order = StoredOrder {
            scope: scope.clone(),
            subtree,
            halt,
        };
        self.halts.orders.insert(scope, order);
        Ok(below(&name.to_string(), subtree))
    }

    fn halt_loop(&mut self, id: &LoopId, halt: StoredHalt) -> Result<String, Refusal> {
        let id = self.registry.resolve(id).clone();
        let known = self.halts.loops.contains_key(&id);
        if self.registry.find(&id, None).is_none() && !known {
            let (what, name) = ("loop", id.to_string());
            return Err(Refusal::NotFound { what, name });
        }
        let limit = limits::HALTED_LOOPS;
        if self.halts.loops.len() >= limit && !known {
            let what = "halted loops";
            return Err(Refusal::Full { what, limit });
        }
        self.halts.loops.insert(id.clone(), halt);
        Ok(format!("loop {id}"))
    }

    pub(crate) fn unhalt(&mut self, control: ControlId, asked: UnhaltAsked) {
        let UnhaltAsked { of, by, why } = asked;
        match self.take_up_unhalt(of) {
            Ok(None) => self.respond(control, Response::Done),
            Ok(Some(what)) => {
                tracing::warn!(%what, %by, "goes on");
                self.note_halt_change((false, what), by, why);
                self.heed_halts();
                self.tell_below();
                self.respond(control, Response::Done);
            }
            Err(refusal) => self.refuse(control, refusal),
        }
    }

    /// What goes on; nothing where nothing stood still.
    fn take_up_unhalt(&mut self, of: UnhaltOf) -> Result<Option<String>, Refusal> {
        match of {
            UnhaltOf::All => return self.unhalt_all(),
            UnhaltOf::Loop(id) => self.unhalt_loop(&id),
            UnhaltOf::Run(run) => self.unhalt_run(run),
            UnhaltOf::Realm(name) => self.unhalt_realm(&name),
        }
        .map(Some)
    }

    fn unhalt_all(&mut self) -> Result<Option<String>, Refusal> {
        let halts = &mut self.halts;
        let own = halts.all.is_some() || !halts.loops.is_empty() || !halts.orders.is_empty();
        (halts.all, halts.tree) = (None, false);
        halts.loops.clear();
        halts.orders.clear();
        halts.let_go.clear();
        match own {
            true => Ok(Some("everything".to_owned())),
            false => self.not_halted_above().map(|()| None),
        }
    }

    /// Refuses where a realm above lets this one stand still: nobody here lifts that.
    fn not_halted_above(&self) -> Result<(), Refusal> {
        let above = self.halts.said_above().map(|word| &word.scope);
        match above.map(|scope| self.name_of(scope)) {
            Some(by) => Err(Refusal::HaltedAbove { by }),
            None => Ok(()),
        }
    }

    fn unhalt_loop(&mut self, id: &LoopId) -> Result<String, Refusal> {
        let id = self.registry.resolve(id).clone();
        let known = self.registry.find(&id, None).is_some();
        let mut lifted = self.halts.loops.contains_key(&id);
        if let Some(all) = &mut self.halts.all
            && known
            && !all.loops.contains(&id)
        {
            let limit = limits::HALTED_LOOPS;
            if all.loops.len() >= limit {
                let what = "loops that go on while all else is halted";
                return Err(Refusal::Full { what, limit });
            }
            all.loops.push(id.clone());
            lifted = true;
        }
        self.halts.loops.remove(&id);
        match lifted {
            true => Ok(format!("loop {id}")),
            false => {
                let (what, name) = ("halted loop", id.to_string());
                Err(Refusal::NotFound { what, name })
            }
        }
    }

    fn unhalt_run(&mut self, run: RunId) -> Result<String, Refusal> {
        let served = self.serving.get(run);
        let Some(served) = served.filter(|_| self.executor.is_halted(run)) else {
            return Err(no_run(run));
        };
        let whole = self.stops_from_above(served.record.direction);
        let above = Halted {
            runs: whole.then_some(run).into_iter().collect(),
            outside: self.halts.said_above().is_some(),
            ..Halted::default()
        };
        if self.executor.is_held_by(run, &above) {
            self.not_halted_above()?;
        }
        let own = self.halts.all.iter_mut();
        let halts: Vec<&mut StoredHalt> = own
            .chain(self.halts.loops.values_mut())
            .filter(|halt| !halt.runs.contains(&run))
            .collect();
        let limit = limits::RUNS_LET_GO;
        if halts.iter().any(|halt| halt.runs.len() >= limit) {
            let what = "runs that go on while others are halted";
            return Err(Refusal::Full { what, limit });
        }
        for halt in halts {
            halt.runs.push(run);
        }
        Ok(format!("run {run}"))
    }

    fn unhalt_realm(&mut self, name: &RealmName) -> Result<String, Refusal> {
        let scope = self.resolve_name(name)?;
        let lifted = match scope == self.me.scope() {
            true => self.unhalt_own()?,
            false => self.unhalt_below(&scope)?,
        };
        match lifted {
            true => Ok(name.to_string()),
            false => {
                let (what, name) = ("halted realm", name.to_string());
                Err(Refusal::NotFound { what, name })
            }
        }
    }

    /// This realm goes on; what was halted below stays halted, each child by name.
    fn unhalt_own(&mut self) -> Result<bool, Refusal> {
        let Some(all) = self.halts.all.clone() else {
            return self.not_halted_above().map(|()| false);
        };
        if self.halts.tree {
            let me = self.me.scope();
            let paths = self.kin.children.keys();
            let paths = paths.filter_map(|label| me.path.child(label).ok());
            let scopes = paths.map(|path| Scope {
                root: me.root,
                path,
            });
            let stay: Vec<Scope> = scopes
                .filter(|scope| !self.halts.let_go.contains(scope))
                .collect();
            let orders = self.halts.orders.keys().chain(&stay);
            let limit = limits::HALTED_REALMS;
            if orders.collect::<BTreeSet<_>>().len() > limit {
                let what = "realms that stay halted below this one, each by name";
                return Err(Refusal::Full { what, limit });
            }
            for scope in stay {
                let order = StoredOrder {
                    scope: scope.clone(),
                    subtree: true,
                    halt: all.clone(),
                };
                self.halts.orders.insert(scope, order);
            }
        }
        self.halts.all = None;
        self.halts.tree = false;
        Ok(true)
    }

    fn unhalt_below(&mut self, scope: &Scope) -> Result<bool, Refusal> {
        let child = self.child_at(scope);
        let child = child.is_some_and(|label| self.kin.children.contains_key(&label));
        let with_all = self.halts.tree && child && !self.halts.let_go.contains(scope);
        if with_all {
            let limit = limits::HALTED_REALMS;
            if self.halts.let_go.len() >= limit {
                let what = "realms that go on while all others are halted";
                return Err(Refusal::Full { what, limit });
            }
            self.halts.let_go.insert(scope.clone());
        }
        let named = self.halts.orders.remove(scope).is_some();
        Ok(named || with_all)
    }

    pub(super) fn note_halt_change(
        &mut self,
        (halted, what): (bool, String),
        by: String,
        why: Option<String>,
    ) {
        self.halts.number = self.halts.number.saturating_add(1);
        let number = self.halts.number;
        self.audit(AuditNote {
            person: Some(by.clone()),
            why: why.clone(),
            ..AuditNote::new(if halted { "halt.begun" } else { "halt.lifted" }).about(what.clone())
        });
        let change = StoredHaltChange {
            at: self.wall(),
            by,
            halted,
            what,
            why,
        };
        let row = state::write(&change);
        self.put(Table::Standing, &stored::change(number), row);
        self.halts.changes.insert(number, change);
        while self.halts.changes.len() > limits::HALT_CHANGES {
            if let Some((over, _)) = self.halts.changes.pop_first() {
                self.delete(Table::Standing, &stored::change(over));
            }
        }
        let row = state::write(&self.halts.stored());
        self.put(Table::Standing, stored::HALTED, row);
    }

    // After a restart.

    /// Takes up what stands still; where that does not read, everything does.
    pub(crate) fn recover_halts(
        &mut self,
        stored: Option<Result<StoredHalts, CborError>>,
        changes: Vec<(u64, StoredHaltChange)>,
        below: Vec<StoredBelow>,
    ) {
        self.halts.changes = changes.into_iter().collect();
        let words = below.iter().map(|below| below.number);
        self.halts.word = words.max().unwrap_or_default();
        let below = below.into_iter();
        self.halts.below = below.map(|below| (below.scope.clone(), below)).collect();
        match stored {
            None => {}
            Some(Ok(stored)) => self.take_up_stored(stored),
            Some(Err(error)) => {
                tracing::error!(%error, "what is halted does not read: everything is");
                let last = self.halts.changes.last_key_value();
                self.halts.number = last.map_or(0, |(number, _)| *number);
                let why = "what was halted does not read".to_owned();
                self.begin_halted("realmd", Some(why));
            }
        }
        if self.config.halted && self.halts.all.is_none() {
            self.begin_halted("realmd run --halted", None);
        }
    }

    fn take_up_stored(&mut self, stored: StoredHalts) {
        let StoredHalts {
            number,
            all,
            loops,
            tree,
            word,
            above,
            orders,
            let_go,
        } = stored;
        let (loops, above) = (loops.into_iter(), above.into_iter());
        let orders = orders.into_iter();
        self.halts.number = number;
        self.halts.all = all;
        self.halts.tree = tree;
        self.halts.loops = loops.map(|it| (it.loop_id, it.halt)).collect();
        self.halts.above = above.map(|word| (word.realm, word)).collect();
        self.halts.orders = orders.map(|it| (it.scope.clone(), it)).collect();
        self.halts.let_go = let_go.into_iter().collect();
        self.halts.word = self.halts.word.max(word);
    }

    /// This realm alone begins halted: those below have heard of nothing.
    fn begin_halted(&mut self, by: &str, why: Option<String>) {
        let halt = StoredHalt::new(by.to_owned(), self.wall(), why.clone());
        self.halts.all = Some(halt);
        self.note_halt_change((true, own(false).to_owned()), by.to_owned(), why);
    }
}
