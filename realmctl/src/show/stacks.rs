//! Stacks.

use realm_client::api::{StackPart, StackView};

use super::{Row, rows, span, text};
use crate::output::{Block, Show};

impl Row for StackView {
    const HEADER: &'static [&'static str] = &["STACK", "VERSION", "PARTS", "DESCRIPTION"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.version.clone(),
            order(&self.parts),
            text(self.description.as_ref()),
        ]
    }
}

impl Row for StackPart {
    const HEADER: &'static [&'static str] = &[
        "STEP",
        "LOOP",
        "ASKS FOR",
        "ABLE HERE",
        "SELECT",
        "RESULTS",
        "WINDOW",
        "WITHIN",
        "WHEN",
        "INPUT",
    ];
    const NARROW: usize = 8;

    fn name(&self) -> String {
        self.loop_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        let input = self.input.as_ref().map(|input| {
            let members = input
                .iter()
                .map(|member| format!("{}={}", member.name, member.from));
            members.collect::<Vec<_>>().join(" ")
        });
        vec![
            self.step.to_string(),
            self.loop_id.clone(),
            listed(&self.capabilities),
            listed(&self.able),
            format!("{} {} of {}+", self.select, self.winners, self.min_bids),
            self.aggregate.clone(),
            span(self.window_ms),
            span(self.within_ms),
            text(self.when.as_ref()),
            text(input.as_ref()),
        ]
    }
}

impl Show for StackView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let fields = vec![
            ("stack", self.id.clone()),
            ("version", self.version.clone()),
            ("description", text(self.description.as_ref())),
            ("order", order(&self.parts)),
        ];
        vec![Block::Fields(fields), rows(&self.parts, wide)]
    }
}

/// The parts by step: `a b → c`.
fn order(parts: &[StackPart]) -> String {
    let mut steps: Vec<(usize, Vec<&str>)> = Vec::new();
    for part in parts {
        match steps.last_mut().filter(|(step, _)| *step == part.step) {
            Some((_, names)) => names.push(&part.loop_id),
            None => steps.push((part.step, vec![&part.loop_id])),
        }
    }
    let steps: Vec<String> = steps.iter().map(|(_, names)| names.join(" ")).collect();
    steps.join(" → ")
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "-".to_owned(),
        names => names.join(", "),
    }
}
