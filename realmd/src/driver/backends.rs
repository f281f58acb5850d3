//! Backend calls under way, each in its own task.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt as _;
use realm_backends::Backends;
use realm_executor::{BackendError, BackendReply, BackendRequest};
use realm_protocol::{CallId, limits};
use tokio::task::{AbortHandle, JoinSet};

/// A call that has ended.
pub(crate) struct Done(
    pub(crate) CallId,
    pub(crate) Result<BackendReply, BackendError>,
);

/// The calls under way. There are at most as many as the node has calls; should there be more,
/// the surplus fails at once.
pub(crate) struct BackendCalls {
    backends: Arc<Backends>,
    tasks: JoinSet<Done>,
    running: BTreeMap<CallId, AbortHandle>,
}

/// Tasks at once: every call the node can have, twice over for steps that overlap.
const TASKS: usize = 2 * limits::CALLS;

impl BackendCalls {
    /// Starts with none; opens no connection.
    pub(crate) fn new(backends: Arc<Backends>) -> Self {
        Self {
            backends,
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
        }
    }

    /// Starts a call.
    pub(crate) fn start(&mut self, call: CallId, request: BackendRequest) {
        let backends = Arc::clone(&self.backends);
        let full = self.tasks.len() >= TASKS;
        let handle = self.tasks.spawn(async move {
            if full {
                return Done(call, Err(failed("too many backend calls at once")));
            }
            let answer = AssertUnwindSafe(backends.call(request))
                .catch_unwind()
                .await;
            let panicked = |_| {
                tracing::error!(%call, "a backend call panicked");
                Err(failed("the call panicked"))
            };
            Done(call, answer.unwrap_or_else(panicked))
        });
        self.running.insert(call, handle);
    }

    /// Stops a call; its answer is no longer awaited.
    pub(crate) fn cancel(&mut self, call: CallId) {
        if let Some(handle) = self.running.remove(&call) {
            handle.abort();
        }
    }

    /// Forgets a call that has ended.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.running.remove(&call);
    }

    /// Waits for the next call to end; for ever while there is none.
    pub(crate) async fn next(&mut self) -> Done {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(done)) => return done,
                // Cancelled: nobody waits for it.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Gives a call that has ended, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Done> {
        loop {
            // A cancelled call is passed over.
            if let Ok(done) = self.tasks.try_join_next()? {
                return Some(done);
            }
        }
    }
}

fn failed(reason: &str) -> BackendError {
    BackendError::Unreachable {
        host: "backend".to_owned(),
        reason: reason.to_owned(),
    }
}
