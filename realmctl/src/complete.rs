//! What the shell is offered while a command is typed: the loops that the daemon knows.
//!
//! `source <(COMPLETE=bash realmctl)` turns it on. Without a daemon nothing is offered, and nothing
//! is said.

use std::{
    ffi::{OsStr, OsString},
    time::Duration,
};

use clap_complete::CompletionCandidate;
use realm_client::api::LoopSummary;

use crate::{cli::Global, environment, escape, failure::Failure, session::Session, show::Row as _};

/// Longest wait for the daemon; what is known by then is offered.
const WAIT: Duration = Duration::from_millis(700);
/// Loops offered at most.
const OFFERED: usize = 200;

/// Loops of this realm, and those of its neighbours that it may see: `loop` or `loop@realm/path`.
pub(crate) fn addresses(current: &OsStr) -> Vec<CompletionCandidate> {
    offer(current, true)
}

/// Loops of this realm.
pub(crate) fn own_loops(current: &OsStr) -> Vec<CompletionCandidate> {
    offer(current, false)
}

fn offer(current: &OsStr, elsewhere: bool) -> Vec<CompletionCandidate> {
    let mut found = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        runtime.block_on(async {
            // Silent on purpose: an error would be printed into the line that is being typed.
            let _ = tokio::time::timeout(WAIT, find(&mut found, elsewhere)).await;
        });
    }
    let current = current.to_string_lossy();
    found
        .iter()
        .filter(|known| known.name().starts_with(current.as_ref()))
        .take(OFFERED)
        .map(candidate)
        .collect()
}

fn candidate(known: &LoopSummary) -> CompletionCandidate {
    let description = known.description.as_deref().map(escape::line);
    CompletionCandidate::new(known.name()).help(description.map(Into::into))
}

async fn find(found: &mut Vec<LoopSummary>, elsewhere: bool) -> Result<(), Failure> {
    let daemon = Session::new(named(environment::completed()))
        .daemon()
        .await?;
    found.extend(daemon.loops(None, OFFERED).await?);
    if !elsewhere {
        return Ok(());
    }
    for neighbour in daemon.neighbours().await? {
        // One that does not answer must not hide the others.
        let theirs = daemon.loops(Some(neighbour), OFFERED).await;
        found.extend(theirs.unwrap_or_default());
    }
    Ok(())
}

/// The realm that the unfinished command names.
fn named(arguments: impl IntoIterator<Item = OsString>) -> Global {
    let mut global = Global::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let argument = argument.to_string_lossy();
        match argument.split_once('=') {
            Some(("--realm", name)) => global.realm = Some(name.to_owned()),
            Some(("--home", dir)) => global.home = Some(dir.into()),
            _ if argument == "-r" || argument == "--realm" => {
                let name = arguments.next();
                global.realm = name.map(|name| name.to_string_lossy().into_owned());
            }
            _ if argument == "--home" => global.home = arguments.next().map(Into::into),
            _ => {}
        }
    }
    global
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_that_an_unfinished_command_names_is_asked() {
        let words = |text: &str| named(text.split(' ').map(OsString::from));

        assert_eq!(words("realmctl -r lab invoke gr").realm.unwrap(), "lab");
        assert_eq!(words("realmctl invoke --realm=lab").realm.unwrap(), "lab");
        let home = words("realmctl --home /srv/lab invoke").home.unwrap();
        assert_eq!(home.to_str().unwrap(), "/srv/lab");
        assert!(words("realmctl invoke greet").realm.is_none());
    }
}
