//! What outputs are being made of, while they are.

use realm_protocol::CallId;
use tokio::sync::mpsc;

/// Words as they come: whose call they are of, which of its texts, and the words.
pub type Written = (CallId, u64, String);

/// Where the words of one call go while its answer is written: whoever takes them slowly lets the writer
/// wait.
#[derive(Clone, Debug)]
pub struct Parts {
    call: CallId,
    text: u64,
    to: mpsc::Sender<Written>,
}

impl Parts {
    /// The words of one call's answer, to be taken from the other end of `to`.
    pub const fn new(call: CallId, to: mpsc::Sender<Written>) -> Self {
        Self { call, text: 0, to }
    }

    /// The words of another text for the same call: whoever sees them begins anew.
    pub(crate) fn of_text(&self, text: u64) -> Self {
        let (call, to) = (self.call, self.to.clone());
        Self { call, text, to }
    }

    /// Gives some words, and waits while there is no room.
    pub(crate) async fn write(&self, words: String) {
        // Whoever wanted them may have gone; the answer is still wanted.
        let _ = self.to.send((self.call, self.text, words)).await;
    }
}
