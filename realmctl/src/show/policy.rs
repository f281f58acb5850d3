//! Permissions, policies, denials.

use realm_client::api::{
    Allowed, Denial, Disallowed, PolicyApplied, PolicyCaseResult, PolicyChange, PolicyChecked,
    PolicyExplained, PolicyLevel, PolicyShadow, PolicyTested, PolicyView,
};

use super::{Row, moment, moment_or, rows};
use crate::output::{Block, Show};

impl Show for Allowed {
    fn names(&self) -> Vec<String> {
        vec![self.policy_id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(self.cedar.clone())]
    }
}

impl Row for PolicyView {
    const HEADER: &'static [&'static str] = &["POLICY", "LEVEL", "CREATED", "SUMMARY", "EXPIRES"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.level.clone(),
            moment_or(self.created_at),
            self.summary.clone(),
            moment_or(self.expires_at),
        ]
    }
}

impl Show for PolicyView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = vec![("policy", self.id.clone()), ("level", self.level.clone())];
        fields.extend(self.created_at.map(|at| ("created", moment(at))));
        fields.extend(self.expires_at.map(|at| ("until", moment(at))));
        vec![
            Block::Fields(fields),
            Block::Text(self.cedar.trim_end().to_owned()),
        ]
    }
}

impl Show for Disallowed {
    fn names(&self) -> Vec<String> {
        self.removed.iter().map(Row::name).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        vec![rows(&self.removed, wide)]
    }
}

impl Show for PolicyChecked {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let word = if self.valid { "valid" } else { "not valid" };
        vec![Block::Text(format!("{word}, {} policies", self.policies))]
    }
}

impl Show for PolicyApplied {
    fn names(&self) -> Vec<String> {
        vec![self.policy_id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let what = match (self.dry_run, self.replaced) {
            (true, true) => "would replace",
            (true, false) => "would add",
            (false, true) => "replaced",
            (false, false) => "added",
        };
        vec![Block::Text(format!("{what} {}", self.policy_id))]
    }
}

impl Row for PolicyChange {
    const HEADER: &'static [&'static str] = &[
        "PRINCIPAL",
        "ACTION",
        "RESOURCE",
        "BEFORE",
        "AFTER",
        "TIMES",
        "LAST",
        "BECAUSE OF",
    ];
    const NARROW: usize = 8;

    fn name(&self) -> String {
        self.question.resource.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.question.principal.clone(),
            self.question.action.clone(),
            self.question.resource.clone(),
            self.before.as_str().to_owned(),
            self.after.as_str().to_owned(),
            self.times.to_string(),
            moment(self.last),
            self.determining.join(", "),
        ]
    }
}

impl Show for PolicyShadow {
    fn names(&self) -> Vec<String> {
        self.changes.iter().map(Row::name).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let unknown = match self.unknown {
            0 => String::new(),
            unknown => format!(", {unknown} of names that mean nothing here any more"),
        };
        let changes = self.changes.len();
        let sum = format!(
            "{} asked again{unknown}; {changes} would change",
            self.asked
        );
        vec![rows(&self.changes, wide), Block::Text(sum)]
    }
}

impl Row for PolicyLevel {
    const HEADER: &'static [&'static str] = &["LEVEL", "SAYS", "BECAUSE OF"];
    const NARROW: usize = 3;

    fn name(&self) -> String {
        self.level.clone()
    }

    fn cells(&self) -> Vec<String> {
        let because = [self.policies.clone(), self.errors.clone()].concat();
        vec![self.level.clone(), self.answer.clone(), because.join(", ")]
    }
}

impl Show for PolicyExplained {
    fn names(&self) -> Vec<String> {
        vec![self.got.as_str().to_owned()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let mut fields = vec![
            ("answer", self.got.as_str().to_owned()),
            ("asked by", self.question.principal.clone()),
            ("action", self.question.action.clone()),
            ("resource", self.question.resource.clone()),
        ];
        let command = self.suggestion.iter();
        fields.extend(command.map(|command| ("permit with", command.clone())));
        vec![rows(&self.levels, wide), Block::Fields(fields)]
    }
}

impl Row for PolicyCaseResult {
    const HEADER: &'static [&'static str] = &[
        "",
        "PRINCIPAL",
        "ACTION",
        "RESOURCE",
        "EXPECTED",
        "GOT",
        "BECAUSE OF",
    ];
    const NARROW: usize = 7;

    fn name(&self) -> String {
        self.case.resource.clone()
    }

    fn cells(&self) -> Vec<String> {
        let mark = if self.ok { "ok" } else { "FAIL" };
        vec![
            mark.to_owned(),
            self.case.principal.clone(),
            self.case.action.clone(),
            self.case.resource.clone(),
            self.case.expect.as_str().to_owned(),
            self.got.as_str().to_owned(),
            self.determining.join(", "),
        ]
    }
}

impl Show for PolicyTested {
    fn names(&self) -> Vec<String> {
        let failed = self.results.iter().filter(|result| !result.ok);
        failed.map(Row::name).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let sum = format!("{} passed, {} failed", self.passed, self.failed);
        vec![rows(&self.results, wide), Block::Text(sum)]
    }
}

impl Show for Denial {
    fn names(&self) -> Vec<String> {
        vec![self.reference.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let because = if self.determining.is_empty() {
            "nothing permits it".to_owned()
        } else {
            format!("forbidden by {}", self.determining.join(", "))
        };
        let mut fields = vec![
            ("denied", moment(self.at)),
            ("caller", self.caller.clone()),
            ("action", self.action.clone()),
            ("resource", self.resource.clone()),
            ("level", self.level.clone()),
            ("because", because),
        ];
        fields.extend(self.errors.iter().map(|error| ("failed", error.clone())));
        fields.extend(
            self.suggestion
                .iter()
                .map(|command| ("permit with", command.clone())),
        );
        vec![Block::Fields(fields)]
    }
}
