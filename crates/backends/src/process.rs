//! Child processes: JSON on standard input, JSON on standard output, nothing inherited.

mod leaving;
mod pipe;

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use realm_executor::{BackendError, BackendReply, Sandbox, SandboxLevel};
use realm_protocol::{json, limits};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinSet,
};

pub(crate) use self::leaving::Leaving;
use self::pipe::Pipe;
use crate::{
    http::within,
    kept::{ERROR_BYTES, Kept, READ_BYTES},
    sandbox::{self, Ends, Launcher},
    words::Printed,
};

/// Folders in which programs are looked for, unless a manifest sets its own `PATH`, which none may where
/// [`ProcessRules`] hold.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The environment of every process; a manifest adds to it and overrides it.
const ENVIRONMENT: [(&str, &str); 2] = [("PATH", PATH), ("LANG", "C.UTF-8")];
/// Files a process may have open.
const OPEN_FILES: u64 = 1_024;
/// Bytes a process may write to one file.
const FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// Variables that say which code a program runs before its own, beside those of the loader (`LD_*`).
const LOADING: [&str; 6] = [
    "PATH",
    "GCONV_PATH",
    "BASH_ENV",
    "ENV",
    "PERL5OPT",
    "PYTHONPATH",
];

/// What the owner lets loops run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRules {
    /// Programs, as argv names them; empty for any.
    pub allow: Vec<String>,
    /// The least that processes are kept from.
    pub least: SandboxLevel,
}

impl Default for ProcessRules {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            least: SandboxLevel::None,
        }
    }
}

impl ProcessRules {
    /// Holds a program to the rules.
    pub(crate) fn permit(
        &self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        sandbox: &mut Sandbox,
    ) -> Result<(), BackendError> {
        sandbox.level = sandbox.level.max(self.least);
        let refused = |reason| Err(BackendError::Refused { reason });
        let listed = |program: &String| self.allow.contains(program) && is_of_one_file(program);
        if !self.allow.is_empty() && !argv.first().is_some_and(listed) {
            return refused(
                "the program is not among those that `processes.allow` in realm.toml lets loops run: by name, or by a path from the root",
            );
        }
        let bound = !self.allow.is_empty() || self.least != SandboxLevel::None;
        if bound && env.keys().any(|name| decides_what_runs(name)) {
            return refused(
                "its `env` sets a variable that decides what code runs (`PATH`, `LD_*`, `BASH_ENV` and the like), which no loop may where realm.toml has `processes.allow` or `processes.sandbox`",
            );
        }
        Ok(())
    }
}

/// Whether a program is the same file wherever it is started.
fn is_of_one_file(program: &str) -> bool {
    program.starts_with('/') || !program.contains('/')
}

fn decides_what_runs(variable: &str) -> bool {
    variable.starts_with("LD_") || LOADING.contains(&variable)
}

/// A program to be started.
pub(crate) struct Program<'a> {
    pub(crate) argv: &'a [String],
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) cwd: Option<&'a str>,
    pub(crate) sandbox: &'a Sandbox,
}

/// Runs a program to its end. What it leaves behind is killed when it has ended, and all of it when its time is over
/// and when the future is dropped.
pub(crate) async fn run(
    launcher: &Launcher,
    program: &Program<'_>,
    input: &Value,
    printed: Printed<'_>,
    timeout_ms: u64,
) -> Result<BackendReply, BackendError> {
    let child = spawn(launcher, program)?;
    within(timeout_ms, converse(child, json::to_bytes(input), printed)).await
}

