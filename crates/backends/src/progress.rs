//! What backends say of work that they have not ended.

use realm_protocol::{CallId, json, limits};
use serde_json::Value;
use tokio::sync::mpsc;

/// Where it is said how one piece of work goes; nowhere unless told.
#[derive(Clone, Debug, Default)]
pub struct Progress(Option<(CallId, mpsc::Sender<(CallId, Value)>)>);

impl Progress {
    /// Says it of this call.
    pub fn new(call: CallId, heard: mpsc::Sender<(CallId, Value)>) -> Self {
        Self(Some((call, heard)))
    }

    /// Says something; it is lost where nobody keeps up.
    pub(crate) fn tell(&self, progress: Value) {
        if let Self(Some((call, heard))) = self {
            let _ = heard.try_send((*call, progress));
        }
    }
}

/// What an agent may say of its work, within bounds.
#[derive(Debug)]
pub(crate) struct Noted {
    progress: Progress,
    /// How often it may still say something.
    left: u32,
}

impl Noted {
    pub(crate) const fn new(progress: Progress) -> Self {
        Self {
            progress,
            left: limits::PROGRESS,
        }
    }

    /// Says something, if that is within its bounds.
    pub(crate) fn tell(&mut self, progress: Value) {
        if self.left > 0 && json::to_bytes(&progress).len() <= limits::PROGRESS_BYTES {
            self.left -= 1;
            self.progress.tell(progress);
        }
    }
}
