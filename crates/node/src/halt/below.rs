//! Halts of the realms below: told until they confirm, and told again when it is lifted.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    CallId, FailureCode, RealmId, Scope, Timestamp,
    halt::{Halt, HaltAck},
    journal::Table,
    limits, wire_map,
};
use realm_router::Backoff;

use super::{StoredHalt, stored};
use crate::{
    CallFailure, Node,
    outbound::{OutCall, Task},
    state,
    timers::Timer,
};

/// When a word is said again that was not confirmed.
const AGAIN: Backoff = Backoff::new(250, 5_000);
/// How long one telling waits for its answer, milliseconds.
pub(crate) const TOLD_MS: u64 = 3_000;

/// Says to one realm below what stands still; what that is, is looked up when it leaves.
#[derive(Clone, Debug)]
pub(crate) struct HaltTask {
    pub(crate) to: Scope,
}

wire_map! {
    /// What a realm below is told.
    pub struct StoredBelow {
        /// Where it stands.
        0 => scope: Scope,
        /// Number of the word.
        1 => number: u64,
        /// Whether it is to stand still.
        2 => halted: bool,
        /// And every realm below it.
        3 => subtree: bool,
        /// Whose word it was first.
        4 => by: Scope,
        /// Why.
        5 => why: Option<String>,
        /// Since when.
        6 => at: Timestamp,
        /// What it has said last of this very word.
        7 => confirmed: Option<StoredAck>,
    }
}

wire_map! {
    /// How a realm below has confirmed.
    pub struct StoredAck {
        /// The realm.
        0 => realm: Option<RealmId>,
        /// When.
        1 => at: Timestamp,
        /// What it said.
        2 => said: HaltAck,
    }
}

wire_map! {
    /// A realm below that its owner's word names.
    pub struct StoredOrder {
        /// Where it stands.
        0 => scope: Scope,
        /// And every realm below it.
        1 => subtree: bool,
        /// The word.
        2 => halt: StoredHalt,
    }
}

impl StoredBelow {
    /// Whether this realm and all below it are known to have heeded the word.
    pub(crate) fn is_settled(&self) -> bool {
        let said = self.confirmed.as_ref().map(|ack| &ack.said);
        said.is_some_and(|said| said.open.is_empty() && said.unnamed == 0)
    }

    /// Whether a realm stands under this word.
    fn covers(&self, scope: &Scope) -> bool {
        match self.subtree {
            true => self.scope.contains(scope),
            false => self.scope == *scope,
        }
    }
}

impl super::Halts {
    /// Whether a realm below stands still by a word that this realm has said: nothing of its work passes.
    pub(crate) fn stops_below(&self, scope: &Scope) -> bool {
        let mut below = self.below.values();
        below.any(|below| below.halted && below.covers(scope))
    }
}

impl Node {
    /// Tells the realms below what their owner, this realm's or one above, lets stand still by now.
    pub(crate) fn tell_below(&mut self) {
        let wanted = self.wanted_below();
        let known: Vec<Scope> = self.halts.below.keys().cloned().collect();
        let all: BTreeSet<Scope> = known.into_iter().chain(wanted.keys().cloned()).collect();
        for scope in all {
            let word = wanted.get(&scope);
            let known = self.halts.below.get(&scope);
            let subtree = word.map(|(subtree, ..)| *subtree);
            let same = known.map_or(word.is_none(), |known| {
                known.halted == word.is_some() && subtree.is_none_or(|of| of == known.subtree)
            });
            if same {
                continue;
            }
            let was = known.is_some_and(|known| known.subtree);
            let number = self.next_word();
            let me = self.me.scope();
            let (subtree, by, why) = word.cloned().unwrap_or((was, me, None));
            let below = StoredBelow {
                scope: scope.clone(),
                number,
                halted: word.is_some(),
                subtree,
                by,
                why,
                at: self.wall(),
                confirmed: None,
            };
            self.halts.below.insert(scope.clone(), below);
            self.write_below(&scope);
            self.begin_telling(&scope);
        }
    }

    /// Numbers rise over restarts and restored backups: by the clock, where that is ahead.
    fn next_word(&mut self) -> u64 {
        let last = self.halts.word.saturating_add(1);
        self.halts.word = last.max(self.wall().as_millis()).max(self.kin.least);
        self.halts.word
    }

    fn write_below(&mut self, scope: &Scope) {
        let key = stored::below(scope);
        match self.halts.below.get(scope).map(state::write) {
            Some(row) => self.put(Table::Standing, &key, row),
            None => self.delete(Table::Standing, &key),
        }
    }

    /// Which realms below are to stand still, whether with all below them, by whose word, and why.
    fn wanted_below(&self) -> BTreeMap<Scope, (bool, Scope, Option<String>)> {
        let me = self.me.scope();
        let above = self.halts.below_by();
        let above = above.map(|word| (true, word.by.clone(), word.why.clone()));
        let own = self.halts.all.as_ref().filter(|_| self.halts.tree);
        let own = own.map(|word| (true, me.clone(), word.why.clone()));
        let mut wanted = BTreeMap::new();
        for label in self.kin.children.keys() {
            let Ok(path) = me.path.child(label) else {
                continue;
            };
            let scope = Scope {
                root: me.root,
                path,
            };
            let goes_on = self.halts.let_go.contains(&scope);
            let own = own.clone().filter(|_| !goes_on);
            if let Some(word) = own.or_else(|| above.clone()) {
                wanted.insert(scope, word);
            }
        }
        for order in self.halts.orders.values() {
            let word = (order.subtree, me.clone(), order.halt.why.clone());
            let held = wanted.entry(order.scope.clone()).or_insert(word);
            held.0 |= order.subtree;
        }
        wanted
    }

