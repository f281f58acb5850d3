//! How often calls of others begin.

use realm_client::api::RateView;

use super::Row;
use crate::output::{Block, Show};

impl Row for RateView {
    const HEADER: &'static [&'static str] = &[
        "RATE", "CALLERS", "LOOPS", "A MINUTE", "AT ONCE", "WAITED", "REFUSED", "QUEUE", "WRITTEN",
    ];
    const NARROW: usize = 7;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            callers(self),
            loops(self),
            self.per_minute.to_string(),
            self.burst.to_string(),
            self.waited.to_string(),
            self.refused.to_string(),
            self.queue.to_string(),
            written(self).to_owned(),
        ]
    }
}

impl Show for RateView {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let fields = vec![
            ("rate", self.name.clone()),
            ("callers", callers(self)),
            ("loops", loops(self)),
            ("a minute", self.per_minute.to_string()),
            ("at once", self.burst.to_string()),
            ("queue", self.queue.to_string()),
            ("written", written(self).to_owned()),
            ("waited", self.waited.to_string()),
            ("refused", self.refused.to_string()),
        ];
        vec![Block::Fields(fields)]
    }
}

/// Whose calls it is for, and whether they share it.
fn callers(rate: &RateView) -> String {
    let who = rate.callers.as_deref().unwrap_or("everybody");
    match rate.shared {
        true => format!("{who}, together"),
        false => who.to_owned(),
    }
}

fn loops(rate: &RateView) -> String {
    match rate.loops.is_empty() {
        true => "all".to_owned(),
        false => rate.loops.join(" "),
    }
}

const fn written(rate: &RateView) -> &'static str {
    match rate.configured {
        true => "realm.toml",
        false => "applied",
    }
}
