//! What a run of a loop may use.

use realm_protocol::budget::{Amount, Budget};

use super::{
    document::{Reader, Rule, rule},
    object::Object,
};

impl Reader<'_> {
    pub(super) fn budget(&mut self, object: &mut Object<'_>) -> Budget {
        let Some(mut object) = object
            .get("budget")
            .and_then(|node| Object::of(self, node, rule!("budget")))
        else {
            return Budget::default();
        };
        let money = self.money(&mut object, rule!("budget.money"));
        let tokens = object
            .get("tokens")
            .and_then(|node| self.count(node, rule!("budget.tokens"), u64::MAX));
        let calls = object
            .get("calls")
            .and_then(|node| self.count(node, rule!("budget.calls"), u64::MAX));
        object.finish(self);
        Budget {
            money,
            tokens,
            calls,
        }
    }

    /// How much may be used before people are asked.
    pub(super) fn above(&mut self, object: &mut Object<'_>) -> Option<Budget> {
        const RULE: Rule = rule!("approval.above");
        let node = object.get("above")?;
        let mut object = Object::of(self, node, RULE)?;
        let tokens = object.get("tokens");
        let above = Budget {
            money: self.money(&mut object, RULE),
            tokens: tokens.and_then(|node| self.count(node, RULE, u64::MAX)),
            calls: None,
        };
        object.finish(self);
        if above.is_unbounded() {
            self.problem(node.at, RULE, "`above` says `money`, `tokens` or both");
        }
        Some(above)
    }

    fn money(&mut self, object: &mut Object<'_>, rule: Rule) -> Option<Amount> {
        let node = object.get("money")?;
        let text = node.text().unwrap_or_default();
        let read = text.parse::<Amount>();
        read.map_err(|error| self.problem(node.at, rule, error.to_string()))
            .ok()
    }
}
