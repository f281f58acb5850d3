//! What this realm keeps of the audit logs of others.

use realm_client::{
    api::{self, AcknowledgeRequest, ContradictionKind, HeadView, Page, Problem, WitnessFile},
    catalogue::Code,
};
use realm_node::{Node, Request, WitnessView};
use realm_protocol::{
    Scope,
    audit::{AuditHead, Contradiction},
    broadcast::Evidence,
    cbor::{self, Blob},
};

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::carry_out,
    people::Asker,
    problem::Fail,
    views::{realm_name, time},
};
use crate::daemon::Daemon;

pub(super) async fn list(daemon: Shared) -> Answer<Page<api::WitnessView>> {
    let look = |node: &Node| {
        let seen = node.witnessed().into_iter();
        seen.map(|seen| view(node, seen)).collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<WitnessFile> {
    let scope = place(&daemon, &name).await?;
    let found = daemon.handle.read(move |node| {
        let found = node.contradiction_of(&scope).cloned();
        (node.name_of(&scope), found)
    });
    let (realm, found) = found.await?;
    let none = || {
        let what = format!("nothing is known here that contradicts the audit log of {realm}");
        Fail::from(Problem::new(Code::NotFound, what).with_hint("realmctl audit witness ls"))
    };
    let evidence = Evidence::Contradiction(found.ok_or_else(none)?);
    Ok(axum::Json(WitnessFile {
        evidence: Blob::from(cbor::encode(&evidence)).to_base64(),
        realm,
    }))
}

pub(super) async fn acknowledge(
    daemon: Shared,
    asker: Asker,
    Segment(name): Segment,
    Body(request): Body<AcknowledgeRequest>,
) -> Answer<Page<api::WitnessView>> {
    let AcknowledgeRequest { why } = request;
    let realm = place(&daemon, &name).await?;
    let asked = Request::Acknowledge {
        realm: realm.clone(),
        why,
    };
    carry_out(&daemon, asker.asks(asked)).await?;
    let look = move |node: &Node| {
        let seen = node.witnessed().into_iter();
        let of = seen.filter(|seen| seen.scope == realm);
        of.map(|seen| view(node, seen)).collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

/// Where the realm stands that is meant: by what it is listed as, which may be an id where it has no name here any more,
/// or else by its name.
async fn place(daemon: &Daemon, name: &str) -> Result<Scope, Fail> {
    let listed = name.to_owned();
    let look = move |node: &Node| {
        let mut seen = node.witnessed().into_iter().map(|seen| seen.scope);
        seen.find(|scope| node.name_of(scope) == listed)
    };
    if let Some(scope) = daemon.handle.read(look).await? {
        return Ok(scope);
    }
    let wanted = realm_name(name)?;
    let found = daemon.handle.read(move |node| node.resolve_name(&wanted));
    Ok(found.await??)
}

fn view(node: &Node, seen: WitnessView) -> api::WitnessView {
    let WitnessView {
        scope,
        newest,
        unproven,
        contradiction,
    } = seen;
    api::WitnessView {
        realm: node.name_of(&scope),
        newest: head(&newest),
        unproven_since: unproven.map(time),
        contradiction: contradiction.map(|found| api::ContradictionView {
            kind: match found.how {
                Contradiction::Shorter => ContradictionKind::Shorter,
                Contradiction::Other => ContradictionKind::Other,
            },
            known: head(&found.known),
            shown: head(&found.shown),
            shown_at: time(found.at),
            acknowledged_at: found.acknowledged.map(time),
        }),
    }
}

fn head(head: &AuditHead) -> HeadView {
    HeadView {
        count: head.count,
        root: head.root.to_string(),
        signed_at: time(head.at),
    }
}
