//! Messages that wait a moment: for their source's chain, or for a link that was up just now.

use std::collections::VecDeque;

use realm_protocol::{Envelope, FailureCode, Header, Tick, limits};
use realm_router::{LinkId, Next};

use crate::{Node, Refused, relay::Release, timers::Timer};

/// What a held message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// Its source's chain.
    Chain,
    /// A link that leads closer; a message of this realm's may wait for the disk as well.
    Route(Release),
}

#[derive(Debug)]
struct Held {
    /// None where this realm is the source.
    link: Option<LinkId>,
    envelope: Envelope,
    header: Header,
    waits_for: WaitsFor,
    since: Tick,
    until: Tick,
}

/// At most [`limits::CHAIN_WAITERS`]; one more is `Overloaded`.
#[derive(Debug, Default)]
pub(crate) struct Holds(VecDeque<Held>);

impl Holds {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Node {
    /// Holds a message back; false where no more can be held.
    pub(crate) fn hold(
        &mut self,
        link: Option<LinkId>,
        envelope: Envelope,
        header: Header,
        waits_for: WaitsFor,
        until: Tick,
    ) -> bool {
        if self.holds.0.len() >= limits::CHAIN_WAITERS {
            self.counters.refuse(Refused::Overloaded);
            return false;
        }
        let since = self.now.tick;
        self.holds.0.push_back(Held {
            link,
            envelope,
            header,
            waits_for,
            since,
            until,
        });
        self.set_hold_timer();
        true
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
        match held.waits_for {
            WaitsFor::Chain => self
                .trust
                .chain(&held.header.source.scope(), self.now.wall)
                .is_none(),
            WaitsFor::Route(_) => {
                let to = held.header.destination.scope();
                let phase = Some(held.envelope.hop.phase);
                matches!(
                    self.routes.next(&to, held.link, phase, self.now.tick),
                    Next::Wait { .. }
                )
            }
        }
    }

    fn release(&mut self, held: Held) {
        let over = held.until <= self.now.tick;
        let Held {
            link,
            mut envelope,
            header,
            waits_for,
            since,
            ..
        } = held;
        match (waits_for, link) {
            (WaitsFor::Chain, _) if over => self.counters.refuse(Refused::Certificate),
            (WaitsFor::Route(_), _) if over => {
                self.fail_request(link, &envelope, &header, FailureCode::Offline);
            }
            // Where it came from, no link stands for it any more: its checks no longer hold.
            (_, Some(link)) if self.routes.relation(link).is_none() => {
                self.counters.refuse(Refused::Ingress);
            }
            (_, Some(link)) => {
                let waited = self.now.tick.since(since);
                envelope.hop.age_ms = envelope.hop.age_ms.saturating_add(waited);
                self.pass_on(link, envelope, header);
            }
            (WaitsFor::Route(release), None) => self.launch_when(envelope, header, release),
            (WaitsFor::Chain, None) => self.launch(envelope, header),
        }
    }
}
