//! What an agent's confirmed bids of one day come to.

use std::collections::BTreeMap;

use realm_protocol::{LoopId, Timestamp, broadcast::Price};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What an agent's confirmed bids of one day, in UTC, come to at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayBudget {
    /// The one currency that it counts; there is no room for another.
    pub currency: String,
    /// Millionths of it.
    pub most: u64,
}

/// What every agent's confirmed bids come to, each on the last day that it confirmed one.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservations(BTreeMap<LoopId, Day>);

#[derive(Clone, Debug)]
struct Day {
    number: u64,
    price: Price,
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

    /// Takes what was confirmed.
    pub(super) fn reserve(&mut self, agent: &LoopId, price: &Price, at: Timestamp) {
        let day = self.0.get_mut(agent).filter(|day| {
            let same = day.price.currency == price.currency;
            same && day.number == number(at)
        });
        if let Some(day) = day {
            day.price.micros = day.price.micros.saturating_add(price.micros);
            return;
        }
        let day = Day {
            number: number(at),
            price: price.clone(),
        };
        self.0.retain(|_, kept| kept.number >= day.number);
        self.0.insert(agent.clone(), day);
    }

    /// Gives back what was confirmed, where no work began.
    pub(super) fn release(&mut self, agent: &LoopId, price: &Price, at: Timestamp) {
        let day = self.0.get_mut(agent).filter(|day| {
            let same = day.price.currency == price.currency;
            same && day.number == number(at)
        });
        if let Some(day) = day {
            day.price.micros = day.price.micros.saturating_sub(price.micros);
        }
    }
}

/// The day of a time, in UTC.
fn number(at: Timestamp) -> u64 {
    at.as_millis() / DAY_MS
}
