//! Waiting with an end: for programs, pipes and words from a daemon.

use std::{
    io::Write as _,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything that works. Nothing passes because time does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Does something that blocks, for a bounded time.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(limit) {
        Ok(done) => done,
        Err(error) => panic!("{what}: {error} after {limit:?}"),
    }
}

/// Runs a program to its end, which must come in time.
#[track_caller]
pub(crate) fn output_within(limit: Duration, mut command: Command, input: &str) -> Output {
    let said = format!("{command:?}");
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let spawned = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{said}: {error}"));
    let pid = pid(&child);
    if let Some(mut stdin) = child.stdin.take() {
        // A program may end without reading everything.
        stdin.write_all(input.as_bytes()).ok();
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(limit) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            kill_process(pid, Signal::KILL).ok();
            let output = receiver.recv().unwrap().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            panic!("{said} did not end within {limit:?}: {told}");
        }
    }
}

/// Waits for a child's end.
#[track_caller]
pub(crate) fn exit_within(limit: Duration, mut child: Child) -> ExitStatus {
    let pid = pid(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    match receiver.recv_timeout(limit) {
        Ok(status) => status.unwrap(),
        Err(_) => {
            kill_process(pid, Signal::KILL).ok();
            panic!("process {pid:?} did not end within {limit:?}");
        }
    }
}

/// A child's process id.
pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Says that a test is skipped, and what it needs, past the test runner's capture.
pub(crate) fn skip(why: &str) {
    use std::io::Write as _;
    let said = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}
