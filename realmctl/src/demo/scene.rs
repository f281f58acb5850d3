//! One call of the story: played, judged, told.

use realm_client::api::{CallError, InvokeRequest, InvokeResult, InvokeStatus};
use serde::Serialize;

use super::{
    cast::Cast,
    story::{Before, Expected, Scene},
};
use crate::{
    failure::Failure,
    output::{Block, Show},
};

/// What became of a scene.
#[derive(Debug, Serialize)]
pub(super) struct Played {
    /// What it shows.
    pub(super) title: &'static str,
    /// Who called.
    pub(super) caller: &'static str,
    /// What was called.
    pub(super) address: &'static str,
    /// Whether it came to what it should.
    pub(super) ok: bool,
    /// What it should have come to.
    pub(super) expected: String,
    /// What the caller's realm says.
    pub(super) result: InvokeResult,
}

/// Plays a scene.
pub(super) async fn play(cast: &mut Cast, scene: &Scene) -> Result<Played, Failure> {
    prepare(cast, scene.before).await?;
    let input = serde_json::from_str(scene.input)
        .map_err(|error| Failure::Json(scene.title.to_owned(), error))?;
    let request = InvokeRequest {
        address: scene.address.to_owned(),
        input,
        version: None,
        timeout_ms: Some(5_000),
        idempotency_key: None,
        detach: false,
    };
    let result = Cast::ask(scene.caller, cast.client(scene.caller)?.invoke(&request)).await?;
    cast.denied = result.error.as_ref().and_then(denied);
    let (ok, expected) = match scene.expected {
        Expected::Output => (result.status == InvokeStatus::Ok, "an output".to_owned()),
        Expected::Failure(name) => {
            let found = result
                .error
                .as_ref()
                .is_some_and(|error| error.name == name);
            (found, name.to_owned())
        }
    };
    let Scene {
        title,
        caller,
        address,
        ..
    } = *scene;
    Ok(Played {
        title,
        caller,
        address,
        ok,
        expected,
        result,
    })
}

async fn prepare(cast: &mut Cast, before: Before) -> Result<(), Failure> {
    match before {
        Before::Nothing => Ok(()),
        Before::Stop(name) => cast.stop(name).await,
        Before::AllowAsSuggested => allow(cast).await,
    }
}

/// Does at the realm that denied what it says would permit the call.
async fn allow(cast: &Cast) -> Result<(), Failure> {
    let nothing = || Failure::Usage("no denial came before this scene".to_owned(), None);
    let (realm, reference) = cast.denied.as_ref().ok_or_else(nothing)?;
    let client = cast.client(realm)?;
    let denial = Cast::ask(realm, client.denial(reference)).await?;
    let request = denial
        .suggestion
        .as_deref()
        .and_then(read_suggestion)
        .ok_or_else(nothing)?;
    Cast::ask(realm, client.allow(&request)).await?;
    Ok(())
}

/// Reads `realmctl allow CALLER ACTION LOOP`, whatever flags stand between.
fn read_suggestion(command: &str) -> Option<realm_client::api::AllowRequest> {
    let mut words = command
        .split_whitespace()
        .skip_while(|word| *word != "allow")
        .skip(1);
    let (caller, action, pattern) = (words.next()?, words.next()?, words.next()?);
    Some(realm_client::api::AllowRequest {
        caller: caller.to_owned(),
        action: action.to_owned(),
        loop_id: pattern.trim_matches('\'').to_owned(),
        for_ms: None,
        dry_run: false,
    })
}

fn denied(error: &CallError) -> Option<(String, String)> {
    Some((error.realm.clone()?, error.reference.clone()?))
}

impl Show for Played {
    fn names(&self) -> Vec<String> {
        vec![self.result.run_id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mark = if self.ok { "ok  " } else { "FAIL" };
        let outcome = match (&self.result.output, &self.result.error) {
            (Some(output), _) => output.to_string(),
            (None, Some(error)) => format!("{} {}: {}", error.code, error.name, error.message),
            (None, None) => "nothing".to_owned(),
        };
        let hops = self
            .result
            .hops
            .as_ref()
            .map(|hops| hops.join(" → "))
            .unwrap_or_default();
        let took = self.result.duration_ms.unwrap_or_default();
        vec![Block::Text(format!(
            "{mark} {}\n     {} calls {}\n     {outcome}\n     {took} ms  {hops}\n",
            self.title, self.caller, self.address
        ))]
    }
}
