//! What people approve before it is done.

use std::{fmt, str::FromStr};

use super::Record;
use crate::{
    ApprovalId, CallId, Digest, NodeId, RealmId, RunId, Scope, Timestamp,
    cbor::{self, numbered},
    wire_map,
};

numbered! {
    /// What a person may do in a realm.
    Role ("a known role") {
        /// See everything, change nothing.
        Viewer = 1,
        /// Run loops, and say how runs go on.
        Operator = 2,
        /// Approve what asks for a person.
        Approver = 3,
        /// Everything.
        Owner = 4,
    }
}

impl Role {
    /// The role's name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a role.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a role: viewer, operator, approver or owner")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let mut known = Self::ALL.iter().copied();
        known.find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

wire_map! {
    /// Exactly what a person is asked to approve. Key 8 is reserved: what it may spend.
    pub struct ApprovalAction {
        /// The realm that asks.
        0 => realm: RealmId,
        /// The run that waits.
        1 => run: RunId,
        /// Its frame that has not begun.
        2 => frame: CallId,
        /// The loop, with its realm where that is another one.
        3 => loop_id: String,
        /// The version; of a loop of another realm, the one asked for.
        4 => version: Option<String>,
        /// The revision of a loop of this realm.
        5 => revision: Option<Digest>,
        /// The contract, where it is known.
        6 => contract: Option<Digest>,
        /// SHA-256 of the input's canonical JSON.
        7 => input: Digest,
        /// The place of the realm that is to do it, where that is another one.
        9 => callee: Option<Scope>,
    }
}

impl ApprovalAction {
    /// Domain of the digests that actions are named by.
    const TAG: &'static [u8] = b"realm/1/approval-action\0";

    /// What names exactly this action.
    pub fn digest(&self) -> Digest {
        Digest::of(&[Self::TAG, &cbor::encode(self)])
    }
}

numbered! {
    /// What a person says about an action.
    ApprovalVerdict ("a known verdict") {
        /// It may be done.
        Granted = 1,
        /// It may not.
        Denied = 2,
    }
}

wire_map! {
    /// What a person has said about one action. It is worth something once, for that action alone.
    pub struct Approval {
        /// The request that it answers.
        0 => id: ApprovalId,
        /// The action.
        1 => action: ApprovalAction,
        /// What they say.
        2 => verdict: ApprovalVerdict,
        /// Who says so.
        3 => person: String,
        /// The roles that they had then, ascending.
        4 => roles: Vec<Role>,
        /// Why, as they say.
        5 => reason: Option<String>,
        /// When they said so.
        6 => decided: Timestamp,
        /// Not valid from.
        7 => expires: Timestamp,
        /// The realm's node that signs.
        8 => node: NodeId,
    }
}

impl Record for Approval {
    const TAGS: &'static [&'static str] = &["realm/1/approval"];
}
