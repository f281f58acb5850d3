//! What child processes are kept from.
//!
//! Nothing here runs between `fork` and `exec` of the daemon. A process that is to be confined is started by
//! way of the program itself, under the name [`NAME`]: it confines itself, by calls that are safe, and becomes
//! the process that was wanted ([`confine`]). Under `strict` there are two such steps, since a process enters
//! a new PID namespace by being born in it.
//!
//! The program's `main` asks [`confine_if_asked`] first.

mod calls;
mod confine;
mod files;

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use realm_executor::{BackendError, Sandbox, SandboxLevel};
use serde_json::{Value, json};

/// Name that the program has while it confines itself.
const NAME: &str = "realm-confine";
/// Name that it has when it was born in the new namespaces.
const INNER: &str = "realm-confined";
/// Exit code of a program that could not confine itself or become another.
const FAILED: u8 = 125;
/// What it says then begins with this, and with the next one where the sandbox is at fault.
const NOT_STARTED: &str = "realm-confine: not started: ";
const NOT_CONFINED: &str = "realm-confine: not confined: ";

/// Folder that a process under `strict` may write to, which is its own and goes with it.
pub(crate) const SCRATCH: &str = "/dev/shm";

/// How child processes are started.
#[derive(Clone, Debug, Default)]
pub struct Launcher {
    program: Option<PathBuf>,
}

impl Launcher {
    /// Starts processes by way of this program, whose `main` calls [`confine_if_asked`] first.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: Some(program.into()),
        }
    }

    /// The command that becomes a program, and whether it makes a session of its own. A launcher without a
    /// program knows no sandbox, and refuses `strict`.
    pub(crate) fn command(
        &self,
        program: &str,
        sandbox: &Sandbox,
    ) -> Result<(std::process::Command, bool), BackendError> {
        match (&self.program, sandbox.level) {
            (None, SandboxLevel::Strict) => Err(BackendError::Unconfined {
                program: program.to_owned(),
                reason: "a realm inside another program has none".to_owned(),
            }),
            (None, _) | (_, SandboxLevel::None) => Ok((std::process::Command::new(program), false)),
            (Some(launcher), _) => {
                let mut command = std::process::Command::new(launcher);
                command.arg0(NAME).arg(written(sandbox)).arg(program);
                Ok((command, true))
            }
        }
    }
}

/// What a launcher said that did not become the program; none for what a program says.
pub(crate) fn failure(program: &str, code: Option<i32>, said: &str) -> Option<BackendError> {
    if code != Some(FAILED.into()) {
        return None;
    }
    let program = program.to_owned();
    if let Some(reason) = said.strip_prefix(NOT_STARTED) {
        let reason = reason.to_owned();
        return Some(BackendError::Spawn { program, reason });
    }
    let reason = said.strip_prefix(NOT_CONFINED)?.to_owned();
    Some(BackendError::Unconfined { program, reason })
}

/// Confines this process and becomes the program that its arguments name, if it was started for that; then it
/// comes back only with a failure, which is what it exits with.
pub fn confine_if_asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter();
    let inner = match arguments.next()?.to_str()? {
        NAME => false,
        INNER => true,
        _ => return None,
    };
    let (sandbox, program) = (arguments.next()?, arguments.next()?);
    let rest: Vec<OsString> = arguments.collect();
    let read = sandbox.to_str().and_then(read);
    let ended = match &read {
        Some(sandbox) if inner => confine::inside(sandbox, &program, &rest),
        Some(sandbox) => confine::outside(sandbox, (&program, &rest)),
        None => Err(confine::Failure::NotConfined("no such sandbox".to_owned())),
    };
    Some(ended.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::from(FAILED)
    }))
}

/// Where a program is that is looked for in the folders of a `PATH`, or from a folder.
pub(crate) fn found(program: &str, path: &str, cwd: Option<&str>) -> bool {
    let from = Path::new(cwd.unwrap_or("."));
    if program.contains('/') {
        return from.join(program).is_file();
    }
    path.split(':')
        .any(|folder| from.join(folder).join(program).is_file())
}

fn written(sandbox: &Sandbox) -> String {
    let Sandbox { level, read, write } = sandbox;
    json!({"level": level.name(), "read": read, "write": write}).to_string()
}

fn read(text: &str) -> Option<Sandbox> {
    let value: Value = serde_json::from_str(text).ok()?;
    let texts = |key: &str| -> Option<Vec<String>> {
        let items = value.get(key)?.as_array()?.iter();
        items.map(|item| item.as_str().map(str::to_owned)).collect()
    };
    Some(Sandbox {
        level: SandboxLevel::named(value.get("level")?.as_str()?)?,
        read: texts("read")?,
        write: texts("write")?,
    })
}

/// The arguments of the second step.
fn inner<'a>(sandbox: &Sandbox, program: &'a OsStr, rest: &'a [OsString]) -> Vec<OsString> {
    let mut arguments = vec![written(sandbox).into(), program.to_owned()];
    arguments.extend_from_slice(rest);
    arguments
}
