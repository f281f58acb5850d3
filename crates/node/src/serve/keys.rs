//! Idempotency keys: a call that comes again joins the run under way, or gets its answer again.

use realm_executor::Effects;
use realm_policy::Permit;
use realm_protocol::{
    FailureCode,
    journal::{Direction, Table},
    limits,
};

use super::{
    overloaded,
    serving::{Incoming, KeyState, Looking, Served},
};
use crate::{
    CallFailure, Effect, LookId, Node,
    relay::Release,
    state::{self, StoredKey},
};

impl Node {
    /// Finds out whether the key was used before. Loops without effects need not know.
    pub(super) fn look_up(&mut self, incoming: Incoming, permit: &Permit) {
        let loop_id = &incoming.loop_id;
        let registered = self.registry.find(loop_id, incoming.version.as_deref());
        let Some(effects) = registered.map(|registered| registered.effects) else {
            let failure = no_loop(&incoming);
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        };
        let Some(row) = incoming.key_row() else {
            return self.begin_in_turn(incoming, permit, effects);
        };
        if let Some(state) = self.serving.keys.get(&row).copied() {
            return self.join_run(state, incoming);
        }
        let recent = self.serving.recent.get(&row).cloned();
        if let Some(known) = recent.filter(|known| self.now.wall <= known.forgotten) {
            return self.answer_again(incoming, permit, &known);
        }
        if effects == Effects::None {
            return self.begin_in_turn(incoming, permit, effects);
        }
        let look = self.next_look();
        self.serving
            .keys
            .insert(row.clone(), KeyState::Looking(look));
        self.serving.looks.insert(
            look,
            Looking {
                incoming,
                others: Vec::new(),
            },
        );
        self.out.emit(Effect::Look(look, Table::Keys, row));
    }

    /// A key that is under way: the caller joins the running call and gets its answer.
    fn join_run(&mut self, state: KeyState, incoming: Incoming) {
        let digest = incoming.request_digest();
        match state {
            KeyState::Looking(look) => {
                let left_out = match self.serving.looks.get_mut(&look) {
                    Some(looking) => looking.join(incoming),
                    None => Err(incoming.responder),
                };
                if let Err(left_out) = left_out {
                    self.answer_failure(&left_out, &overloaded(), Release::Now);
                }
            }
            KeyState::Running(run) => {
                let served = self.serving.runs.get_mut(&run);
                let received = incoming.responder.received();
                let watcher = incoming.responder.watcher();
                let same = |served: &&mut Served| {
                    let key = served.key.as_ref();
                    key.is_some_and(|(_, key)| key.request == digest)
                };
                match served.filter(same) {
                    Some(served) if served.undecided && !incoming.responder.takes_accepted() => {
                        self.answer_failure(&incoming.responder, &unknown_outcome(), Release::Now);
                    }
                    Some(served) => match served.join(incoming.responder) {
                        Ok(()) => {
                            self.note_received(run, received);
                            self.watch(run, watcher);
                            self.accept_later(run);
                            self.heed_patience(run);
                        }
                        Err(left_out) => {
                            self.answer_failure(&left_out, &overloaded(), Release::Now);
                        }
                    },
                    None => self.answer_failure(&incoming.responder, &key_reused(), Release::Now),
                }
            }
        }
    }

    pub(crate) fn handle_looked(&mut self, look: LookId, value: Option<&[u8]>) {
        let Some(looking) = self.serving.looks.remove(&look) else {
            return;
        };
        match value.map(state::read::<StoredKey>).transpose() {
            Ok(known) => {
                let known = known.filter(|known| self.now.wall <= known.forgotten);
                self.serve_looked(looking, known.as_ref());
            }
            // Whatever it says, the key was used: to begin anew could repeat what was done.
            Err(_) => self.refuse_looked(looking, &unknown_outcome()),
        }
    }

    /// Serves a call that has waited, and those that came for the same answer meanwhile.
    pub(super) fn serve_looked(&mut self, looking: Looking, known: Option<&StoredKey>) {
        let Looking { incoming, others } = looking;
        let row = incoming.key_row();
        if let Some(row) = &row {
            self.serving.keys.remove(row);
        }
        for incoming in std::iter::once(incoming).chain(others) {
            let permitted = match self.still_stands(&incoming) {
                // Policy may have changed meanwhile.
                Ok(()) => self.permit(&incoming),
                Err(failure) => Err(failure),
            };
            match permitted {
                Ok(permit) => self.serve_key(row.as_deref(), incoming, &permit, known),
                Err(failure) => self.answer_failure(&incoming.responder, &failure, Release::Now),
            }
        }
    }

