//! What realms grant each other.

use realm_client::api::{GrantKept, GrantStep, GrantView};

use super::{Row, moment, moment_or};
use crate::output::{Block, Show};

impl Row for GrantView {
    const HEADER: &'static [&'static str] = &[
        "GRANT", "KEPT", "REALM", "HOLDER", "LOOPS", "USED", "UNTIL", "REVOKED",
    ];
    const NARROW: usize = 7;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            kept(self.kept).to_owned(),
            self.realm.clone(),
            self.holder.clone(),
            self.loops.join(" "),
            used(self),
            moment(self.until),
            moment_or(self.revoked),
        ]
    }
}

impl Show for GrantView {
    fn names(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = vec![
            ("grant", self.id.clone()),
            ("kept", kept(self.kept).to_owned()),
            ("realm", self.realm.clone()),
            ("holder", self.holder.clone()),
            ("loops", self.loops.join(" ")),
            ("used", used(self)),
        ];
        fields.extend(self.budget.as_ref().map(|it| ("each call", it.to_string())));
        fields.push(("since", moment(self.since)));
        fields.push(("until", moment(self.until)));
        fields.extend(self.revoked.map(|at| ("revoked", moment(at))));
        let header = vec!["BY", "TO", "LOOPS", "USES", "UNTIL", "GRANT"];
        let steps: Vec<Vec<String>> = self.chain.iter().map(step).collect();
        let mut blocks = vec![Block::Fields(fields), Block::Table(header, steps)];
        blocks.extend(self.grant.as_ref().map(|line| Block::Text(line.clone())));
        blocks
    }
}

fn step(step: &GrantStep) -> Vec<String> {
    vec![
        step.issuer.clone(),
        step.holder.clone(),
        step.loops.join(" "),
        step.uses
            .map_or_else(|| "any".to_owned(), |uses| uses.to_string()),
        moment(step.until),
        step.id.clone(),
    ]
}

fn used(grant: &GrantView) -> String {
    match grant.uses {
        Some(most) => format!("{} of {most}", grant.used),
        None => grant.used.to_string(),
    }
}

const fn kept(kept: GrantKept) -> &'static str {
    match kept {
        GrantKept::Given => "given",
        GrantKept::Held => "held",
    }
}
