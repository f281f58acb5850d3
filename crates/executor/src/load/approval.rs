//! What is said of approvals.

use realm_protocol::{limits, records::Role};

use super::{
    document::{Reader, Rule, rule},
    node::Node,
    object::Object,
};
use crate::{ApprovalRule, Body, Condition, Effects, Escalation};

/// The roles that may approve; a viewer changes nothing.
const ROLES: [(&str, Role); 3] = [
    ("operator", Role::Operator),
    ("approver", Role::Approver),
    ("owner", Role::Owner),
];

impl Reader<'_> {
    /// Only our own form knows approvals.
    pub(super) fn approval(&mut self, object: &mut Object<'_>) -> Option<ApprovalRule> {
        let node = self.is_own().then(|| object.get("approval")).flatten()?;
        self.approval_rule(node, rule!("approval"))
    }

    /// Whom a loop may ask while it is at work.
    pub(super) fn asks(
        &mut self,
        object: &mut Object<'_>,
        runs: (Option<&Body>, Option<Effects>),
    ) -> Option<ApprovalRule> {
        const RULE: Rule = rule!("asks");
        let node = self.is_own().then(|| object.get("asks")).flatten()?;
        self.check_given(node.at, (RULE, "people are asked by"), runs);
        let asks = self.approval_rule(node, RULE)?;
        if asks.when.is_some() || asks.above.is_some() || asks.forward {
            let what = "a question is always put, and to people of this realm: neither `when` nor `above` nor `forward`";
            self.problem(node.at, RULE, what);
        }
        Some(asks)
    }

    fn approval_rule(&mut self, node: &Node, rule: Rule) -> Option<ApprovalRule> {
        let mut object = Object::of(self, node, rule)?;
        let role = self.approver(&mut object);
        let count = object.get("count").and_then(|node| {
            let rule = rule!("approval.count");
            self.count(node, rule, limits::APPROVERS)
        });
        let distinct = object.get("distinctFromRequester").and_then(|node| {
            let rule = rule!("approval.distinctFromRequester");
            self.flag(node, rule)
        });
        let expires_ms = self.span(&mut object, "expires", rule!("approval.expires"));
        let escalate = object.get("escalate");
        let expires_ms = expires_ms.unwrap_or(limits::APPROVAL_MS);
        let escalate = escalate.and_then(|node| self.escalation(node, expires_ms));
        let when = object
            .get("when")
            .and_then(|node| self.approval_condition(node));
        let above = self.above(&mut object);
        let forward = object.get("forward").and_then(|node| {
            let rule = rule!("approval.forward");
            self.flag(node, rule)
        });
        object.finish(self);
        Some(ApprovalRule {
            role: role.unwrap_or(Role::Approver),
            count: count.unwrap_or(1),
            distinct_from_requester: distinct.unwrap_or(false),
            expires_ms,
            escalate,
            when,
            above,
            forward: forward.unwrap_or(false),
        })
    }

    fn approval_condition(&mut self, node: &Node) -> Option<Condition> {
        const RULE: Rule = rule!("approval.when");
        let condition: Condition = self.parsed(node, RULE)?;
        for name in condition.names().iter().filter(|name| *name != "input") {
            let what = format!("`{name}` is not known: an approval's condition sees `input` alone");
            self.problem(node.at, RULE, what);
        }
        Some(condition)
    }

    fn approver(&mut self, object: &mut Object<'_>) -> Option<Role> {
        let node = object.get("role")?;
        self.named(node, rule!("approval.role"), "role that approves", &ROLES)
    }

    fn escalation(&mut self, node: &Node, expires_ms: u64) -> Option<Escalation> {
        const RULE: Rule = rule!("approval.escalate");
        let mut object = Object::of(self, node, RULE)?;
        let after = object.need(self, "after", RULE);
        let after_ms = after.and_then(|node| self.duration(node, RULE, limits::RUN_MS));
        if after_ms.is_some_and(|after_ms| after_ms >= expires_ms) {
            let what = "`escalate.after` is shorter than `expires`, or nobody would hear of it";
            self.problem(node.at, RULE, what);
        }
        let role = self.approver(&mut object);
        object.finish(self);
        Some(Escalation {
            after_ms: after_ms?,
            role: role.unwrap_or(Role::Owner),
        })
    }
}
