//! Inviting and joining.

use super::{RealmView, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum InviteKind {
    /// To become a child of this realm.
    Child,
    /// To become a peer of this root.
    Peer,
}

impl InviteKind {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Child => "child",
            Self::Peer => "peer",
        }
    }
}

/// Whom to invite, and to what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TicketRequest {
    /// What the invitation is for.
    pub kind: InviteKind,
    /// The child's label; for a peer, the name proposed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Loops the joiner may invoke, `loop` or `pattern*`; each becomes a policy when it joins.
    #[serde(default)]
    pub allow: Vec<String>,
    /// How often it can be used; once unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// How long it is good, milliseconds; 24 hours unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// What this realm would like its root to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub petname: Option<String>,
}

/// An open invitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketIssued {
    /// Its text; holds a secret.
    pub ticket: String,
    /// Its id.
    pub id: String,
    /// What it is for.
    pub kind: InviteKind,
    /// The label it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How often it can be used.
    pub uses: u32,
    /// When it is no longer good.
    pub expires_at: Time,
    /// Addresses of this realm in it, the best first.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// A ticket, redeemed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinRequest {
    /// The ticket's text.
    pub ticket: String,
    /// What to call the inviter's root here, if not as it proposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub petname: Option<String>,
    /// Loops here that the inviter may invoke; for peers.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// What was joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// As what.
    pub kind: InviteKind,
    /// This realm, as it is named now.
    pub realm: RealmView,
    /// The parent or the peer.
    pub with: RealmView,
    /// When the certificate or peering ends, unless renewed.
    pub expires_at: Time,
    /// Ids of the policies that were added.
    #[serde(default)]
    pub policies: Vec<String>,
}
