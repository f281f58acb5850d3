//! Loops of other realms that models call: they are called as long as they are what was approved.

use std::collections::BTreeMap;

use realm_executor::{Pin, definition_digest};
use realm_protocol::{CallId, Digest, FailureCode, LoopId, Scope, Tick, limits, message::Contract};

use crate::{CallFailure, Node, known::KnownContract, outbound::Task};

/// How long what a realm says of its loop is believed, milliseconds. Then it is asked again.
const BELIEVED_MS: u64 = 60_000;

/// What a loop says of itself, as it is approved: its name, its description and its contract.
///
/// None for what came without its schemas, or with others than its digest says.
pub fn definition_of(contract: &Contract) -> Option<Digest> {
    let known = KnownContract::told(contract).ok()?;
    let description = contract.description.as_deref();
    Some(definition_digest(
        &contract.loop_id,
        description,
        known.digest,
    ))
}

/// What other realms have lately said of loops that models call.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    told: BTreeMap<(Scope, LoopId), Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    definition: Digest,
    contract: Digest,
    until: Tick,
}

impl Definitions {
    fn get(&self, of: &(Scope, LoopId), now: Tick) -> Option<Told> {
        let told = self.told.get(of).filter(|told| told.until > now);
        told.copied()
    }

    /// Notes one. Where there are too many, what was said longest ago is forgotten.
    fn note(&mut self, of: (Scope, LoopId), told: Told) {
        self.told.insert(of, told);
        if self.told.len() > limits::CONTRACTS {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.until);
            if let Some(of) = oldest.map(|(of, _)| of.clone()) {
                self.told.remove(&of);
            }
        }
    }

    fn forget(&mut self, of: &(Scope, LoopId)) {
        self.told.remove(of);
    }
}

/// What a call's loop must still be, and what it was found to be before the call left.
#[derive(Debug)]
pub(crate) struct Pinned {
    pin: Pin,
    contract: Option<Digest>,
}

impl From<Pin> for Pinned {
    fn from(pin: Pin) -> Self {
        Self {
            pin,
            contract: None,
        }
    }
}

impl Node {
    /// Whether a call's loop is known to be what was approved, or needs not be.
    pub(crate) fn is_as_approved(&mut self, call: CallId) -> bool {
        let Some(out) = self.calls.get_mut(&call) else {
            return false;
        };
        let Task::Invoke(invoke) = &mut out.task else {
            return true;
        };
        let Some(pinned) = &mut invoke.pinned else {
            return true;
        };
        let of = (out.scope.clone(), invoke.address.loop_id.clone());
        let told = self.definitions.get(&of, self.now.tick);
        let approved = told.filter(|told| told.definition == pinned.pin.digest);
        pinned.contract = approved.map(|told| told.contract);
        approved.is_some()
    }

    /// Takes what a realm says of a loop that a model calls; an error ends the call.
    pub(crate) fn definition_told(
        &mut self,
        call: CallId,
        contract: Option<&Contract>,
    ) -> Result<(), CallFailure> {
        let Some(out) = self.calls.get(&call) else {
            return Ok(());
        };
        let Task::Invoke(invoke) = &out.task else {
            return Ok(());
        };
        if invoke.pinned.is_none() {
            return Ok(());
        }
        let of = (out.scope.clone(), invoke.address.loop_id.clone());
        let definition = contract.and_then(|told| Some((told, definition_of(told)?)));
        let Some((contract, definition)) = definition else {
            let address = &invoke.address;
            let message = format!(
                "its realm does not show what `{address}` is, so that it cannot be held against what was approved: its owner lets whoever calls it discover it, too"
            );
            return Err(CallFailure::new(FailureCode::Denied, message));
        };
        let shown = &contract.version;
        if let Some(version) = invoke.version.as_ref().filter(|it| *it != shown) {
            let address = &invoke.address;
            let message = format!(
                "version {version} of `{address}` cannot be held against what was approved, as its realm shows version {shown}: leave out `loopVersion`"
            );
            return Err(CallFailure::new(FailureCode::Denied, message));
        }
        let until = self.now.tick.plus(BELIEVED_MS);
        let told = Told {
            definition,
            contract: contract.digest,
            until,
        };
        self.definitions.note(of, told);
        match self.is_as_approved(call) {
            true => Ok(()),
            false => Err(self.changed(call)),
        }
    }

    /// Refuses what came of a call whose loop turns out to be another one than was approved.
    pub(crate) fn answered_as_approved(
        &mut self,
        call: CallId,
        contract: Digest,
    ) -> Result<(), CallFailure> {
        let Some(out) = self.calls.get(&call) else {
            return Ok(());
        };
        let Task::Invoke(invoke) = &out.task else {
            return Ok(());
        };
        let seen = invoke.pinned.as_ref().and_then(|pinned| pinned.contract);
        if seen.is_none_or(|seen| seen == contract) {
            return Ok(());
        }
        let of = (out.scope.clone(), invoke.address.loop_id.clone());
        self.definitions.forget(&of);
        Err(self.changed(call))
    }

    fn changed(&self, call: CallId) -> CallFailure {
        let invoke = self.calls.get(&call).and_then(|out| match &out.task {
            Task::Invoke(invoke) => Some((&invoke.address, invoke.pinned.as_ref()?)),
            _ => None,
        });
        let message = invoke.map(|(address, pinned)| {
            let by = &pinned.pin.by;
            format!(
                "`{address}` has changed since it was approved: `realmctl tool ls {by}` shows it as it is now, `realmctl tool approve {by}` approves that"
            )
        });
        CallFailure::new(FailureCode::Denied, message.unwrap_or_default())
    }
}
