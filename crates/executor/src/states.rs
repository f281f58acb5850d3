//! What agents keep between calls: values by key, each with a version.

use std::collections::BTreeMap;

use realm_protocol::{CallId, FailureCode, LoopId, Timestamp, json, limits};
use serde_json::{Map, Value};

use crate::{Category, LoopError};

/// The state of every agent of one realm.
#[derive(Debug, Default)]
pub struct States {
    agents: BTreeMap<LoopId, BTreeMap<String, StateValue>>,
    /// Bytes of all values.
    bytes: usize,
}

/// One value that an agent keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateValue {
    /// Rises by one with every change, from 1.
    pub version: u64,
    /// The value.
    pub value: Value,
    /// When it was written.
    pub at: Timestamp,
    /// The call that wrote it.
    pub call: CallId,
}

/// What a call was given: its keys with the version of each and the call that wrote it, if it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) agent: LoopId,
    keys: BTreeMap<String, Option<(u64, CallId)>>,
}

/// What a call wants changed: new values, and none for what is to be forgotten.
pub(crate) type Changes = BTreeMap<String, Option<Value>>;

impl States {
    /// The agents that keep something, with what they keep.
    pub fn agents(&self) -> impl Iterator<Item = (&LoopId, &BTreeMap<String, StateValue>)> {
        self.agents.iter()
    }

    /// What an agent keeps.
    pub fn of(&self, agent: &LoopId) -> Option<&BTreeMap<String, StateValue>> {
        self.agents.get(agent)
    }

    /// Takes up a value that was written down.
    pub fn take_up(&mut self, agent: LoopId, key: String, value: StateValue) {
        self.set(&agent, key, Some(value));
    }

    /// Forgets one value of an agent, or all; gives the keys that are gone.
    pub fn forget(&mut self, agent: &LoopId, key: Option<&str>) -> Vec<String> {
        let held = self.agents.get(agent).into_iter().flat_map(BTreeMap::keys);
        let gone = held.filter(|held| key.is_none_or(|key| key == *held));
        let gone: Vec<String> = gone.cloned().collect();
        for key in &gone {
            self.set(agent, key.clone(), None);
        }
        gone
    }

    /// What a call is given of its keys: `{KEY: {value, version}}`, null for what is not there.
    pub(crate) fn give(&self, agent: &LoopId, keys: Vec<String>) -> (Held, Value) {
        let known = self.agents.get(agent);
        let (mut stamps, mut given) = (BTreeMap::new(), Map::new());
        for key in keys {
            let found = known.and_then(|known| known.get(&key));
            let shown = found
                .map(|found| serde_json::json!({"value": found.value, "version": found.version}));
            given.insert(key.clone(), shown.unwrap_or_default());
            stamps.insert(key, found.map(|found| (found.version, found.call)));
        }
        let held = Held {
            agent: agent.clone(),
            keys: stamps,
        };
        (held, Value::Object(given))
    }

    /// Whether changes may be made by a call that was given this.
    ///
    /// # Errors
    /// What stands in the way: a key changed meanwhile, or there is too much.
    pub(crate) fn check(&self, held: &Held, changes: &Changes) -> Result<(), LoopError> {
        let known = self.agents.get(&held.agent);
        let now = |key: &String| known.and_then(|known| known.get(key));
        let stamp = |key: &String| now(key).map(|found| (found.version, found.call));
        let moved: Vec<&str> = changes
            .keys()
            .filter(|key| held.keys.get(*key) != Some(&stamp(key)))
            .map(String::as_str)
            .collect();
        if !moved.is_empty() {
            let message = format!(
                "another call changed the state `{}` of agent `{}` meanwhile",
                moved.join("`, `"),
                held.agent
            );
            let error = LoopError::new(FailureCode::LoopFailed, message).after_work();
            return Err(LoopError {
                category: Category::Transient,
                ..error
            });
        }
        let size = |value: Option<&Value>| value.map_or(0, |value| json::to_bytes(value).len());
        let (mut bytes, mut keys) = (self.bytes, known.map_or(0, BTreeMap::len));
        for (key, value) in changes {
            let old = now(key);
            bytes = bytes.saturating_sub(size(old.map(|old| &old.value)));
            bytes = bytes.saturating_add(size(value.as_ref()));
            keys = keys.saturating_sub(usize::from(old.is_some()));
            keys = keys.saturating_add(usize::from(value.is_some()));
        }
        let agents = self.agents.len() + usize::from(known.is_none());
        let grows = changes.values().any(Option::is_some);
        let full = bytes > limits::STATE_BYTES
            || keys > limits::STATE_KEYS
            || agents > limits::STATE_AGENTS;
        if grows && full {
            let message = format!(
                "the realm keeps no more state: {} keys of an agent, {} agents and {} MiB in all; `realmctl agent state ls` shows it, `realmctl agent state rm {}` removes this agent's",
                limits::STATE_KEYS,
                limits::STATE_AGENTS,
                limits::STATE_BYTES / (1024 * 1024),
                held.agent,
            );
            return Err(LoopError::new(FailureCode::Budget, message).after_work());
        }
        Ok(())
    }

