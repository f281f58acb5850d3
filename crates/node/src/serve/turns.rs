//! Calls that wait for their turn, because their caller has had so many already.

use realm_executor::Effects;
use realm_policy::Permit;
use realm_protocol::{FailureCode, limits};

use super::{
    overloaded,
    serving::{Incoming, KeyState, Looking},
};
use crate::{
    CallFailure, LookId, Node, answer::Responder, relay::Release, state::key_row, timers::Timer,
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
        if let Some((key, _)) = &incoming.key {
            let row = key_row(incoming.caller_realm, key);
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
        let (loop_id, direction) = (&looking.incoming.loop_id, looking.incoming.direction);
        let refused = match self.may_begin(loop_id, direction) {
            Ok(()) if self.stopping => Err(overloaded().before_work()),
            other => other,
        };
        match refused {
            Ok(()) => self.serve_looked(looking, None),
            Err(failure) => self.refuse_looked(looking, &failure),
        }
    }

    /// Takes a call that waits for its turn alone out of the line, and tells its caller so. Gives whether
    /// there was one.
    pub(crate) fn leave_line(&mut self, is_its: impl Fn(&Responder) -> bool) -> bool {
        let mut waiting = self.serving.looks.iter();
        let found = waiting.find(|(turn, looking)| {
            let alone = looking.others.is_empty() && is_its(&looking.incoming.responder);
            alone && self.timers.is_set(&Timer::Turn(**turn))
        });
        let found = found.map(|(turn, _)| *turn);
        let left = found.and_then(|turn| {
            self.timers.cancel(&Timer::Turn(turn));
            self.serving.looks.remove(&turn)
        });
        let Some(looking) = left else { return false };
        let failure = CallFailure::new(FailureCode::Cancelled, "cancelled before its turn");
        self.refuse_looked(looking, &failure.before_work());
        true
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
