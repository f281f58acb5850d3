//! What policy says of the market: who announces, whose announcements agents here bid for, and who
//! is awarded work.

use std::sync::Arc;

use realm_policy::{Action, Denial, Permit, Resource};
use realm_protocol::{BroadcastId, LoopId, Place, RunId, Scope, broadcast::Award, json::Object};

use crate::{CallFailure, Node, Refused};

impl Node {
    /// Whether this realm may announce work with a loop's contract.
    ///
    /// # Errors
    /// Policy does not let it.
    pub(super) fn may_announce(&mut self, loop_id: &LoopId) -> Result<(), CallFailure> {
        let me = self.me.scope();
        let decided = self.decide_on_loop(Action::Announce, &me, loop_id);
        let denied = |denial| CallFailure::denied(self.denied(denial));
        decided.map(|_| ()).map_err(denied)
    }

    /// Whether an agent here may bid for what a realm announces: the realm must also be one that
    /// may call it.
    pub(super) fn may_bid(&mut self, announcer: &Scope, agent: &LoopId) -> bool {
        let decided = self
            .decide_on_loop(Action::Invoke, announcer, agent)
            .and_then(|_| self.decide_on_loop(Action::Bid, announcer, agent));
        match decided {
            Ok(_) => true,
            Err(denial) => {
                let reference = self.denied(denial);
                tracing::debug!(%agent, %reference, "no bid: denied by policy");
                false
            }
        }
    }

    /// Whether work of a broadcast may be awarded to a bidder; if not, a denial's reference.
    pub(super) fn may_award(
        &mut self,
        broadcast: BroadcastId,
        bidder: &Place,
    ) -> Result<(), String> {
        let own = self.market.announced.get(&broadcast);
        let Some(loop_id) = own.map(|own| own.loop_id.clone()) else {
            return Ok(());
        };
        let decided = self.decide_on_loop(Action::Award, &bidder.scope(), &loop_id);
        decided.map(|_| ()).map_err(|denial| self.denied(denial))
    }

    /// Whether an award does not leave: because of policy, or for a person who may no longer have work done. The
    /// trace says which slot's.
    pub(super) fn denies(&mut self, award: &Award, to: &Place) -> bool {
        let denied = self.may_award(award.broadcast, to).err();
        let is_denied = denied.is_some() || self.may_not_award(award.broadcast);
        if is_denied {
            let payload = Object::new()
                .with("slot", &award.slot)
                .with("epoch", &award.epoch)
                .with("realm", &self.name_of(&to.scope()))
                .with_some("reference", denied);
            self.note_broadcast(award.broadcast, "broadcast.denied", payload);
        }
        is_denied
    }

    /// Whether it is known that whoever had work announced may still have it done.
    pub(super) fn may_still_award(&self, broadcast: BroadcastId) -> bool {
        self.begun_with(broadcast)
            .is_none_or(|run| self.may_go_on(run))
    }

    /// Whether it is known that they may not.
    pub(super) fn may_not_award(&self, broadcast: BroadcastId) -> bool {
        self.begun_with(broadcast)
            .is_some_and(|run| self.may_not_go_on(run))
    }

    /// The run that whoever had work announced began.
    fn begun_with(&self, broadcast: BroadcastId) -> Option<RunId> {
        let own = self.market.announced.get(&broadcast)?;
        Some(own.run.parent.unwrap_or(own.run.id))
    }

    fn decide_on_loop(
        &mut self,
        action: Action,
        principal: &Scope,
        id: &LoopId,
    ) -> Result<Arc<Permit>, Denial> {
        let (owner, now) = (self.me.scope(), self.now.wall);
        let resource = Resource::Loop { owner: &owner, id };
        self.rules.decide(action, principal, resource, false, now)
    }

    /// Counts a denial and remembers it. What is asked again with every announcement, or with every call of a
    /// loop, is remembered once.
    pub(crate) fn denied(&mut self, denial: Denial) -> String {
        self.counters.refuse(Refused::Denied);
        match self.rules.reference_of(&denial) {
            Some(reference) => reference,
            None => self.remember_denial(denial),
        }
    }
}
