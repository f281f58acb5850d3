//! Where a run stands, and how people hold it, let it go on, and stop it.

use realm_client::api::{
    AcceptedCall, AcceptedStage, CancelRequest, CancelResult, PauseRequest, ResumeDecision,
    ResumeRequest, RunExplanation, RunStatus, RunSummary, Wait, WaitsOn, Withdrawal,
};
use realm_executor::{Decision, WaitingFor, Waits};
use realm_node::{AcceptedView, Node, Request, Response, Withdrawn};
use realm_protocol::{RunId, journal::Run, message::Stage};

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::unexpected,
    people::Asker,
    problem::Fail,
    runs::{failure, found, run_id, summary, told_failure},
    views::time,
};

pub(super) async fn pause(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<PauseRequest>,
) -> Answer<RunSummary> {
    let PauseRequest {} = request;
    let id = run_id(&id)?;
    change(&daemon, asker, id, Request::Pause(id)).await
}

pub(super) async fn resume(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<ResumeRequest>,
) -> Answer<RunSummary> {
    let ResumeRequest { decision } = request;
    let id = run_id(&id)?;
    let decision = decision.map(|decision| match decision {
        ResumeDecision::Again => Decision::Again,
        ResumeDecision::Gave(output) => Decision::Output(output),
        ResumeDecision::Failed(reason) => Decision::Fail(reason),
    });
    change(&daemon, asker, id, Request::Resume(id, decision)).await
}

pub(super) async fn cancel(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<CancelRequest>,
) -> Answer<CancelResult> {
    let CancelRequest {} = request;
    let id = run_id(&id)?;
    let (run, withdrawn) = told(&daemon, asker, id, Request::Cancel(id)).await?;
    let withdrawn = withdrawn.into_iter().map(withdrawal).collect();
    Ok(axum::Json(CancelResult { run, withdrawn }))
}

/// Changes where a run stands, and gives where it stands then.
async fn change(daemon: &Shared, asker: Asker, id: RunId, request: Request) -> Answer<RunSummary> {
    let (run, _) = told(daemon, asker, id, request).await?;
    Ok(axum::Json(run))
}

/// Tells a run where to stand; gives where it stands then, and what it had announced.
async fn told(
    daemon: &Shared,
    asker: Asker,
    id: RunId,
    request: Request,
) -> Result<(RunSummary, Vec<Withdrawn>), Fail> {
    let told = match &request {
        Request::Pause(_) => "pause",
        Request::Resume(..) => "resume",
        _ => "cancel",
    };
    tracing::info!(run = %id, told, by = asker.name(), "a run is told where to stand");
    let withdrawn = match daemon.handle.ask(asker.asks(request)).await? {
        Response::Done => Vec::new(),
        Response::Withdrawn(withdrawn) => withdrawn,
        Response::Refused(refusal) => return Err(Fail::from(refusal).about(id)),
        other => return Err(unexpected(&other).about(id)),
    };
    daemon.handle.settled().await?;
    let run = found(daemon, id).await?;
    let summary = daemon.handle.read(move |node| summary(node, &run));
    Ok((summary.await?, withdrawn))
}

fn withdrawal(it: Withdrawn) -> Withdrawal {
    let Withdrawn {
        run,
        loop_id,
        ending,
        confirmed,
        silent,
        below,
    } = it;
    Withdrawal {
        run_id: run.to_string(),
        loop_id,
        ending: ending.to_owned(),
        confirmed,
        silent,
        confirmed_below: below.confirmed,
        silent_below: below.silent,
    }
}

pub(super) async fn explain(daemon: Shared, Segment(id): Segment) -> Answer<RunExplanation> {
    daemon.handle.settled().await?;
    let run = found(&daemon, run_id(&id)?).await?;
    let events = told_failure(&daemon, &run).await?;
    let explanation = daemon.handle.read(move |node| {
        let failed = failure(node, &run, &events).map(|failure| failure.message);
        explained(node, &run, failed)
    });
    Ok(axum::Json(explanation.await?))
}