    /// Refuses a call that has waited, and those that came for the same answer meanwhile.
    pub(super) fn refuse_looked(&mut self, looking: Looking, failure: &CallFailure) {
        let Looking { incoming, others } = looking;
        if let Some(row) = incoming.key_row() {
            self.serving.keys.remove(&row);
        }
        for incoming in std::iter::once(incoming).chain(others) {
            self.answer_failure(&incoming.responder, failure, Release::Now);
        }
    }

    /// Serves a call whose key has been looked up: as the one under way, as before, or anew.
    fn serve_key(
        &mut self,
        row: Option<&[u8]>,
        incoming: Incoming,
        permit: &Permit,
        known: Option<&StoredKey>,
    ) {
        let state = row.and_then(|row| self.serving.keys.get(row));
        if let Some(state) = state.copied() {
            return self.join_run(state, incoming);
        }
        if let Some(known) = known {
            return self.answer_again(incoming, permit, known);
        }
        let effects = self.effects_of(&incoming);
        if effects == Effects::Once && self.may_be_forgotten(&incoming) {
            return self.answer_failure(&incoming.responder, &forgotten(), Release::Now);
        }
        self.begin_in_turn(incoming, permit, effects);
    }

    /// Whether a key of another realm's may have been used between the backup that is here and its
    /// restore.
    fn may_be_forgotten(&self, incoming: &Incoming) -> bool {
        let key = incoming.key.filter(|_| incoming.direction == Direction::In);
        let until = self.restored.map(|at| at.plus(limits::CLOCK_SKEW_MS));
        matches!((key, until), (Some((_, created)), Some(until)) if created < until)
    }

    /// The effects that a loop has now; the strongest if it is gone.
    fn effects_of(&self, incoming: &Incoming) -> Effects {
        let version = incoming.version.as_deref();
        let found = self.registry.find(&incoming.loop_id, version);
        found.map_or(Effects::Once, |registered| registered.effects)
    }

    /// A key that was used before: its answer, unless it stood for something else.
    fn answer_again(&mut self, incoming: Incoming, permit: &Permit, known: &StoredKey) {
        if known.request != incoming.request_digest() {
            return self.answer_failure(&incoming.responder, &key_reused(), Release::Now);
        }
        match &known.answer {
            Some(answer) => {
                self.give(&incoming.responder, answer.clone());
            }
            None if known.repeatable => {
                let effects = self.effects_of(&incoming).max(Effects::Idempotent);
                self.begin_in_turn(incoming, permit, effects);
            }
            None => {
                self.answer_failure(&incoming.responder, &unknown_outcome(), Release::Now);
            }
        }
    }
}

/// There is no such loop, or not for this caller.
pub(super) fn no_loop(incoming: &Incoming) -> CallFailure {
    let version = incoming.version.as_ref();
    let version = version.map(|version| format!(" in version {version}"));
    let message = format!(
        "there is no loop `{}`{}",
        incoming.loop_id,
        version.unwrap_or_default()
    );
    CallFailure::new(FailureCode::LoopNotFound, message).before_work()
}

fn key_reused() -> CallFailure {
    let message = "this idempotency key was used for another loop, version or input";
    CallFailure::new(FailureCode::KeyReused, message)
}

fn forgotten() -> CallFailure {
    let minutes = limits::CLOCK_SKEW_MS / 60_000;
    let message = format!(
        "this realm came back from a backup, and whether this key was used since that was made is not known: for \
         {minutes} minutes it begins nothing for others that may be done once alone; ask again then, under a new key"
    );
    CallFailure::new(FailureCode::LoopFailed, message)
}

fn unknown_outcome() -> CallFailure {
    let message = "an earlier attempt under this key was interrupted; whether it had its effect is \
                   not known, and a person there decides; ask again under the same key";
    CallFailure::new(FailureCode::LoopFailed, message)
}
