//! What a daemon says about itself.

use super::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A realm, as named here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealmView {
    /// Petname of its root and path: `acme/health`.
    pub name: String,
    /// Its id; empty where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Id of its tree's root.
    pub root: String,
    /// What this machine calls that root.
    pub petname: String,
    /// Path below the root; empty for a root.
    pub path: String,
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LinkState {
    /// The link is up.
    Connected,
    /// Being dialled, or waiting to be.
    Connecting,
    /// Down, and the other side dials.
    Offline,
    /// Cut for good.
    Revoked,
}

impl LinkState {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Offline => "offline",
            Self::Revoked => "revoked",
        }
    }
}

/// A realm this one has a link with, or should have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkView {
    /// Its name here.
    pub name: String,
    /// Its id, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// How the link stands.
    pub state: LinkState,
    /// Why it is not connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Children in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildCounts {
    /// With a valid certificate.
    pub certified: u64,
    /// With a live link.
    pub connected: u64,
}

/// Calls in flight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallCounts {
    /// Called here, run elsewhere.
    pub outgoing: u64,
    /// Run here, whoever called.
    pub incoming: u64,
}

/// A certificate or key that will expire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expiry {
    /// What it is: `node certificate`, `child certificate from acme`, `peering with lab`.
    pub name: String,
    /// When it is no longer valid.
    pub not_after: Time,
    /// When it is renewed by itself; none if a person must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_at: Option<Time>,
}

/// How the store stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StoreState {
    /// Writes become durable.
    Ok,
    /// A write failed; nothing is promised any more until a restart.
    Failed,
}

impl StoreState {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

/// The store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreView {
    /// Its engine: `redb`.
    pub engine: String,
    /// How it stands.
    pub state: StoreState,
    /// Bytes on disk.
    pub bytes: u64,
    /// Last durable journal position.
    pub last_seq: u64,
    /// Whether it came out of a backup.
    pub restored: bool,
    /// What failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where the realm stands now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The realm.
    pub realm: RealmView,
    /// Id of the node that serves it.
    pub node: String,
    /// Version of the daemon.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// When it started.
    pub started_at: Time,
    /// Milliseconds since.
    pub uptime_ms: u64,
    /// Addresses it listens on, as multiaddr text.
    #[serde(default)]
    pub listen: Vec<String>,
    /// Folder of its data.
    pub data_dir: String,
    /// Socket of this API.
    pub socket: String,
    /// Whether its owner halted it.
    pub halted: bool,
    /// Its parent; none for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<LinkView>,
    /// Its children.
    pub children: ChildCounts,
    /// Roots it is peered with.
    #[serde(default)]
    pub peers: Vec<LinkView>,
    /// Loops registered.
    pub loops: u64,
    /// Calls in flight.
    pub calls: CallCounts,
    /// What expires, the soonest first.
    #[serde(default)]
    pub certificates: Vec<Expiry>,
    /// The store.
    pub store: StoreView,
    /// What was refused since the start, by reason.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

/// What the daemon is, apart from its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// The realm.
    pub realm: RealmView,
    /// Id of the node that serves it.
    pub node: String,
    /// Version of the daemon.
    pub version: String,
    /// Wire versions it speaks, the newest first.
    #[serde(default)]
    pub wire_versions: Vec<u64>,
    /// Operating system and processor: `linux-x86_64`.
    pub platform: String,
    /// The realm's folder.
    pub home: String,
    /// Kinds of backends it can call.
    #[serde(default)]
    pub backends: Vec<String>,
    /// Addresses it gives to others, the best first.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Its limits, by name.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
}

/// Whether the process answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Version of the daemon.
    pub version: String,
}

/// Whether the realm can serve calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Whether it can.
    pub ready: bool,
    /// Why not.
    #[serde(default)]
    pub reasons: Vec<String>,
}