    /// Says again whatever has not been confirmed and is not being said.
    pub(crate) fn tell_unsettled(&mut self) {
        let open = self.halts.below.iter();
        let open = open.filter(|(_, below)| !below.is_settled());
        let open: Vec<Scope> = open.map(|(scope, _)| scope.clone()).collect();
        for scope in open {
            self.begin_telling(&scope);
        }
    }

    fn begin_telling(&mut self, scope: &Scope) {
        let told = |out: &OutCall| matches!(&out.task, Task::Halt(task) if task.to == *scope);
        let under_way = self.calls.iter().find(|(_, out)| told(out));
        if let Some((call, out)) = under_way {
            let (call, sent) = (*call, out.sent);
            // What is under way says an older word.
            if let Some(sent) = sent {
                self.waiting.take(&sent);
            }
            if let Some(out) = self.calls.get_mut(&call) {
                out.sent = None;
                out.backoff = AGAIN;
            }
            return self.try_call(call);
        }
        let call = self.new_call();
        let deadline = self.now.tick.plus(limits::DELIVERY_MS);
        let task = Task::Halt(HaltTask { to: scope.clone() });
        let out = OutCall {
            backoff: AGAIN,
            ..OutCall::new(scope.clone(), deadline, task)
        };
        if let Some(label) = self.child_at(scope) {
            self.know_child(&label, scope);
        }
        self.calls.insert(call, Box::new(out));
        self.try_call(call);
    }

    /// What a realm below is told now; nothing where there is nothing to say any more.
    pub(crate) fn word_for(&self, to: &Scope) -> Option<Halt> {
        let below = self.halts.below.get(to)?;
        Some(Halt {
            number: below.number,
            halted: below.halted,
            subtree: below.subtree,
            by: below.by.clone(),
            why: below.why.clone(),
        })
    }

    /// A realm below says how it stands.
    pub(crate) fn halt_confirmed(&mut self, call: CallId, said: HaltAck) {
        let now = self.wall();
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let (scope, realm) = (out.scope.clone(), out.callee);
        let over = match self.halts.below.get_mut(&scope) {
            None => true,
            Some(below) => {
                if said.number == below.number && said.halted == below.halted {
                    below.confirmed = Some(StoredAck {
                        realm,
                        at: now,
                        said,
                    });
                } else if said.number > below.number {
                    // It remembers more words of this realm's than this realm does.
                    self.halts.word = self.halts.word.max(said.number);
                    below.number = self.halts.word.saturating_add(1);
                    self.halts.word = below.number;
                }
                below.is_settled()
            }
        };
        if over {
            self.timers.cancel(&Timer::Attempt(call));
            self.calls.remove(&call);
            self.forget_gone_on(&scope);
        } else {
            let open = CallFailure::new(FailureCode::Timeout, "not everybody below has confirmed");
            if let Some(out) = self.calls.get_mut(&call) {
                out.sent = None;
            }
            self.deliver_again(call, open);
        }
        self.write_below(&scope);
    }

    /// A realm that is known to go on again need not be remembered, unless it has stood still since.
    fn forget_gone_on(&mut self, scope: &Scope) {
        let below = self.halts.below.get(scope);
        if below.is_some_and(|below| !below.halted) {
            self.halts.below.remove(scope);
        }
    }

    /// A link to a child stands again: it may have forgotten what it had confirmed.
    pub(crate) fn tell_child(&mut self, scope: &Scope) {
        if let Some(below) = self.halts.below.get_mut(scope) {
            below.confirmed = None;
            self.begin_telling(&scope.clone());
        }
    }

    /// A child is one no more.
    pub(crate) fn forget_below(&mut self) {
        let me = self.me.scope();
        let is_kin = |scope: &Scope| {
            let mut labels = scope.path.labels().skip(me.path.depth());
            let first = labels.next().and_then(|label| label.parse().ok());
            first.is_some_and(|label: realm_protocol::Label| self.kin.children.contains_key(&label))
        };
        let gone = self.halts.below.keys().filter(|scope| !is_kin(scope));
        let gone: Vec<Scope> = gone.cloned().collect();
        for scope in gone {
            self.halts.below.remove(&scope);
            self.halts.orders.remove(&scope);
            self.write_below(&scope);
            let told = |out: &OutCall| matches!(&out.task, Task::Halt(task) if task.to == scope);
            let call = self.calls.iter().find(|(_, out)| told(out));
            if let Some(call) = call.map(|(call, _)| *call) {
                self.drop_question(call);
            }
        }
    }

    /// The realms below that have confirmed the word, those that have not, and how many are not named.
    pub(crate) fn confirmations(&self, halted: bool) -> (Vec<Scope>, Vec<Scope>, u64) {
        let (mut confirmed, mut open, mut unnamed) = (Vec::new(), Vec::new(), 0_u64);
        for below in self.halts.below.values() {
            if below.halted != halted {
                continue;
            }
            let Some(ack) = &below.confirmed else {
                open.push(below.scope.clone());
                continue;
            };
            confirmed.push(below.scope.clone());
            confirmed.extend(ack.said.confirmed.iter().cloned());
            open.extend(ack.said.open.iter().cloned());
            unnamed = unnamed.saturating_add(ack.said.unnamed);
        }
        (confirmed, open, unnamed)
    }
}
