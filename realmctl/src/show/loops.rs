//! Loops, agents, and what became of files.

use realm_client::api::{
    AgentView, Applied, AppliedRestriction, ApplyAction, ApplyResult, Compatibility, DiffResult,
    ImportResult, LoopChange, LoopDetail, LoopDiff, LoopSummary, Removed, RestrictionDiff,
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
        let target = self.target.as_ref().map(|target| match self.attached {
            Some(instances) => format!("{target} ({instances} attached)"),
            None => target.clone(),
        });
        vec![
            self.loop_id.clone(),
            self.version.clone(),
            self.backend.clone(),
            text(target.as_ref()),
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

impl Row for Removed {
    const HEADER: &'static [&'static str] = &["REMOVED"];
    const NARROW: usize = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![self.id.clone()]
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
        let loops = self.applied.iter().map(Row::name);
        loops
            .chain(self.restrictions.iter().map(Row::name))
            .collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let loops = rows(&self.applied, wide);
        match self.restrictions.is_empty() {
            true => vec![loops],
            false => vec![loops, rows(&self.restrictions, wide)],
        }
    }

    fn items(&self) -> Option<Vec<Value>> {
        let loops = self.applied.iter();
        let loops = loops.map(|applied| serde_json::to_value(applied).ok());
        let restrictions = self.restrictions.iter();
        let restrictions = restrictions.map(|applied| serde_json::to_value(applied).ok());
        loops.chain(restrictions).collect()
    }
}

impl Row for AppliedRestriction {
    const HEADER: &'static [&'static str] = &["RESTRICTION", "KIND", "ACTION"];
    const NARROW: usize = 3;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.kind.as_str().to_owned(),
            self.action.as_str().to_owned(),
        ]
    }
}

impl Show for DiffResult {
    fn names(&self) -> Vec<String> {
        let loops = self
            .loops
            .iter()
            .filter(|one| is_changed(one.applied.action));
        let loops = loops.map(|one| one.applied.id.clone());
        let restrictions = self.restrictions.iter();
        let restrictions = restrictions.filter(|one| is_changed(one.applied.action));
        loops
            .chain(restrictions.map(|one| one.applied.id.clone()))
            .collect()
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let loops = self
            .loops
            .iter()
            .filter(|one| is_changed(one.applied.action));
        let restrictions = self.restrictions.iter();
        let restrictions = restrictions.filter(|one| is_changed(one.applied.action));
        let told: Vec<String> = loops
            .map(tell)
            .chain(restrictions.map(tell_restriction))
            .collect();
        if told.is_empty() {
            return vec![Block::Text("nothing would change".to_owned())];
        }
        told.into_iter().map(Block::Text).collect()
    }

    fn items(&self) -> Option<Vec<Value>> {
        let loops = self.loops.iter().map(|one| serde_json::to_value(one).ok());
        let restrictions = self.restrictions.iter();
        let restrictions = restrictions.map(|one| serde_json::to_value(one).ok());
        loops.chain(restrictions).collect()
    }
}

fn is_changed(action: ApplyAction) -> bool {
    action != ApplyAction::Unchanged
}

/// What happens to a policy or a rate, then the lines.
fn tell_restriction(one: &RestrictionDiff) -> String {
    let (id, action) = (&one.applied.id, one.applied.action.as_str());
    let kind = one.applied.kind.as_str();
    format!("{kind} {id}: {action}\n{}", one.text.trim_end())
}

/// What happens to the loop, what that means to callers and why, then the lines.
fn tell(one: &LoopDiff) -> String {
    let applied = &one.applied;
    let mut text = format!(
        "{} {}: {}",
        applied.id,
        applied.version,
        applied.action.as_str()
    );
    if let (Some(replaces), Some(compatibility)) = (&applied.replaces, applied.compatibility) {
        text.push_str(&format!(", {} with {replaces}", meant(compatibility)));
    }
    for reason in &applied.reasons {
        text.push_str(&format!("\n  {reason}"));
    }
    if let Some(advised) = &applied.advised {
        text.push_str(&format!("\n  give it version {advised}"));
    }
    format!("{text}\n{}", one.text.trim_end())
}

const fn meant(compatibility: Compatibility) -> &'static str {
    match compatibility {
        Compatibility::Compatible => "compatible",
        Compatibility::Unknown => "perhaps not compatible",
        Compatibility::Breaking => "not compatible",
    }
}

impl Row for LoopChange {
    const HEADER: &'static [&'static str] = &[
        "AT",
        "BY",
        "ACTION",
        "VERSION",
        "COMPATIBILITY",
        "DIGEST",
        "REASONS",
    ];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.digest.clone()
    }

    fn cells(&self) -> Vec<String> {
        let compatibility = self.compatibility.map(Compatibility::as_str);
        vec![
            self.at.to_string(),
            self.by.clone(),
            self.action.as_str().to_owned(),
            self.version.clone(),
            text(compatibility.map(str::to_owned).as_ref()),
            self.digest.clone(),
            self.reasons.join("; "),
        ]
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
