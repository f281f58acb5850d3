//! Work that nobody is named for: announced across organisations, won by the lower bid, broken off
//! by the death of its winner, and done by the next.

use std::{fs, path::Path, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use realm_client::api::{
    AllowRequest, BroadcastRequest, BroadcastResult, InvokeStatus, TranscriptQuery,
};
use realm_evidence::{Account, Fate, Finding, examine};
use serde::Serialize;
use serde_json::json;
use tokio::time::{interval, timeout};

use super::cast::Cast;
use crate::failure::Failure;

/// File in the demo's folder that readers note the keys of their work in.
pub(super) const KEYS: &str = "second-read.keys";
/// What is announced.
const LOOP: &str = "second-read";
/// Who announces.
const ANNOUNCER: &str = "mercy/cardiology";
/// Who bids less, wins and is killed at work.
const KILLED: &str = "lab/genomics";
/// Who bids more, and takes over.
const NEXT: &str = "lab";
/// How long bids are taken at most, and how long the work may take, milliseconds.
const WINDOW_MS: u64 = 5_000;
const WORK_MS: u64 = 30_000;
/// Levels that the announcement may go up, across and down.
const LEVELS: u64 = 8;
/// Longest it may take until the winner is at work.
const PATIENCE: Duration = Duration::from_secs(15);
/// Time between two looks whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// What came of the announcement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traded {
    /// `market`, for whoever reads the JSON.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether it went as it should.
    pub(super) ok: bool,
    /// What is not as it should be.
    pub(super) faults: Vec<String>,
    /// What was announced.
    #[serde(rename = "loop")]
    pub(super) loop_id: &'static str,
    /// Who announced.
    pub(super) announcer: &'static str,
    /// Who won and was killed at work.
    pub(super) killed: &'static str,
    /// Who took over.
    pub(super) next: &'static str,
    /// The keys under which the work was begun, in order.
    pub(super) keys: Vec<String>,
    /// What the announcer's realm answered.
    pub(super) result: BroadcastResult,
    /// The broadcast, recomputed from its transcript.
    pub(super) account: Option<Account>,
}

/// Announces the work, and kills its winner.
pub(super) async fn play(cast: &mut Cast) -> Result<Traded, Failure> {
    for bidder in [KILLED, NEXT] {
        let permits = [
            (bidder, ANNOUNCER, "invoke"),
            (bidder, ANNOUNCER, "bid"),
            (ANNOUNCER, bidder, "award"),
        ];
        for (at, whom, action) in permits {
            let request = AllowRequest {
                caller: whom.to_owned(),
                action: action.to_owned(),
                loop_id: LOOP.to_owned(),
                for_ms: None,
                dry_run: false,
            };
            let allowing = cast.client(at)?.allow(&request);
            cast.ask(at, allowing).await?;
        }
    }
    let announcer = cast.client(ANNOUNCER)?.clone();
    let request = request();
    let keys = cast.folder().join(KEYS);
    let (result, struck) = tokio::join!(announcer.broadcast(&request), strike(cast, &keys));
    let result = cast.ask(ANNOUNCER, async { result }).await?;
    let mut faults = Vec::new();
    if !struck? {
        faults.push(format!("{KILLED} did not begin to work"));
    }
    let keys = noted(&keys);
    let account = account(cast, &result, &mut faults).await?;
    judge(&result, account.as_ref(), &keys, &mut faults);
    Ok(Traded {
        kind: "market",
        ok: faults.is_empty(),
        faults,
        loop_id: LOOP,
        announcer: ANNOUNCER,
        killed: KILLED,
        next: NEXT,
        keys,
        result,
        account,
    })
}

fn request() -> BroadcastRequest {
    BroadcastRequest {
        loop_id: LOOP.to_owned(),
        input: json!({"lead": "II"}),
        down: LEVELS,
        up: LEVELS,
        across: LEVELS,
        realms: vec![NEXT.to_owned()],
        currency: Some("EUR".to_owned()),
        max_price_micros: Some(100_000),
        window_ms: WINDOW_MS,
        execution_ms: WORK_MS,
        winners: 1,
        standbys: 1,
        at_once: None,
        min_bids: 2,
        ..BroadcastRequest::default()
    }
}

/// Kills the winner as soon as it is at work, and starts it again; false if it never is.
async fn strike(cast: &mut Cast, keys: &Path) -> Result<bool, Failure> {
    let at_work = async {
        let mut looks = interval(LOOK);
        while noted(keys).is_empty() {
            looks.tick().await;
        }
    };
    if timeout(PATIENCE, at_work).await.is_err() {
        return Ok(false);
    }
    cast.crash(KILLED).await?;
    Ok(true)
}

/// The keys that are noted by now.
fn noted(keys: &Path) -> Vec<String> {
    let text = fs::read_to_string(keys).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The broadcast, recomputed from its transcript.
async fn account(
    cast: &Cast,
    result: &BroadcastResult,
    faults: &mut Vec<String>,
) -> Result<Option<Account>, Failure> {
    let query = TranscriptQuery::default();
    let asking = cast.client(ANNOUNCER)?.transcript(&result.run_id, &query);
    let file = cast.ask(ANNOUNCER, asking).await?;
    let bytes = BASE64URL_NOPAD.decode(file.evidence.as_bytes());
    match examine(&bytes.unwrap_or_default()) {
        Ok(Finding::Transcript(account)) => return Ok(Some(account)),
        Ok(_) => faults.push("the transcript is something else".to_owned()),
        Err(error) => faults.push(format!("the transcript: {error}")),
    }
    Ok(None)
}

fn judge(
    result: &BroadcastResult,
    account: Option<&Account>,
    keys: &[String],
    faults: &mut Vec<String>,
) {
    let by = result.output.as_ref().and_then(|output| output.get("by"));
    if result.status != InvokeStatus::Ok || by.and_then(|by| by.as_str()) != Some(NEXT) {
        faults.push(format!("{NEXT} should have done the work"));
    }
    let same = matches!(keys, [first, second] if first == second && !first.is_empty());
    if !same {
        faults.push("the work should have been begun twice, under one key".to_owned());
    }
    let ends = account.map(|account| {
        let ends = account.bids.iter().map(|bid| match bid.fate {
            Fate::Won { end, .. } => end,
            _ => None,
        });
        ends.collect::<Vec<_>>()
    });
    let expected = |ends: &[Option<&str>]| match ends {
        [Some(first), Some(second)] => *first != "Result" && *second == "Result",
        _ => false,
    };
    if !ends.as_deref().is_some_and(expected) {
        faults.push("the transcript should show a winner that fell out and the next".to_owned());
    }
}
