//! How often calls begin here, by who calls: what comes too soon waits for its turn or is refused.
//!
//! A caller counts at its own place and at all above it that are not above this realm too: an organisation has what a
//! rate gives a caller, and each level below half of what the one above it has. So nobody gains by splitting into many.
//!
//! Work that a bid has won has its place already, and what the market asks of this realm's own loops is not
//! counted either. A call that is given an earlier answer, or joins one under way, begins nothing.

mod applied;

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{FailureCode, LoopId, RealmId, RealmName, RealmPath, Scope, Tick, limits};
use realm_router::{Gcra, Pace};

use crate::{CallFailure, Node, Refused, levels::levels};
pub(crate) use applied::all_bounded;

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
    /// Whether its callers share it; otherwise each organisation has as much.
    pub shared: bool,
    /// How many wait for their turn, of those that share it; one more is `Overloaded`.
    pub queue: u64,
}

/// What a rate has done since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateView {
    /// The rate.
    pub rate: Rate,
    /// Whether it stands in the configuration, and was not applied.
    pub configured: bool,
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
    configured: Vec<Rate>,
    applied: BTreeMap<String, Rate>,
    counted: Vec<Counted>,
}

/// Who has had how much of a rate.
#[derive(Debug)]
enum Paces {
    /// All callers together.
    Shared(Pace),
    /// By place, under the root of each tree.
    Apart(BTreeMap<RealmId, BTreeMap<RealmPath, Pace>>),
}

/// A rate, and what it has counted.
#[derive(Debug)]
struct Counted {
    rate: Rate,
    paces: Paces,
    waited: u64,
    refused: u64,
}

impl Rates {
    pub(crate) fn new(configured: Vec<Rate>) -> Self {
        let mut new = Self::default();
        new.set_configured(configured);
        new
    }

    fn set_configured(&mut self, configured: Vec<Rate>) {
        self.configured = configured;
        self.put_in_force();
    }

    /// Those that were applied, also under a name that the configuration has.
    pub(crate) const fn applied(&self) -> &BTreeMap<String, Rate> {
        &self.applied
    }

    pub(crate) fn set_applied(&mut self, applied: BTreeMap<String, Rate>) {
        self.applied = applied;
        self.put_in_force();
    }

    fn is_configured(&self, name: &str) -> bool {
        self.configured.iter().any(|rate| rate.name == name)
    }

