//! Timers by what they are for; setting one again moves it.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{CallId, Label, RunId, Scope, Tick};
use realm_router::LinkId;

use crate::{LookId, state::Target};

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A link sends a Beat, or has been silent too long.
    Beat(LinkId),
    /// A neighbour is told more of what it is still to be told.
    Records(LinkId),
    /// Answers that found a link's queue full go again.
    Unsent(LinkId),
    /// A link has not shown who it is.
    Admission(LinkId),
    /// It is time to dial a parent or peer again.
    Redial(Target),
    /// Who is at a place has not been answered.
    Resolve(Scope),
    /// An attempt of a call has had its time.
    Attempt(CallId),
    /// A run has taken so long that those who wait elsewhere are told so.
    Accept(RunId),
    /// It is the turn of a call that came too soon.
    Turn(LookId),
    /// Callers on this machine have waited for a run as long as they said.
    Patience(RunId),
    /// Callers elsewhere are shown more of a run's output.
    Stream(RunId),
    /// A request for an approval has had its time, or others are asked as well.
    Approvals,
    /// Something is due in a broadcast.
    Market,
    /// A held message has had its time.
    Hold,
    /// Calls kept for a child can go on to it.
    Custody(Label),
    /// A key that sealed calls offered is offered no more.
    Offers,
    /// Certificates, keys, replay memory and clocks are looked after.
    Upkeep,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Tick, Timer)>,
    by_timer: BTreeMap<Timer, Tick>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Tick) {
        self.cancel(&timer);
        self.by_time.insert((at, timer.clone()));
        self.by_timer.insert(timer, at);
    }

    /// Sets a timer unless it is set for earlier.
    pub(crate) fn set_earlier(&mut self, timer: Timer, at: Tick) {
        if self.by_timer.get(&timer).is_none_or(|set| at < *set) {
            self.set(timer, at);
        }
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.by_timer.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    pub(crate) fn is_set(&self, timer: &Timer) -> bool {
        self.by_timer.contains_key(timer)
    }

    pub(crate) fn next(&self) -> Option<Tick> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one timer that is due.
    pub(crate) fn take_due(&mut self, now: Tick) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_timer.remove(&timer);
        Some(timer)
    }
}
