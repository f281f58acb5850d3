//! Calls that may be kept for a callee that is offline, as their caller sees them.

use realm_crypto::{Opened, VerifiedChain};
use realm_protocol::{
    CallId, Digest, FailureCode, Scope, Tick, Timestamp, cbor, json::Object, limits,
    message::Custody, records::KemRecord,
};

use crate::{
    CallFailure, Node, Refused,
    attempt::ATTEMPT_MS,
    deliver::Pending,
    delivery::ACKNOWLEDGE_MS,
    halt::TOLD_MS,
    outbound::{Origin, OutCall, Task},
    timers::Timer,
};

/// How long after its start a realm's runs wait for links that come up again, milliseconds.
const LINKING_MS: u64 = 15_000;

/// Whether a call may be kept for a callee that is offline, and how far that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storing {
    /// It may not.
    No,
    /// It may: the callee is tried as for any call.
    Untried,
    /// The callee was not reached: its parent may keep the next attempt, or the one under way.
    Due,
    /// The attempt under way is kept.
    Kept,
    /// The callee has taken it from its parent.
    Taken,
}

impl OutCall {
    pub(crate) fn storing(&self) -> Storing {
        match &self.task {
            Task::Invoke(invoke) => invoke.storing,
            _ => Storing::No,
        }
    }

    pub(crate) fn set_storing(&mut self, storing: Storing) {
        if let Task::Invoke(invoke) = &mut self.task {
            invoke.storing = storing;
        }
    }

    /// The key that the next attempt is sealed to: one for stored messages once the callee was
    /// not reached, or where it shows no other.
    pub(crate) fn key_of<'a>(
        &self,
        chain: &'a VerifiedChain,
        now: Timestamp,
    ) -> Option<&'a KemRecord> {
        let (live, stored) = (chain.kem_at(now), chain.stored_kem_at(now));
        match self.storing() {
            Storing::No => live,
            Storing::Untried => live.or(stored),
            Storing::Due | Storing::Kept | Storing::Taken => stored.or(live),
        }
    }

    /// How long an attempt waits for its answer, of the time that is left, milliseconds.
    pub(crate) fn share_ms(&self, left_ms: u64) -> u64 {
        if matches!(self.task, Task::Deliver(_)) {
            return ACKNOWLEDGE_MS;
        }
        if matches!(self.task, Task::Halt(_)) {
            return TOLD_MS;
        }
        let attempts = limits::ATTEMPTS.saturating_sub(self.failures).max(1);
        let share = left_ms.min(limits::CALL_MAX_MS) / u64::from(attempts);
        share.max(ATTEMPT_MS)
    }
}

impl Node {
    /// Until when an attempt that failed because this realm has no link for the moment waits for one:
    /// a call that may be kept, or that nobody waits for, and most of what is said about awarded work
    /// as long as they may wait at all, and a run that goes on after a restart until links had their
    /// time to come up.
    pub(crate) fn stranded_until(&self, call: CallId, failure: &CallFailure) -> Option<Tick> {
        let here = failure.code == FailureCode::Offline && failure.from.is_none();
        let out = self.calls.get(&call).filter(|_| here)?;
        let below = self.me.scope().contains(&out.scope);
        let until = match &out.task {
            Task::Invoke(invoke) if invoke.storing != Storing::No || invoke.detached => {
                (!below).then_some(out.deadline)
            }
            Task::Invoke(invoke) if invoke.origin == Origin::Frame => {
                let linked = self.begun.plus(LINKING_MS);
                (self.now.tick < linked).then_some(linked.min(out.deadline))
            }
            Task::Tell(tell) => tell.is_patient().then_some(out.deadline),
            _ => None,
        };
        until.filter(|_| self.turned_away_from(&out.scope).is_none())
    }

    /// Whether a realm keeps the call that is pending.
    pub(crate) fn is_custodian(&self, realm: &Scope, pending: &Pending) -> bool {
        let Pending::Call { call, to, .. } = pending else {
            return false;
        };
        let out = self.calls.get(call);
        is_parent(realm, to) && out.is_some_and(|out| out.storing() == Storing::Kept)
    }

    /// A receipt for a call of this realm's: believed from the callee's parent alone.
    pub(crate) fn take_custody(&mut self, opened: &Opened, answers: Digest) {
        let from = opened.header().source.scope();
        let receipt = cbor::decode::<Custody>(opened.content());
        let Some(receipt) = receipt.ok().filter(|receipt| receipt.answers == answers) else {
            return self.counters.refuse(Refused::Malformed);
        };
        match self.waiting.get(&answers) {
            Some(Pending::Call { call, to, .. }) if is_parent(&from, to) => {
                let call = *call;
                self.heed_custody(call, &from, &receipt, Some(opened.digest()));
            }
            _ => self.counters.refuse(Refused::Unasked),
        }
    }

    /// The attempt under way is kept for the callee, or was taken by it: nothing is tried again
    /// until the call's time is over, or until the callee has had its time.
    pub(crate) fn heed_custody(
        &mut self,
        call: CallId,
        by: &Scope,
        receipt: &Custody,
        header: Option<Digest>,
    ) {
        let by = self.name_of(by);
        let tick = self.now.tick;
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let (storing, kind) = match (out.storing(), receipt.taken) {
            (Storing::Due, false) => (Storing::Kept, "call.stored"),
            (Storing::Due | Storing::Kept, true) => (Storing::Taken, "call.taken"),
            _ => return,
        };
        out.set_storing(storing);
        out.doubtful = true;
        out.last = None;
        let left = tick.until(out.deadline).as_millis();
        let share = out.share_ms(u64::try_from(left).unwrap_or(u64::MAX));
        let next = match storing {
            Storing::Taken => tick.plus(share).min(out.deadline),
            _ => out.deadline,
        };
        self.timers.set(Timer::Attempt(call), next);
        let payload = Object::new()
            .with("by", &by)
            .with("until", &receipt.until)
            .with("receipt", &header);
        self.note_call(call, kind, payload);
    }

    /// Calls that are kept, and whose answer may have come while the link they left over was down,
    /// are asked again: an attempt takes the place of the one before it.
    pub(crate) fn ask_again_for_kept(&mut self) {
        let kept = self.calls.iter().filter(|(_, out)| {
            let kept = matches!(out.storing(), Storing::Kept | Storing::Taken);
            kept && out.via.is_none() && out.sent.is_some()
        });
        let kept: Vec<CallId> = kept.map(|(call, _)| *call).collect();
        for call in kept {
            if let Some(out) = self.calls.get_mut(&call) {
                out.set_storing(Storing::Due);
                out.doubtful = true;
                if let Some(digest) = out.sent.take() {
                    self.waiting.take(&digest);
                }
                self.timers.set(Timer::Attempt(call), self.now.tick);
            }
        }
    }
}

/// Whether a realm is the parent of another.
fn is_parent(realm: &Scope, of: &Scope) -> bool {
    realm.root == of.root && of.path.parent().as_ref() == Some(&realm.path)
}

/// Whether an attempt that failed so may do better where it is kept.
pub(crate) fn may_be_kept(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::Offline | FailureCode::NoRoute | FailureCode::Timeout
    )
}
