//! Dials under way.

use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        DialFailure, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use realm_protocol::{NodeId, limits::ADDRESSES};
use tokio::time::Instant;

use super::Links;
use crate::{
    Attempt, Attempts, DialError, DialId, Event,
    dial::{Outcome, bare},
    identity,
};

/// A dial, with the addresses that are left and those that were wrong.
pub(super) struct Dialing {
    pub(super) dial: DialId,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    attempts: Vec<Attempt>,
    since: Instant,
}

impl Links {
    /// Dials a node at all of its addresses at once.
    pub(crate) fn dial(&mut self, dial: DialId, node: NodeId, mut addresses: Vec<Multiaddr>) {
        addresses.truncate(ADDRESSES);
        let refused = if self.stopping {
            Some(DialError::Stopping)
        } else if node == self.own {
            Some(DialError::OwnNode)
        } else if addresses.is_empty() {
            Some(DialError::NoAddress)
        } else if self.dials.len() >= self.limits.pending {
            Some(DialError::Busy)
        } else {
            None
        };
        match (refused, identity::peer_id(&node)) {
            (Some(error), _) => self.fail(dial, error),
            (None, Err(_)) => self.fail(dial, DialError::InvalidNode),
            (None, Ok(peer)) => self.try_dial(Dialing {
                dial,
                peer,
                addresses,
                attempts: Vec::new(),
                since: Instant::now(),
            }),
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
