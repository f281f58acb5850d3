//! Where agents stand still until the rig lets them go on.

use std::{io::Read as _, os::unix::net::UnixStream as Blocking, path::Path};

use anyhow::{Context as _, ensure};
use tokio::{
    io::AsyncWriteExt as _,
    net::{UnixListener, UnixStream},
};

const GO_ON: u8 = b'!';

/// The rig's side.
#[derive(Debug)]
pub(crate) struct Gates(UnixListener);

/// An agent that stands at a gate. Dropped, it ends there and does nothing more.
#[derive(Debug)]
pub(crate) struct Held(UnixStream);

impl Gates {
    /// Opens the socket that agents come to.
    pub(crate) fn open(socket: &Path) -> anyhow::Result<Self> {
        Ok(Self(UnixListener::bind(socket)?))
    }

    /// Waits for the next agent to come; none is lost when the wait is broken off.
    pub(crate) async fn held(&self) -> anyhow::Result<Held> {
        let (stream, _) = self.0.accept().await?;
        Ok(Held(stream))
    }
}

impl Held {
    /// Lets the agent go on.
    pub(crate) async fn go_on(mut self) -> anyhow::Result<()> {
        Ok(self.0.write_u8(GO_ON).await?)
    }
}

/// The agent's side: stands at the gate until it may go on.
///
/// # Errors
/// Whoever held it is gone, or nobody ever stood there.
pub(crate) fn stand(socket: &Path) -> anyhow::Result<()> {
    let mut stream = Blocking::connect(socket)?;
    let mut answer = [0];
    let told = stream.read_exact(&mut answer);
    told.context("nobody lets it go on")?;
    ensure!(answer == [GO_ON], "told {answer:?}");
    Ok(())
}
