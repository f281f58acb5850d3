//! What an agent's confirmed bids of one day come to.

use std::collections::BTreeMap;

use realm_protocol::{LoopId, Timestamp, broadcast::Price, wire_map};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What an agent's confirmed bids of one day, in UTC, come to at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayBudget {
    /// The one currency that it counts; there is no room for another.
    pub currency: String,
    /// Millionths of it.
    pub most: u64,
}

wire_map! {
    /// What an agent's confirmed bids of one day come to.
    pub struct Day {
        /// The agent.
        0 => agent: LoopId,
        /// Days since 1970, in UTC.
        1 => number: u64,
        /// What they come to.
        2 => price: Price,
    }
}

/// What every agent's confirmed bids come to, each on the last day that it confirmed one.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservations(BTreeMap<LoopId, Day>);

impl Day {
    /// When it is over.
    pub fn ends(&self) -> Timestamp {
        Timestamp::from_millis(self.number.saturating_add(1).saturating_mul(DAY_MS))
    }
}

impl Reservations {
    /// What is left of a budget, millionths.
    pub(super) fn left(&self, agent: &LoopId, budget: &DayBudget, now: Timestamp) -> u64 {
        let today = self.0.get(agent).filter(|day| day.number == number(now));
        let reserved = today.filter(|day| day.price.currency == budget.currency);
        let reserved = reserved.map_or(0, |day| day.price.micros);
        budget.most.saturating_sub(reserved)
    }

    /// Whether a price has room in a budget.
    pub(super) fn has_room(
        &self,
        agent: &LoopId,
        budget: &DayBudget,
        price: &Price,
        now: Timestamp,
    ) -> bool {
        price.currency == budget.currency && price.micros <= self.left(agent, budget, now)
    }

    /// Takes up a day that was written down.
    pub(super) fn take_up(&mut self, day: Day) {
        self.0.insert(day.agent.clone(), day);
    }

    /// Takes what was confirmed; gives the day to be written down.
    pub(super) fn reserve(&mut self, agent: &LoopId, price: &Price, at: Timestamp) -> Day {
        if let Some(day) = self.day(agent, price, at) {
            day.price.micros = day.price.micros.saturating_add(price.micros);
            return day.clone();
        }
        let day = Day {
            agent: agent.clone(),
            number: number(at),
            price: price.clone(),
        };
        self.0.retain(|_, kept| kept.number >= day.number);
        self.0.insert(agent.clone(), day.clone());
        day
    }

    /// Gives back what was confirmed, where no work began; gives the day to be written down.
    pub(super) fn release(&mut self, agent: &LoopId, price: &Price, at: Timestamp) -> Option<Day> {
        let day = self.day(agent, price, at)?;
        day.price.micros = day.price.micros.saturating_sub(price.micros);
        Some(day.clone())
    }

    /// The day of a time, in the currency of a price.
    fn day(&mut self, agent: &LoopId, price: &Price, at: Timestamp) -> Option<&mut Day> {
        self.0
            .get_mut(agent)
            .filter(|day| day.price.currency == price.currency && day.number == number(at))
    }
}

/// The day of a time, in UTC.
fn number(at: Timestamp) -> u64 {
    at.as_millis() / DAY_MS
}
