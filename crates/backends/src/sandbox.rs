//! What child processes are kept from.
//!
//! Nothing here runs between `fork` and `exec` of the daemon. A process that is to be confined is started by
//! way of the program itself, under the name [`NAME`]: it confines itself, by calls that are safe, and begets
//! the process that becomes the one that was wanted ([`confine`]): under `strict` a process enters a new PID namespace by
//! being born in it, and under `basic` somebody has to stay who ends what it leaves behind ([`keeper`]). Until then the program's variables have other names ([`CARRIED`]):
//! they would tell the loader what to run in the steps before.
//!
//! The program's `main` asks [`confine_if_asked`] first.

mod calls;
mod confine;
mod files;
mod keeper;
mod mounts;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use realm_executor::{BackendError, Sandbox, SandboxLevel};
use serde_json::{Value, json};

use crate::process::Leaving;

/// Name that the program has while it confines itself.
const NAME: &str = "realm-confine";
/// Name that it has when it was born in the new namespaces.
const INNER: &str = "realm-confined";
/// What the name of each of the program's variables begins with until it becomes the program. Not among the
/// arguments: everybody on the machine may read those.
const CARRIED: &str = "realm:";
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
    closed: Option<PathBuf>,
    pub(crate) leaving: Leaving,
}

/// What ends with a process that is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The group that it is made the first of.
    Group,
    /// All that is in the session and the namespaces that it makes for itself.
    Namespace,
    /// All that it has begotten: it is asked to end that, and then itself.
    Kept,
}

/// What a process is confined to.
struct Room {
    sandbox: Sandbox,
    /// Whether it has a folder of its own, which it may read; else it starts in the scratch folder.
    folder: bool,
}

impl Launcher {
    /// Starts processes by way of this program, whose `main` calls [`confine_if_asked`] first.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: Some(program.into()),
            ..Self::default()
        }
    }

    /// Opens this folder to no process under `strict`, whatever that is given.
    #[must_use]
    pub fn closing(mut self, folder: impl Into<PathBuf>) -> Self {
        self.closed = Some(folder.into());
        self
    }

    /// The command that becomes a program in its folder with these variables alone, and what ends with it. A launcher without a program knows no sandbox, and refuses `strict`.
    pub(crate) fn command(
        &self,
        program: &str,
        env: BTreeMap<&str, &str>,
        sandbox: &Sandbox,
        cwd: Option<&str>,
    ) -> Result<(Command, Ends), BackendError> {
        match (&self.program, sandbox.level) {
            (None, SandboxLevel::Strict) => Err(BackendError::Unconfined {
                program: program.to_owned(),
                reason: "a realm inside another program has none".to_owned(),
            }),
            (None, _) | (_, SandboxLevel::None) => {
                let mut command = Command::new(program);
                command.env_clear().envs(env);
                Ok((command, Ends::Group))
            }
            (Some(launcher), level) => {
                if level == SandboxLevel::Strict {
                    self.keep_closed(program, sandbox, cwd)?;
                }
                let room = Room {
                    sandbox: sandbox.clone(),
                    folder: cwd.is_some(),
                };
                let mut command = Command::new(launcher);
                command.arg0(NAME).arg(room.written()).arg(program);
                let carried = |(name, value)| (format!("{CARRIED}{name}"), value);
                command.env_clear().envs(env.into_iter().map(carried));
                let ends = match level {
                    SandboxLevel::Strict => Ends::Namespace,
                    SandboxLevel::None | SandboxLevel::Basic => Ends::Kept,
                };
                Ok((command, ends))
            }
        }
    }

    /// Refuses to start a program that would be given the closed folder: by one that holds it, or one in it.
    fn keep_closed(
        &self,
        program: &str,
        sandbox: &Sandbox,
        cwd: Option<&str>,
    ) -> Result<(), BackendError> {
        let Some(closed) = self.closed.as_deref().and_then(real) else {
            return Ok(());
        };
        let from = Path::new(cwd.unwrap_or(SCRATCH));
        let Sandbox { read, write, .. } = sandbox;
        let named = read.iter().chain(write).map(String::as_str);
        let given = named.chain(cwd.map(|_| ".")).chain(files::SYSTEM);
        let mut given = given.filter_map(|path| real(&from.join(path)));
        match given.find(|path| closed.starts_with(path) || path.starts_with(&closed)) {
            Some(given) => Err(BackendError::Opened {
                program: program.to_owned(),
                given: given.display().to_string(),
                closed: closed.display().to_string(),
            }),
            None => Ok(()),
        }
    }
}

/// Where a path leads, links followed; none if nothing is there.
fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
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
    let (room, program) = (arguments.next()?, arguments.next()?);
    let rest: Vec<OsString> = arguments.collect();
    let ended = match &room.to_str().and_then(Room::read) {
        Some(room) if inner => confine::inside(room, &program, &rest),
        Some(room) => confine::outside(room, (&program, &rest)),
        None => Err(confine::Failure::NotConfined("no such sandbox".to_owned())),
    };
    Some(ended.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::from(FAILED)
    }))
}

/// The program's variables, out of those of a step before it.
fn carried(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    variables.filter_map(|(name, value)| {
        let name = name.as_bytes().strip_prefix(CARRIED.as_bytes())?;
        Some((OsString::from_vec(name.to_vec()), value))
    })
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

impl Room {
    fn written(&self) -> String {
        let Self { sandbox, folder } = self;
        let Sandbox { level, read, write } = sandbox;
        json!({"level": level.name(), "read": read, "write": write, "folder": folder}).to_string()
    }

    fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let texts = |key: &str| -> Option<Vec<String>> {
            let items = value.get(key)?.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Some(Self {
            sandbox: Sandbox {
                level: SandboxLevel::named(value.get("level")?.as_str()?)?,
                read: texts("read")?,
                write: texts("write")?,
            },
            folder: value.get("folder")?.as_bool()?,
        })
    }
}

/// The arguments of the second step.
fn inner(room: &Room, program: &OsStr, rest: &[OsString]) -> Vec<OsString> {
    let mut arguments = vec![room.written().into(), program.to_owned()];
    arguments.extend_from_slice(rest);
    arguments
}
