//! Calls that wait for people to approve them.

use realm_client::api::{ApprovalDecision, ApprovalTerms, ApprovalView, Budget};

use super::{Row, moment, moment_or, payload, rows, text};
use crate::output::{Block, Show};

impl Row for ApprovalView {
    const HEADER: &'static [&'static str] = &[
        "APPROVAL", "STATE", "LOOP", "CALLER", "NEEDS", "EXPIRES", "RUN", "ACTION",
    ];
    const NARROW: usize = 6;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.state.as_str().to_owned(),
            self.loop_id.clone(),
            text(self.caller.as_ref()),
            needs(&self.rules),
            moment(self.expires_at),
            self.run_id.clone(),
            self.action.clone(),
        ]
    }
}

impl Show for ApprovalView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let input = self.input.as_ref().map(payload);
        let fields = vec![
            ("approval", self.id.clone()),
            ("state", self.state.as_str().to_owned()),
            ("loop", self.loop_id.clone()),
            ("version", text(self.version.as_ref())),
            ("revision", text(self.revision.as_ref())),
            ("input", text(input.as_ref())),
            ("input digest", self.input_digest.clone()),
            (
                "costs at most",
                text(self.budget.as_ref().map(ToString::to_string).as_ref()),
            ),
            (
                "would use",
                text(self.cost.as_ref().map(ToString::to_string).as_ref()),
            ),
            ("would give", text(self.share.as_ref().map(share).as_ref())),
            ("caller", text(self.caller.as_ref())),
            ("by way of", self.frames.join(" > ")),
            ("run", self.run_id.clone()),
            ("needs", needs(&self.rules)),
            ("requested", moment(self.requested_at)),
            ("expires", moment(self.expires_at)),
            ("begun", moment_or(self.used_at)),
            ("action", self.action.clone()),
        ];
        let mut blocks = vec![Block::Fields(fields)];
        if !self.decisions.is_empty() {
            blocks.push(rows(&self.decisions, wide));
        }
        blocks
    }
}

impl Row for ApprovalDecision {
    const HEADER: &'static [&'static str] = &["PERSON", "SAID", "REASON", "AT", "ROLES"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.person.clone()
    }

    fn cells(&self) -> Vec<String> {
        let said = if self.granted { "yes" } else { "no" };
        vec![
            self.person.clone(),
            said.to_owned(),
            text(self.reason.as_ref()),
            moment(self.at),
            self.roles.join(", "),
        ]
    }
}

/// What another realm would be given: what it may use at most, and of what it may use any amount.
fn share(given: &Budget) -> String {
    let unbounded = [
        ("any amount of money", given.money.is_none()),
        ("any number of tokens", given.tokens.is_none()),
        ("any number of calls", given.calls.is_none()),
    ];
    let bounds = Some(given.to_string()).filter(|bounds| !bounds.is_empty());
    let open = unbounded.into_iter().filter(|(_, open)| *open);
    let open = open.map(|(what, _)| what.to_owned());
    bounds
        .into_iter()
        .chain(open)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Who has to approve it, in words.
fn needs(rules: &[ApprovalTerms]) -> String {
    let words = |rule: &ApprovalTerms| {
        let count = match rule.count {
            1 => rule.role.clone(),
            count => format!("{count} × {}", rule.role),
        };
        let other = match rule.distinct_from_requester {
            true => " other than the requester",
            false => "",
        };
        let later = rule.escalates_to.iter().zip(rule.escalates_at).next();
        let later = later.map(|(role, at)| format!(", from {} on {role}", moment(at)));
        format!("{count}{other}{}", later.unwrap_or_default())
    };
    rules.iter().map(words).collect::<Vec<_>>().join("; ")
}
