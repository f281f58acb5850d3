//! Realms next to this one.

use realm_client::{
    api::{LinkState, Page, PeerDetail, PeerKind, PeerSummary, Pong, Problem, Revoked},
    catalogue::Code,
};
use realm_node::{ChildView, Node, PeerView, Request, Response};
use realm_protocol::{Label, RealmPath, Scope};

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::{carry_out, unexpected},
    people::Asker,
    problem::Fail,
    status::{link, parent_link, peer_link, state},
    views::{realm_name, root, short, time},
};

pub(super) async fn list(daemon: Shared) -> Answer<Page<PeerSummary>> {
    let found = daemon.handle.read(neighbours).await?;
    Ok(axum::Json(Page::whole(
        found.into_iter().map(|found| found.summary).collect(),
    )))
}

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<PeerDetail> {
    let found = named(&daemon, &name).await?;
    Ok(axum::Json(found.detail()))
}

pub(super) async fn remove(
    daemon: Shared,
    asker: Asker,
    Segment(name): Segment,
) -> Answer<Revoked> {
    let found = named(&daemon, &name).await?;
    let request = match &found.removal {
        Removal::Peer(petname) => Request::RemovePeer(petname.clone()),
        Removal::Child(path) => Request::Revoke(path.clone()),
        Removal::Parent => {
            let detail = "a parent is left by removing the child there";
            return Err(Fail::new(Code::Unsupported, detail));
        }
    };
    carry_out(&daemon, asker.asks(request)).await?;
    Ok(axum::Json(found.revoked()))
}

pub(super) async fn ping(
    daemon: Shared,
    Segment(name): Segment,
    Body(_): Body<serde_json::Value>,
) -> Answer<Pong> {
    let name = realm_name(&name)?;
    match daemon.handle.ask(Request::Ping(name)).await? {
        Response::Pong {
            realm,
            scope,
            round_trip_ms,
            way,
        } => {
            let look = move |node: &Node| Pong {
                name: node.name_of(&scope),
                realm: realm.to_string(),
                round_trip_micros: round_trip_ms.saturating_mul(1_000),
                hops: way.iter().map(|scope| node.name_of(scope)).collect(),
            };
            Ok(axum::Json(daemon.handle.read(look).await?))
        }
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// A neighbour, and what it takes to part from it.
pub(super) struct Neighbour {
    pub(super) summary: PeerSummary,
    node: Option<String>,
    /// Subtrees of its tree whose messages are let in.
    scopes: Vec<String>,
    removal: Removal,
}

enum Removal {
    Parent,
    Child(RealmPath),
    Peer(Label),
}

impl Neighbour {
    fn detail(self) -> PeerDetail {
        PeerDetail {
            summary: self.summary,
            node: self.node,
            scopes: self.scopes,
        }
    }

    /// What its removal did.
    pub(super) fn revoked(self) -> Revoked {
        Revoked {
            name: self.summary.name,
            realm: self.summary.realm,
            link_closed: self.summary.link.state == LinkState::Connected,
        }
    }
}

/// The neighbour of that name.
pub(super) async fn named(daemon: &Shared, name: &str) -> Result<Neighbour, Fail> {
    let wanted = realm_name(name)?.to_string();
    let label = wanted.clone();
    let found = daemon.handle.read(neighbours).await?;
    // A child also goes by its label alone, as in `invite LABEL`.
    let is_meant = |found: &Neighbour| {
        let child = matches!(&found.removal, Removal::Child(path) if last(path) == label);
        found.summary.name == wanted || child
    };
    found.into_iter().find(is_meant).ok_or_else(|| {
        let detail = format!("`{}` is neither parent, child nor peer", short(name));
        Problem::new(Code::NotFound, detail)
            .with_hint("realmctl peer ls")
            .into()
    })
}

fn last(path: &RealmPath) -> String {
    let text = path.to_string();
    text.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Parent, children and peers, in this order.
fn neighbours(node: &Node) -> Vec<Neighbour> {
    let standing = node.standing();
    let parent = standing.parent.clone().zip(parent_link(node, &standing));
    let parent = parent.map(|((scope, _), link)| Neighbour {
        summary: PeerSummary {
            name: node.name_of(&scope),
            realm: if scope.path.is_root() {
                scope.root.to_string()
            } else {
                String::new()
            },
            kind: PeerKind::Parent,
            link,
            expires_at: standing.chain_expires.map(time),
        },
        node: linked(node, |relation| {
            matches!(relation, realm_router::Relation::Parent)
        }),
        scopes: Vec::new(),
        removal: Removal::Parent,
    });
    let children = node.children();
    let children = children.iter().map(|child| child_of(node, child));
    let peers = node.peers();
    let peers = peers.iter().map(|peer| peer_of(node, peer));
    parent.into_iter().chain(children).chain(peers).collect()
}

fn child_of(node: &Node, child: &ChildView) -> Neighbour {
    let mut link = link(node, &child.scope, state(child.connected, false));
    link.realm = Some(child.realm.to_string());
    if !child.accepted {
        link.error = Some("its certificate is not countersigned yet".to_owned());
    }
    let label = child.label.clone();
    Neighbour {
        summary: PeerSummary {
            name: node.name_of(&child.scope),
            realm: child.realm.to_string(),
            kind: PeerKind::Child,
            link,
            expires_at: child.expires.map(time),
        },
        node: linked(
            node,
            |relation| matches!(relation, realm_router::Relation::Child(linked) if *linked == label),
        ),
        scopes: Vec::new(),
        removal: Removal::Child(child.scope.path.clone()),
    }
}

fn peer_of(node: &Node, peer: &PeerView) -> Neighbour {
    let in_scope = |path: &RealmPath| {
        let path = path.clone();
        node.name_of(&Scope {
            path,
            ..root(peer.root)
        })
    };
    let root = peer.root;
    Neighbour {
        summary: PeerSummary {
            name: peer.petname.to_string(),
            realm: peer.root.to_string(),
            kind: PeerKind::Peer,
            link: peer_link(node, peer),
            expires_at: peer.expires.map(time),
        },
        node: linked(
            node,
            |relation| matches!(relation, realm_router::Relation::Peer(linked) if *linked == root),
        ),
        scopes: peer.scopes.iter().map(in_scope).collect(),
        removal: Removal::Peer(peer.petname.clone()),
    }
}

/// The node at the other end of the link with this relation.
pub(super) fn linked(
    node: &Node,
    is_meant: impl Fn(&realm_router::Relation) -> bool,
) -> Option<String> {
    let links = node.links();
    let found = links
        .iter()
        .find(|link| link.relation.as_ref().is_some_and(&is_meant));
    found.map(|link| link.node.to_string())
}
