//! Child processes that end with this one.

use std::{
    fs::File,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::UnixDatagram,
    process::{Child, Command},
    time::timeout,
};

/// How long a program may take to say that it serves.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    log: std::path::PathBuf,
}

impl Program {
    /// Starts it, what it says going to a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{:?} does not start", command.as_std().get_program()))?;
        let log = log.to_owned();
        Ok(Self { child, log })
    }

    /// Starts it, and waits for the first line it prints.
    pub(crate) async fn start_and_hear(
        command: &mut Command,
        log: &Path,
    ) -> Result<(Self, String)> {
        let mut program = Self::start(command.stdout(Stdio::piped()), log)?;
        let stdout = program.child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        ensure!(read.context("it says nothing")?? > 0, program.last_words());
        Ok((program, line.trim().to_owned()))
    }

    /// Starts it, and waits until it tells its service manager that it serves.
    pub(crate) async fn start_and_be_told(command: &mut Command, log: &Path) -> Result<Self> {
        let path = log.with_extension("notify");
        let _ = std::fs::remove_file(&path);
        let notices = UnixDatagram::bind(&path)?;
        command.env("NOTIFY_SOCKET", &path).stdout(Stdio::null());
        let mut program = Self::start(command, log)?;
        let mut notice = [0; 256];
        let told = async {
            tokio::select! {
                got = notices.recv(&mut notice) => got.map(Some),
                ended = program.child.wait() => ended.map(|_| None),
            }
        };
        match timeout(PATIENCE, told).await {
            Ok(Ok(Some(_))) => Ok(program),
            _ => bail!(program.last_words()),
        }
    }

    /// Kills it, as `kill -9` does.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the program has ended")
    }

    /// What it said last, for an error.
    pub(crate) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(8).collect();
        let said: Vec<&str> = lines.into_iter().rev().collect();
        format!("{} ends with:\n{}", self.log.display(), said.join("\n"))
    }
}

/// Runs a program to its end.
pub(crate) async fn finish(command: &mut Command) -> Result<()> {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("{name} does not start"))?;
    let status: ExitStatus = output.status;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(status.success(), "{name}: {status}: {told}");
    Ok(())
}
