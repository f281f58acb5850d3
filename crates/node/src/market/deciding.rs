//! Slots of a broadcast that wait for a person: work that must not be done twice may have begun.

use realm_broadcast::announcer::Input;
use realm_executor::{Decision, ResumeError, WaitingFor, Waits};
use realm_protocol::{
    BroadcastId, LoopId, Place, RunId,
    journal::{Change, Run, Status},
    json::Object,
};

use crate::{Node, Refusal, Response};

impl Node {
    /// Somebody has to say whether a slot is given out again.
    pub(super) fn ask_owner(&mut self, broadcast: BroadcastId, slot: (u64, u64), holder: &Place) {
        let payload = Object::new()
            .with("slot", &slot.0)
            .with("epoch", &slot.1)
            .with("realm", &self.name_of(&holder.scope()));
        self.note_broadcast(broadcast, "broadcast.undecided", payload);
        if let Some(own) = self.market.announced.get_mut(&broadcast) {
            own.undecided.push(slot);
        }
        self.note_standing(broadcast);
    }

    /// A slot was decided about, nobody was there to decide, or its outcome came after all.
    pub(super) fn no_longer_asked(&mut self, broadcast: BroadcastId, slot: (u64, u64)) {
        if let Some(own) = self.market.announced.get_mut(&broadcast) {
            own.undecided.retain(|asked| *asked != slot);
        }
        self.note_standing(broadcast);
    }

    /// Writes down whether a broadcast waits for a person.
    fn note_standing(&mut self, broadcast: BroadcastId) {
        let Some(own) = self.market.announced.get_mut(&broadcast) else {
            return;
        };
        let status = match own.undecided.is_empty() {
            true => Status::Running,
            false => Status::Paused,
        };
        if own.run.status != status {
            own.run.status = status;
            let run: Run = own.run.clone();
            self.out.change(Change::Run(run));
        }
    }

    /// The loop whose contract the work of a broadcast has, by the broadcast's run.
    pub(crate) fn announced_by(&self, run: RunId) -> Option<&LoopId> {
        let mut own = self.market.announced.values();
        let own = own.find(|own| own.run.id == run);
        own.map(|own| &own.loop_id)
    }

    /// The slots of a broadcast's run that wait for a person; the first is the one that is decided about
    /// next.
    pub(crate) fn undecided_of(&self, run: RunId) -> impl Iterator<Item = Waits> {
        let mut own = self.market.announced.values();
        let own = own.find(|own| own.run.id == run);
        let undecided = own.into_iter().flat_map(|own| {
            let slots = own.undecided.iter();
            slots.map(move |(slot, epoch)| (own, *slot, *epoch))
        });
        undecided.map(|(own, slot, epoch)| {
            let holder = own.holders.get(&slot);
            let holder = holder.map_or_else(String::new, |it| self.name_of(&it.scope()));
            Waits {
                call: own.run.call,
                name: format!("slot {slot} of {}@{holder}", own.loop_id),
                attempt: epoch,
                on: WaitingFor::Person,
                since: own.began.get(&slot).copied(),
            }
        })
    }

    /// Takes what a person says about the slot that a broadcast asked about first: of others nothing is
    /// said, and they go on waiting. None if no broadcast has that run.
    pub(crate) fn decide_broadcast(
        &mut self,
        run: RunId,
        decision: Option<&Decision>,
    ) -> Option<Result<Response, Refusal>> {
        let mut own = self.market.announced.iter();
        let (broadcast, own) = own.find(|(_, own)| own.run.id == run)?;
        let (broadcast, call) = (*broadcast, own.run.call);
        let first = own.undecided.first().copied();
        let first = first.ok_or(ResumeError::NothingToDecide);
        let decided = first.and_then(|(slot, epoch)| {
            let again = match decision {
                Some(Decision::Again) => true,
                Some(Decision::Fail(_)) => false,
                Some(Decision::Output(_)) => return Err(ResumeError::Output { call }),
                None => return Err(ResumeError::Undecided { call }),
            };
            Ok(Input::Decision { slot, epoch, again })
        });
        let told = decided.map(|decided| {
            self.tell_announcer(broadcast, decided);
            self.set_market_timer();
            Response::Done
        });
        Some(told.map_err(Refusal::from))
    }
}
