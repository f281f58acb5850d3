//! Rates that the owner applies while the realm runs, beside those of its configuration.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{LoopId, NameError, journal::Table, limits, wire_map};

use super::Rate;
use crate::{Node, Refusal, Response, state};

wire_map! {
    /// A rate that was applied; its name is the row's key.
    pub struct StoredRate {
        /// Whose calls, by name; none for everybody's but this realm's own.
        0 => callers: Option<String>,
        /// Calls of which loops; without any, of all.
        1 => loops: Vec<LoopId>,
        /// How many begin in a minute.
        2 => per_minute: u64,
        /// How many begin at once.
        3 => burst: u64,
        /// Whether its callers share it.
        4 => shared: bool,
        /// How many wait for their turn.
        5 => queue: u64,
    }
}

impl StoredRate {
    /// # Errors
    /// The callers' name is none.
    fn called(self, name: String) -> Result<Rate, NameError> {
        let Self {
            callers,
            loops,
            per_minute,
            burst,
            shared,
            queue,
        } = self;
        Ok(Rate {
            name,
            callers: callers.map(|callers| callers.parse()).transpose()?,
            loops: loops.into_iter().collect(),
            per_minute,
            burst,
            shared,
            queue,
        })
    }
}

impl From<&Rate> for StoredRate {
    fn from(rate: &Rate) -> Self {
        Self {
            callers: rate.callers.as_ref().map(ToString::to_string),
            loops: rate.loops.iter().cloned().collect(),
            per_minute: rate.per_minute,
            burst: rate.burst,
            shared: rate.shared,
            queue: rate.queue,
        }
    }
}

impl Node {
    /// Puts a rate in force, in place of one of its name that was applied before.
    pub(crate) fn apply_rate(&mut self, rate: Rate) -> Result<Response, Refusal> {
        if let Some(callers) = &rate.callers {
            self.resolve_name(callers)?;
        }
        if self.rates.is_configured(&rate.name) {
            return Err(Refusal::ConfiguredRate { name: rate.name });
        }
        let mut applied = self.rates.applied.clone();
        applied.insert(rate.name.clone(), rate.clone());
        all_bounded(&applied)?;
        self.rates.set_applied(applied);
        self.write_rate(&rate);
        Ok(Response::Done)
    }

    pub(crate) fn write_rate(&mut self, rate: &Rate) {
        let row = state::write(&StoredRate::from(rate));
        self.put(Table::Rates, rate.name.as_bytes(), row);
    }

    /// Lets a rate go that was applied.
    pub(crate) fn remove_rate(&mut self, name: &str) -> Result<Response, Refusal> {
        let mut applied = self.rates.applied.clone();
        if applied.remove(name).is_none() {
            return Err(match self.rates.is_configured(name) {
                true => Refusal::ConfiguredRate {
                    name: name.to_owned(),
                },
                false => Refusal::NotFound {
                    what: "rate",
                    name: name.to_owned(),
                },
            });
        }
        self.rates.set_applied(applied);
        self.delete(Table::Rates, name.as_bytes());
        Ok(Response::Done)
    }

    /// Takes up what was written down.
    pub(crate) fn recover_rates<'r>(
        &mut self,
        rows: impl Iterator<Item = (&'r Vec<u8>, &'r Vec<u8>)>,
    ) {
        let read = rows.filter_map(|(key, row)| {
            let name = String::from_utf8(key.clone()).ok()?;
            let stored = state::read::<StoredRate>(row).ok();
            let rate = stored.and_then(|stored| stored.called(name.clone()).ok());
            let rate = rate.unwrap_or_else(|| {
                tracing::error!(
                    name,
                    "a stored rate does not read: one call a minute begins"
                );
                least(name.clone())
            });
            Some((name, rate))
        });
        let applied: BTreeMap<String, Rate> = read.collect();
        self.rates.set_applied(applied);
    }
}

/// What stands for a rate whose record does not read: nobody knows how little it let begin.
const fn least(name: String) -> Rate {
    Rate {
        name,
        callers: None,
        loops: BTreeSet::new(),
        per_minute: 1,
        burst: 1,
        shared: true,
        queue: 0,
    }
}

/// Whether these are rates that can be kept.
pub(crate) fn all_bounded(rates: &BTreeMap<String, Rate>) -> Result<(), Refusal> {
    if rates.len() > limits::RATES {
        return Err(Refusal::Full {
            what: "rates",
            limit: limits::RATES,
        });
    }
    rates.values().try_for_each(bounded)
}

fn bounded(rate: &Rate) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = &rate.name;
    let named = (1..=limits::RATE_NAME_BYTES).contains(&name.len()) && name.chars().all(plain);
    let within = [
        ("perMinute", rate.per_minute, 1, limits::RATE_PER_MINUTE),
        ("burst", rate.burst, 1, limits::RATE_BURST),
        ("queue", rate.queue, 0, limits::RATE_QUEUE),
    ];
    let outside = within
        .into_iter()
        .find(|(_, number, least, most)| !(*least..=*most).contains(number));
    match outside {
        _ if !named => Err(Refusal::Range {
            what: "the name of a rate",
            range: format!(
                "1 to {} letters, digits, dots, dashes and underscores",
                limits::RATE_NAME_BYTES
            ),
        }),
        Some((what, _, least, most)) => Err(Refusal::Range {
            what,
            range: format!("{least} to {most}"),
        }),
        None => Ok(()),
    }
}
