//! Waiting for the first address that is listened on.

use std::{io, time::Duration};

use realm_net::{Event, ListenError, Multiaddr, Net};
use tokio::sync::mpsc;

use super::error::StartError;
use crate::addresses;

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

/// Refuses an address that another program listens on. The transports bind with `SO_REUSEPORT`,
/// under which two programs would share the port's connections at random.
pub(super) fn refuse_taken(configured: &[Multiaddr]) -> Result<(), StartError> {
    for address in configured {
        let Some((socket, transport)) = addresses::socket(address) else {
            continue;
        };
        match addresses::probe(socket, transport) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let address = address.clone();
                let source = ListenError::Io(error);
                return Err(StartError::Listen { address, source });
            }
            // Whatever else is wrong with it, the transport says.
            _ => {}
        }
    }
    Ok(())
}
