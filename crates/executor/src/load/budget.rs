//! What a run of a loop may use.

use realm_protocol::budget::{Amount, Budget};

use super::{
    document::{Reader, rule},
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
        let money = object.get("money").and_then(|node| {
            let text = node.text().unwrap_or_default();
            let read = text.parse::<Amount>();
            read.map_err(|error| self.problem(node.at, rule!("budget.money"), error.to_string()))
                .ok()
        });
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
}
