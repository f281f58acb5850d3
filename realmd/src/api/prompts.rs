//! Prompts: their versions, which of them is called, and how good each was found.

use std::sync::Arc;

use realm_client::{
    api::{
        Applied, ApplyResult, Page, Problem, PromoteRequest, PromptDetail, PromptDiff,
        PromptDiffQuery, PromptEvent, PromptMean, PromptScore, PromptSummary, PromptVersion,
        RollbackRequest, ScoreKind, ScoreRequest, ShareRequest, TraceEvent,
    },
    catalogue::Code,
};
use realm_executor::{Body as LoopBody, Registered};
use realm_node::{
    BEST_SCORE, Mean, Node, PromptAsked, PromptChange, Request, Response, Score, ScoreGiven,
};
use realm_protocol::RunId;
use semver::Version;
use serde_json::Value;

use super::{
    Answer, Shared,
    apply::{self, canonical_yaml, unified},
    extract::{Body, Params, Segment, invalid},
    invoke::unexpected,
    loops::loop_id,
    people::Asker,
    problem::Fail,
    runs::{self, run_id},
    views::{short, time},
};

pub(super) async fn list(daemon: Shared) -> Answer<Page<PromptSummary>> {
    let look = |node: &Node| -> Vec<PromptSummary> {
        let prompts = node.prompts();
        prompts.map(|known| summary(node, known)).collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<PromptDetail> {
    Ok(axum::Json(detail(&daemon, &id).await?))
}

pub(super) async fn diff(
    daemon: Shared,
    Segment(id): Segment,
    Params(query): Params<PromptDiffQuery>,
) -> Answer<PromptDiff> {
    let wanted = loop_id(&id)?;
    let (from, to) = (version(&query.from)?, query.to.as_deref());
    let to = to.map(version).transpose()?;
    let find = move |node: &Node| {
        let versions = node.prompt_versions(&wanted);
        let of = |wanted: &Version| -> Option<Arc<Registered>> {
            let mut all = versions.iter();
            let found = all.find(|known| known.registered.manifest.version == *wanted)?;
            Some(found.registered.clone())
        };
        let current = versions.iter().find(|known| known.current);
        let to = match &to {
            Some(version) => of(version),
            None => current.map(|known| known.registered.clone()),
        };
        of(&from).zip(to)
    };
    let found = daemon.handle.read(find).await?;
    let (from, to) = found.ok_or_else(|| unknown(&id))?;
    let named = |known: &Registered| known.manifest.version.to_string();
    let texts = (canonical_yaml(&from.manifest), canonical_yaml(&to.manifest));
    let sides = (named(&from), named(&to));
    let text = unified((&sides.0, &texts.0), (&sides.1, &texts.1));
    Ok(axum::Json(PromptDiff {
        from: sides.0,
        to: sides.1,
        text,
    }))
}

pub(super) async fn promote(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<PromoteRequest>,
) -> Answer<ApplyResult> {
    let PromoteRequest { version, best, why } = request;
    let what = match (version, best) {
        (Some(version), None) => PromptChange::Promote(self::version(&version)?),
        (None, Some(kind)) => PromptChange::PromoteBest(meant(kind)),
        _ => {
            return Err(invalid(
                "name either `version`, or by `best` a kind of scores",
            ));
        }
    };
    changed(&daemon, (asker, &id), what, why).await
}

pub(super) async fn rollback(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<RollbackRequest>,
) -> Answer<ApplyResult> {
    changed(&daemon, (asker, &id), PromptChange::Rollback, request.why).await
}

pub(super) async fn share(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<ShareRequest>,
) -> Answer<PromptDetail> {
    let shares = request.shares.into_iter();
    let shares = shares.map(|share| Ok((version(&share.version)?, share.weight)));
    let what = PromptChange::Share(shares.collect::<Result<_, Fail>>()?);
    ask(&daemon, (asker, &id), what, request.why).await?;
    Ok(axum::Json(detail(&daemon, &id).await?))
}

pub(super) async fn score(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<ScoreRequest>,
) -> Answer<PromptDetail> {
    let ScoreRequest {
        score,
        version,
        kind,
        run,
        why,
    } = request;
    if !(0.0..=1.0).contains(&score) {
        return Err(invalid("a score is from 0 to 1"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "from nought to a thousand"
    )]
    let value = (score * BEST_SCORE as f64).round() as u64;
    let run = run.as_deref().map(run_id).transpose()?;
    let version = match (version.as_deref(), run) {
        (Some(named), _) => Some(self::version(named)?),
        (None, Some(run)) => Some(used_in(&daemon, &id, run).await?),
        (None, None) => None,
    };
    let given = ScoreGiven {
        version,
        value,
        kind: meant(kind),
        run,
    };
    ask(&daemon, (asker, &id), PromptChange::Score(given), why).await?;
    Ok(axum::Json(detail(&daemon, &id).await?))
}

/// The version of a prompt that a run has used.
async fn used_in(daemon: &Shared, id: &str, run: RunId) -> Result<Version, Fail> {
    let trace = runs::recorded(daemon, run).await?;
    let text = |event: &TraceEvent, name: &str| {
        let found = event.payload.get(name).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let mut started = trace.events.iter().filter(|event| {
        event.kind == "call.started" && text(event, "loopId").as_deref() == Some(id)
    });
    match started.find_map(|event| text(event, "loopVersion")) {
        Some(used) => version(&used),
        None => Err(invalid(&format!(
            "run {run} has used no version of `{id}`; `version` says which one is meant"
        ))),
    }
}

async fn changed(
    daemon: &Shared,
    (asker, id): (Asker, &str),
    what: PromptChange,
    why: Option<String>,
) -> Answer<ApplyResult> {
    let Response::Applied(reports) = ask(daemon, (asker, id), what, why).await? else {
        return Err(unknown(id));
    };
    let applied: Vec<Applied> = reports.into_iter().map(apply::changed).collect();
    Ok(axum::Json(ApplyResult {
        restrictions: Vec::new(),
        applied,
        dry_run: false,
        warnings: Vec::new(),
    }))
}

async fn ask(
    daemon: &Shared,
    (asker, id): (Asker, &str),
    what: PromptChange,
    why: Option<String>,
) -> Result<Response, Fail> {
    let asked = PromptAsked {
        id: loop_id(id)?,
        what,
        by: asker.name().to_owned(),
        why,
    };
    match daemon
        .handle
        .ask(asker.asks(Request::Prompt(asked)))
        .await?
    {
        Response::Refused(refusal) => Err(refusal.into()),
        answer @ (Response::Done | Response::Applied(_)) => Ok(answer),
        other => Err(unexpected(&other)),
    }
}

async fn detail(daemon: &Shared, id: &str) -> Result<PromptDetail, Fail> {
    let wanted = loop_id(id)?;
    let look = move |node: &Node| {
        let wanted = node.registry().resolve(&wanted);
        let known = node.prompts().find(|known| known.manifest.id == *wanted);
        known.and_then(|known| detail_of(node, known))
    };
    let found = daemon.handle.read(look).await?;
    found.ok_or_else(|| unknown(id))
}

fn summary(node: &Node, known: &Registered) -> PromptSummary {
    let id = &known.manifest.id;
    let versions = node.prompt_versions(id).into_iter();
    let versions = versions.map(|version| PromptVersion {
        version: version.registered.manifest.version.to_string(),
        digest: version.registered.digest.to_string(),
        current: version.current,
        weight: version.weight,
        means: version.means.iter().map(mean_view).collect(),
    });
    PromptSummary {
        id: id.to_string(),
        version: known.manifest.version.to_string(),
        versions: versions.collect(),
    }
}

fn detail_of(node: &Node, known: &Registered) -> Option<PromptDetail> {
    let LoopBody::Prompt(prompt) = &known.manifest.body else {
        return None;
    };
    let id = &known.manifest.id;
    let versions = node.prompt_versions(id);
    let scores = versions.iter().flat_map(|version| {
        let of = version.registered.manifest.version.to_string();
        let scores = version.scores.iter();
        scores.map(move |score| score_view(score, &of))
    });
    let mut scores: Vec<PromptScore> = scores.collect();
    scores.sort_by_key(|score| score.at);
    let changes = node.loop_history(id).map(|change| PromptEvent {
        at: time(change.at),
        by: change.by.clone(),
        action: apply::action(change.action),
        version: change.version.to_string(),
        why: change.why.clone(),
    });
    Some(PromptDetail {
        summary: summary(node, known),
        template: prompt.template.clone(),
        system_prompt: prompt.system.clone(),
        backend: prompt.backend.clone(),
        scores,
        changes: changes.collect(),
    })
}

fn mean_view(mean: &Mean) -> PromptMean {
    let Mean { kind, count, mean } = *mean;
    PromptMean {
        kind: kind_view(kind),
        mean: told(mean),
        count,
    }
}

const fn meant(kind: ScoreKind) -> realm_node::ScoreKind {
    match kind {
        ScoreKind::Person => realm_node::ScoreKind::Person,
        ScoreKind::Evaluation => realm_node::ScoreKind::Evaluation,
        ScoreKind::Outcome => realm_node::ScoreKind::Outcome,
    }
}

const fn kind_view(kind: realm_node::ScoreKind) -> ScoreKind {
    match kind {
        realm_node::ScoreKind::Person => ScoreKind::Person,
        realm_node::ScoreKind::Evaluation => ScoreKind::Evaluation,
        realm_node::ScoreKind::Outcome => ScoreKind::Outcome,
    }
}

fn score_view(score: &Score, version: &str) -> PromptScore {
    PromptScore {
        at: time(score.at),
        by: score.by.clone(),
        version: version.to_owned(),
        score: told(score.value),
        kind: kind_view(score.kind),
        why: score.why.clone(),
        run: score.run.map(|run| run.to_string()),
    }
}

/// Thousandths as they are told.
#[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
fn told(value: u64) -> f64 {
    value as f64 / BEST_SCORE as f64
}

fn version(text: &str) -> Result<Version, Fail> {
    let parsed = Version::parse(text);
    parsed.map_err(|error| invalid(&format!("the version `{}`: {error}", short(text))))
}

fn unknown(id: &str) -> Fail {
    let detail = format!("there is no prompt `{}` in such a version", short(id));
    Problem::new(Code::LoopNotFound, detail)
        .with_hint("realmctl prompt ls")
        .into()
}
