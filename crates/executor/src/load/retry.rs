//! What is said of attempts.

use std::collections::BTreeSet;

use realm_protocol::limits;

use super::{
    document::{Reader, Rule, rule},
    node::Node,
    object::Object,
};
use crate::{Backoff, Category, Retry};

impl Reader<'_> {
    pub(super) fn retry(&mut self, object: &mut Object<'_>) -> Option<Retry> {
        let node = object.get("retry")?;
        let mut object = Object::of(self, node, rule!("retry"))?;
        let attempts = object.need(self, "attempts", rule!("retry.attempts"));
        let attempts =
            attempts.and_then(|node| self.count(node, rule!("retry.attempts"), limits::RETRIES));
        let backoff = object.get("backoff").and_then(|node| {
            let known = Backoff::ALL.map(|known| (known.name(), known));
            self.named(node, rule!("retry.backoff"), "way to back off", &known)
        });
        let delay_ms = self.span(&mut object, "delay", rule!("retry.delay"));
        let max_delay_ms = self.span(&mut object, "maxDelay", rule!("retry.maxDelay"));
        let on = object.get("on").map(|node| self.categories(node));
        object.finish(self);
        let delay_ms = delay_ms.unwrap_or(Retry::DELAY_MS);
        Some(Retry {
            attempts: attempts?,
            backoff: backoff.unwrap_or(Backoff::Exponential),
            delay_ms,
            max_delay_ms: max_delay_ms.unwrap_or(Retry::MAX_DELAY_MS.max(delay_ms)),
            on: on.unwrap_or_else(|| [Category::Transient].into()),
        })
    }

    fn categories(&mut self, node: &Node) -> BTreeSet<Category> {
        const RULE: Rule = rule!("retry.on");
        let known = Category::ALL.map(|known| (known.name(), known));
        let items = self.items(node, RULE).unwrap_or_default().iter();
        items
            .filter_map(|item| self.named(item, RULE, "category of failures", &known))
            .collect()
    }
}
