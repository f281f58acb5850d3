//! Dials under way.

use std::{
    mem,
    task::{Context, Poll},
};

use futures::{FutureExt as _, StreamExt as _};
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        DialFailure, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use realm_protocol::{NodeId, limits::ADDRESSES};
use tokio::{select, time::Instant};

use super::Links;
use crate::{
    Attempt, AttemptError, Attempts, DialError, DialId, Event,
    deadline::Deadline,
    dial::{Outcome, bare},
    identity, learned,
};

/// A dial, with the addresses that are left and those that were wrong.
pub(super) struct Dialing {
    pub(super) dial: DialId,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    attempts: Vec<Attempt>,
    since: Instant,
}

impl Dialing {
    fn new(dial: DialId, peer: PeerId, addresses: Vec<Multiaddr>) -> Self {
        Self {
            dial,
            peer,
            addresses,
            attempts: Vec::new(),
            since: Instant::now(),
        }
    }
}

/// Keeps the public addresses of a dial; none are left if the time is over first.
async fn find(mut dialing: Dialing, mut deadline: Deadline) -> Dialing {
    let claimed = mem::take(&mut dialing.addresses);
    select! {
        biased;
        (public, refused) = learned::public(&claimed) => {
            dialing.addresses = public;
            dialing.attempts = refused;
        }
        () = deadline.wait() => {
            dialing.attempts = claimed
                .into_iter()
                .map(|address| Attempt { address, error: AttemptError::Timeout })
                .collect();
        }
    }
    dialing
}

impl Links {
    /// Dials a node at all of its addresses at once, as they stand.
    pub(crate) fn dial(&mut self, dial: DialId, node: NodeId, mut addresses: Vec<Multiaddr>) {
        addresses.truncate(ADDRESSES);
        match self.verify_dial(node, &addresses) {
            Ok(peer) => self.try_dial(Dialing::new(dial, peer, addresses)),
            Err(error) => self.fail(dial, error),
        }
    }

    /// Dials a node at those of its addresses that are public, once it is known which these are.
    pub(crate) fn dial_learned(
        &mut self,
        dial: DialId,
        node: NodeId,
        mut addresses: Vec<Multiaddr>,
    ) {
        addresses.truncate(ADDRESSES);
        match self.verify_dial(node, &addresses) {
            Ok(peer) => {
                let dialing = Dialing::new(dial, peer, addresses);
                self.lookups
                    .push(find(dialing, Deadline::after(self.limits.dial)).boxed());
            }
            Err(error) => self.fail(dial, error),
        }
    }

    /// Begins the dials whose public addresses have been found.
    pub(super) fn poll_lookups(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(dialing)) = self.lookups.poll_next_unpin(cx) {
            if self.stopping {
                self.fail(dialing.dial, DialError::Stopping);
            } else if dialing.addresses.is_empty() {
                self.fail(dialing.dial, Attempts(dialing.attempts).into());
            } else {
                self.try_dial(dialing);
            }
        }
    }

    fn verify_dial(&self, node: NodeId, addresses: &[Multiaddr]) -> Result<PeerId, DialError> {
        let under_way = self.dials.len().saturating_add(self.lookups.len());
        if self.stopping {
            Err(DialError::Stopping)
        } else if node == self.own {
            Err(DialError::OwnNode)
        } else if addresses.is_empty() {
            Err(DialError::NoAddress)
        } else if under_way >= self.limits.pending {
            Err(DialError::Busy)
        } else {
            identity::peer_id(&node).map_err(|_| DialError::InvalidNode)
        }
    }

    pub(super) fn fail(&mut self, dial: DialId, error: DialError) {
        self.tell(Event::DialFailed { dial, error });
    }

    pub(super) fn try_dial(&mut self, dialing: Dialing) {
        let opts = DialOpts::peer_id(dialing.peer)
            .condition(PeerCondition::Always)
            .addresses(dialing.addresses.clone())
            // A dial from the listening port could meet another in the middle.
            .allocate_new_port()
            .build();
        self.dials.insert(opts.connection_id(), dialing);
        self.actions.push_back(ToSwarm::Dial { opts });
    }

    pub(super) fn handle_dial_failure(&mut self, failure: &DialFailure<'_>) {
        let Some(mut dialing) = self.dials.remove(&failure.connection_id) else {
            return;
        };
        match Outcome::from(failure.error) {
            Outcome::Failed(error) => self.fail(dialing.dial, error),
            Outcome::All(attempts) => {
                dialing.attempts.extend(attempts);
                self.fail(dialing.dial, Attempts(dialing.attempts).into());
            }
            Outcome::Wrong(attempt) => {
                let before = dialing.addresses.len();
                dialing
                    .addresses
                    .retain(|address| bare(address) != attempt.address);
                let shrunk = dialing.addresses.len() < before;
                dialing.attempts.push(attempt);
                let in_time = dialing.since.elapsed() < self.limits.dial;
                if shrunk && in_time && !dialing.addresses.is_empty() && !self.stopping {
                    self.try_dial(dialing);
                } else {
                    self.fail(dialing.dial, Attempts(dialing.attempts).into());
                }
            }
        }
    }
}
