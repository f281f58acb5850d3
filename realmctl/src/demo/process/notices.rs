//! The service manager's end of a `NOTIFY_SOCKET`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{net::UnixDatagram, time::timeout};

use crate::failure::Failure;

/// A socket that hears what a daemon says of its state.
#[derive(Debug)]
pub(super) struct Notices {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notices {
    /// Binds the socket.
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let socket = UnixDatagram::bind(&path);
        let socket = socket.map_err(|error| Failure::File(path.clone(), error))?;
        Ok(Self { socket, path })
    }

    /// Where it is bound.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for `READY=1`.
    pub(super) async fn ready(&self, patience: Duration) -> io::Result<()> {
        let wait = async {
            let mut notice = [0; 4096];
            loop {
                let size = self.socket.recv(&mut notice).await?;
                let text = notice.get(..size).unwrap_or_default();
                let mut lines = text.split(|byte| *byte == b'\n');
                if lines.any(|line| line == b"READY=1") {
                    return Ok(());
                }
            }
        };
        timeout(patience, wait).await?
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        // The folder it lies in goes too.
        fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_word_ready_counts_and_silence_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let notices = Notices::open(dir.path().join("notify")).unwrap();
        let daemon = UnixDatagram::unbound().unwrap();
        let say = |text: &'static str| daemon.send_to(text.as_bytes(), notices.path());

        say("STATUS=READY=1").await.unwrap();
        let silent = notices.ready(Duration::ZERO).await.unwrap_err();
        say("STATUS=up\nREADY=1\n").await.unwrap();
        let ready = notices.ready(Duration::from_secs(60)).await;

        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        assert!(ready.is_ok());
    }
}