    /// A rate of the configuration goes before an applied one of its name; what was counted stays counted
    /// under the same name.
    fn put_in_force(&mut self) {
        let applied = self.applied.values();
        let applied = applied.filter(|rate| !self.is_configured(&rate.name));
        let rates: Vec<Rate> = self.configured.iter().chain(applied).cloned().collect();
        let mut old = std::mem::take(&mut self.counted);
        let count = |rate: Rate| {
            let same = |counted: &Counted| counted.rate.name == rate.name;
            let before = old.iter().position(same).map(|at| old.swap_remove(at));
            let (paces, waited, refused) = before.map_or_else(Default::default, |counted| {
                // What was counted at one pace is no debt at another.
                let as_before = counted.rate.shared == rate.shared
                    && counted.rate.per_minute == rate.per_minute;
                (
                    as_before.then_some(counted.paces),
                    counted.waited,
                    counted.refused,
                )
            });
            Counted {
                paces: paces.unwrap_or_else(|| Paces::new(rate.shared)),
                rate,
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
        (levels, patience): (&[(u32, Scope)], u64),
        now: Tick,
    ) -> Result<u64, (String, u64)> {
        let mut longest = 0;
        for counted in self.holding(holds) {
            let turn = counted.turn(levels, now);
            match turn.and_then(|wait| if wait < patience { Ok(wait) } else { Err(wait) }) {
                Ok(wait) => longest = wait.max(longest),
                Err(again) => {
                    counted.refused = counted.refused.saturating_add(1);
                    return Err((counted.rate.name.clone(), again));
                }
            }
        }
        for counted in self.holding(holds) {
            counted.take(levels, longest > 0, now);
        }
        Ok(longest)
    }

    fn holding(&mut self, holds: &[bool]) -> impl Iterator<Item = &mut Counted> {
        let both = self.counted.iter_mut().zip(holds);
        both.filter_map(|(counted, holds)| holds.then_some(counted))
    }
}

impl Paces {
    const fn new(shared: bool) -> Self {
        match shared {
            true => Self::Shared(Pace::rested()),
            false => Self::Apart(BTreeMap::new()),
        }
    }

    /// What a place has had; none where there is no room to count it.
    fn of(&mut self, place: &Scope, now: Tick) -> Option<Pace> {
        let trees = match self {
            Self::Shared(pace) => return Some(*pace),
            Self::Apart(trees) => trees,
        };
        if let Some(pace) = trees
            .get(&place.root)
            .and_then(|tree| tree.get(&place.path))
        {
            return Some(*pace);
        }
        let rest = |tree: &mut BTreeMap<RealmPath, Pace>| {
            tree.retain(|_, pace| !pace.is_rested(now));
            tree.len()
        };
        let of_tree = trees.get_mut(&place.root).map_or(0, rest);
        let mut all: usize = trees.values().map(BTreeMap::len).sum();
        if all >= limits::RATED_CALLERS {
            all = trees.values_mut().map(rest).sum();
            trees.retain(|_, tree| !tree.is_empty());
        }
        let room = all < limits::RATED_CALLERS && of_tree < limits::RATED_CALLERS_PER_ROOT;
        room.then(Pace::rested)
    }

    fn at(&mut self, place: &Scope) -> &mut Pace {
        match self {
            Self::Shared(pace) => pace,
            Self::Apart(trees) => {
                let tree = trees.entry(place.root).or_default();
                tree.entry(place.path.clone()).or_insert(Pace::rested())
            }
        }
    }
}

impl Counted {
    fn turn(&mut self, levels: &[(u32, Scope)], now: Tick) -> Result<u64, u64> {
        let mut longest = 0;
        for (gcra, queue, place) in counting(&self.rate, levels) {
            let pace = self.paces.of(place, now);
            let pace = pace.ok_or(limits::RATED_AGAIN_MS)?;
            longest = gcra.turn(pace, queue, now)?.max(longest);
        }
        Ok(longest)
    }

    fn take(&mut self, levels: &[(u32, Scope)], waits: bool, now: Tick) {
        self.waited = self.waited.saturating_add(u64::from(waits));
        for (gcra, _, place) in counting(&self.rate, levels) {
            gcra.take(self.paces.at(place), now);
        }
    }
}

/// Where a call counts: at which pace, how many wait there, and at which place.
fn counting<'a>(
    rate: &'a Rate,
    levels: &'a [(u32, Scope)],
) -> impl Iterator<Item = (Gcra, u64, &'a Scope)> {
    // What all share has one level.
    let levels = match rate.shared {
        true => levels.get(..1).unwrap_or(levels),
        false => levels,
    };
    levels.iter().map(|(halvings, place)| {
        let half = |all: u64| all.div_ceil(1 << halvings);
        let gcra = Gcra::new(half(rate.per_minute), half(rate.burst));
        (gcra, half(rate.queue), place)
    })
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
        let mut levels = levels(caller, &self.me.scope());
        if levels.is_empty() {
            levels.push((0, caller.clone()));
        }
        let turn = self
            .rates
            .turn(&holds, (&levels, patience.max(1)), self.now.tick);
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
    pub(crate) fn set_rates(&mut self, configured: Vec<Rate>) {
        self.rates.set_configured(configured);
    }

    /// The rates in force, and what they have done.
    pub fn rates(&self) -> Vec<RateView> {
        let rates = self.rates.counted.iter();
        let rates = rates.enumerate().map(|(at, counted)| RateView {
            configured: at < self.rates.configured.len(),
            unknown: (counted.rate.callers.as_ref())
                .is_some_and(|name| self.resolve_name(name).is_err()),
            rate: counted.rate.clone(),
            waited: counted.waited,
            refused: counted.refused,
        });
        rates.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Tick = Tick::from_millis(1_000);

    fn place(root: u8, path: &str) -> Scope {
        Scope {
            root: RealmId::new([root; 32]),
            path: path.parse().unwrap(),
        }
    }

    fn rates(burst: u64) -> Rates {
        Rates::new(vec![Rate {
            name: "each".to_owned(),
            callers: None,
            loops: BTreeSet::new(),
            per_minute: burst,
            burst,
            shared: false,
            queue: 0,
        }])
    }

    /// How many calls begin at once, of realms named in turn.
    fn begun(rates: &mut Rates, calls: u64, name: impl Fn(u64) -> Scope) -> u64 {
        let begins = |number: &u64| {
            let levels = levels(&name(*number), &place(1, "me"));
            rates.turn(&[true], (&levels, 1), NOW).is_ok()
        };
        (0..calls).filter(begins).count() as u64
    }

    #[test]
    fn a_tree_has_one_share_however_many_realms_it_makes_and_others_keep_theirs() {
        let mut rates = rates(64);
        let split = |number| place(2, &format!("shop/c{number}"));

        assert_eq!(begun(&mut rates, 1_000, split), 32);
        assert_eq!(begun(&mut rates, 1_000, |_| place(2, "farm")), 32);
        assert_eq!(begun(&mut rates, 1_000, |_| place(3, "")), 64);
        assert_eq!(begun(&mut rates, 1_000, |_| place(1, "you")), 64);
    }

    #[test]
    fn a_tree_with_more_busy_realms_than_may_be_counted_locks_itself_out_alone() {
        let mut rates = rates(100_000);
        let split = |number| place(2, &format!("c{number}"));

        let places = limits::RATED_CALLERS_PER_ROOT as u64;
        assert_eq!(begun(&mut rates, 10_000, split), places - 1);
        assert_eq!(begun(&mut rates, 1, |_| place(3, "ward")), 1);
    }
}
