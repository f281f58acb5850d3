//! Slots of a broadcast that wait for a person: work that must not be done twice may have begun.

use realm_broadcast::announcer::Input;
use realm_executor::{Decision, ResumeError};
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

    /// A slot was decided about, or nobody was there to decide.
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

    /// Takes what a person says about the slots that a broadcast asked about; none if no broadcast
    /// has that run.
    pub(crate) fn decide_broadcast(
        &mut self,
        run: RunId,
        decision: Option<&Decision>,
    ) -> Option<Result<Response, Refusal>> {
        let mut own = self.market.announced.iter_mut();
        let (broadcast, own) = own.find(|(_, own)| own.run.id == run)?;
        let (broadcast, call) = (*broadcast, own.run.call);
        let again = match decision {
            _ if own.undecided.is_empty() => Err(ResumeError::NothingToDecide),
            Some(Decision::Again) => Ok(true),
            Some(Decision::Fail(_)) => Ok(false),
            Some(Decision::Output(_)) => Err(ResumeError::Output { call }),
            None => Err(ResumeError::Undecided { call }),
        };
        let again = match again {
            Ok(again) => again,
            Err(error) => return Some(Err(error.into())),
        };
        let asked = own.undecided.clone();
        for (slot, epoch) in asked {
            let decided = Input::Decision { slot, epoch, again };
            self.tell_announcer(broadcast, decided);
        }
        self.set_market_timer();
        Some(Ok(Response::Done))
    }
}
