//! The trees known here.

use realm_client::{
    api::{LinkState, RealmDetail, RealmForest, RealmNode, RevokeRequest, Revoked},
    catalogue::Code,
};
use realm_node::{Node, Refusal, Request};
use realm_protocol::{RealmPath, Scope};
use realm_router::Relation;

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::carry_out,
    peers::{linked, named},
    people::Asker,
    problem::Fail,
    status::state,
    views::{realm, realm_name, root, time},
};
use crate::daemon::Daemon;

/// The place of a realm, where one is named.
pub(super) async fn place(daemon: &Daemon, name: Option<String>) -> Result<Option<Scope>, Fail> {
    let Some(name) = name else {
        return Ok(None);
    };
    let name = realm_name(&name)?;
    let found = daemon.handle.read(move |node| node.resolve_name(&name));
    Ok(Some(found.await??))
}

pub(super) async fn forest(daemon: Shared) -> Answer<RealmForest> {
    let trees = daemon.handle.read(|node| {
        let mut trees = vec![own_tree(node)];
        trees.extend(node.peers().iter().map(|peer| RealmNode {
            name: peer.petname.to_string(),
            label: peer.petname.to_string(),
            id: Some(peer.root.to_string()),
            is_self: false,
            state: Some(state(peer.connected, peer.dialled)),
            expires_at: peer.expires.map(time),
            children: Vec::new(),
        }));
        trees
    });
    Ok(axum::Json(RealmForest {
        trees: trees.await?,
    }))
}

/// This realm with its children, inside the line of its ancestors.
fn own_tree(node: &Node) -> RealmNode {
    let standing = node.standing();
    let mut tree = bare(node, &standing.scope);
    tree.is_self = true;
    tree.id = Some(standing.realm.to_string());
    tree.expires_at = standing.chain_expires.map(time);
    tree.children = node
        .children()
        .iter()
        .map(|child| RealmNode {
            id: Some(child.realm.to_string()),
            state: Some(state(child.connected, false)),
            expires_at: child.expires.map(time),
            ..bare(node, &child.scope)
        })
        .collect();
    let mut path = standing.scope.path.parent();
    let mut nearest = true;
    while let Some(above) = path {
        path = above.parent();
        let scope = Scope {
            path: above,
            ..root(standing.scope.root)
        };
        let connected = standing
            .parent
            .as_ref()
            .is_some_and(|(_, connected)| *connected);
        tree = RealmNode {
            state: nearest.then(|| state(connected, true)),
            children: vec![tree],
            ..bare(node, &scope)
        };
        nearest = false;
    }
    tree
}

fn bare(node: &Node, scope: &Scope) -> RealmNode {
    let name = node.name_of(scope);
    RealmNode {
        label: name.rsplit('/').next().unwrap_or_default().to_owned(),
        id: scope.path.is_root().then(|| scope.root.to_string()),
        name,
        is_self: false,
        state: None,
        expires_at: None,
        children: Vec::new(),
    }
}

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<RealmDetail> {
    let name = realm_name(&name)?;
    let detail = daemon.handle.read(move |node| {
        let scope = node.resolve_name(&name)?;
        if is_known(node, &scope) {
            return Ok(detail(node, &scope));
        }
        Err(Refusal::NotFound {
            what: "realm",
            name: name.to_string(),
        })
    });
    Ok(axum::Json(detail.await??))
}

/// Whether a realm is this one, above it, next to it, or the root of a tree with a name here.
/// What lies further is not known to exist.
fn is_known(node: &Node, scope: &Scope) -> bool {
    scope.path.is_root()
        || scope.contains(&node.standing().scope)
        || node.children().iter().any(|child| child.scope == *scope)
}

fn detail(node: &Node, scope: &Scope) -> RealmDetail {
    let standing = node.standing();
    let children = node.children();
    let child = children.iter().find(|child| child.scope == *scope);
    let peers = node.peers();
    let peer = peers.iter().find(|peer| root(peer.root) == *scope);
    let own = standing.scope == *scope;
    let id = child
        .map(|child| child.realm)
        .or(own.then_some(standing.realm));
    let parent = standing
        .parent
        .as_ref()
        .filter(|(parent, _)| parent == scope);
    let link: Option<LinkState> = child
        .map(|child| state(child.connected, false))
        .or_else(|| peer.map(|peer| state(peer.connected, peer.dialled)))
        .or_else(|| parent.map(|(_, connected)| state(*connected, true)));
    let relation = child
        .map(|child| Relation::Child(child.label.clone()))
        .or_else(|| peer.map(|peer| Relation::Peer(peer.root)))
        .or_else(|| parent.map(|_| Relation::Parent));
    let at_other_end = relation.and_then(|wanted| linked(node, |relation| *relation == wanted));
    let expires = match (child, peer) {
        (Some(child), _) => child.expires,
        (None, Some(peer)) => peer.expires,
        (None, None) => standing.chain_expires.filter(|_| own),
    };
    RealmDetail {
        realm: realm(node, scope, id),
        state: link,
        node: own.then(|| standing.node.to_string()).or(at_other_end),
        expires_at: expires.map(time),
        loops: own.then(|| node.registry().iter().count() as u64),
    }
}

pub(super) async fn revoke(
    daemon: Shared,
    asker: Asker,
    Segment(name): Segment,
    Body(request): Body<RevokeRequest>,
) -> Answer<Revoked> {
    let RevokeRequest { reason } = request;
    let child = named(&daemon, &name).await?;
    if child.summary.kind != realm_client::api::PeerKind::Child {
        let detail = format!("`{}` is no child of this realm", child.summary.name);
        return Err(Fail::new(Code::NotFound, detail));
    }
    let path: RealmPath = realm_name(&child.summary.name)?.path;
    let reason = reason.as_deref().unwrap_or("none given");
    tracing::info!(child = child.summary.name, reason, "child revoked");
    carry_out(&daemon, asker.asks(Request::Revoke(path))).await?;
    Ok(axum::Json(child.revoked()))
}
