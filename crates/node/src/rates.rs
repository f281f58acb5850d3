//! How often calls begin here, by who calls: what comes too soon waits for its turn or is refused.
//!
//! Work that a bid has won has its place already, and what the market asks of this realm's own loops is not
//! counted either. A call that is given an earlier answer, or joins one under way, begins nothing.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{FailureCode, LoopId, RealmName, Scope, Tick, limits};
use realm_router::{Gcra, Pace};

use crate::{CallFailure, Node, Refused};

/// How often calls begin here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What its owner calls it.
    pub name: String,
    /// Whose calls: those of a realm and all below it; none for everybody's but this realm's own.
    pub callers: Option<RealmName>,
    /// Calls of which loops; without any, of all.
    pub loops: BTreeSet<LoopId>,
    /// How many begin in a minute.
    pub per_minute: u64,
    /// How many begin at once.
    pub burst: u64,
    /// Whether its callers share it; otherwise each realm has as much.
    pub shared: bool,
    /// How many wait for their turn, of those that share it; one more is `Overloaded`.
    pub queue: u64,
}

/// What a rate has done since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateView {
    /// The rate.
    pub rate: Rate,
    /// Whether nobody here knows the realm that it names.
    pub unknown: bool,
    /// Calls that waited for their turn.
    pub waited: u64,
    /// Calls that were refused.
    pub refused: u64,
}

/// The rates in force.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    counted: Vec<Counted>,
}

/// A rate, and what it has counted.
#[derive(Debug)]
struct Counted {
    rate: Rate,
    gcra: Gcra,
    /// By caller; by nobody where all share it.
    paces: BTreeMap<Option<Scope>, Pace>,
    waited: u64,
    refused: u64,
}

impl Rates {
    pub(crate) fn new(rates: Vec<Rate>) -> Self {
        let mut new = Self::default();
        new.set(rates);
        new
    }

    /// Puts other rates in force; what was counted stays counted under the same name.
    fn set(&mut self, rates: Vec<Rate>) {
        let mut old = std::mem::take(&mut self.counted);
        let count = |rate: Rate| {
            let same = |counted: &Counted| counted.rate.name == rate.name;
            let before = old.iter().position(same).map(|at| old.swap_remove(at));
            let (paces, waited, refused) = before.map_or_else(Default::default, |counted| {
                // What was counted at one pace is no debt at another.
                let as_before = counted.rate.shared == rate.shared
                    && counted.rate.per_minute == rate.per_minute;
                let paces = match as_before {
                    true => counted.paces,
                    false => BTreeMap::new(),
                };
                (paces, counted.waited, counted.refused)
            });
            Counted {
                gcra: Gcra::new(rate.per_minute, rate.burst),
                rate,
                paces,
                waited,
                refused,
            }
        };
        self.counted = rates.into_iter().map(count).collect();
    }

    /// How long a call waits for its turn, milliseconds; all rates that hold for it must let it begin
    /// within its patience.
    fn turn(
        &mut self,
        holds: &[bool],
        (caller, patience): (&Scope, u64),
        now: Tick,
    ) -> Result<u64, (String, u64)> {
        let mut longest = 0;
        for counted in self.holding(holds) {
            let turn = counted.turn(caller, now);
            match turn.and_then(|wait| if wait < patience { Ok(wait) } else { Err(wait) }) {
                Ok(wait) => longest = wait.max(longest),
                Err(again) => {
                    counted.refused = counted.refused.saturating_add(1);
                    return Err((counted.rate.name.clone(), again));
                }
            }
        }
        for counted in self.holding(holds) {
            counted.take(caller, longest > 0, now);
        }
        Ok(longest)
    }

    fn holding(&mut self, holds: &[bool]) -> impl Iterator<Item = &mut Counted> {
        let both = self.counted.iter_mut().zip(holds);
        both.filter_map(|(counted, holds)| holds.then_some(counted))
    }
}

impl Counted {
    fn turn(&mut self, caller: &Scope, now: Tick) -> Result<u64, u64> {
        let of = self.of(caller);
        if self.paces.len() >= limits::RATED_CALLERS && !self.paces.contains_key(&of) {
            self.paces.retain(|_, pace| !pace.is_rested(now));
        }
        match self.paces.get(&of) {
            Some(pace) => self.gcra.turn(*pace, self.rate.queue, now),
            None if self.paces.len() >= limits::RATED_CALLERS => Err(limits::RATED_AGAIN_MS),
            None => Ok(0),
        }
    }

    fn take(&mut self, caller: &Scope, waits: bool, now: Tick) {
        self.waited = self.waited.saturating_add(u64::from(waits));
        let pace = self.paces.entry(self.of(caller)).or_default();
        self.gcra.take(pace, now);
    }

    fn of(&self, caller: &Scope) -> Option<Scope> {
        (!self.rate.shared).then(|| caller.clone())
    }
}

impl Node {
    /// How long a call waits until it may begin, milliseconds. It is counted then.
    ///
    /// # Errors
    /// `Overloaded`, with when to come again.
    pub(crate) fn turn_of(
        &mut self,
        caller: &Scope,
        loop_id: &LoopId,
        patience: u64,
    ) -> Result<u64, CallFailure> {
        let rates = self.rates.counted.iter();
        let holds: Vec<bool> = rates
            .map(|counted| self.rate_holds(&counted.rate, caller, loop_id))
            .collect();
        let turn = self
            .rates
            .turn(&holds, (caller, patience.max(1)), self.now.tick);
        turn.map_err(|(rate, again)| {
            self.counters.refuse(Refused::CallRate);
            let message = format!("more calls than the rate `{rate}` lets begin");
            let mut failure = CallFailure::new(FailureCode::Overloaded, message);
            failure.retry_after_ms = Some(again);
            failure.before_work()
        })
    }

    fn rate_holds(&self, rate: &Rate, caller: &Scope, loop_id: &LoopId) -> bool {
        let callers = match &rate.callers {
            None => *caller != self.me.scope(),
            Some(name) => self
                .resolve_name(name)
                .is_ok_and(|scope| scope.contains(caller)),
        };
        callers && (rate.loops.is_empty() || rate.loops.contains(loop_id))
    }

    /// Puts other rates in force; calls that wait for their turn keep it.
    pub(crate) fn set_rates(&mut self, rates: Vec<Rate>) {
        self.rates.set(rates);
    }

    /// The rates in force, and what they have done.
    pub fn rates(&self) -> Vec<RateView> {
        let rates = self.rates.counted.iter();
        let rates = rates.map(|counted| RateView {
            unknown: (counted.rate.callers.as_ref())
                .is_some_and(|name| self.resolve_name(name).is_err()),
            rate: counted.rate.clone(),
            waited: counted.waited,
            refused: counted.refused,
        });
        rates.collect()
    }
}
