//! What the daemon says about itself.

use std::{collections::BTreeMap, path::Path};

use axum::response::{IntoResponse as _, Response};
use realm_client::{
    api::{
        CallCounts, ChildCounts, Doctor, Expiry, Health, Info, LinkState, LinkView, Problem, Ready,
        Status, StoreState, StoreView, Time,
    },
    catalogue::Code,
};
use realm_node::{Counters, Node, StandingView};
use realm_protocol::{Scope, Timestamp, limits};

use super::{
    Answer, Shared,
    problem::Fail,
    views::{own_realm, root, time},
};
use crate::{addresses, daemon::Daemon, doctor};

/// Version of the daemon.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn status(daemon: Shared) -> Answer<Status> {
    let view = daemon.handle.read(NodeStatus::of).await?;
    let store = store_view(&daemon);
    let now = daemon.clock.now().wall;
    let config = daemon.config();
    let listening: Vec<String> = daemon
        .listening
        .borrow()
        .iter()
        .map(ToString::to_string)
        .collect();
    Ok(axum::Json(Status {
        realm: view.realm,
        node: view.standing.node.to_string(),
        version: VERSION.to_owned(),
        pid: std::process::id(),
        started_at: time(daemon.started),
        uptime_ms: now.since(daemon.started),
        listen: if listening.is_empty() {
            config
                .config
                .listen
                .iter()
                .map(ToString::to_string)
                .collect()
        } else {
            listening
        },
        data_dir: daemon.home.data().display().to_string(),
        socket: daemon.home.socket().display().to_string(),
        halted: view.halted,
        parent: view.parent,
        children: view.children,
        peers: view.peers,
        loops: view.loops,
        calls: calls(&view.standing),
        certificates: view.certificates,
        store,
        counters: counters(&view.counters),
    }))
}

/// What the status takes from the node, in one look.
struct NodeStatus {
    realm: realm_client::api::RealmView,
    standing: StandingView,
    halted: bool,
    parent: Option<LinkView>,
    children: ChildCounts,
    peers: Vec<LinkView>,
    loops: u64,
    certificates: Vec<Expiry>,
    counters: Counters,
}

impl NodeStatus {
    fn of(node: &Node) -> Self {
        let standing = node.standing();
        let children = node.children();
        let certified = children.iter().filter(|child| child.accepted).count();
        let connected = children.iter().filter(|child| child.connected).count();
        Self {
            realm: own_realm(node),
            halted: node.is_halted(),
            parent: parent_link(node, &standing),
            children: ChildCounts {
                certified: certified as u64,
                connected: connected as u64,
            },
            peers: node
                .peers()
                .iter()
                .map(|peer| peer_link(node, peer))
                .collect(),
            loops: node.registry().iter().count() as u64,
            certificates: certificates(node, &standing),
            counters: node.counters().clone(),
            standing,
        }
    }
}

/// The link with the parent; none for a root.
pub(super) fn parent_link(node: &Node, standing: &StandingView) -> Option<LinkView> {
    let (scope, connected) = standing.parent.as_ref()?;
    Some(LinkView {
        error: standing.turned_away.clone().filter(|_| !connected),
        ..link(node, scope, state(*connected, true))
    })
}

/// The link with a peer.
pub(super) fn peer_link(node: &Node, peer: &realm_node::PeerView) -> LinkView {
    LinkView {
        name: peer.petname.to_string(),
        error: peer.turned_away.clone().filter(|_| !peer.connected),
        ..link(node, &root(peer.root), state(peer.connected, peer.dialled))
    }
}

/// A link by its other end's place.
pub(super) fn link(node: &Node, scope: &Scope, state: LinkState) -> LinkView {
    LinkView {
        name: node.name_of(scope),
        realm: scope.path.is_root().then(|| scope.root.to_string()),
        state,
        error: None,
    }
}

/// How a link stands that this side dials, or waits for.
pub(super) const fn state(connected: bool, dialled: bool) -> LinkState {
    match (connected, dialled) {
        (true, _) => LinkState::Connected,
        (false, true) => LinkState::Connecting,
        (false, false) => LinkState::Offline,
    }
}

fn calls(standing: &StandingView) -> CallCounts {
    CallCounts {
        outgoing: standing.calls_out as u64,
        incoming: standing.calls_in as u64,
    }
}

