//! What callees say that they have used, and what of it counts.

use realm_executor::spend_value;
use realm_protocol::{CallId, budget::Spend, json::Object};

use super::Task;
use crate::Node;

impl Node {
    /// What counts of what a callee says: never more than it was given. None where it says nothing, or
    /// nothing that reads: then all that it was given counts.
    pub(super) fn counted(&mut self, call: CallId, claimed: Option<Spend>) -> Option<Spend> {
        let Some(Task::Invoke(invoke)) = self.calls.get(&call).map(|out| &out.task) else {
            return None;
        };
        let (given, loop_id) = (invoke.budget, invoke.address.to_string());
        let claimed = claimed.filter(Spend::is_well_formed)?;
        let counted = given.clamped(&claimed);
        if claimed.exceeds(&counted) {
            self.counters.overclaimed = self.counters.overclaimed.saturating_add(1);
            tracing::warn!(%call, %loop_id, "a realm says that it used more than it was given");
            let payload = Object::new()
                .with("claimed", &spend_value(&claimed))
                .with("counted", &spend_value(&counted));
            self.note_call(call, "call.overclaimed", payload);
        }
        Some(counted)
    }
}