/// Runs a command to its end, whatever its exit code, as [`run`] does a program. What it prints beyond the
/// limit is read and left out.
pub(crate) async fn run_command(
    launcher: &Launcher,
    program: &Program<'_>,
    timeout_ms: u64,
) -> Result<BackendReply, BackendError> {
    let mut group = spawn(launcher, program)?;
    let limit = Duration::from_millis(timeout_ms);
    let ended = tokio::time::timeout(limit, async {
        drop(group.child.stdin.take());
        let (stdout, stderr) = group.printed();
        tokio::join!(
            Kept::head(stdout, limits::COMMAND_BYTES),
            Kept::tail(stderr, limits::COMMAND_BYTES),
            group.end()
        )
    });
    let (stdout, stderr, status) = ended.await.map_err(|_| BackendError::Timeout {
        after_ms: timeout_ms,
    })?;
    let status = status?;
    let truncated = stdout.is_cut() || stderr.is_cut();
    let code = status.code();
    match (exited(&group.program, status, stderr.line()), code) {
        (None | Some(BackendError::Exit { .. }), Some(code)) => Ok(BackendReply::json(json!({
            "exitCode": code,
            "stdout": stdout.text(),
            "stderr": stderr.text(),
            "truncated": truncated,
        }))),
        (Some(error), _) => Err(error),
        (None, None) => Err(BackendError::Exit {
            code,
            stderr: stderr.line(),
        }),
    }
}

/// A process with which all ends that it has begotten, as far as its sandbox reaches.
struct Group {
    program: String,
    child: Child,
    /// Its number, until it was killed or has ended: from then on another may have that.
    id: Option<Pid>,
    ends: Ends,
    leaving: Leaving,
    ended: watch::Sender<bool>,
}

impl Group {
    /// What it prints. It ends with the process, and not with whoever else holds it open.
    fn printed(&mut self) -> (Option<Pipe<ChildStdout>>, Option<Pipe<ChildStderr>>) {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        (
            stdout.map(|stream| Pipe::new(stream, self.over())),
            stderr.map(|stream| Pipe::new(stream, self.over())),
        )
    }

