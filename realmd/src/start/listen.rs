//! Waiting for the first address that is listened on.

use std::time::Duration;

use realm_net::{Event, Multiaddr, Net};
use tokio::sync::mpsc;

use super::error::StartError;

/// Longest wait; the system answers at once or not at all.
const WAIT: Duration = Duration::from_secs(10);

/// Waits until one address is listened on, and gives those that are. Without configured addresses
/// there is nothing to wait for.
pub(super) async fn first(
    net: &Net,
    events: &mut mpsc::Receiver<Event>,
    configured: &[Multiaddr],
) -> Result<Vec<Multiaddr>, StartError> {
    let mut failed = 0;
    while failed < configured.len() {
        match tokio::time::timeout(WAIT, events.recv()).await {
            Ok(Some(Event::ListenFailed { address, error })) => {
                failed += 1;
                if failed == configured.len() {
                    let source = error;
                    return Err(StartError::Listen { address, source });
                }
                tracing::warn!(%address, %error, "not listening");
            }
            Ok(Some(Event::Listening(_))) => break,
            // Nothing else can happen before anything is listened on or dialled.
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    Ok(net.addresses())
}
