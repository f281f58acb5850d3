//! `erase`.

use std::collections::BTreeSet;

use realm_client::{
    ClientError,
    api::{AuditQuery, EraseRequest, EraseResult, Page},
};

use super::audit;
use crate::{
    cli::{EraseCommand, EraseHow},
    failure::Failure,
    session::{Daemon, Session},
};

/// Erases the content of runs.
pub(crate) async fn run(session: &Session, command: EraseCommand) -> Result<(), Failure> {
    let daemon = session.daemon_to_change().await?;
    let mut left = None;
    let erased = match command {
        EraseCommand::Run { run, how } => vec![erase(&daemon, &run, &how).await?],
        EraseCommand::Person { name, how } => {
            let mut erased = Vec::new();
            for run in runs_of(&daemon, name).await? {
                match erase(&daemon, &run, &how).await {
                    Ok(done) => erased.push(done),
                    // The log outlives runs, whose content went with them.
                    Err(failure) if status(&failure) == Some(404) => {}
                    Err(failure) if matches!(status(&failure), Some(400 | 409 | 422)) => {
                        session.say(&format!("{run} is left as it is"));
                        left = Some(failure);
                    }
                    Err(failure) => return Err(failure),
                }
            }
            erased
        }
    };
    if erased.iter().any(|erased| !erased.dry_run) {
        session.say("the daemon's files hold it, sealed, until the daemon starts the next time");
    }
    session.print(&Page {
        items: erased,
        next: None,
    })?;
    left.map_or(Ok(()), Err)
}

/// The status of a problem that the daemon tells.
fn status(failure: &Failure) -> Option<u16> {
    match failure {
        Failure::Client(ClientError::Problem(problem), _) => Some(problem.status),
        _ => None,
    }
}

async fn erase(daemon: &Daemon, run: &str, how: &EraseHow) -> Result<EraseResult, Failure> {
    let EraseHow { dry_run, why } = how;
    let request = EraseRequest {
        dry_run: *dry_run,
        why: why.clone(),
    };
    daemon.ask(daemon.client.erase(run, &request)).await
}

/// The runs here that somebody asked for, as far as the audit log goes back.
async fn runs_of(daemon: &Daemon, name: String) -> Result<BTreeSet<String>, Failure> {
    let query = AuditQuery {
        person: Some(name),
        ..AuditQuery::default()
    };
    let entries = audit::all(daemon, query).await?;
    let ended = entries.into_iter().filter(|entry| {
        matches!(
            entry.action.as_str(),
            "run.ended" | "call.made" | "call.served"
        )
    });
    Ok(ended.filter_map(|entry| entry.run_id).collect())
}
