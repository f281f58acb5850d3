//! Why a command failed, and how that is told.

use std::{
    error::Error,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use realm_client::{
    ClientError, Exit, Unreachable,
    api::{CallError, Fault},
    catalogue::{Code, UnknownCode},
    homes::HomesError,
    ticket::TicketError,
};

use crate::escape;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The daemon did not do it, or does not answer; with what `realmd run` takes for its realm.
    Client(ClientError, String),
    /// No realm was found.
    Homes(HomesError),
    /// A ticket cannot be read.
    Ticket(TicketError),
    /// The arguments make no sense, and what helps.
    Usage(String, Option<String>),
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// A file or argument is not JSON.
    Json(String, serde_json::Error),
    /// The call ended with an error.
    Call(Box<CallError>),
    /// Files have faults.
    Faults(Code, String, Vec<Fault>),
    /// A program cannot be started.
    Program(String, io::Error),
    /// Nobody confirmed; what would be done.
    Unconfirmed(String),
    /// Stdout is gone or full.
    Output(io::Error),
    /// Something else of the system.
    System(&'static str, io::Error),
    /// Said already; only the exit code is left.
    Told(Exit),
    /// Stopped from the keyboard.
    Interrupted,
    /// An error code does not exist.
    Code(UnknownCode),
}

macro_rules! from {
    ($($source:ty => $variant:ident),* $(,)?) => { $(
        impl From<$source> for Failure {
            fn from(source: $source) -> Self {
                Self::$variant(source)
            }
        }
    )* };
}

from! { HomesError => Homes, TicketError => Ticket, UnknownCode => Code }

impl Failure {
    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        let exit = match self {
            Self::Client(error, _) => error.exit(),
            Self::Call(error) => call_code(error).map_or(Exit::LoopFailed, Code::exit),
            Self::Told(exit) => *exit,
            Self::Interrupted => Exit::Interrupted,
            // Whoever read it has had enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            _ => self.code().map_or(Exit::Other, Code::exit),
        };
        exit.code()
    }

    /// Whether there is nothing left to say.
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            Self::Told(_) | Self::Interrupted => true,
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }

    fn code(&self) -> Option<Code> {
        Some(match self {
            Self::Client(error, _) => return error.code(),
            Self::Homes(error) => error.code(),
            Self::Ticket(error) => error.code(),
            Self::Usage(..) | Self::Json(..) | Self::Code(_) => Code::Usage,
            Self::File(..) => Code::FileUnreadable,
            Self::Call(error) => return call_code(error),
            Self::Faults(code, ..) => *code,
            Self::Program(..) => Code::ProgramMissing,
            Self::Unconfirmed(_) => Code::ConfirmationNeeded,
            Self::Output(_) | Self::System(..) | Self::Told(_) | Self::Interrupted => return None,
        })
    }

    fn what(&self) -> String {
        match self {
            Self::Client(error, _) => error.to_string(),
            Self::Homes(error) => error.to_string(),
            Self::Ticket(error) => error.to_string(),
            Self::Usage(what, _) | Self::Faults(_, what, _) => what.clone(),
            Self::File(path, _) => path.display().to_string(),
            Self::Json(name, _) => format!("{name} is not JSON"),
            Self::Call(error) => error.message.clone(),
            Self::Program(name, _) => format!("`{name}` cannot be started"),
            Self::Unconfirmed(what) => format!("{what}: not confirmed"),
            Self::Output(_) => "stdout cannot be written".to_owned(),
            Self::System(what, _) => (*what).to_owned(),
            Self::Code(error) => error.to_string(),
            Self::Told(_) | Self::Interrupted => String::new(),
        }
    }

    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Client(error, _) => error.source(),
            Self::Homes(error) => error.source(),
            Self::Ticket(error) => error.source(),
            Self::File(_, error)
            | Self::Program(_, error)
            | Self::Output(error)
            | Self::System(_, error) => Some(error),
            Self::Json(_, error) => Some(error),
            _ => None,
        }
    }

    fn faults(&self) -> Vec<Fault> {
        match self {
            Self::Client(ClientError::Problem(problem), _) => problem.errors.clone(),
            Self::Faults(_, _, faults) => faults.clone(),
            Self::Call(error) => error.details.iter().map(Fault::new).collect(),
            _ => Vec::new(),
        }
    }

    fn help(&self) -> Option<String> {
        let explain = || self.code().map(|code| format!("realmctl explain {code}"));
        match self {
            Self::Client(
                ClientError::Unreachable {
                    why: Unreachable::NotRunning | Unreachable::StaleSocket,
                    ..
                },
                realm,
            ) => Some(format!("realmd run {realm}")),
            Self::Client(ClientError::Problem(problem), _) => problem.hint.clone().or_else(explain),
            Self::Client(ClientError::TraceTooLong(error), _) => Some(error.hint()),
            Self::Homes(HomesError::None) => Some("realmctl init NAME".to_owned()),
            Self::Homes(HomesError::Several(_)) => {
                Some("name one with -r NAME, or for good: realmctl ctx use NAME".to_owned())
            }
            Self::Homes(HomesError::Unknown { .. }) => Some("realmctl ctx ls".to_owned()),
            Self::File(path, error) => Some(file_help(path, error.kind())),
            Self::Usage(_, help) => help.clone(),
            Self::Call(error) => error
                .help
                .clone()
                .or_else(|| denial(error))
                .or_else(explain),
            Self::Unconfirmed(_) => Some("add --yes".to_owned()),
            _ => explain(),
        }
    }
}

