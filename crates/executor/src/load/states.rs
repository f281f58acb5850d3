//! Which of its agent's state a loop is given.

use realm_protocol::{LoopId, limits};

use super::{
    document::{Reader, Rule, rule},
    object::Object,
};
use crate::{Body, Effects, StateKey, StateUse, Tool};

impl Reader<'_> {
    pub(super) fn state(
        &mut self,
        object: &mut Object<'_>,
        (body, effects): (Option<&Body>, Option<Effects>),
    ) -> Option<StateUse> {
        const RULE: Rule = rule!("state");
        let node = self.is_own().then(|| object.get("state")).flatten()?;
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
        let keeps = body.is_none_or(|body| {
            matches!(
                body,
                Body::Tool(
                    Tool::Process(_) | Tool::Http(_) | Tool::Container(_) | Tool::Attached(_)
                )
            )
        });
        if !keeps {
            let what =
                "state is given to tools that are programs, addresses, containers or attached";
            self.problem(node.at, RULE, what);
        }
        if effects == Some(Effects::None) {
            let problem = self.new_problem(node.at, RULE, "what keeps state has effects");
            self.report(
                problem.hint("`effects: idempotent` may be asked again under the same key"),
            );
        }
        Some(StateUse {
            agent: agent?,
            keys: keys?,
        })
    }
}