fn explained(node: &Node, run: &Run, failed: Option<String>) -> RunExplanation {
    let id = run.id;
    let waits: Vec<Wait> = node.waits_of(id).iter().map(wait).collect();
    let accepted = node.accepted_elsewhere(id);
    let accepted: Vec<AcceptedCall> = accepted.iter().map(accepted_call).collect();
    let run = summary(node, run);
    let asking = waits.iter().find(|wait| wait.on == WaitsOn::Person);
    let approval = node.approvals(Some(id), false).into_iter().next_back();
    let gone = run.erased.as_ref();
    let gone = gone.map(|it| format!(" Its content was erased by {} at {}.", it.by, it.at));
    let (text, help) = match run.status {
        RunStatus::Completed => ("It has completed.".to_owned(), None),
        RunStatus::Cancelled => ("It was cancelled.".to_owned(), None),
        RunStatus::Failed => {
            let why = failed.unwrap_or_else(|| run.error.clone().unwrap_or_default());
            let help = Some(format!("realmctl trace show {id}"));
            (format!("It has failed: {why}."), help)
        }
        RunStatus::Paused if run.halted => (
            "It is halted: it stands still where it is, and everything it had is kept.".to_owned(),
            Some(format!("realmctl unhalt --run {id}")),
        ),
        RunStatus::Paused => match asking {
            Some(wait) => (
                format!(
                    "It waits for a person: `{}` was asked{} and its answer was lost; what it did is \
                     not known, and it is declared `once`, so it is not asked again unbidden.",
                    wait.loop_id,
                    wait.since
                        .map_or_else(String::new, |at| format!(" at {at}")),
                ),
                Some(format!(
                    "realmctl run resume {id} --again | --gave JSON | --failed REASON"
                )),
            ),
            None if let Some(asked) = &approval => (
                format!(
                    "It waits for a person: `{}` does not go on before that, and nothing else of it is at \
                     work.",
                    asked.action.loop_id
                ),
                Some(format!("realmctl approval show {}", asked.id)),
            ),
            None => (
                "It was paused by its owner, and begins nothing until it is resumed.".to_owned(),
                Some(format!("realmctl run resume {id}")),
            ),
        },
        RunStatus::Running => (running(&waits, &accepted), None),
    };
    RunExplanation {
        text: text + &gone.unwrap_or_default(),
        run,
        waits,
        accepted,
        help,
    }
}

/// Why a run that is under way has not ended.
fn running(waits: &[Wait], accepted: &[AcceptedCall]) -> String {
    let waits = waits.iter().map(sentence);
    let all: Vec<String> = waits.chain(accepted.iter().map(elsewhere)).collect();
    if all.is_empty() {
        return "It is under way, and waits for nobody on this machine.".to_owned();
    }
    all.join(" ")
}

fn elsewhere(call: &AcceptedCall) -> String {
    let AcceptedCall {
        loop_id,
        run_id,
        since,
        stage,
    } = call;
    let stands = match stage {
        AcceptedStage::Running => "where it is at work",
        AcceptedStage::Waiting => "where it waits for a time",
        AcceptedStage::Paused => "where it stands still until a person there says how it goes on",
        AcceptedStage::Ended => "where it has ended; the end is on the way",
    };
    format!("`{loop_id}` was accepted there at {since} as run {run_id}, {stands}.")
}

fn accepted_call(view: &AcceptedView) -> AcceptedCall {
    AcceptedCall {
        loop_id: view.address.to_string(),
        run_id: view.run.to_string(),
        since: time(view.since),
        stage: match view.stage {
            Stage::Running => AcceptedStage::Running,
            Stage::Waiting => AcceptedStage::Waiting,
            Stage::Paused => AcceptedStage::Paused,
            Stage::Ended => AcceptedStage::Ended,
        },
    }
}

fn sentence(wait: &Wait) -> String {
    let attempt = match wait.attempt {
        1 => String::new(),
        number => format!(", in attempt {number}"),
    };
    let since = wait
        .since
        .map(|at| format!(" since {at}"))
        .unwrap_or_default();
    let until = wait
        .until
        .map(|at| format!(" until {at}"))
        .unwrap_or_default();
    let name = &wait.loop_id;
    match wait.on {
        WaitsOn::Backend => format!("`{name}` waits for its backend{since}{attempt}."),
        WaitsOn::Bidders => {
            format!("`{name}` has been announced{since} and has no outcome{attempt}.")
        }
        WaitsOn::Realm => format!("`{name}` has been asked{since} and has not answered{attempt}."),
        WaitsOn::Time if wait.attempt > 1 => {
            format!("`{name}` pauses{until} before attempt {}.", wait.attempt)
        }
        WaitsOn::Time => format!("`{name}` waits{until}."),
        WaitsOn::Person => format!("`{name}` waits for a person."),
        WaitsOn::Approval => {
            format!("`{name}` waits for a person's word, and does not go on before.")
        }
        WaitsOn::Step => format!("`{name}` has taken {} steps.", wait.steps.unwrap_or(0)),
    }
}

fn wait(waits: &Waits) -> Wait {
    let (mut until, mut steps) = (None, None);
    let on = match waits.on {
        WaitingFor::Backend => WaitsOn::Backend,
        WaitingFor::Realm => WaitsOn::Realm,
        WaitingFor::Bidders => WaitsOn::Bidders,
        WaitingFor::Time(due) => {
            until = Some(time(due));
            WaitsOn::Time
        }
        WaitingFor::Person => WaitsOn::Person,
        WaitingFor::Approval => WaitsOn::Approval,
        WaitingFor::Step(taken) => {
            steps = Some(taken);
            WaitsOn::Step
        }
    };
    Wait {
        call_id: waits.call.to_string(),
        loop_id: waits.name.clone(),
        on,
        attempt: waits.attempt,
        since: waits.since.map(time),
        until,
        steps,
    }
}
