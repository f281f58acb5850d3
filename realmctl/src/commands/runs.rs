//! `run`.

use realm_client::{
    Exit,
    api::{
        CancelRequest, Direction, Page, PauseRequest, ResumeDecision, ResumeRequest, RunQuery,
        RunStatus, Time, TranscriptQuery,
    },
    trace::TraceTree,
};

use super::{
    bids, invoke, verify,
    watch::{self, Waited},
};
use crate::{
    cli::{RunCommand, RunFilter},
    environment,
    failure::Failure,
    files,
    session::{Daemon, Session},
    show::{Row, RunExplained},
};

/// Broadcasts of one run's steps that are explained with it.
const ANNOUNCED: u32 = 32;

/// Lists, shows, explains, holds or stops runs.
pub(crate) async fn run(session: &Session, command: RunCommand) -> Result<(), Failure> {
    match command {
        RunCommand::Ls(filter) => {
            let daemon = session.daemon().await?;
            let page = daemon.ask(daemon.client.runs(&query(filter))).await?;
            session.print(&page)?;
            session.say_next(page.next.as_ref());
            Ok(())
        }
        RunCommand::Show { id, watch } => {
            let session = &session.watching(watch);
            let daemon = session.daemon().await?;
            if watch {
                watch::follow(session, &daemon, &id).await?;
            }
            session.print(&daemon.ask(daemon.client.run(&id)).await?)
        }
        RunCommand::Tree { id, watch } => {
            let session = &session.watching(watch);
            let daemon = session.daemon().await?;
            if watch {
                watch::follow(session, &daemon, &id).await?;
            }
            session.print(&daemon.ask(daemon.client.tree(&id)).await?)
        }
        RunCommand::History { id } => list(session, &id, TraceTree::history).await,
        RunCommand::Attempts { id } => list(session, &id, TraceTree::attempts).await,
        RunCommand::ToolCalls { id } => list(session, &id, TraceTree::tool_calls).await,
        RunCommand::Explain { id } => {
            let daemon = session.daemon().await?;
            explain(session, &daemon, &id).await
        }
        RunCommand::Transcript { id, reader, out } => {
            let daemon = session.daemon().await?;
            let query = TranscriptQuery { call: None, reader };
            let file = daemon.ask(daemon.client.transcript(&id, &query)).await?;
            files::replace(&out, &verify::bytes(&file.evidence)?)
        }
        RunCommand::Wait { id } => {
            let daemon = session.daemon().await?;
            match watch::wait(session, &daemon, &id).await? {
                Waited::Ended(result) => invoke::finish(session, *result),
                Waited::Person(explanation) => {
                    session.print(&*explanation)?;
                    Err(Failure::Told(Exit::Approval))
                }
                Waited::Broken => session.print(&daemon.ask(daemon.client.explain(&id)).await?),
            }
        }
        RunCommand::Pause { id } => {
            let daemon = session.daemon_to_change().await?;
            let request = PauseRequest::default();
            session.print(&daemon.ask(daemon.client.pause(&id, &request)).await?)
        }
        RunCommand::Resume {
            id,
            again,
            gave,
            failed,
        } => {
            let decision = match (again, gave, failed) {
                (true, _, _) => Some(ResumeDecision::Again),
                (_, Some(output), _) => {
                    Some(ResumeDecision::Gave(invoke::value(&output, "the output")?))
                }
                (_, _, Some(reason)) => Some(ResumeDecision::Failed(reason)),
                (false, None, None) => None,
            };
            let daemon = session.daemon_to_change().await?;
            let request = ResumeRequest { decision };
            session.print(&daemon.ask(daemon.client.resume(&id, &request)).await?)
        }
        RunCommand::Cancel { id } => {
            let daemon = session.daemon_to_change().await?;
            let request = CancelRequest::default();
            session.print(&daemon.ask(daemon.client.cancel(&id, &request)).await?)
        }
    }
}

/// Says why a run is where it is and, where it announced work, why each bid won or lost.
async fn explain(session: &Session, daemon: &Daemon, id: &str) -> Result<(), Failure> {
    let explanation = daemon.ask(daemon.client.explain(id)).await?;
    let broadcast = bids::announced(session, daemon, id).await?;
    let below = RunQuery {
        parent: Some(id.to_owned()),
        direction: Some(Direction::Local),
        limit: Some(ANNOUNCED),
        ..RunQuery::default()
    };
    let below = daemon.ask(daemon.client.runs(&below)).await?;
    if below.next.is_some() {
        session.say(&format!(
            "the latest {ANNOUNCED} broadcasts; all: realmctl run ls --parent {id}"
        ));
    }
    let mut announced = Vec::new();
    for run in below.items {
        announced.extend(bids::announced(session, daemon, &run.id).await?);
    }
    session.print(&RunExplained {
        explanation,
        broadcast,
        announced,
    })
}

/// Prints a list that a run's trace gives.
async fn list<T: Row>(
    session: &Session,
    id: &str,
    items: impl FnOnce(&TraceTree) -> Vec<T>,
) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    let tree = TraceTree::new(daemon.ask(daemon.client.trace(id)).await?);
    session.print(&Page {
        items: items(&tree),
        next: None,
    })
}

fn query(filter: RunFilter) -> RunQuery {
    use crate::cli::{RunDirection, RunState};

    let RunFilter {
        loop_id,
        peer,
        status,
        direction,
        parent,
        since,
        limit,
        cursor,
    } = filter;
    let since = since.map(|span| environment::now_millis().saturating_sub(span.as_millis()));
    RunQuery {
        loop_id,
        peer,
        status: status.map(|status| match status {
            RunState::Running => RunStatus::Running,
            RunState::Completed => RunStatus::Completed,
            RunState::Failed => RunStatus::Failed,
            RunState::Cancelled => RunStatus::Cancelled,
            RunState::Paused => RunStatus::Paused,
        }),
        direction: direction.map(|direction| match direction {
            RunDirection::Local => Direction::Local,
            RunDirection::Out => Direction::Out,
            RunDirection::In => Direction::In,
        }),
        parent,
        since: since.map(Time::from_millis),
        until: None,
        limit: Some(limit),
        cursor,
    }
}
