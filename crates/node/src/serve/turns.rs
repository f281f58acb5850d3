//! Calls that wait for their turn, because their caller has had so many already.

use realm_executor::Effects;
use realm_policy::Permit;
use realm_protocol::{FailureCode, Scope, journal::Run, limits};

use super::{
    overloaded,
    serving::{Incoming, KeyState, Looking},
};
use crate::{
    CallFailure, LookId, Node, Refused, Response, answer::Responder, relay::Release, timers::Timer,
};

impl Node {
    /// Begins a call, or lets it wait for its turn, or refuses it, as the rates here say.
    pub(super) fn begin_in_turn(&mut self, incoming: Incoming, permit: &Permit, effects: Effects) {
        let market = matches!(
            incoming.responder,
            Responder::Leased(_) | Responder::Asked(_)
        );
        if market || incoming.waited_ms > 0 {
            return self.start_run(incoming, permit, effects);
        }
        if self.stopping {
            let failure = overloaded().before_work();
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        // A caller elsewhere gives a call up that is not accepted by then.
        let patience = incoming.timeout_ms.min(limits::CALL_MAX_MS);
        let turn = self.turn_of(&incoming.caller, &incoming.loop_id, patience);
        match turn {
            Ok(0) => self.start_run(incoming, permit, effects),
            Ok(wait) => self.wait_for_turn(incoming, wait),
            Err(failure) => self.answer_failure(&incoming.responder, &failure, Release::Now),
        }
    }

    /// Its key is taken meanwhile, and it counts as a call under way.
    fn wait_for_turn(&mut self, mut incoming: Incoming, wait: u64) {
        incoming.waited_ms = wait;
        incoming.timeout_ms = incoming.timeout_ms.saturating_sub(wait);
        let turn = self.next_look();
        if let Some(row) = incoming.key_row() {
            self.serving.keys.insert(row, KeyState::Looking(turn));
        }
        let looking = Looking {
            incoming,
            others: Vec::new(),
        };
        self.serving.looks.insert(turn, looking);
        self.timers.set(Timer::Turn(turn), self.now.tick.plus(wait));
    }

    /// A call has waited for its turn. Much may have changed meanwhile.
    pub(crate) fn turn_has_come(&mut self, turn: LookId) {
        let Some(looking) = self.serving.looks.remove(&turn) else {
            return;
        };
        let first = &looking.incoming;
        let refused = match self.may_begin(&first.caller, &first.loop_id, first.direction) {
            Ok(()) if self.stopping => Err(overloaded().before_work()),
            other => other,
        };
        match refused {
            Ok(()) => self.serve_looked(looking, None),
            Err(failure) => self.refuse_looked(looking, &failure),
        }
    }

    /// Whether the caller of a call that has waited is still who its message was proven to be from, and of a
    /// tree that has to do with this one.
    pub(super) fn still_stands(&mut self, incoming: &Incoming) -> Result<(), CallFailure> {
        let Responder::Remote(remote) = &incoming.responder else {
            return Ok(());
        };
        let (scope, now) = (remote.source.scope(), self.wall());
        let known = self.trust.known(&scope).is_some();
        let chain = self.trust.chain(&scope, now);
        let stands = match chain {
            Some(chain) => *chain.place() == remote.source,
            // What is only forgotten for want of room stood, and nothing has fallen since.
            None => !known && self.trust.epoch() == incoming.epoch,
        };
        if stands && !self.is_parted(&scope) {
            return Ok(());
        }
        self.counters.refuse(Refused::Certificate);
        let message = "the caller's certificate or peering ended before its turn";
        Err(CallFailure::new(FailureCode::BadCertificate, message).before_work())
    }

    /// Whether a place is of a tree that this one no longer has to do with.
    pub(super) fn is_parted(&self, scope: &Scope) -> bool {
        let foreign = scope.root != self.me.root();
        foreign && self.me.is_root() && !self.kin.peers.contains_key(&scope.root)
    }

    /// Takes a call that waits for its turn out of the line, and tells its caller so; others that wait for the
    /// same stay. Gives whether there was one.
    pub(crate) fn leave_line(&mut self, is_its: impl Fn(&Responder) -> bool) -> bool {
        let waiting = self.serving.looks.iter();
        let mut in_line = waiting.filter(|(turn, _)| self.timers.is_set(&Timer::Turn(**turn)));
        let found = in_line.find(|(_, looking)| looking.has(&is_its));
        let Some(turn) = found.map(|(turn, _)| *turn) else {
            return false;
        };
        let Some(looking) = self.serving.looks.remove(&turn) else {
            return false;
        };
        let (gone, left) = looking.leave(is_its);
        if let Some(left) = left {
            self.serving.looks.insert(turn, left);
        } else {
            self.timers.cancel(&Timer::Turn(turn));
            let key = gone.first().and_then(Incoming::key_row);
            key.map(|row| self.serving.keys.remove(&row));
        }
        let failure = CallFailure::new(FailureCode::Cancelled, "cancelled before its turn");
        let failure = failure.before_work();
        for incoming in gone {
            self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        true
    }

    /// Who waits for a run that begins: nobody, where whoever asked has waited for its turn alone, and is told so.
    pub(super) fn who_waits(&mut self, asked: Responder, begun: Option<&Run>) -> Vec<Responder> {
        match (asked, begun) {
            (Responder::Local(local), Some(run)) => {
                self.respond(local.control, Response::Begun(Box::new(run.clone())));
                Vec::new()
            }
            (asked, _) => vec![asked],
        }
    }

    /// The process ends: nobody's turn comes any more.
    pub(crate) fn close_line(&mut self) {
        let turns = self.serving.looks.keys().copied();
        let waiting = turns.filter(|turn| self.timers.is_set(&Timer::Turn(*turn)));
        for turn in waiting.collect::<Vec<_>>() {
            self.timers.cancel(&Timer::Turn(turn));
            self.turn_has_come(turn);
        }
    }
}
