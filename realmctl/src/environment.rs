//! What is read from the environment and the system, in one place.

use std::{env, ffi::OsString, io::IsTerminal as _, path::PathBuf, time::SystemTime};

use realm_client::homes::Environment;

/// Folders, as the environment has them.
pub(crate) fn folders() -> Environment {
    let path = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    Environment {
        home: path("HOME"),
        data_home: path("XDG_DATA_HOME"),
        config_home: path("XDG_CONFIG_HOME"),
        realm_home: path("REALM_HOME"),
    }
}

/// The address of the daemon that is meant where none is named.
pub(crate) fn url() -> Option<String> {
    let url = env::var_os("REALM_URL")?.into_string().ok();
    url.filter(|url| !url.is_empty())
}

/// The idempotency key under which a daemon asks this program as an agent.
pub(crate) fn idempotency_key() -> Option<String> {
    let key = env::var_os("REALM_IDEMPOTENCY_KEY")?;
    key.into_string().ok()
}

/// The unfinished command that a shell asks completions for.
pub(crate) fn completed() -> impl Iterator<Item = OsString> {
    env::args_os()
        .skip_while(|argument| argument != "--")
        .skip(1)
}

/// Whether stderr is a terminal that understands cursor movement.
pub(crate) fn draws() -> bool {
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb
}

/// Whether somebody can be asked.
pub(crate) fn asks() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The program of that name beside this one, or else wherever PATH finds it.
pub(crate) fn program_beside(name: &str) -> OsString {
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| exe.canonicalize().ok());
    let beside = beside.and_then(|exe| exe.parent().map(|dir| dir.join(name)));
    match beside {
        Some(path) if path.is_file() => path.into_os_string(),
        _ => OsString::from(name),
    }
}

/// The wall clock, milliseconds since the Unix epoch.
pub(crate) fn now_millis() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the edge reads the clock")]
    let now = SystemTime::now();
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
