//! Words to the service manager, as `sd_notify` has them.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

/// The service manager, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notify {
    socket: Option<String>,
}

impl Notify {
    /// Takes the value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    pub(crate) fn new(socket: Option<String>) -> Self {
        Self {
            socket: socket.filter(|name| !name.is_empty()),
        }
    }

    /// Says that the realm serves.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// Says that the realm stops.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, state: &str) {
        let Some(name) = &self.socket else { return };
        if let Err(error) = send(name, state) {
            tracing::warn!(%error, socket = name, "the service manager does not hear");
        }
    }
}

fn send(name: &str, state: &str) -> io::Result<()> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
