//! Calling a loop.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use realm_client::api::{InvokeRequest, InvokeResult, InvokeStatus, Spend};
use realm_executor::BackendChoice;
use realm_node::{Invocation, InvokeAsked, Node, Request, Response as Answered};
use realm_protocol::{FailureCode, budget::Budget, journal::Run};

use super::{
    Shared,
    extract::{Body, invalid},
    people::LoopCaller,
    problem::{Fail, call_error},
    streamed,
    views::{short, time},
};
use crate::{daemon::Daemon, handle::Begun};

/// Longest idempotency key, bytes.
const KEY_BYTES: usize = 255;
/// How far from its deadline a call may be seen to end, milliseconds.
const TIMER_MS: u64 = 100;

pub(super) async fn invoke(
    daemon: Shared,
    caller: LoopCaller,
    headers: HeaderMap,
    Body(request): Body<InvokeRequest>,
) -> Result<Response, Fail> {
    let InvokeRequest {
        address,
        input,
        version,
        timeout_ms,
        idempotency_key,
        detach,
        store,
        stream,
        budget,
        backend,
    } = request;
    let backend = backend.as_deref().map(str::parse::<BackendChoice>);
    let backend = backend
        .transpose()
        .map_err(|error| invalid(&format!("`backend`: {error}")))?;
    let budget = read_budget(budget)?;
    if stream && detach {
        return Err(invalid(
            "`stream` and `detach` exclude each other: what is detached, nobody watches",
        ));
    }
    let parsed = address.parse();
    let address = parsed.map_err(|error| invalid(&format!("`{}`: {error}", short(&address))))?;
    let default_ms = if store {
        realm_protocol::limits::STORABLE_TTL_MS
    } else {
        daemon.config().config.limits.call_timeout_ms
    };
    let limit_ms = timeout_ms.unwrap_or(default_ms);
    let asked = InvokeAsked {
        address,
        version,
        input,
        timeout_ms,
        key: key(&headers, idempotency_key)?,
        caller: caller.name(),
        store,
        detach,
        stream,
        budget,
        backend,
    };
    let address = asked.address.clone();
    if !detach {
        let request = caller.calls(asked);
        let ended = move |node: &Node, answer| ended(node, answer, limit_ms);
        if stream {
            let (shown, answer) = daemon.handle.stream_and(request, ended).await?;
            return streamed::respond(shown, answer).await;
        }
        let result = daemon.handle.ask_and(request, ended).await??;
        return Ok(axum::Json(result).into_response());
    }
    let begun = move |node: &Node, begun| match begun {
        Begun::Ended(answer) => Ok((StatusCode::OK, ended(node, *answer, limit_ms)?)),
        Begun::Running(run) => {
            let realm = address.realm.map(|realm| realm.to_string());
            let approvals = node.approvals(Some(run.id), false).into_iter();
            let result = InvokeResult {
                realm,
                approvals: approvals.map(|asked| asked.id.to_string()).collect(),
                ..unfinished(&run)
            };
            Ok::<_, Fail>((StatusCode::ACCEPTED, result))
        }
    };
    let (status, result) = daemon
        .handle
        .begin_and(caller.calls(asked), begun)
        .await??;
    Ok((status, axum::Json(result)).into_response())
}

/// The idempotency key, from the header or from the request.
pub(super) fn key(headers: &HeaderMap, member: Option<String>) -> Result<Option<String>, Fail> {
    let header = headers
        .get("idempotency-key")
        .map(|header| String::from_utf8_lossy(header.as_bytes()).into_owned());
    if header.is_some() && member.is_some() && header != member {
        return Err(invalid(
            "the Idempotency-Key header differs from idempotencyKey",
        ));
    }
    let key = header.or(member);
    if key.as_deref().is_some_and(|key| !is_key(key)) {
        let detail = format!("an idempotency key has 1 to {KEY_BYTES} printable ASCII characters");
        return Err(invalid(&detail));
    }
    Ok(key)
}

/// Whether a text can be a key: what a header can carry, and a person can read.
fn is_key(text: &str) -> bool {
    (1..=KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn ended(node: &Node, answer: Answered, limit_ms: u64) -> Result<InvokeResult, Fail> {
    match answer {
        Answered::Invoked(invocation) => Ok(result(node, &invocation, limit_ms)),
        Answered::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// Reads a budget of a request; none bounds nothing.
pub(super) fn read_budget(budget: Option<realm_client::api::Budget>) -> Result<Budget, Fail> {
    let read = Budget::try_from(budget.unwrap_or_default());
    read.map_err(|error| invalid(&format!("`budget`: {error}")))
}

/// Has the node do what it answers with nothing.
pub(super) async fn carry_out(daemon: &Daemon, request: Request) -> Result<(), Fail> {
    match daemon.handle.ask(request).await? {
        Answered::Done => Ok(()),
        Answered::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// The node answered something else than was asked.
pub(super) fn unexpected(answer: &Answered) -> Fail {
    tracing::error!(?answer, "an answer of another kind than was asked for");
    Fail::new(
        realm_client::catalogue::Code::Internal,
        "the daemon contradicts itself",
    )
}

/// The result of a call for which the caller gave `limit_ms`.
fn result(node: &Node, invocation: &Invocation, limit_ms: u64) -> InvokeResult {
    let realm = invocation.address.realm.as_ref().map(ToString::to_string);
    let (status, output, error) = match &invocation.result {
        Ok(output) => (InvokeStatus::Ok, Some(output.clone()), None),
        Err(failure) => {
            let from = failure.from.as_ref().map(|scope| node.name_of(scope));
            let mut error = call_error(failure, from, &invocation.address.to_string());
            let spent = invocation.duration_ms.saturating_add(TIMER_MS) >= limit_ms;
            if failure.code == FailureCode::Timeout && spent {
                error.help = Some("give it more time: --timeout 5m".to_owned());
            }
            (InvokeStatus::Error, None, Some(error))
        }
    };
    let hops: Vec<String> = invocation
        .way
        .iter()
        .map(|scope| node.name_of(scope))
        .collect();
    InvokeResult {
        run_id: invocation.run.to_string(),
        call_id: invocation.call.to_string(),
        loop_id: invocation.address.loop_id.to_string(),
        realm,
        version: invocation.version.clone(),
        status,
        approvals: Vec::new(),
        output,
        error,
        started_at: time(invocation.started),
        ended_at: Some(time(invocation.ended)),
        duration_ms: Some(invocation.duration_ms),
        hops: (!hops.is_empty()).then_some(hops),
        replayed: invocation.replayed.then_some(true),
        spent: invocation.spent.as_ref().map(Spend::from),
    }
}

/// The result of a run that has not ended.
pub(super) fn unfinished(run: &Run) -> InvokeResult {
    InvokeResult {
        run_id: run.id.to_string(),
        call_id: run.call.to_string(),
        loop_id: run.loop_id.clone(),
        realm: None,
        version: run.version.clone(),
        status: InvokeStatus::Running,
        approvals: Vec::new(),
        output: None,
        error: None,
        started_at: time(run.started),
        ended_at: None,
        duration_ms: None,
        hops: None,
        replayed: None,
        spent: None,
    }
}