    /// Makes changes that have been checked; gives each as it is to be written down.
    pub(crate) fn make(
        &mut self,
        agent: &LoopId,
        changes: Changes,
        (call, at): (CallId, Timestamp),
    ) -> Vec<(String, Option<StateValue>)> {
        let known = self.agents.get(agent);
        let version = |key: &String| {
            known
                .and_then(|known| known.get(key))
                .map_or(0, |old| old.version)
        };
        let made: Vec<_> = changes
            .into_iter()
            .map(|(key, value)| {
                let version = version(&key).saturating_add(1);
                let value = value.map(|value| StateValue {
                    version,
                    value,
                    at,
                    call,
                });
                (key, value)
            })
            .collect();
        for (key, value) in &made {
            self.set(agent, key.clone(), value.clone());
        }
        made
    }

    fn set(&mut self, agent: &LoopId, key: String, value: Option<StateValue>) {
        let size = |value: &StateValue| json::to_bytes(&value.value).len();
        let known = self.agents.entry(agent.clone()).or_default();
        let new = value.as_ref().map_or(0, size);
        let old = match value {
            Some(value) => known.insert(key, value),
            None => known.remove(&key),
        };
        self.bytes = self.bytes.saturating_sub(old.as_ref().map_or(0, size));
        self.bytes = self.bytes.saturating_add(new);
        if known.is_empty() {
            self.agents.remove(agent);
        }
    }
}

impl Held {
    /// Parts the answer of a call that was given state: `{output, state}`, where `state` names new values
    /// as `{KEY: {value}}`, may say which version each replaces, and is null for what is to be forgotten.
    ///
    /// # Errors
    /// What of it does not read, one line a fault.
    pub(crate) fn part(&self, answer: Value) -> Result<(Value, Changes), Vec<String>> {
        let Value::Object(mut answer) = answer else {
            return Err(vec![
                "(root): a loop with state answers an object: {output, state}".to_owned(),
            ]);
        };
        let (output, state) = (answer.remove("output"), answer.remove("state"));
        let mut faults: Vec<String> = answer
            .keys()
            .map(|key| format!("/{key}: a loop with state answers `output` and `state` alone"))
            .collect();
        let mut changes = Changes::new();
        match state {
            None | Some(Value::Null) => {}
            Some(Value::Object(state)) => {
                for (key, change) in state {
                    match self.change(&key, change) {
                        Ok(value) => {
                            changes.insert(key, value);
                        }
                        Err(fault) => faults.push(format!("/state/{key}: {fault}")),
                    }
                }
            }
            Some(_) => faults.push("/state: an object of keys".to_owned()),
        }
        match output {
            Some(output) if faults.is_empty() => Ok((output, changes)),
            Some(_) => Err(faults),
            None => {
                faults.push("/output: a loop with state answers {output, state}".to_owned());
                Err(faults)
            }
        }
    }

    fn change(&self, key: &str, change: Value) -> Result<Option<Value>, String> {
        let Some(stamp) = self.keys.get(key) else {
            let keys: Vec<&str> = self.keys.keys().map(String::as_str).collect();
            return Err(format!("this call was given {}", keys.join(", ")));
        };
        let mut change = match change {
            Value::Null => return Ok(None),
            Value::Object(change) => change,
            _ => return Err("{value}, or null to forget it".to_owned()),
        };
        let given = stamp.map_or(0, |(version, _)| version);
        let replaces = change.remove("version");
        if let Some(version) = replaces.filter(|version| version.as_u64() != Some(given)) {
            return Err(format!("it was given in version {given}, not {version}"));
        }
        let (Some(value), true) = (change.remove("value"), change.is_empty()) else {
            return Err("{value}, or null to forget it".to_owned());
        };
        if json::to_bytes(&value).len() > limits::STATE_VALUE_BYTES {
            let most = limits::STATE_VALUE_BYTES;
            return Err(format!("a value has at most {most} bytes"));
        }
        Ok(Some(value))
    }
}
