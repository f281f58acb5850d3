//! Which of its agent's state a loop is given.

use realm_protocol::{LoopId, limits};

use super::{
    document::{Reader, Rule, rule},
    node::Place,
    object::Object,
};
use crate::{Body, Effects, StateKey, StateUse, Tool};

impl Reader<'_> {
    pub(super) fn state(
        &mut self,
        object: &mut Object<'_>,
        runs: (Option<&Body>, Option<Effects>),
    ) -> Option<StateUse> {
        const RULE: Rule = rule!("state");
        let node = self.is_own().then(|| object.get("state")).flatten()?;
        self.check_given(node.at, (RULE, "state is given to"), runs);
        let mut object = Object::of(self, node, RULE)?;
        let agent = object.get("agent");
        let agent: Option<Option<LoopId>> = agent.map_or(Some(None), |node| {
            self.parsed(node, rule!("state.agent")).map(Some)
        });
        let keys = object.need(self, "keys", rule!("state.keys"));
        let keys = keys.and_then(|node| {
            let items = self.items(node, rule!("state.keys"))?;
            if items.is_empty() || items.len() > limits::STATE_KEYS_AT_ONCE {
                let what = format!("a call is given 1 to {} keys", limits::STATE_KEYS_AT_ONCE);
                self.problem(node.at, rule!("state.keys"), what);
            }
            let read = items
                .iter()
                .map(|item| self.parsed(item, rule!("state.keys")));
            let read: Vec<Option<StateKey>> = read.collect();
            read.into_iter().collect::<Option<Vec<_>>>()
        });
        object.finish(self);
        Some(StateUse {
            agent: agent?,
            keys: keys?,
        })
    }

    /// What keeps state or asks people can be given something beside its input, and is written down.
    pub(super) fn check_given(
        &mut self,
        at: Place,
        (rule, what): (Rule, &str),
        (body, effects): (Option<&Body>, Option<Effects>),
    ) {
        let able = body.is_none_or(|body| {
            matches!(
                body,
                Body::Tool(
                    Tool::Process(_) | Tool::Http(_) | Tool::Container(_) | Tool::Attached(_)
                )
            )
        });
        if !able {
            let what = format!("{what} tools that are programs, addresses, containers or attached");
            self.problem(at, rule, what);
        }
        if effects == Some(Effects::None) {
            let what = "what keeps state or asks people has effects";
            let problem = self.new_problem(at, rule, what);
            self.report(
                problem.hint("`effects: idempotent` may be asked again under the same key"),
            );
        }
    }
}
