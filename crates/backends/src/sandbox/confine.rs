//! What a process does to itself before it becomes the one that was wanted.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitCode},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid, close, setgroups, setresgid, setresuid},
};
use realm_executor::SandboxLevel;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getpid, getrlimit, kill_process,
    set_dumpable_behavior, set_parent_process_death_signal, setrlimit, setsid,
};
use thiserror::Error;

use super::{
    INNER, NOT_CONFINED, NOT_STARTED, Room, SCRATCH, calls, carried, files, inner, keeper, mounts,
};

/// Files a process may have open.
const OPEN_FILES: u64 = 1_024;
/// Bytes a process may write to one file.
const FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// Processes and threads under `strict`.
const PROCESSES: u64 = 256;
/// Bytes of a process's private memory under `strict`.
const DATA_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Bytes of a process's private memory under `basic`.
const BASIC_DATA_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Processes and threads under `basic`, against those who beget without end: the kernel counts all of a user's, and none
/// of root's.
const BASIC_PROCESSES: u64 = 16_384;
/// At least so many beside those that the machine has when the program starts.
const BASIC_ROOM: u64 = 512;
/// The user that a process of root's is under `strict`.
const NOBODY: u32 = 65_534;
/// Bounds of that folder.
const SCRATCH_BOUNDS: &str = "mode=0700,size=64m,nr_inodes=4096";

/// Why a process did not become the one that was wanted.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The program is at fault.
    #[error("{NOT_STARTED}{0}")]
    NotStarted(io::Error),
    /// The kernel is.
    #[error("{NOT_CONFINED}{0}")]
    NotConfined(String),
}

/// Names the step at which confinement failed.
pub(super) fn at<E: std::fmt::Display>(step: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::NotConfined(format!("{step}: {error}"))
}

/// The first step: leaves the terminal and whatever it may still gain, begets the second, under `strict` in namespaces
/// of its own, and ends as that one ends.
pub(super) fn outside(
    room: &Room,
    (program, rest): (&OsStr, &[OsString]),
) -> Result<ExitCode, Failure> {
    setsid().map_err(at("setsid"))?;
    close_files()?;
    bound(Resource::Core, 0)?;
    bound(Resource::Nofile, OPEN_FILES)?;
    bound(Resource::Fsize, FILE_BYTES)?;
    if room.sandbox.level != SandboxLevel::Strict {
        rustix::thread::set_no_new_privs(true).map_err(at("no_new_privs"))?;
        return keeper::keep(room, program, rest);
    }
    bound(Resource::Data, DATA_BYTES)?;
    leave_root()?;
    new_namespaces(room)?;
    // What changes whose process it is forgets whom it dies with.
    die_with_parent()?;
    rustix::thread::set_no_new_privs(true).map_err(at("no_new_privs"))?;
    let mut child = Command::new("/proc/self/exe");
    child.arg0(INNER).args(inner(room, program, rest));
    let ended = child.status().map_err(at("second step"))?;
    end_by(ended.code(), ended.signal())
}

/// Ends as the program did: by its exit code, or by the signal.
pub(super) fn end_by(code: Option<i32>, signal: Option<i32>) -> Result<ExitCode, Failure> {
    if let Some(code) = code {
        return Ok(ExitCode::from(code.to_le_bytes()[0]));
    }
    keeper::hear_all()?;
    let signal = signal.and_then(Signal::from_named_raw);
    let _ = kill_process(getpid(), signal.unwrap_or(Signal::KILL));
    Ok(ExitCode::FAILURE)
}

/// The second step: under `strict` as the first process of its namespace, so that everything it leaves behind ends with
/// it; under `basic` in a session of its own, so that what it sends to its group spares its keeper.
pub(super) fn inside(room: &Room, program: &OsStr, rest: &[OsString]) -> Result<ExitCode, Failure> {
    die_with_parent()?;
    if room.sandbox.level != SandboxLevel::Strict {
        keeper::hear_all()?;
        setsid().map_err(at("setsid"))?;
        bound(Resource::Data, BASIC_DATA_BYTES)?;
        if let Some(there) = processes() {
            let most = there.saturating_add(BASIC_ROOM).max(BASIC_PROCESSES);
            bound(Resource::Nproc, most)?;
        }
        return Err(become_program(program, rest));
    }
    if !room.folder {
        // Or it would be the daemon's own, which may be the whole disk.
        env::set_current_dir(SCRATCH).map_err(at("scratch folder"))?;
    }
    // Counted in the namespace alone: before, it would have been all of the user's processes.
    bound(Resource::Nproc, PROCESSES)?;
    files::restrict(room, program)?;
    calls::restrict()?;
    Err(become_program(program, rest))
}

fn become_program(program: &OsStr, rest: &[OsString]) -> Failure {
    let mut command = Command::new(program);
    command.args(rest).env_clear().envs(carried(env::vars_os()));
    Failure::NotStarted(command.exec())
}

/// Closes what the daemon was started with and does not know of; what it opens itself stays with it.
fn close_files() -> Result<(), Failure> {
    let open = fs::read_dir("/proc/self/fd").map_err(at("open files"))?;
    let names = open.flatten().map(|entry| entry.file_name());
    let numbers: Vec<i32> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The list of them was one of them, and is closed already.
        let _ = close(number);
    }
    Ok(())
}

/// Processes and threads of the whole machine, as far as it tells.
fn processes() -> Option<u64> {
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    let (_, all) = load.split_whitespace().nth(3)?.split_once('/')?;
    all.parse().ok()
}

/// Bounds what a process may take, within what its daemon was given: only root may have more again.
fn bound(resource: Resource, most: u64) -> Result<(), Failure> {
    let given = getrlimit(resource).maximum;
    let most = given.map_or(most, |given| given.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, limit).map_err(at("rlimits"))
}

fn die_with_parent() -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(at("parent's death"))
}

/// Root becomes nobody: in its own user namespace it would still own root's files.
fn leave_root() -> Result<(), Failure> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[]).map_err(at("groups"))?;
    setresgid(group, group, group).map_err(at("group"))?;
    setresuid(user, user, user).map_err(at("user"))?;
    // Or its own files below /proc would be root's still, which it has to write to next.
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at("dumpable"))
}

/// Users, processes, network, mounts, shared memory, host name and control groups of its own.
fn new_namespaces(room: &Room) -> Result<(), Failure> {
    let (user, group) = (Uid::effective(), Gid::effective());
    let all = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(all).map_err(at("namespaces"))?;
    let write = |file: &str, text: String| fs::write(file, text).map_err(at("user namespace"));
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{NOBODY} {user} 1"))?;
    write("/proc/self/gid_map", format!("{NOBODY} {group} 1"))?;
    let nothing = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing).map_err(at("mounts"))?;
    mounts::protect(room)?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let kind = Some("tmpfs");
    mount(kind, SCRATCH, kind, plain, Some(SCRATCH_BOUNDS)).map_err(at("scratch folder"))
}
