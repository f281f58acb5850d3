//! Messages that wait a moment: for their source's chain, or for a link that was up just now.

use std::collections::VecDeque;

use realm_crypto::Letter;
use realm_protocol::{Envelope, ReadHeader, Scope, Tick, limits};
use realm_router::{LinkId, Next};

use crate::{Node, Refused, relay::Release, timers::Timer};

/// A message that waits, and for what.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// One that came over a link and waits for its source's chain.
    Unproven(LinkId, Envelope, ReadHeader),
    /// One that came over a link and waits for another that leads closer.
    Passing(LinkId, Envelope, ReadHeader),
    /// One of this realm's that waits for a link that leads closer.
    Own(Letter, Release),
}

impl Waiter {
    /// The link that it came over; none for this realm's own.
    fn link(&self) -> Option<LinkId> {
        match self {
            Self::Unproven(link, ..) | Self::Passing(link, ..) => Some(*link),
            Self::Own(..) => None,
        }
    }
}

#[derive(Debug)]
struct Held {
    waiter: Waiter,
    since: Tick,
    until: Tick,
}

/// At most [`limits::CHAIN_WAITERS`], and [`limits::CHAIN_WAITERS_SHARE`] of one link; one more is
/// `Overloaded`. As many places stay free for this realm's own.
#[derive(Debug, Default)]
pub(crate) struct Holds(VecDeque<Held>);

impl Holds {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn has_room_for(&self, waiter: &Waiter) -> bool {
        let room = limits::CHAIN_WAITERS.saturating_sub(self.0.len());
        let Some(link) = waiter.link() else {
            return room > 0;
        };
        let of_link = self
            .0
            .iter()
            .filter(|held| held.waiter.link() == Some(link));
        room > limits::CHAIN_WAITERS_SHARE && of_link.count() < limits::CHAIN_WAITERS_SHARE
    }

    /// Drops what would begin work elsewhere: this realm is halted.
    pub(crate) fn stop_work(&mut self) {
        self.0.retain(|held| match &held.waiter {
            Waiter::Own(letter, _) => !letter.header().kind.begins_work(),
            Waiter::Unproven(..) | Waiter::Passing(..) => true,
        });
    }
}

impl Node {
    /// Holds a message back; gives it back where no more can be held.
    pub(crate) fn hold(&mut self, waiter: Waiter, until: Tick) -> Result<(), Box<Waiter>> {
        if !self.holds.has_room_for(&waiter) {
            self.counters.refuse(Refused::Overloaded);
            return Err(Box::new(waiter));
        }
        let since = self.now.tick;
        self.holds.0.push_back(Held {
            waiter,
            since,
            until,
        });
        self.set_hold_timer();
        Ok(())
    }

    fn set_hold_timer(&mut self) {
        match self.holds.0.iter().map(|held| held.until).min() {
            Some(until) => self.timers.set(Timer::Hold, until),
            None => self.timers.cancel(&Timer::Hold),
        }
    }

    /// Lets go of what no longer waits, or has waited long enough.
    pub(crate) fn release_holds(&mut self) {
        for held in std::mem::take(&mut self.holds.0) {
            if self.still_waits(&held) {
                self.holds.0.push_back(held);
            } else {
                self.release(held);
            }
        }
        self.set_hold_timer();
    }

    fn still_waits(&mut self, held: &Held) -> bool {
        if held.until <= self.now.tick {
            return false;
        }
        let tick = self.now.tick;
        let waits = |next| matches!(next, Next::Wait { .. });
        match &held.waiter {
            Waiter::Unproven(_, _, header) => {
                let source = header.source.scope();
                self.trust.chain(&source, self.now.wall).is_none()
            }
            Waiter::Passing(link, envelope, header) => {
                let (to, phase) = (header.destination.scope(), Some(envelope.hop.phase));
                waits(self.routes.next(&to, Some(*link), phase, tick))
            }
            Waiter::Own(letter, _) => {
                waits(self.routes.next(&destination(letter), None, None, tick))
            }
        }
    }

    fn release(&mut self, held: Held) {
        let over = held.until <= self.now.tick;
        match held.waiter {
            Waiter::Unproven(..) if over => self.counters.refuse(Refused::Certificate),
            Waiter::Passing(link, envelope, header) if over => {
                self.keep_or_fail(link, envelope, header);
            }
            Waiter::Own(letter, _) if over => self.keep_own(letter),
            Waiter::Unproven(link, mut envelope, header)
            | Waiter::Passing(link, mut envelope, header) => {
                // Where it came from, no link stands for it any more: its checks no longer hold.
                if self.routes.relation(link).is_none() {
                    return self.counters.refuse(Refused::Ingress);
                }
                let waited = self.now.tick.since(held.since);
                envelope.hop.age_ms = envelope.hop.age_ms.saturating_add(waited);
                self.pass_on(link, envelope, header);
            }
            Waiter::Own(letter, release) => self.launch_when(letter, release),
        }
    }
}

fn destination(letter: &Letter) -> Scope {
    letter.header().destination.scope()
}
