//! Loops, agents, and what became of files.

use realm_client::api::{
    AgentView, Applied, ApplyResult, ImportResult, LoopDetail, LoopSummary, Removed,
    ValidateResult, Validated,
};
use serde_json::Value;

use super::{Row, rows, text};
use crate::output::{Block, Show};

impl Row for LoopSummary {
    const HEADER: &'static [&'static str] = &[
        "LOOP",
        "VERSION",
        "KIND",
        "EFFECTS",
        "DESCRIPTION",
        "REALM",
        "DIGEST",
    ];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        let at = self
            .realm
            .as_ref()
            .map(|realm| format!("@{realm}"))
            .unwrap_or_default();
        format!("{}{at}", self.id)
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.version.clone(),
            self.kind.clone(),
            self.effects.clone(),
            text(self.description.as_ref()),
            text(self.realm.as_ref()),
            self.digest.clone(),
        ]
    }
}

impl Show for LoopDetail {
    fn names(&self) -> Vec<String> {
        vec![self.summary.name()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let summary = &self.summary;
        let fields = vec![
            ("loop", summary.name()),
            ("version", summary.version.clone()),
            ("kind", summary.kind.clone()),
            ("effects", summary.effects.clone()),
            ("description", text(summary.description.as_ref())),
            ("digest", summary.digest.clone()),
        ];
        let mut blocks = vec![Block::Fields(fields)];
        blocks.push(document("input", &self.input_schema));
        blocks.push(document("output", &self.output_schema));
        blocks.extend(
            self.example
                .as_ref()
                .map(|example| document("example", example)),
        );
        blocks
    }
}

fn document(name: &str, value: &Value) -> Block {
    Block::Text(format!("{name} {value:#}"))
}

impl Row for AgentView {
    const HEADER: &'static [&'static str] = &[
        "LOOP",
        "VERSION",
        "BACKEND",
        "TARGET",
        "RUNNING",
        "CONCURRENCY",
    ];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.loop_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.loop_id.clone(),
            self.version.clone(),
            self.backend.clone(),
            text(self.target.as_ref()),
            self.running.to_string(),
            text(self.concurrency.map(|bound| bound.to_string()).as_ref()),
        ]
    }
}

impl Show for AgentView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![rows(std::slice::from_ref(self), true)]
    }
}

impl Show for Removed {
    fn names(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let version = self.version.as_ref();
        let version = version.map(|version| format!(" {version}"));
        vec![Block::Text(format!(
            "removed {}{}",
            self.id,
            version.unwrap_or_default()
        ))]
    }
}

impl Row for Applied {
    const HEADER: &'static [&'static str] = &["LOOP", "VERSION", "ACTION", "CALLS", "FILE"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        let action = self.action.as_str().to_owned();
        vec![
            self.id.clone(),
            self.version.clone(),
            action,
            text(self.target.as_ref()),
            text(self.file.as_ref()),
        ]
    }
}

impl Show for ApplyResult {
    fn names(&self) -> Vec<String> {
        self.applied.iter().map(Row::name).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        vec![rows(&self.applied, wide)]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.applied
            .iter()
            .map(|applied| serde_json::to_value(applied).ok())
            .collect()
    }
}

impl Row for Validated {
    const HEADER: &'static [&'static str] = &["LOOP", "VERSION", "KIND", "FORMAT", "FILE"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.version.clone(),
            self.kind.clone(),
            self.format.clone(),
            text(self.file.as_ref()),
        ]
    }
}

impl Show for ValidateResult {
    fn names(&self) -> Vec<String> {
        self.documents.iter().map(Row::name).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        vec![rows(&self.documents, wide)]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.documents
            .iter()
            .map(|document| serde_json::to_value(document).ok())
            .collect()
    }
}

impl Show for ImportResult {
    fn names(&self) -> Vec<String> {
        self.documents
            .iter()
            .map(|document| document.id.clone())
            .collect()
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let texts = self
            .documents
            .iter()
            .map(|document| document.text.trim_end().to_owned());
        vec![Block::Text(texts.collect::<Vec<_>>().join("\n---\n"))]
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(
            self.documents
                .iter()
                .map(|document| document.document.clone())
                .collect(),
        )
    }
}
