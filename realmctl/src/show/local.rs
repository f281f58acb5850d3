//! What this program says about itself and this machine.

use serde::Serialize;
use serde_json::Value;

use crate::output::{Block, Show};

/// One realm of this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub home: String,
    /// Whether it is meant where none is named.
    pub current: bool,
}

/// The realms of this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Contexts {
    /// By name.
    pub items: Vec<Context>,
}

impl Show for Contexts {
    fn names(&self) -> Vec<String> {
        self.items.iter().map(|item| item.name.clone()).collect()
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let row = |item: &Context| {
            let mark = if item.current { "*" } else { "" };
            vec![mark.to_owned(), item.name.clone(), item.home.clone()]
        };
        vec![Block::Table(
            vec!["", "REALM", "HOME"],
            self.items.iter().map(row).collect(),
        )]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.items
            .iter()
            .map(|item| serde_json::to_value(item).ok())
            .collect()
    }
}

/// The version of this program.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    /// `realmctl`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Operating system and processor.
    pub platform: String,
}

impl Show for Version {
    fn names(&self) -> Vec<String> {
        vec![self.version.to_owned()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(format!(
            "{} {} ({})",
            self.name, self.version, self.platform
        ))]
    }
}

/// An explanation.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// What is explained.
    pub topic: String,
    /// In a few words.
    pub title: String,
    /// At length.
    pub text: String,
    /// What a program that ends with it gives the system; only for errors.
    #[serde(rename = "exitCode", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

impl Show for Explained {
    fn names(&self) -> Vec<String> {
        vec![self.topic.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let exit = self
            .exit_code
            .map(|code| format!("\n\nExit code {code}."))
            .unwrap_or_default();
        vec![Block::Text(format!(
            "{}: {}\n\n{}{exit}",
            self.topic, self.title, self.text
        ))]
    }
}
