//! `erase`.

use std::collections::BTreeSet;

use realm_client::api::{AuditQuery, EraseRequest, EraseResult, Page};

use super::audit;
use crate::{
    cli::{EraseCommand, EraseHow},
    failure::Failure,
    session::{Daemon, Session},
};

/// Erases the content of runs.
pub(crate) async fn run(session: &Session, command: EraseCommand) -> Result<(), Failure> {
    let daemon = session.daemon_to_change().await?;
    let erased = match command {
        EraseCommand::Run { run, how } => vec![erase(&daemon, &run, &how).await?],
        EraseCommand::Person { name, how } => {
            let mut erased = Vec::new();
            for run in runs_of(&daemon, name).await? {
                erased.push(erase(&daemon, &run, &how).await?);
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
    })
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
