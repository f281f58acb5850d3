//! `erase`.

use std::collections::BTreeSet;

use realm_client::{
    ClientError,
    api::{AuditEntry, AuditQuery, EraseRequest, EraseResult, Page, PseudonymView},
};

use super::audit;
use crate::{
    cli::{EraseCommand, EraseHow},
    failure::Failure,
    session::{Daemon, Session},
};

/// Whose content is erased.
enum Of {
    Run(String),
    Person(String),
}

/// Erases the content of runs.
pub(crate) async fn run(session: &Session, command: EraseCommand) -> Result<(), Failure> {
    let daemon = session.daemon_to_change().await?;
    let mut left = None;
    let (of, how) = match command {
        EraseCommand::Run { run, how } => (Of::Run(run), how),
        EraseCommand::Person { name, how } => (Of::Person(name), how),
    };
    let is_meant = |run: &str| matches!(&of, Of::Run(meant) if meant == run);
    let mut runs = Vec::from_iter(runs_of(&daemon, &of).await?);
    // Before its parts: where it cannot be erased, they stay as well.
    runs.sort_by_key(|run| !is_meant(run));
    let mut erased = Vec::new();
    for run in runs {
        match erase(&daemon, &run, &how).await {
            Ok(done) => erased.push(done),
            Err(failure) if is_meant(&run) => return Err(failure),
            // The log outlives runs, whose content went with them.
            Err(failure) if status(&failure) == Some(404) => {}
            Err(failure) => {
                let refused = matches!(status(&failure), Some(400 | 409 | 422));
                left = Some(failure);
                if !refused {
                    break;
                }
                session.say(&format!("{run} is left as it is"));
            }
        }
    }
    if let Of::Person(name) = &of {
        forget(session, &daemon, name, &how).await?;
    }
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
    daemon.ask(daemon.client.erase(run, &request(how))).await
}

/// Takes away what leads from pseudonyms to somebody.
async fn forget(
    session: &Session,
    daemon: &Daemon,
    name: &str,
    how: &EraseHow,
) -> Result<(), Failure> {
    let request = request(how);
    let erased = daemon.client.erase_pseudonyms(name, &request);
    let would = if how.dry_run { "would be" } else { "is" };
    for erased in daemon.ask(erased).await?.items {
        let PseudonymView {
            pseudonym,
            name,
            realm,
        } = erased;
        session.say(&format!(
            "that {pseudonym} at {realm} is {name} {would} forgotten"
        ));
    }
    Ok(())
}

fn request(how: &EraseHow) -> EraseRequest {
    let EraseHow { dry_run, why } = how;
    EraseRequest {
        dry_run: *dry_run,
        why: why.clone(),
    }
}

/// The run that is meant, or those here that somebody asked for, and the runs that are parts of them: what agents here
/// offered for work that they announced, did of it, and made of its results. It is as far as the audit log goes back.
async fn runs_of(daemon: &Daemon, of: &Of) -> Result<BTreeSet<String>, Failure> {
    let entries = audit::all(daemon, AuditQuery::default()).await?;
    let ended: Vec<AuditEntry> = entries
        .into_iter()
        .filter(|entry| {
            matches!(
                entry.action.as_str(),
                "run.ended" | "call.made" | "call.served"
            )
        })
        .collect();
    let mut runs = BTreeSet::new();
    if let Of::Run(run) = of {
        runs.insert(run.clone());
    }
    loop {
        let before = runs.len();
        for entry in &ended {
            let theirs = matches!(of, Of::Person(name) if entry.person.as_ref() == Some(name));
            let parent = entry.parent_run_id.as_ref();
            if theirs || parent.is_some_and(|parent| runs.contains(parent)) {
                runs.extend(entry.run_id.clone());
            }
        }
        if runs.len() == before {
            return Ok(runs);
        }
    }
}
