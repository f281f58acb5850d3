//! What backends say of work that they have not ended.

use realm_protocol::CallId;
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
