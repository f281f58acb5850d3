//! One child process: started, ready, ended; never left behind.

mod notices;

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use self::notices::Notices;
use crate::{environment, failure::Failure};

/// Longest a process may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(15);
/// Lines of a log that are shown when its process fails.
const LAST_WORDS: usize = 12;

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    notices: Option<Notices>,
    kept: bool,
}

impl Process {
    /// Starts `realmd init`, listening on this port of loopback.
    pub(super) fn init(name: &'static str, home: &Path, port: u16) -> Result<Self, Failure> {
        let label = name.rsplit('/').next().unwrap_or(name);
        let mut command = daemon();
        command.args(["init", label, "--home"]).arg(home);
        command
            .arg("--listen")
            .arg(format!("/ip4/127.0.0.1/tcp/{port}"));
        command
            .arg("--recovery")
            .arg(home.with_extension("recovery"));
        Self::spawn(name, command, home.with_extension("init.log"), None)
    }

    /// Starts `realmd run`.
    pub(super) fn run(name: &'static str, home: &Path) -> Result<Self, Failure> {
        let notices = Notices::open(home.with_extension("notify"))?;
        let mut command = daemon();
        command.args(["run", "--home"]).arg(home);
        command.env("NOTIFY_SOCKET", notices.path());
        // Billing's agent is on this machine.
        command.env("REALMD_LOOPS__ALLOW_PRIVATE", "127.0.0.1:*");
        let mut process = Self::spawn(name, command, home.with_extension("log"), None)?;
        process.notices = Some(notices);
        Ok(process)
    }

    /// Starts billing's HTTP agent; gives the address it serves at.
    pub(super) async fn agent(folder: &Path) -> Result<(Self, String), Failure> {
        let mut command = Command::new(this_program()?);
        command.args(["demo-agent", "prices"]);
        let log = folder.join("prices.log");
        let mut process = Self::spawn("the HTTP agent", command, log, Some(Stdio::piped()))?;
        let mut line = String::new();
        if let Some(stdout) = process.child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
            let read = read.map_err(io::Error::from).flatten();
            read.map_err(|error| Failure::System("the HTTP agent did not start", error))?;
        }
        match line.trim() {
            "" => {
                let error = io::Error::other(process.last_words());
                Err(Failure::System("the HTTP agent did not start", error))
            }
            address => Ok((process, address.to_owned())),
        }
    }

    /// Starts a program. What it says on stderr goes to its log, and what on stdout unless that
    /// has another place.
    fn spawn(
        name: &'static str,
        mut command: Command,
        log: PathBuf,
        stdout: Option<Stdio>,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::File(log.clone(), error);
        let file = File::create(&log).map_err(failed)?;
        let copy = file.try_clone().map_err(failed)?;
        // A process group of its own, so that Ctrl-C is this program's alone to act upon.
        command.process_group(0).stdin(Stdio::null());
        command
            .stdout(stdout.unwrap_or_else(|| copy.into()))
            .stderr(file);
        let program = command.as_std().get_program().to_owned();
        let child = command
            .spawn()
            .map_err(|error| cannot_start(&program, error))?;
        Ok(Self {
            name,
            child,
            log,
            notices: None,
            kept: false,
        })
    }

    /// Waits for the daemon's word that it is ready.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let Some(notices) = self.notices.take() else {
            return Ok(());
        };
        let ready = tokio::select! {
            biased;
            ready = notices.ready(PATIENCE) => ready,
            ended = self.child.wait() => Err(ended.map_or_else(|error| error, |status| {
                io::Error::other(format!("{} ended with {status}", self.name))
            })),
        };
        ready.map_err(|error| Failure::System("a daemon did not become ready", error))
    }

    /// Waits for the end, which must be a good one.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.map_err(io::Error::from).flatten();
        let ended = status.and_then(|status| {
            let told = || io::Error::other(format!("{} ended with {status}", self.name));
            if status.success() {
                Ok(())
            } else {
                Err(told())
            }
        });
        ended.map_err(|error| Failure::System("a process did not end well", error))
    }

    /// Asks the process to end.
    pub(super) fn terminate(&self) {
        if let Some(pid) = self.pid() {
            // It may have ended by itself; whoever waits for it sees how.
            kill_process(pid, Signal::TERM).ok();
        }
    }

    /// Ends the process at once, without a chance to tidy up.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.child.kill().await;
        killed.map_err(|error| Failure::System("a process could not be killed", error))
    }

    /// Lets the process outlive this one; gives its id.
    pub(super) fn keep(&mut self) -> Option<u32> {
        self.kept = true;
        self.child.id()
    }

    /// The last lines of the log.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LAST_WORDS);
        let last = lines
            .into_iter()
            .skip(from)
            .map(|line| format!("\n  {line}"));
        format!("last words of {}:{}", self.name, last.collect::<String>())
    }

    fn pid(&self) -> Option<Pid> {
        self.child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = self.pid().filter(|_| !self.kept) {
            // Waited for, so that nothing writes into the folder while it is removed.
            if kill_process(pid, Signal::KILL).is_ok() {
                waitpid(Some(pid), WaitOptions::empty()).ok();
            }
        }
    }
}

/// This program.
pub(super) fn this_program() -> Result<PathBuf, Failure> {
    env::current_exe().map_err(|error| Failure::System("this program cannot be found", error))
}

/// `realmd`, without what the user's environment sets for other realms.
fn daemon() -> Command {
    let mut command = Command::new(environment::program_beside("realmd"));
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"REALM") {
            command.env_remove(name);
        }
    }
    command
}

fn cannot_start(program: &OsStr, error: io::Error) -> Failure {
    Failure::Program(program.to_string_lossy().into_owned(), error)
}
