//! Cancelling the run of a call whose caller was interrupted while it waited.

use std::time::Duration;

use realm_client::api::{CancelRequest, Direction, InvokeRequest, RunQuery, RunStatus, Time};

use crate::{
    failure::Failure,
    session::{Daemon, Session},
};

/// Longest wait for the daemon to find and cancel the run.
const WAIT: Duration = Duration::from_secs(5);
/// Runs under way that are looked at.
const RUNS: u32 = 50;

/// Cancels the run that this call began, or says how to.
pub(crate) async fn take_back(
    session: &Session,
    daemon: &Daemon,
    request: &InvokeRequest,
    asked: Time,
) {
    let found = tokio::time::timeout(WAIT, find(daemon, request, asked)).await;
    match found.ok().and_then(Result::ok).as_deref() {
        // It ended in this very moment, or never began.
        Some([]) => {}
        Some([run]) => cancel(session, daemon, run).await,
        _ => session.say("the run may go on: realmctl run ls --status running"),
    }
}

async fn cancel(session: &Session, daemon: &Daemon, run: &str) {
    let request = CancelRequest::default();
    let asked = daemon.ask(daemon.client.cancel(run, &request));
    match tokio::time::timeout(WAIT, asked).await {
        Ok(Ok(_)) => session.say(&format!("cancelled run {run}")),
        _ => session.say(&format!("the run goes on: realmctl run cancel {run}")),
    }
}

/// Runs under way that this call may have begun: of its loop, with its input, since it was asked.
async fn find(
    daemon: &Daemon,
    request: &InvokeRequest,
    asked: Time,
) -> Result<Vec<String>, Failure> {
    let loop_id = request.address.split('@').next().map(str::to_owned);
    let query = RunQuery {
        loop_id,
        status: Some(RunStatus::Running),
        since: Some(asked),
        limit: Some(RUNS),
        ..RunQuery::default()
    };
    let runs = daemon.ask(daemon.client.runs(&query)).await?.items;
    let mut found = Vec::new();
    for run in runs {
        if run.direction == Direction::In || run.parent.is_some() {
            continue;
        }
        let detail = daemon.ask(daemon.client.run(&run.id)).await?;
        if detail.input.is_none_or(|input| input == request.input) {
            found.push(run.id);
        }
    }
    Ok(found)
}
