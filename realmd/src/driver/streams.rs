//! Calls whose callers want to see the output while it is being made.

use std::{collections::BTreeMap, sync::Arc};

use realm_node::{ControlId, Part};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::handle::Shown;

/// Where parts go, and whether somebody is still there to see them.
#[derive(Default)]
pub(crate) struct Streams {
    open: BTreeMap<ControlId, (Arc<watch::Sender<Shown>>, AbortHandle)>,
    /// Each ends when whoever looks has gone.
    looking: JoinSet<ControlId>,
}

impl Streams {
    /// Shows a call's output from now on.
    pub(crate) fn open(&mut self, id: ControlId, shown: watch::Sender<Shown>) {
        let shown = Arc::new(shown);
        let watched = Arc::clone(&shown);
        let gone = self.looking.spawn(async move {
            watched.closed().await;
            id
        });
        self.open.insert(id, (shown, gone));
    }

    /// Adds a part to what is shown.
    pub(crate) fn show(&self, id: ControlId, part: &Part) {
        if let Some((shown, _)) = self.open.get(&id) {
            shown.send_modify(|shown| shown.add(part));
        }
    }

    /// The call has its answer.
    pub(crate) fn close(&mut self, id: ControlId) {
        if let Some((_, gone)) = self.open.remove(&id) {
            gone.abort();
        }
    }

    /// Waits until somebody has gone before the answer was there; for ever while nobody does.
    pub(crate) async fn gone(&mut self) -> ControlId {
        loop {
            match self.looking.join_next().await {
                Some(Ok(id)) => {
                    self.open.remove(&id);
                    return id;
                }
                // The call has its answer.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}
