//! Who stays with a program under `basic`, and leaves nothing of it behind.
//!
//! Whatever the program begets and lets go becomes the keeper's child, however it made off. When the program has
//! ended, or the daemon wants it ended or is gone itself, the keeper kills all that is left, and ends as the program did.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use nix::{
    sys::signal::{SigSet, Signal as Told},
    unistd::close,
};
use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process, kill_process_group,
        set_child_subreaper, set_parent_process_death_signal, wait,
    },
};

use super::{
    INNER, Room,
    confine::{Failure, at, end_by},
    inner,
};

/// The children of this process, which has one thread.
const CHILDREN: &str = "/proc/thread-self/children";

/// Starts the second step, waits for its end, and ends everything else that it has begotten.
pub(super) fn keep(room: &Room, program: &OsStr, rest: &[OsString]) -> Result<ExitCode, Failure> {
    let mut heard = SigSet::empty();
    for signal in [Told::SIGTERM, Told::SIGCHLD, Told::SIGCONT] {
        heard.add(signal);
    }
    heard.thread_block().map_err(at("signals"))?;
    set_child_subreaper(Some(getpid())).map_err(at("subreaper"))?;
    // Where the daemon is gone, the program is to be as well. The kernel says so by what a stopped keeper goes on with.
    let daemon = getppid();
    set_parent_process_death_signal(Some(Signal::CONT)).map_err(at("parent's death"))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(INNER).args(inner(room, program, rest));
    let child = command.spawn().map_err(at("second step"))?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // They end with the program, and not with whoever looks after it.
    let _ = (close(0), close(1));
    let ended = loop {
        match heard.wait() {
            Ok(Told::SIGCHLD) => {
                if let Some(ended) = reap(child) {
                    break Some(ended);
                }
            }
            // Somebody let it go on, and the daemon is there still.
            Ok(Told::SIGCONT) if getppid() == daemon => {}
            _ => break None,
        }
    };
    end_all(child);
    match ended {
        Some(ended) => end_by(ended.exit_status(), ended.terminating_signal()),
        None => Ok(ExitCode::FAILURE),
    }
}

/// Lets the program hear every signal again that its keeper waits for.
pub(super) fn hear_all() -> Result<(), Failure> {
    SigSet::empty().thread_set_mask().map_err(at("signals"))
}

/// Takes the ends of children; gives that of the program, if it is among them.
fn reap(program: Option<Pid>) -> Option<WaitStatus> {
    let mut of_program = None;
    while let Ok(Some((child, ended))) = wait(WaitOptions::NOHANG) {
        if Some(child) == program {
            of_program = Some(ended);
        }
    }
    of_program
}

/// Kills every child, and those who become children by that, until there is none. A kernel that does not list children
/// leaves the program's group, which has its number.
fn end_all(program: Option<Pid>) {
    loop {
        let Ok(children) = fs::read_to_string(CHILDREN) else {
            if let Some(program) = program {
                let _ = kill_process_group(program, Signal::KILL);
            }
            return;
        };
        let children = children.split_whitespace();
        for child in children.filter_map(|child| child.parse().ok().and_then(Pid::from_raw)) {
            // It may have ended by itself.
            let _ = kill_process(child, Signal::KILL);
        }
        // The end of one is waited for: its own children are among these from then on.
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
