//! Approvals that go along with a call of another realm, and what they prove there.

use std::collections::BTreeMap;

use realm_crypto::verify;
use realm_protocol::{
    CallId, Digest, Place, RealmId, RunId, Timestamp, json,
    message::Call,
    records::{Approval, ApprovalVerdict, Role, Signed},
};
use serde_json::Value;

use super::{ApprovalState, StoredRequest};
use crate::Node;

impl Node {
    /// What people have said of a frame's call, where a rule says that the callee is told; without their names and
    /// words where its root does not hear names.
    pub(crate) fn forwarded_approvals(
        &mut self,
        run: RunId,
        frame: CallId,
        root: RealmId,
    ) -> Vec<Signed<Approval>> {
        let granted = self.granted(run, frame);
        let told = granted.filter(|request| request.rules.iter().any(|rule| rule.forward));
        let said = told.map_or_else(Vec::new, |request| request.decisions.clone());
        if self.hears_names(root) {
            return said;
        }
        let said = said.iter().filter_map(|said| said.peek().ok());
        let hidden = said.filter_map(|said| {
            let person = self.named_to(root, &said.person)?.text;
            Some(self.me.sign(&Approval {
                person,
                reason: None,
                ..said
            }))
        });
        hidden.collect()
    }

    /// The roles in which people have approved a frame's call.
    pub(crate) fn approved_roles(&self, run: RunId, frame: CallId) -> Vec<Role> {
        let rules = self
            .granted(run, frame)
            .into_iter()
            .flat_map(|request| &request.rules);
        rules.map(|rule| rule.role).collect()
    }

    /// The request of a frame's call that people have granted, if they have.
    fn granted(&self, run: RunId, frame: CallId) -> Option<&StoredRequest> {
        let id = self.approvals.latest.get(&(run, frame))?;
        let request = self.approvals.requests.get(id)?;
        (request.state() == ApprovalState::Granted).then_some(request)
    }

    /// The people of the caller's realm who have approved exactly this call: this loop here, with this
    /// input, of this run; each with when that ends. What says something else, or is signed by another node
    /// than the caller's, says nothing.
    pub(crate) fn approved_by(
        &self,
        source: &Place,
        call: &Call,
        input: &Value,
    ) -> BTreeMap<String, Timestamp> {
        let (Some(realm), Some(node)) = (source.realm, source.node) else {
            return BTreeMap::new();
        };
        let Some(parent) = &call.parent else {
            return BTreeMap::new();
        };
        let input = Digest::of(&[&json::to_bytes(input)]);
        let meant = |said: &Approval| {
            let action = &said.action;
            let loop_id = action.loop_id.split('@').next();
            action.realm == realm
                && action.run == parent.run
                && action.input == input
                && action.callee == Some(self.me.scope())
                && loop_id == Some(call.loop_id.as_str())
                && action.version == call.version
                && said.verdict == ApprovalVerdict::Granted
                && said.expires > self.now.wall
        };
        let said = call.approvals.iter().flatten();
        let said = said.take(realm_protocol::limits::APPROVERS as usize);
        let said = said.filter_map(|said| verify(said, &[*node.as_bytes()]).ok());
        let said = said.filter(meant);
        said.map(|said| (said.person, said.expires)).collect()
    }
}
