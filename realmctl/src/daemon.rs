//! The `realmd` beside this program, for what needs no daemon.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::ExitStatusExt as _,
    process::Command,
};

use crate::{cli::Format, environment, failure::Failure, session::Session};

/// Runs `realmd` with these arguments; its output is ours, and so is its exit code.
pub(crate) fn run<I: AsRef<OsStr>>(
    session: &Session,
    arguments: impl IntoIterator<Item = I>,
) -> Result<u8, Failure> {
    let program = environment::program_beside("realmd");
    let mut command = Command::new(&program);
    command.args(arguments);
    if let Some(format) = session.global.output {
        command.args(["-o", name(format)]);
    }
    let name = program.to_string_lossy().into_owned();
    session.detail(&format!("running {name}"));
    let status = command
        .status()
        .map_err(|error| Failure::Program(name, error))?;
    // As a shell has it: a program ended by a signal gives 128 and the signal's number.
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// As [`run`], on the realm that is meant.
pub(crate) fn run_at_home(session: &Session, arguments: &[&str]) -> Result<u8, Failure> {
    let home = session.home()?;
    let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    all.extend([OsString::from("--home"), home.dir.into_os_string()]);
    run(session, all)
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Table => "table",
        Format::Wide => "wide",
        Format::Json => "json",
        Format::Yaml => "yaml",
        Format::Ndjson => "ndjson",
        Format::Name => "name",
    }
}
