//! A run's trace, followed through the realms that it led to.

use futures::future::join_all;
use realm_client::api::{FederatedPart, FederatedTrace, PartDigests, PartOutcome};
use realm_node::{
    CallFailure, Node, Refusal, Request, Response, ShownTrace, TracePart, TraceProof, TraceWalk,
};
use realm_protocol::{FailureCode, RunId, journal::Event, trace::TraceItem};

use super::{
    Answer, Shared,
    extract::Segment,
    invoke::unexpected,
    problem::Fail,
    runs::{EVENTS, blocking, event, recorded, run_id},
};
use crate::daemon::Daemon;

pub(super) async fn federated(daemon: Shared, Segment(id): Segment) -> Answer<FederatedTrace> {
    let id = run_id(&id)?;
    let own = recorded(&daemon, id).await?;
    let messages = messages(&daemon, id).await?;
    let calls = daemon.handle.read(move |node| node.calls_in(&messages));
    let mut walk = TraceWalk::new(calls.await?);
    loop {
        let questions = walk.questions();
        if questions.is_empty() {
            break;
        }
        let answers = questions.into_iter().map(|(at, asked)| {
            let daemon = &daemon;
            async move {
                let answer = daemon.handle.ask(Request::Trace(Box::new(asked))).await;
                (at, answer)
            }
        });
        for (at, answer) in join_all(answers).await {
            match answer? {
                Response::TraceShown(shown) => walk.take(at, Ok(*shown)),
                Response::Refused(refusal) => walk.take(at, Err(refusal)),
                other => return Err(unexpected(&other)),
            }
        }
    }
    let parts = walk.into_parts();
    let parts = daemon
        .handle
        .read(move |node| parts.into_iter().map(|found| part(node, found)).collect());
    Ok(axum::Json(FederatedTrace {
        run: own.run,
        events: own.events,
        parts: parts.await?,
    }))
}

/// The events of a run that tell of messages to other realms.
async fn messages(daemon: &Daemon, id: RunId) -> Result<Vec<Event>, Fail> {
    blocking(daemon, move |store| {
        let (mut found, mut next) = (Vec::new(), 0_u64);
        loop {
            let read = store.events(id, next, EVENTS)?;
            if read.is_empty() {
                return Ok(found);
            }
            next = next.saturating_add(read.len() as u64);
            let of_messages =
                |event: &Event| matches!(event.kind.as_str(), "call.sent" | "call.returned");
            found.extend(read.into_iter().filter(of_messages));
        }
    })
    .await
}

fn part(node: &Node, found: TracePart) -> FederatedPart {
    let TracePart {
        asked,
        from,
        root,
        answer,
    } = found;
    let mut part = FederatedPart {
        realm: node.name_of(&asked.realm),
        call_id: asked.call.to_string(),
        loop_id: asked.loop_id.to_string(),
        from: from.map(|from| from as u64),
        outcome: PartOutcome::NotAsked,
        reason: None,
        digests: None,
        signed_events: None,
        run_id: None,
        hidden: 0,
        events: Vec::new(),
    };
    match answer {
        None => {}
        Some(Ok((shown, proof))) => {
            let signed = root.filter(|_| proof == TraceProof::Signed);
            part.signed_events = signed.map(|root| root.events);
            show(&mut part, shown, proof);
        }
        Some(Err(refusal)) => {
            part.outcome = match &refusal {
                Refusal::Call(failure) if is_silence(failure) => PartOutcome::Unreachable,
                _ => PartOutcome::Refused,
            };
            part.reason = Some(refusal.to_string());
        }
    }
    part
}

fn show(part: &mut FederatedPart, shown: ShownTrace, proof: TraceProof) {
    part.outcome = PartOutcome::Shown;
    part.digests = Some(match proof {
        TraceProof::Signed => PartDigests::Signed,
        TraceProof::Differs => PartDigests::Differ,
        TraceProof::Unsigned => PartDigests::Unsigned,
        TraceProof::Erased => PartDigests::Erased,
    });
    part.run_id = Some(shown.run.to_string());
    for item in shown.items {
        match item {
            TraceItem::Hidden(_) => part.hidden = part.hidden.saturating_add(1),
            TraceItem::Shown(_, shown) => part.events.push(event(&shown)),
        }
    }
}

/// Whether the realm itself has said nothing.
fn is_silence(failure: &CallFailure) -> bool {
    matches!(
        failure.code,
        FailureCode::NoRoute | FailureCode::Offline | FailureCode::Timeout
    )
}
