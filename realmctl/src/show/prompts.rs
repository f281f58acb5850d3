//! Prompts, and how loops did with cases.

use realm_client::api::{
    PromptDetail, PromptDiff, PromptEvent, PromptScore, PromptSummary, PromptVersion,
};

use super::{Row, moment, rows, text};
use crate::{
    commands::eval::{Evaluated, Report, told},
    output::{Block, Show},
};

impl Row for PromptSummary {
    const HEADER: &'static [&'static str] = &["PROMPT", "CURRENT", "SHARES", "SCORES", "VERSIONS"];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        let shares = self.versions.iter().filter(|version| version.weight > 0);
        let shares: Vec<String> = shares
            .map(|version| format!("{}={}", version.version, version.weight))
            .collect();
        let current = self.versions.iter().find(|version| version.current);
        let versions = self.versions.iter().map(|version| version.version.as_str());
        vec![
            self.id.clone(),
            self.version.clone(),
            if shares.len() > 1 {
                shares.join(" ")
            } else {
                "-".to_owned()
            },
            current.map_or_else(|| "-".to_owned(), means),
            versions.collect::<Vec<_>>().join(" "),
        ]
    }
}

impl Row for PromptVersion {
    const HEADER: &'static [&'static str] = &["VERSION", "CURRENT", "WEIGHT", "SCORES", "REVISION"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.version.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.clone(),
            if self.current { "yes" } else { "-" }.to_owned(),
            self.weight.to_string(),
            means(self),
            self.digest.clone(),
        ]
    }
}

impl Row for PromptScore {
    const HEADER: &'static [&'static str] = &["AT", "VERSION", "SCORE", "KIND", "BY", "WHY", "RUN"];
    const NARROW: usize = 6;

    fn name(&self) -> String {
        self.version.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            moment(self.at),
            self.version.clone(),
            score(self.score),
            self.kind.as_str().to_owned(),
            self.by.clone(),
            text(self.why.as_ref()),
            text(self.run.as_ref()),
        ]
    }
}

impl Row for PromptEvent {
    const HEADER: &'static [&'static str] = &["AT", "ACTION", "VERSION", "BY", "WHY"];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.version.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            moment(self.at),
            self.action.as_str().to_owned(),
            self.version.clone(),
            self.by.clone(),
            text(self.why.as_ref()),
        ]
    }
}

impl Show for PromptDetail {
    fn names(&self) -> Vec<String> {
        vec![self.summary.id.clone()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let mut blocks = vec![
            Block::Fields(vec![
                ("prompt", self.summary.id.clone()),
                ("backend", self.backend.clone()),
                ("system", text(self.system_prompt.as_ref())),
                ("template", self.template.clone()),
            ]),
            rows(&self.summary.versions, wide),
        ];
        if !self.scores.is_empty() {
            blocks.push(rows(&self.scores, wide));
        }
        blocks.push(rows(&self.changes, wide));
        blocks
    }
}

impl Show for PromptDiff {
    fn names(&self) -> Vec<String> {
        vec![self.from.clone(), self.to.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(self.text.clone())]
    }
}

impl Row for Evaluated {
    const HEADER: &'static [&'static str] = &[
        "LOOP", "BACKEND", "VERSION", "CASES", "PERFECT", "FAILED", "SCORE", "MEDIAN", "PASSED",
    ];
    const NARROW: usize = 9;

    fn name(&self) -> String {
        self.loop_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.loop_id.clone(),
            text(self.backend.as_ref()),
            text(self.version.as_ref()),
            self.cases.to_string(),
            self.perfect.to_string(),
            self.failed.to_string(),
            score(self.score),
            told(self.median_ms),
            if self.passed { "yes" } else { "no" }.to_owned(),
        ]
    }
}

impl Show for Report {
    fn names(&self) -> Vec<String> {
        self.loops
            .iter()
            .map(|evaluated| evaluated.loop_id.clone())
            .collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        vec![rows(&self.loops, wide)]
    }
}

fn score(score: f64) -> String {
    format!("{score:.3}")
}

/// The means of a version's scores by kind, each with how many they are.
fn means(version: &PromptVersion) -> String {
    let means = version.means.iter();
    let means = means.map(|it| format!("{} {} of {}", it.kind.as_str(), score(it.mean), it.count));
    let means: Vec<String> = means.collect();
    match means.is_empty() {
        true => "-".to_owned(),
        false => means.join(", "),
    }
}
