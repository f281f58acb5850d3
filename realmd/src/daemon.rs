//! What the local API's handlers share.

use std::sync::Arc;

use realm_backends::Backends;
use realm_net::{Multiaddr, Turned};
use realm_protocol::Timestamp;
use realm_store::Store;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::Answers,
    clock::Clock,
    config::Configured,
    handle::Handle,
    home::Home,
    journal::Durability,
    people::{Devices, People, Renewals, SignIns},
};

/// Handles of a running daemon's parts.
pub(crate) struct Daemon {
    /// The loop that owns the node.
    pub(crate) handle: Handle,
    /// The store, for queries.
    pub(crate) store: Store,
    /// How far the journal is durable.
    pub(crate) durability: watch::Receiver<Durability>,
    /// Addresses listened on.
    pub(crate) listening: watch::Receiver<Vec<Multiaddr>>,
    /// Connections turned away and cut.
    pub(crate) turned: Turned,
    /// The configuration in force.
    pub(crate) configured: watch::Receiver<Arc<Configured>>,
    /// Who may do what.
    pub(crate) people: watch::Receiver<Arc<People>>,
    /// Who has signed in at a directory.
    pub(crate) sign_ins: Arc<SignIns>,
    /// What those have left who have signed in at a provider.
    pub(crate) renewals: Arc<Renewals>,
    /// Who is about to, by a code.
    pub(crate) devices: Devices,
    /// The backends, with the models that are configured.
    pub(crate) backends: Arc<Backends>,
    /// The realm's home.
    pub(crate) home: Home,
    /// The clocks.
    pub(crate) clock: Clock,
    /// Variables that set keys of the configuration.
    pub(crate) environment: Vec<(String, String)>,
    /// Answers given under an idempotency key.
    pub(crate) answers: Answers,
    /// Connections of attached agents.
    pub(crate) sessions: TaskTracker,
    /// When the daemon started.
    pub(crate) started: Timestamp,
    /// Cancelled when the daemon stops.
    pub(crate) stop: CancellationToken,
}

impl Daemon {
    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Configured> {
        Arc::clone(&self.configured.borrow())
    }
}