/// What runs out, the soonest first.
fn certificates(node: &Node, standing: &StandingView) -> Vec<Expiry> {
    let mut all = Vec::new();
    let mut add = |name: String, not_after: Option<Timestamp>, renewed_before: u64| {
        let Some(not_after) = not_after else { return };
        all.push(Expiry {
            name,
            not_after: time(not_after),
            renews_at: Some(time(not_after.minus(renewed_before))),
        });
    };
    let node_renewal = limits::NODE_CERT_MS - limits::NODE_WARN_MS;
    add(
        "node certificate".to_owned(),
        standing.node_cert_expires,
        node_renewal,
    );
    if let Some((parent, _)) = &standing.parent {
        let name = format!("child certificate from {}", node.name_of(parent));
        add(
            name,
            standing.chain_expires,
            limits::CHILD_CERT_MS - limits::CHILD_RENEW_MS,
        );
    }
    for peer in node.peers() {
        let Some(not_after) = peer.expires else {
            continue;
        };
        all.push(Expiry {
            name: format!("peering with {}", peer.petname),
            not_after: time(not_after),
            renews_at: None,
        });
    }
    all.sort_by_key(|expiry| expiry.not_after);
    all
}

fn counters(counters: &Counters) -> BTreeMap<String, u64> {
    let refused = counters.refused.iter();
    refused
        .map(|(reason, count)| (reason.name().to_owned(), *count))
        .collect()
}

fn store_view(daemon: &Daemon) -> StoreView {
    let durability = daemon.durability.borrow().clone();
    StoreView {
        engine: daemon.config().config.store.engine.to_string(),
        state: match durability.failed {
            None => StoreState::Ok,
            Some(_) => StoreState::Failed,
        },
        bytes: folder_bytes(&daemon.home.data()),
        last_seq: durability.durable.0,
        restored: daemon.store.restored().unwrap_or(false),
        error: durability.failed.map(|error| error.to_string()),
    }
}

/// Bytes of the files in a folder.
pub(super) fn folder_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|found| found.len())
        .sum()
}

pub(super) async fn info(daemon: Shared) -> Answer<Info> {
    let (realm, node) = daemon
        .handle
        .read(|node| (own_realm(node), node.standing().node.to_string()))
        .await?;
    let config = daemon.config();
    let bounds = &config.config.limits;
    let addresses = addresses::for_tickets(&config.config.advertise, &daemon.listening.borrow());
    Ok(axum::Json(Info {
        realm,
        node,
        version: VERSION.to_owned(),
        wire_versions: (limits::WIRE_OLDEST..=limits::WIRE_VERSION).collect(),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        home: daemon.home.dir().display().to_string(),
        backends: ["builtin", "http", "mock", "process"]
            .map(str::to_owned)
            .to_vec(),
        addresses,
        limits: BTreeMap::from([
            ("callTimeoutMs".to_owned(), bounds.call_timeout_ms),
            ("connections".to_owned(), bounds.connections as u64),
            ("maxCalls".to_owned(), bounds.max_calls as u64),
            (
                "maxCallsPerPeer".to_owned(),
                bounds.max_calls_per_peer as u64,
            ),
            ("maxMemory".to_owned(), bounds.max_memory as u64),
        ]),
    }))
}

pub(super) async fn health() -> axum::Json<Health> {
    axum::Json(Health {
        status: "ok".to_owned(),
        version: VERSION.to_owned(),
    })
}

pub(super) async fn ready(daemon: Shared) -> Result<Response, Fail> {
    let chain = daemon
        .handle
        .read(|node| node.standing().chain_expires)
        .await?;
    let now: Time = time(daemon.clock.now().wall);
    let mut reasons = Vec::new();
    if daemon.durability.borrow().failed.is_some() {
        reasons.push("the store has failed".to_owned());
    }
    if chain.is_none_or(|expires| time(expires) <= now) {
        reasons.push("the realm's certificates do not stand".to_owned());
    }
    if daemon.listening.borrow().is_empty() && !daemon.config().config.listen.is_empty() {
        reasons.push("no address is listened on".to_owned());
    }
    if reasons.is_empty() {
        let ready = true;
        return Ok(axum::Json(Ready { ready, reasons }).into_response());
    }
    Err(Problem::new(Code::NotReady, reasons.join("; "))
        .with_hint("realmctl doctor")
        .into())
}

pub(super) async fn doctor(daemon: Shared) -> Answer<Doctor> {
    Ok(axum::Json(doctor::examine(&daemon).await?))
}
