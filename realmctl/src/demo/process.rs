//! One daemon as a child process, and the word that it is ready.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    net::UnixDatagram,
    process::{Child, Command},
};

use crate::{environment, failure::Failure};

/// Longest a daemon may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Runs `realmd init` and waits for its end.
    pub(super) async fn init(name: &str, home: &Path, listen: &str) -> Result<(), Failure> {
        let arguments: [&OsStr; 6] = [
            "init".as_ref(),
            name.as_ref(),
            "--home".as_ref(),
            home.as_ref(),
            "--listen".as_ref(),
            listen.as_ref(),
        ];
        let program = environment::program_beside("realmd");
        let output = Command::new(&program).args(arguments).output().await;
        let output = output.map_err(|error| cannot_start(&program, error))?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure::System(
            "realmd init failed",
            io::Error::other(told),
        ))
    }

    /// Starts `realmd run` and waits for its word that it is ready; its talk goes to `log`.
    pub(super) async fn start(home: &Path, log: &Path, keep: bool) -> Result<Self, Failure> {
        let notices = Notices::open(home.with_extension("notify"))?;
        let failed = |error| Failure::File(log.to_owned(), error);
        let file = File::create(log).map_err(failed)?;
        let copy = file.try_clone().map_err(failed)?;
        let program = environment::program_beside("realmd");
        let mut child = Command::new(&program)
            .args(["run".as_ref(), "--home".as_ref(), home.as_os_str()])
            .env("NOTIFY_SOCKET", &notices.path)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .kill_on_drop(!keep)
            .spawn()
            .map_err(|error| cannot_start(&program, error))?;
        let ready = tokio::select! {
            biased;
            ready = notices.ready(PATIENCE) => ready,
            ended = child.wait() => Err(ended.map_or_else(|error| error, |status| {
                io::Error::other(format!("it ended with {status}; see {}", log.display()))
            })),
        };
        ready.map_err(|error| Failure::System("a daemon did not become ready", error))?;
        Ok(Self { child })
    }

    /// Asks the daemon to end, and waits for it.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::System("a daemon did not end", error);
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
            let asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            asked.map_err(|error| failed(error.into()))?;
        }
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended
            .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
            .map_err(failed)?;
        Ok(())
    }
}

fn cannot_start(program: &OsStr, error: io::Error) -> Failure {
    Failure::Program(program.to_string_lossy().into_owned(), error)
}

/// The service manager's end of a `NOTIFY_SOCKET`.
struct Notices {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notices {
    fn open(path: PathBuf) -> Result<Self, Failure> {
        let socket = UnixDatagram::bind(&path);
        let socket = socket.map_err(|error| Failure::File(path.clone(), error))?;
        Ok(Self { socket, path })
    }

    /// Waits for `READY=1`.
    async fn ready(&self, patience: Duration) -> io::Result<()> {
        let wait = async {
            let mut notice = [0; 4096];
            loop {
                let size = self.socket.recv(&mut notice).await?;
                let text = notice.get(..size).unwrap_or_default();
                if text
                    .split(|byte| *byte == b'\n')
                    .any(|line| line == b"READY=1")
                {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(patience, wait).await?
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        // The folder it lies in goes too.
        std::fs::remove_file(&self.path).ok();
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

        daemon
            .send_to(b"STATUS=READY=1", &notices.path)
            .await
            .unwrap();
        let silent = notices.ready(Duration::ZERO).await.unwrap_err();
        daemon
            .send_to(b"STATUS=up\nREADY=1\n", &notices.path)
            .await
            .unwrap();
        let ready = notices.ready(Duration::from_secs(60)).await;

        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        assert!(ready.is_ok());
    }
}
