//! What realms grant each other.

use realm_client::{
    api::{GrantKept, GrantRequest, GrantStep, GrantView, HoldRequest, Page, Problem},
    catalogue::Code,
    grant,
};
use realm_node::{GrantAsked, Node, Request, Response};
use realm_protocol::{GrantId, RealmId, RealmName, records::Grant};

use super::{
    Answer, Shared,
    extract::{Body, Segment, invalid},
    invoke::{carry_out, read_budget, unexpected},
    people::Asker,
    problem::Fail,
    views::time,
};
use crate::daemon::Daemon;

/// How long a grant is good, unless told.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

pub(super) async fn list(daemon: Shared) -> Answer<Page<GrantView>> {
    let look = |node: &Node| {
        let known = node.grants();
        let views = known.iter().map(|known| view(node, known));
        views.collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<GrantView> {
    let id = read_id(&id)?;
    Ok(axum::Json(found(&daemon, id).await?))
}

/// The grant with this id, with the line for its holder.
async fn found(daemon: &Daemon, id: GrantId) -> Result<GrantView, Fail> {
    let look = move |node: &Node| {
        let mut known = node.grants().into_iter();
        let known = known.find(|known| known.grant.id == id)?;
        Some(with_line(view(node, &known), &known))
    };
    daemon.handle.read(look).await?.ok_or_else(|| {
        let what = format!("there is no grant `{id}`");
        Problem::new(Code::NotFound, what)
            .with_hint("realmctl grant ls")
            .into()
    })
}

pub(super) async fn create(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<GrantRequest>,
) -> Answer<GrantView> {
    let GrantRequest {
        holder,
        loops,
        uses,
        budget: bounds,
        for_ms,
        from,
    } = request;
    let holder: RealmName = holder
        .parse()
        .map_err(|_| invalid(&format!("`{holder}` is no realm's name")))?;
    let read = |text: &String| {
        let what = || {
            invalid(&format!(
                "`{text}` is no loop's id, with or without a `*` at its end"
            ))
        };
        text.parse().map_err(|_| what())
    };
    let asked = GrantAsked {
        holder,
        loops: loops.iter().map(read).collect::<Result<_, _>>()?,
        uses,
        budget: read_budget(bounds)?,
        for_ms: for_ms.unwrap_or(DAY_MS),
        from: from.as_deref().map(read_id).transpose()?,
    };
    settled(&daemon, asker.asks(Request::Grant(asked))).await
}

pub(super) async fn hold(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<HoldRequest>,
) -> Answer<GrantView> {
    let links = grant::decode(&request.grant).map_err(|error| {
        Problem::new(Code::GrantRefused, format!("the line is no grant: {error}"))
            .with_hint("copy the whole line that `realmctl grant create` printed")
    })?;
    settled(&daemon, asker.asks(Request::HoldGrant(links))).await
}

async fn settled(daemon: &Daemon, request: Request) -> Answer<GrantView> {
    match daemon.handle.ask(request).await? {
        Response::Granted(known) => {
            let look = move |node: &Node| with_line(view(node, &known), &known);
            Ok(axum::Json(daemon.handle.read(look).await?))
        }
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// Takes a grant back; gives it as it stands then.
pub(super) async fn revoke(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
) -> Answer<GrantView> {
    let id = read_id(&id)?;
    carry_out(&daemon, asker.asks(Request::RevokeGrant(id))).await?;
    Ok(axum::Json(found(&daemon, id).await?))
}

fn read_id(text: &str) -> Result<GrantId, Fail> {
    text.parse()
        .map_err(|_| invalid(&format!("`{text}` is no grant's id: realmctl grant ls")))
}

fn with_line(view: GrantView, known: &realm_node::GrantView) -> GrantView {
    let given = view.kept == GrantKept::Given && view.revoked.is_none();
    GrantView {
        grant: given.then(|| grant::encode(&known.links)),
        ..view
    }
}

fn view(node: &Node, known: &realm_node::GrantView) -> GrantView {
    let grant = &known.grant;
    let other = || node.name_of(&known.other);
    let own = node.standing().realm;
    // Who stands next to this realm has a name here; others go by their ids.
    let name = |realm: RealmId, beside: bool| match realm == own {
        true => node.name_of(&node.standing().scope),
        false if beside => other(),
        false => realm.to_string(),
    };
    let held = known.kept == realm_node::GrantKept::Held;
    let last = known.chain.len().saturating_sub(1);
    let step = |(at, step): (usize, &Grant)| GrantStep {
        id: step.id.to_string(),
        issuer: name(step.issuer, held && at == last),
        holder: name(step.holder, !held && at == last),
        loops: texts(step),
        uses: step.uses,
        budget: step.budget.map(Into::into),
        until: time(step.not_after),
    };
    let chain: Vec<GrantStep> = known.chain.iter().enumerate().map(step).collect();
    GrantView {
        id: grant.id.to_string(),
        kept: match held {
            true => GrantKept::Held,
            false => GrantKept::Given,
        },
        realm: chain
            .first()
            .map_or_else(String::new, |first| first.issuer.clone()),
        holder: chain
            .last()
            .map_or_else(String::new, |last| last.holder.clone()),
        loops: texts(grant),
        uses: grant.uses,
        used: known.used,
        budget: grant.budget.map(Into::into),
        since: time(grant.not_before),
        until: time(grant.not_after),
        revoked: known.revoked.map(time),
        chain,
        grant: None,
    }
}

fn texts(grant: &Grant) -> Vec<String> {
    grant.loops.iter().map(ToString::to_string).collect()
}
