//! Limits of the realm as a whole that documents set, beside those of its configuration: the least holds.

use std::collections::BTreeMap;

use realm_executor::Limit;
use realm_protocol::wire_map;

use crate::Node;

wire_map! {
    /// A limit; its id is the row's key.
    pub struct StoredLimit {
        /// Of what, by its place in [`LIMITS`].
        0 => of: u64,
        /// How much.
        1 => most: u64,
    }
}

/// What there are limits of, in the order of their numbers.
const LIMITS: [Limit; 3] = [Limit::Runs, Limit::Agents, Limit::Kept];

/// Limits by their ids.
pub(crate) type LimitsSet = BTreeMap<String, (Limit, u64)>;

impl StoredLimit {
    pub(crate) fn new(of: Limit, most: u64) -> Self {
        let at = LIMITS.iter().position(|known| *known == of);
        Self {
            of: at.unwrap_or_default() as u64,
            most,
        }
    }

    fn read(&self) -> Option<(Limit, u64)> {
        let of = LIMITS.get(usize::try_from(self.of).ok()?)?;
        Some((*of, self.most))
    }
}

impl Node {
    /// The least that documents set; none where no document does.
    pub fn limit(&self, of: Limit) -> Option<u64> {
        let set = self.limits_set.values().filter(|(limit, _)| *limit == of);
        set.map(|(_, most)| *most).min()
    }

    /// All that documents set, each with its id.
    pub fn limits(&self) -> impl Iterator<Item = (&str, Limit, u64)> {
        let set = self.limits_set.iter();
        set.map(|(id, (of, most))| (id.as_str(), *of, *most))
    }

    /// How many calls may be under way here.
    pub(crate) fn most_calls(&self) -> usize {
        let set = self
            .limit(Limit::Runs)
            .and_then(|most| usize::try_from(most).ok());
        set.map_or(self.config.max_calls, |most| {
            most.min(self.config.max_calls)
        })
    }

    /// Takes up what was written down.
    pub(crate) fn recover_limits(&mut self, stored: Vec<(String, StoredLimit)>) {
        let read = stored
            .into_iter()
            .filter_map(|(id, stored)| Some((id, stored.read()?)));
        self.limits_set = read.collect();
    }
}
