//! A timer that can be set, cleared and polled.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

/// A timer owned by the state machine it bounds. Unset, it never fires.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Makes a timer that fires after `duration`.
    pub(crate) fn after(duration: Duration) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one timer of this crate, owned by whoever polls it"
        )]
        Self(Some(Box::pin(tokio::time::sleep(duration))))
    }

    /// Sets the timer unless it is already running.
    pub(crate) fn begin(&mut self, duration: Duration) {
        if self.0.is_none() {
            *self = Self::after(duration);
        }
    }

    /// Stops the timer.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// Becomes ready once the time is over, and stays so until cleared.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) if sleep.is_elapsed() => Poll::Ready(()),
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// Waits until the time is over; for ever if unset.
    pub(crate) async fn wait(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}
