//! Content of runs that is erased.

use realm_client::api::{EraseRequest, EraseResult};
use realm_node::{EraseAsked, Request, answers_for};
use realm_protocol::{Digest, RunId, journal::Table};

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::carry_out,
    people::Asker,
    runs::{blocking, found, run_id, summary},
};
use crate::daemon::Daemon;

/// What goes with a run.
struct Held {
    /// Rows of idempotency keys that hold its answer.
    keys: Vec<(Vec<u8>, Vec<u8>)>,
    events: u64,
}

pub(super) async fn erase(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<EraseRequest>,
) -> Answer<EraseResult> {
    let EraseRequest { dry_run, why } = request;
    let id = run_id(&id)?;
    daemon.handle.settled().await?;
    let run = found(&daemon, id).await?;
    let Held { keys, events } = held(&daemon, id).await?;
    let answers = keys.len() as u64;
    let contents = || run.input.iter().chain(&run.output);
    let bytes = contents().map(|content| content.len() as u64).sum();
    let digest = |content: Option<&[u8]>| Some(Digest::of(&[content?]).to_string());
    let input_digest = digest(run.input.as_deref());
    let output_digest = digest(run.output.as_deref());
    let by = asker.name().to_owned();
    let asked = EraseAsked {
        run,
        keys,
        by,
        why,
        dry_run,
    };
    carry_out(&daemon, asker.asks(Request::Erase(Box::new(asked)))).await?;
    daemon.handle.settled().await?;
    let run = found(&daemon, id).await?;
    let run = daemon.handle.read(move |node| summary(node, &run)).await?;
    Ok(axum::Json(EraseResult {
        run,
        input_digest,
        output_digest,
        bytes,
        events,
        answers,
        dry_run,
    }))
}

async fn held(daemon: &Daemon, run: RunId) -> Result<Held, super::problem::Fail> {
    blocking(daemon, move |store| {
        let mut keys = Vec::new();
        store.each_record(Table::Keys, |key, value| {
            if answers_for(value, run) {
                keys.push((key.to_vec(), value.to_vec()));
            }
        })?;
        let events = store.next_event(run)?;
        Ok(Held { keys, events })
    })
    .await
}
