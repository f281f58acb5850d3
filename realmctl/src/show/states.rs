//! What agents keep between calls.

use realm_client::api::{StateSummary, StateView};

use super::{Row, moment};
use crate::output::{Block, Show};

impl Row for StateSummary {
    const HEADER: &'static [&'static str] = &["AGENT", "KEYS", "BYTES", "CHANGED"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.agent.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.agent.clone(),
            self.keys.to_string(),
            self.bytes.to_string(),
            moment(self.changed),
        ]
    }
}

impl Row for StateView {
    const HEADER: &'static [&'static str] = &["KEY", "VERSION", "VALUE", "CHANGED", "CALL"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.key.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.clone(),
            self.version.to_string(),
            self.value.to_string().chars().take(SHOWN).collect(),
            moment(self.changed),
            self.call.clone(),
        ]
    }
}

/// Characters of a value that a list shows.
const SHOWN: usize = 60;

impl Show for StateView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![
            Block::Fields(vec![
                ("agent", self.agent.clone()),
                ("key", self.key.clone()),
                ("version", self.version.to_string()),
                ("changed", moment(self.changed)),
                ("call", self.call.clone()),
            ]),
            Block::Text(format!("value {:#}", self.value)),
        ]
    }
}
