//! What agents keep between calls: written down with the end of the call that changed it.

use realm_executor::{StateValue, States};
use realm_protocol::{CallId, LoopId, Timestamp, cbor::Blob, journal::Table, json, wire_map};

use crate::{Node, Refusal, Response, state};

wire_map! {
    /// One value of an agent's state. The value is payload: sealed at rest.
    pub struct StoredState {
        /// Its version.
        0 => version: u64,
        /// The value, JSON.
        1 => value: Blob,
        /// When it was written.
        2 => at: Timestamp,
        /// The call that wrote it.
        3 => call: CallId,
    }
}

impl Node {
    /// What agents keep.
    pub fn states(&self) -> &States {
        self.executor.states()
    }

    /// Writes down a change of an agent's state; none forgets the key.
    pub(crate) fn keep_state(&mut self, agent: &LoopId, key: &str, value: Option<StateValue>) {
        let row = state_row(agent, key);
        let Some(value) = value else {
            return self.delete(Table::States, &row);
        };
        let StateValue {
            version,
            value,
            at,
            call,
        } = value;
        let stored = StoredState {
            version,
            value: Blob::from(json::to_bytes(&value)),
            at,
            call,
        };
        self.put(Table::States, &row, state::write(&stored));
    }

    /// Forgets one value of an agent, or all.
    pub(crate) fn forget_state(
        &mut self,
        agent: &LoopId,
        key: Option<&str>,
    ) -> Result<Response, Refusal> {
        let gone = self.executor.forget_state(agent, key);
        if gone.is_empty() {
            let name = match key {
                Some(key) => format!("{agent} {key}"),
                None => agent.to_string(),
            };
            return Err(Refusal::NotFound {
                what: "state",
                name,
            });
        }
        for key in &gone {
            self.delete(Table::States, &state_row(agent, key));
        }
        Ok(Response::Done)
    }

    /// Forgets the state of agents that no version of a loop names any more.
    pub(crate) fn forget_states_of_gone_agents(&mut self) {
        let states = self.executor.states();
        let agents = states.agents().map(|(agent, _)| agent);
        let is_named = |agent: &&LoopId| {
            let loops = self.registry.iter();
            let mut versions = loops.flat_map(|known| self.registry.versions(&known.manifest.id));
            versions.any(|known| known.manifest.state_agent() == Some(*agent))
        };
        let gone: Vec<LoopId> = agents.filter(|agent| !is_named(agent)).cloned().collect();
        for agent in gone {
            for key in self.executor.forget_state(&agent, None) {
                self.delete(Table::States, &state_row(&agent, &key));
            }
        }
    }

    /// Takes up what was written down.
    pub(crate) fn recover_states(&mut self, rows: Vec<(Vec<u8>, StoredState)>) {
        for (row, stored) in rows {
            let StoredState {
                version,
                value,
                at,
                call,
            } = stored;
            let (Some((agent, key)), Ok(value)) = (named(&row), json::parse(&value)) else {
                tracing::error!("what is stored of an agent's state does not read");
                continue;
            };
            let value = StateValue {
                version,
                value,
                at,
                call,
            };
            self.executor.take_up_state(agent, key, value);
        }
    }
}

/// The row of a value: the agent, a zero, the key.
fn state_row(agent: &LoopId, key: &str) -> Vec<u8> {
    [agent.as_str().as_bytes(), &[0], key.as_bytes()].concat()
}

fn named(row: &[u8]) -> Option<(LoopId, String)> {
    let (agent, key) = std::str::from_utf8(row).ok()?.split_once('\0')?;
    Some((agent.parse().ok()?, key.to_owned()))
}
