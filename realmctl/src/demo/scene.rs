//! One call of the story: played and judged.

use realm_client::api::{Denial, InvokeRequest, InvokeResult, InvokeStatus, RunStatus};
use serde::Serialize;
use serde_json::Value;

use super::{
    canary::Canary,
    cast::Cast,
    half::Half,
    permit,
    story::{Before, Expected, Scene},
};
use crate::failure::Failure;

/// How long a call may take, milliseconds.
const CALL_MS: u64 = 10_000;

/// What became of a scene.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Played {
    /// `call`, for whoever reads the JSON.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    /// Who called.
    pub(super) caller: &'static str,
    /// What was called.
    pub(super) address: String,
    /// What it should have come to.
    pub(super) expected: String,
    /// Whether it came to that, on the way it should, and both realms say so.
    pub(super) ok: bool,
    /// What is not as it should be.
    pub(super) faults: Vec<String>,
    /// What happened before, as a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    /// What the caller's realm answered.
    pub(super) result: InvokeResult,
    /// The trace as the caller's realm recorded it, then as the other did.
    pub(super) recorded: Vec<Half>,
    /// What `policy why` says where it was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denial: Option<Denial>,
}

/// Plays a scene; `denied` is the denial of the scene before.
pub(super) async fn play(
    cast: &mut Cast,
    scene: &Scene,
    canary: &Canary,
    denied: Option<&Denial>,
) -> Result<Played, Failure> {
    let (caller, callee) = (scene.caller(), scene.callee());
    let before = prepare(cast, scene, denied).await?;
    let request = InvokeRequest {
        address: scene.address(),
        input: (scene.input)(canary.text()),
        version: None,
        timeout_ms: Some(CALL_MS),
        idempotency_key: None,
        detach: false,
        store: false,
        stream: false,
        budget: None,
        backend: None,
    };
    let invoking = cast.client(caller)?.invoke(&request);
    let result = cast.ask(caller, invoking).await?;
    let mut recorded = Vec::new();
    recorded.extend(Half::of(cast, caller, &result.call_id).await?);
    if scene.recorded {
        recorded.extend(Half::of(cast, callee, &result.call_id).await?);
    }
    let denial = permit::why(cast, &result).await?;
    let mut faults = Vec::new();
    if denial.is_some() && !Half::is_absent(cast, callee, &result.call_id).await? {
        faults.push(format!("{callee} ran it without a permit"));
    }
    judge_result(scene, &result, &mut faults);
    judge_records(scene, &recorded, &mut faults);
    Ok(Played {
        kind: "call",
        title: scene.title,
        caller,
        address: request.address,
        expected: match scene.expected {
            Expected::Output(_) => "an output".to_owned(),
            Expected::Failure(name, realm) => format!("{name}, raised by {realm}"),
        },
        ok: faults.is_empty(),
        faults,
        before,
        result,
        recorded,
        denial,
    })
}

async fn prepare(
    cast: &mut Cast,
    scene: &Scene,
    denied: Option<&Denial>,
) -> Result<Option<String>, Failure> {
    match scene.before {
        Before::Nothing => Ok(None),
        Before::Stop(name) => {
            cast.stop(name).await?;
            Ok(Some(format!("{name} is stopped")))
        }
        Before::AllowAsSuggested => permit::allow(cast, scene.callee(), denied).await.map(Some),
    }
}

fn judge_result(scene: &Scene, result: &InvokeResult, faults: &mut Vec<String>) {
    match scene.expected {
        Expected::Output(part) => {
            let output = result.output.as_ref().map(ToString::to_string);
            if !output.is_some_and(|output| output.contains(part)) {
                faults.push(format!("the output lacks `{part}`"));
            }
        }
        Expected::Failure(name, realm) => {
            let error = result.error.as_ref();
            if error.is_none_or(|error| error.name != name) {
                faults.push(format!("the call should have failed with {name}"));
            }
            // What names no realm, the caller's own has raised.
            let raised = error.and_then(|error| error.realm.as_deref());
            if raised.or(scene.way.first().copied()) != Some(realm) {
                faults.push(format!("{realm} should have raised it"));
            }
        }
    }
    let hops = result.hops.as_deref().unwrap_or_default();
    if result.status == InvokeStatus::Ok && hops != scene.way {
        faults.push(format!(
            "the way should have been {}",
            scene.way.join(" → ")
        ));
    }
}

/// Both halves must be there and say the same.
fn judge_records(scene: &Scene, recorded: &[Half], faults: &mut Vec<String>) {
    let halves = if scene.recorded { 2 } else { 1 };
    if recorded.len() != halves {
        faults.push(format!("{} of {halves} realms recorded it", recorded.len()));
    }
    let expected = match scene.expected {
        Expected::Output(_) => (RunStatus::Completed, None),
        Expected::Failure(name, _) => (RunStatus::Failed, Some(name)),
    };
    for half in recorded {
        let run = &half.trace.run.summary;
        if (run.status, run.error.as_deref()) != expected {
            faults.push(format!("{} recorded another end", half.realm));
        }
        if half.trace.events.is_empty() {
            faults.push(format!("{} recorded no events", half.realm));
        }
    }
    if let [caller, callee] = recorded {
        let (ours, theirs) = (&caller.trace.run, &callee.trace.run);
        if (&ours.input, &ours.output) != (&theirs.input, &theirs.output) {
            faults.push("the two halves of the trace differ".to_owned());
        }
        if ours.output.is_some() {
            judge_return(scene, caller, &theirs.summary.id, faults);
        }
    }
}

/// What the answer itself carried: the run there, and the links that the call really crossed.
fn judge_return(scene: &Scene, caller: &Half, run: &str, faults: &mut Vec<String>) {
    let call = &caller.trace.run.summary.call_id;
    let mut events = caller.trace.events.iter();
    let returned = events.find(|event| event.kind == "call.returned" && event.call_id == *call);
    let said = |key| returned.and_then(|event| event.payload.get(key));
    if said("run").and_then(Value::as_str) != Some(run) {
        faults.push("the answer names another run than the callee recorded".to_owned());
    }
    let hops = u64::try_from(scene.way.len().saturating_sub(1)).ok();
    if said("hops").and_then(Value::as_u64) != hops {
        faults.push("the call crossed another number of links".to_owned());
    }
}
