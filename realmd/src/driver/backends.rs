//! Backend calls under way, each in its own task.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt as _;
use realm_backends::{Backends, Parts, Progress, Written};
use realm_executor::{BackendError, BackendReply, BackendRequest};
use realm_protocol::{CallId, limits};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

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
    /// What models and agents write while they write it, and where it comes out.
    writes: mpsc::Sender<Written>,
    written: mpsc::Receiver<Written>,
    /// How agents say that it goes.
    says: mpsc::Sender<(CallId, Value)>,
    said: mpsc::Receiver<(CallId, Value)>,
}

/// Something of the calls under way.
pub(crate) enum Heard {
    Done(Done),
    /// A model or an agent has written some of its answer.
    Wrote(Written),
    /// An agent says how it goes.
    Said(CallId, Value),
}

/// Pieces of answers that wait for the loop; at the bound whoever writes waits.
const WRITTEN: usize = 256;
/// Words of agents that wait for the loop; further ones are lost.
const SAID: usize = 256;

/// Tasks at once: every call the node can have, twice over for steps that overlap.
const TASKS: usize = 2 * limits::CALLS;

impl BackendCalls {
    /// Starts with none; opens no connection.
    pub(crate) fn new(backends: Arc<Backends>) -> Self {
        let (writes, written) = mpsc::channel(WRITTEN);
        let (says, said) = mpsc::channel(SAID);
        Self {
            backends,
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            writes,
            written,
            says,
            said,
        }
    }

    /// Starts a call.
    pub(crate) fn start(&mut self, call: CallId, request: BackendRequest) {
        let backends = Arc::clone(&self.backends);
        let progress = Progress::new(call, self.says.clone());
        let full = self.tasks.len() >= TASKS;
        let parts = Parts::new(call, self.writes.clone());
        let handle = self.tasks.spawn(async move {
            if full {
                return Done(call, Err(failed("too many backend calls at once")));
            }
            let told = backends.call_telling(request, Some(&parts), progress);
            let answer = AssertUnwindSafe(told).catch_unwind().await;
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

    /// Waits until somebody has written something, an agent has said something or a call has ended; for ever
    /// while there is none. All that was written and said comes before its call ends.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            tokio::select! {
                biased;
                Some(written) = self.written.recv() => return Heard::Wrote(written),
                Some((call, progress)) = self.said.recv() => return Heard::Said(call, progress),
                Some(ended) = self.tasks.join_next() => {
                    // One that is cancelled is passed over: nobody waits for it.
                    if let Ok(done) = ended {
                        return Heard::Done(done);
                    }
                }
            }
        }
    }

    /// Gives what there is without waiting.
    pub(crate) fn try_next(&mut self) -> Option<Heard> {
        if let Ok(written) = self.written.try_recv() {
            return Some(Heard::Wrote(written));
        }
        if let Ok((call, progress)) = self.said.try_recv() {
            return Some(Heard::Said(call, progress));
        }
        loop {
            if let Ok(done) = self.tasks.try_join_next()? {
                return Some(Heard::Done(done));
            }
        }
    }
}

fn failed(reason: &str) -> BackendError {
    BackendError::Unreachable {
        host: "backend".to_owned(),
        reason: reason.to_owned(),
        sent: true,
    }
}
