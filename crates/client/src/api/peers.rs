//! Realms next to this one, and the trees they stand in.

use super::{LinkState, LinkView, RealmView, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a realm is next to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PeerKind {
    /// It certified this realm.
    Parent,
    /// This realm certified it.
    Child,
    /// Both are roots and signed a peering.
    Peer,
}

impl PeerKind {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Child => "child",
            Self::Peer => "peer",
        }
    }
}

/// A realm next to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerSummary {
    /// Its name here.
    pub name: String,
    /// Its id.
    pub realm: String,
    /// How it is next to this one.
    pub kind: PeerKind,
    /// How the link stands.
    pub link: LinkView,
    /// When its certificate or peering ends, unless renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Last round trip, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_micros: Option<u64>,
}

/// A realm next to this one, in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerDetail {
    /// The realm.
    #[serde(flatten)]
    pub summary: PeerSummary,
    /// Id of the node that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Addresses known of it, the best first.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Realms here that it may address.
    #[serde(default)]
    pub grants: Vec<String>,
    /// Realms there that may be addressed from here.
    #[serde(default)]
    pub granted: Vec<String>,
    /// Serial of its certificate or peering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// Since when that is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Messages sent to it since the link is up.
    pub sent: u64,
    /// Messages received from it since.
    pub received: u64,
}

/// An answered ping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pong {
    /// The realm's name here.
    pub name: String,
    /// Its id.
    pub realm: String,
    /// Round trip, microseconds.
    pub round_trip_micros: u64,
    /// Realms on the way, from here to there.
    #[serde(default)]
    pub hops: Vec<String>,
}

/// A realm in a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealmNode {
    /// Its name here.
    pub name: String,
    /// Its last label; of a root, its petname.
    pub label: String,
    /// Its id, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it is this realm.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// How the link with it stands; none where there should be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<LinkState>,
    /// When its certificate ends, unless renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Its children, as far as known here.
    #[serde(default)]
    #[schema(no_recursion)]
    pub children: Vec<RealmNode>,
}

/// All trees known here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealmForest {
    /// One a root, this realm's own first.
    #[serde(default)]
    pub trees: Vec<RealmNode>,
}

/// A realm, as far as known here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealmDetail {
    /// The realm.
    pub realm: RealmView,
    /// How the link with it stands; none where there should be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<LinkState>,
    /// Id of the node that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What proves it, the root first.
    #[serde(default)]
    pub chain: Vec<CertificateView>,
    /// Loops visible to this realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loops: Option<u64>,
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateView {
    /// The realm it certifies.
    pub name: String,
    /// That realm's id.
    pub id: String,
    /// Its serial.
    pub serial: u64,
    /// Since when it is valid.
    pub not_before: Time,
    /// When it ends.
    pub not_after: Time,
}

/// Why a child or peer is cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeRequest {
    /// For the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was cut off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The realm's name here.
    pub name: String,
    /// Its id.
    pub realm: String,
    /// The serial now revoked.
    pub serial: u64,
    /// Whether a live link was closed.
    pub link_closed: bool,
}
