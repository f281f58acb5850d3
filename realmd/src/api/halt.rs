//! What stands still, and what goes on again.

use std::time::Duration;

use realm_client::api::{
    AboveHalt, BelowHalt, Halt, HaltChange, HaltRequest, HaltState, LoopHalt, UnhaltRequest,
};
use realm_node::{
    HaltAsked, HaltOf, HaltView, HaltsView, LoopHaltView, Node, Request, UnhaltAsked, UnhaltOf,
};
use realm_protocol::{Scope, limits};

use super::{
    Answer, Shared,
    extract::{Body, invalid},
    invoke::carry_out,
    loops::loop_id,
    people::Asker,
    runs::run_id,
    views::{realm_name, time},
};
use crate::daemon::Daemon;

/// Longest wait for realms below to confirm.
const WAIT: Duration = Duration::from_secs(60);
/// How soon it is looked again whether they have.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn show(daemon: Shared) -> Answer<HaltState> {
    Ok(axum::Json(daemon.handle.read(state).await?))
}

pub(super) async fn halt(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<HaltRequest>,
) -> Answer<HaltState> {
    let HaltRequest {
        loop_id: of,
        realm,
        subtree,
        why,
        wait_ms,
    } = request;
    let of = match (of, realm, subtree) {
        (None, None, None) => HaltOf::All,
        (Some(id), None, None) => HaltOf::Loop(loop_id(&id)?),
        (None, Some(name), None) => HaltOf::Realm(realm_name(&name)?),
        (None, None, Some(name)) => HaltOf::Subtree(realm_name(&name)?),
        _ => {
            return Err(invalid(
                "one of loop, realm and subtree is halted at a time",
            ));
        }
    };
    let asked = HaltAsked {
        of,
        by: asker.name().to_owned(),
        why: reason(why),
    };
    ask(&daemon, asker.asks(Request::Halt(asked)), wait_ms).await
}

pub(super) async fn unhalt(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<UnhaltRequest>,
) -> Answer<HaltState> {
    let UnhaltRequest {
        loop_id: of,
        run,
        realm,
        why,
        wait_ms,
    } = request;
    let of = match (of, run, realm) {
        (None, None, None) => UnhaltOf::All,
        (Some(id), None, None) => UnhaltOf::Loop(loop_id(&id)?),
        (None, Some(run), None) => UnhaltOf::Run(run_id(&run)?),
        (None, None, Some(name)) => UnhaltOf::Realm(realm_name(&name)?),
        _ => return Err(invalid("one of loop, run and realm is let go on at a time")),
    };
    let asked = UnhaltAsked {
        of,
        by: asker.name().to_owned(),
        why: reason(why),
    };
    ask(&daemon, asker.asks(Request::Unhalt(asked)), wait_ms).await
}

async fn ask(daemon: &Daemon, request: Request, wait_ms: Option<u64>) -> Answer<HaltState> {
    carry_out(daemon, request).await?;
    let wait = Duration::from_millis(wait_ms.unwrap_or(0)).min(WAIT);
    // What is confirmed until then is shown.
    let confirmed = tokio::time::timeout(wait, confirmed(daemon)).await;
    match confirmed {
        Ok(confirmed) => confirmed,
        Err(_) => Ok(axum::Json(daemon.handle.read(state).await?)),
    }
}

/// Waits until every realm below has confirmed.
async fn confirmed(daemon: &Daemon) -> Answer<HaltState> {
    let mut looks = tokio::time::interval(LOOK_AGAIN);
    loop {
        looks.tick().await;
        let halts = daemon.handle.read(state).await?;
        if halts.below.iter().all(BelowHalt::is_settled) {
            return Ok(axum::Json(halts));
        }
    }
}

fn reason(why: Option<String>) -> Option<String> {
    why.map(|why| why.chars().take(limits::REASON_CHARS).collect())
}

fn state(node: &Node) -> HaltState {
    let HaltsView {
        all,
        tree,
        loops,
        above,
        below,
        runs,
        changes,
    } = node.halts();
    let name = |scope: &Scope| node.name_of(scope);
    let above = above.iter().map(|word| AboveHalt {
        realm: name(&word.scope),
        by: name(&word.by),
        at: time(word.at),
        why: word.why.clone(),
    });
    let below = below.iter().map(|below| BelowHalt {
        realm: name(&below.scope),
        halted: below.halted,
        subtree: below.subtree,
        at: time(below.at),
        confirmed_at: below.confirmed.map(time),
        runs: below.runs,
        own: below.own,
        confirmed: below.below.iter().map(name).collect(),
        unconfirmed: below.open.iter().map(name).collect(),
        unnamed: below.unnamed,
    });
    let loops = loops.into_iter();
    let loops = loops.map(|LoopHaltView { loop_id, halt }| LoopHalt {
        loop_id: loop_id.to_string(),
        halt: word(halt),
    });
    let changes = changes.into_iter();
    let changes = changes.map(|change| HaltChange {
        number: change.number,
        at: time(change.at),
        by: change.by,
        halted: change.halted,
        what: change.what,
        why: change.why,
    });
    HaltState {
        all: all.map(word),
        tree,
        loops: loops.collect(),
        above: above.collect(),
        below: below.collect(),
        runs: runs as u64,
        changes: changes.collect(),
    }
}

fn word(halt: HaltView) -> Halt {
    let HaltView {
        by,
        at,
        why,
        loops,
        runs,
    } = halt;
    Halt {
        by,
        at: time(at),
        why,
        loops: loops.iter().map(ToString::to_string).collect(),
        runs: runs.iter().map(ToString::to_string).collect(),
    }
}
