//! The signals that stop a command.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for ^C or SIGTERM. Until it is first polled, both end the process as usual.
pub(crate) async fn interrupted() {
    let both = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = both else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