/// The lines that tell a failure: `error[CODE]: what`, faults, causes, `help: command`.
pub(crate) fn tell(failure: &Failure) -> String {
    let code = match failure {
        Failure::Client(ClientError::Problem(problem), _) => Some(problem.code.clone()),
        Failure::Call(error) => Some(error.code.clone()),
        other => other.code().map(|code| code.to_string()),
    };
    let code = code
        .map(|code| format!("[{}]", escape::line(&code)))
        .unwrap_or_default();
    let mut told = format!("error{code}: {}\n", escape::text(&failure.what()));
    for fault in failure.faults() {
        write_fault(&mut told, &fault);
    }
    let mut cause = failure.cause();
    while let Some(error) = cause {
        told.push_str(&format!(
            "  caused by: {}\n",
            escape::line(&error.to_string())
        ));
        cause = error.source();
    }
    if let Some(help) = failure.help() {
        told.push_str(&format!("help: {}\n", escape::text(&help)));
    }
    told
}

fn write_fault(out: &mut String, fault: &Fault) {
    let place = [
        fault.file.clone(),
        fault.line.map(|line| line.to_string()),
        fault.column.map(|column| column.to_string()),
    ];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(":");
    let place = if place.is_empty() {
        fault.pointer.clone().unwrap_or_default()
    } else {
        place
    };
    let separator = if place.is_empty() { "" } else { ": " };
    let rule = fault
        .rule
        .as_ref()
        .map(|rule| format!(" [{rule}]"))
        .unwrap_or_default();
    let line = format!("{place}{separator}{}{rule}", fault.message);
    // Writing to a String cannot fail.
    writeln!(out, "  {}", escape::line(&line)).ok();
    if let (Some(number), Some(snippet)) = (fault.line, &fault.snippet) {
        writeln!(out, "    {number} | {}", escape::line(snippet)).ok();
    }
    if let Some(hint) = &fault.hint {
        writeln!(out, "    help: {}", escape::line(hint)).ok();
    }
}

fn file_help(path: &Path, kind: io::ErrorKind) -> String {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    match kind {
        io::ErrorKind::NotFound => format!("see what is there: ls {}", folder.display()),
        io::ErrorKind::PermissionDenied => format!("see who may: ls -ld {}", path.display()),
        io::ErrorKind::InvalidData => "name a text file in UTF-8".to_owned(),
        _ => format!("realmctl explain {}", Code::FileUnreadable),
    }
}

fn call_code(error: &CallError) -> Option<Code> {
    error
        .code
        .parse()
        .ok()
        .or_else(|| Code::of_failure_name(&error.name))
}

fn denial(error: &CallError) -> Option<String> {
    let reference = error.reference.as_ref()?;
    let realm = error
        .realm
        .as_ref()
        .map(|realm| format!(" (at {realm})"))
        .unwrap_or_default();
    Some(format!("realmctl policy why {reference}{realm}"))
}

#[cfg(test)]
mod tests;