    /// Comes back soon after the process has ended.
    fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.subscribe();
        async move {
            let _ = ended.wait_for(|ended| *ended).await;
            let _ = tokio::time::timeout(LEFT_OPEN, std::future::pending::<()>()).await;
        }
    }

    /// Waits for the end of the process, and ends what it leaves behind. A keeper has done so by itself.
    async fn end(&mut self) -> Result<ExitStatus, BackendError> {
        let status = self.child.wait().await;
        match self.ends {
            Ends::Kept => self.id = None,
            Ends::Group | Ends::Namespace => self.kill(),
        }
        self.ended.send_replace(true);
        status.map_err(|error| BackendError::BadOutput {
            reason: error.to_string(),
        })
    }

    fn kill(&mut self) {
        let Some(id) = self.id.take() else {
            return;
        };
        // It may have ended by itself.
        let _ = match self.ends {
            Ends::Kept => self.leaving.ask_to_end(id),
            Ends::Group | Ends::Namespace => rustix::process::kill_process_group(id, Signal::KILL),
        };
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(launcher: &Launcher, wanted: &Program<'_>) -> Result<Group, BackendError> {
    let Program {
        argv,
        env,
        cwd,
        sandbox,
    } = *wanted;
    let [program, arguments @ ..] = argv else {
        return Err(BackendError::Refused {
            reason: "argv names no program",
        });
    };
    let failed = |error: &str| BackendError::Spawn {
        program: program.to_owned(),
        reason: match cwd.filter(|cwd| !Path::new(cwd).is_dir()) {
            Some(cwd) => format!("its working directory {cwd} is not there"),
            None => error.to_owned(),
        },
    };
    let path = env.get("PATH").map_or(PATH, String::as_str);
    if !sandbox::found(program, path, cwd) {
        return Err(failed("there is no such program"));
    }
    let mut variables = BTreeMap::from(ENVIRONMENT);
    variables.extend(
        env.iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    if sandbox.level == SandboxLevel::Strict {
        variables.insert("TMPDIR", sandbox::SCRATCH);
    }
    let (command, ends) = launcher.command(program, variables, sandbox, cwd)?;
    let mut command = Command::from(command);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A keeper that was killed would end nothing.
    command.kill_on_drop(ends != Ends::Kept);
    if ends == Ends::Group {
        command.process_group(0);
    }
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    let child = command
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(id) = id.filter(|_| ends == Ends::Group) {
        bound(id);
    }
    Ok(Group {
        program: program.to_owned(),
        child,
        id,
        ends,
        leaving: launcher.leaving.clone(),
        ended: watch::Sender::new(false),
    })
}

/// Bounds what the process may take. It may have ended already; then there is nothing to bound.
fn bound(id: Pid) {
    let bounds = [
        (Resource::Core, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Fsize, FILE_BYTES),
    ];
    for (resource, most) in bounds {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let _ = rustix::process::prlimit(Some(id), resource, limit);
    }
}

/// A process that is talked to for as long as this is held; then its group is killed.
#[derive(Debug)]
pub(crate) struct Talking {
    ended: watch::Receiver<Option<String>>,
    _watched: JoinSet<()>,
}

/// How long after a process has ended what it prints may stay silent, before whoever still holds it open is left alone.
const LEFT_OPEN: Duration = Duration::from_millis(100);

/// Longest wait for a process that has closed its output to end.
const ENDING: Duration = Duration::from_millis(500);

/// Starts a process to talk to.
pub(crate) fn talk(
    launcher: &Launcher,
    program: &Program<'_>,
) -> Result<(Talking, Pipe<ChildStdout>, ChildStdin), BackendError> {
    let mut group = spawn(launcher, program)?;
    let stdin = group.child.stdin.take();
    let (stdout, stderr) = group.printed();
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(BackendError::Refused {
            reason: "the process has no standard input and output",
        });
    };
    let (tell, ended) = watch::channel(None);
    let mut watched = JoinSet::new();
    watched.spawn(async move {
        let (stderr, status) = tokio::join!(Kept::tail(stderr, ERROR_BYTES), group.end());
        let error = status.map(|status| exited(&group.program, status, stderr.line()));
        let said = match error {
            Ok(None) => "the process ended".to_owned(),
            Ok(Some(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tell.send_replace(Some(said));
    });
    let talking = Talking {
        ended,
        _watched: watched,
    };
    Ok((talking, stdout, stdin))
}

impl Talking {
    /// How the process ended, if it has or soon does.
    pub(crate) async fn ended(&self) -> Option<String> {
        let mut ended = self.ended.clone();
        let waited = tokio::time::timeout(ENDING, ended.wait_for(Option::is_some)).await;
        waited.ok()?.ok()?.clone()
    }

    /// How the process ended, if it has.
    pub(crate) fn end(&self) -> Option<String> {
        self.ended.borrow().clone()
    }
}

/// What an exit is told as; none for one that was right.
fn exited(program: &str, status: ExitStatus, stderr: String) -> Option<BackendError> {
    if let Some(failure) = sandbox::failure(program, status.code(), &stderr) {
        return Some(failure);
    }
    match status.signal() {
        Some(signal) => Some(BackendError::Signal { signal, stderr }),
        None if status.success() => None,
        None => Some(BackendError::Exit {
            code: status.code(),
            stderr,
        }),
    }
}

/// Writes the input, reads what comes, and waits for the end.
async fn converse(
    mut group: Group,
    input: Vec<u8>,
    printed: Printed<'_>,
) -> Result<BackendReply, BackendError> {
    let (stdin, over) = (group.child.stdin.take(), group.over());
    let (stdout, stderr) = group.printed();
    let fed = async {
        tokio::select! {
            () = feed(stdin, input) => {}
            // What it left behind may hold its input, and not read it.
            () = over => {}
        }
    };
    let stderr = Kept::tail(stderr, ERROR_BYTES);
    let others = async { Ok(tokio::join!(fed, stderr, group.end())) };
    let (printed, ((), stderr, status)) = tokio::try_join!(read_capped(stdout, printed), others)?;
    match exited(&group.program, status?, stderr.line()) {
        Some(error) => Err(error),
        None => printed.reply().await,
    }
}

/// Hands over the input; a process that does not read it is free not to.
async fn feed(stdin: Option<ChildStdin>, input: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(&input).await;
        let _ = stdin.shutdown().await;
    }
}

async fn read_capped(
    stream: Option<impl AsyncRead + Unpin>,
    mut printed: Printed<'_>,
) -> Result<Printed<'_>, BackendError> {
    let limit = limits::BACKEND_BYTES;
    let mut room = limit;
    let Some(mut stream) = stream else {
        return Ok(printed);
    };
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = stream.read(&mut buffer).await;
        let count = read.map_err(|error| BackendError::BadOutput {
            reason: error.to_string(),
        })?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(printed);
        }
        room = room
            .checked_sub(count)
            .ok_or(BackendError::TooLarge { limit })?;
        printed.take(bytes).await?;
    }
}
