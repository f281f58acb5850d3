//! Waiting for the first address that is listened on.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use realm_net::{Event, ListenError, Multiaddr, Net};
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

/// Refuses an address that another program listens on. The transport binds with `SO_REUSEPORT`,
/// under which two programs would share the port's connections at random.
pub(super) fn refuse_taken(configured: &[Multiaddr]) -> Result<(), StartError> {
    for address in configured {
        let Some(socket) = socket_address(address).filter(|socket| socket.port() != 0) else {
            continue;
        };
        match TcpListener::bind(socket) {
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

/// The socket address of `/ip4/…/tcp/…` or `/ip6/…/tcp/…`.
fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let text = address.to_string();
    let parts: Vec<&str> = text.split('/').skip(1).collect();
    match parts.as_slice() {
        ["ip4" | "ip6", ip, "tcp", port, ..] => Some(SocketAddr::new(
            ip.parse::<IpAddr>().ok()?,
            port.parse().ok()?,
        )),
        _ => None,
    }
}
