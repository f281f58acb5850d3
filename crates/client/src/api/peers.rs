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
    /// Its id; empty where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub realm: String,
    /// How it is next to this one.
    pub kind: PeerKind,
    /// How the link stands.
    pub link: LinkView,
    /// When its certificate or peering ends, unless renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// A realm next to this one, in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerDetail {
    /// The realm.
    #[serde(flatten)]
    pub summary: PeerSummary,
    /// Id of the node at the other end of the link, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Of a peer: the realms of its tree whose messages are let in, with all below them.
    #[serde(default)]
    pub scopes: Vec<String>,
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
    /// Id of the node that serves it, where it is this realm or one with a live link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When its certificate or peering ends, unless renewed; of this realm and those next to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Loops registered; only of this realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loops: Option<u64>,
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
    /// Whether a live link was closed.
    pub link_closed: bool,
}
