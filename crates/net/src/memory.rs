//! The guard over the process's memory.

use libp2p::{
    Multiaddr,
    memory_connection_limits::Behaviour,
    swarm::{ConnectionId, NetworkBehaviour as _},
};

/// Watches the resident memory of the process against one bound.
pub(crate) struct MemoryGuard {
    refuse: Option<Behaviour>,
    shed: Option<Behaviour>,
}

impl MemoryGuard {
    /// Guards `bytes` of resident memory; `None` guards nothing.
    pub(crate) fn new(bytes: Option<usize>) -> Self {
        let percent = |share: usize| {
            bytes.map(|bytes| Behaviour::with_max_bytes((bytes / 100).saturating_mul(share)))
        };
        Self {
            refuse: percent(75),
            shed: percent(90),
        }
    }

    /// Whether no new connection should be taken.
    pub(crate) fn refuses(&mut self) -> bool {
        self.refuse.as_mut().is_some_and(exceeded)
    }

    /// Whether links that are not known should be closed.
    pub(crate) fn sheds(&mut self) -> bool {
        self.shed.as_mut().is_some_and(exceeded)
    }

    /// Whether there is anything to watch.
    pub(crate) fn watches(&self) -> bool {
        self.shed.is_some()
    }
}

/// Asks as for a new connection: the behaviour keeps its measurement to itself.
fn exceeded(guard: &mut Behaviour) -> bool {
    let nowhere = Multiaddr::empty();
    guard
        .handle_pending_inbound_connection(ConnectionId::new_unchecked(0), &nowhere, &nowhere)
        .is_err()
}
