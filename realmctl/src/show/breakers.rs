//! Whom nothing is asked of for a while, because too much has failed.

use realm_client::api::{BreakerState, BreakerView};

use super::{Row, moment_or, text};
use crate::output::{Block, Show};

impl Row for BreakerView {
    const HEADER: &'static [&'static str] = &["BREAKER", "STATE", "UNTIL", "WHY", "SINCE"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            state(self.state).to_owned(),
            moment_or(self.until),
            text(why(self).as_ref()),
            moment_or(self.since),
        ]
    }
}

impl Show for BreakerView {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = vec![
            ("breaker", self.name.clone()),
            ("state", state(self.state).to_owned()),
        ];
        fields.extend(why(self).map(|why| ("why", why)));
        if self.since.is_some() {
            fields.push(("since", moment_or(self.since)));
            fields.push(("until", moment_or(self.until)));
        }
        vec![Block::Fields(fields)]
    }
}

const fn state(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half-open",
    }
}

/// Why it opened, or what has failed so far.
fn why(breaker: &BreakerView) -> Option<String> {
    let so_far = breaker.failed.zip(breaker.calls);
    let so_far = so_far.map(|(failed, calls)| format!("of the last {calls} calls: {failed} wrong"));
    breaker.reason.clone().or(so_far)
}
