//! What a parent signs for the realms below it.

use super::Record;
use crate::{Digest, Label, NodeId, RealmId, Timestamp, wire_map};

wire_map! {
    /// What a parent lets a child's link carry.
    #[derive(Copy)]
    pub struct ChildLimits {
        /// Messages a second.
        0 => rate: u64,
        /// Messages at once.
        1 => burst: u64,
        /// Whether the child may certify children of its own.
        2 => may_certify: bool,
    }
}

wire_map! {
    /// A parent certifies a child by name; the child countersigns.
    pub struct ChildCert {
        /// Number among the parent's child certificates; what a revocation names.
        0 => serial: u64,
        /// The parent.
        1 => parent: RealmId,
        /// The child's label under the parent.
        2 => label: Label,
        /// The child.
        3 => child: RealmId,
        /// Not valid before.
        4 => not_before: Timestamp,
        /// Not valid from.
        5 => not_after: Timestamp,
        /// The parent's node that signs first, under its `issue` scope.
        6 => parent_node: NodeId,
        /// The child's node that countersigns, under its `issue` scope.
        7 => child_node: NodeId,
        /// What the link may carry.
        8 => limits: ChildLimits,
        /// Rises with every certificate for the same label.
        9 => epoch: u64,
    }
}

impl Record for ChildCert {
    const TAGS: &'static [&'static str] = &["realm/1/child-cert", "realm/1/child-cert-accept"];
}

wire_map! {
    /// The serials a realm has revoked among its certificates for children and peers.
    pub struct RevocationList {
        /// The realm.
        0 => realm: RealmId,
        /// Rises with every change.
        1 => number: u64,
        /// Revoked serials, ascending; an expired certificate's serial is left out.
        2 => serials: Vec<u64>,
        /// When it was made.
        3 => created: Timestamp,
        /// The node that signs, under its `issue` scope.
        4 => node: NodeId,
    }
}

impl Record for RevocationList {
    const TAGS: &'static [&'static str] = &["realm/1/revocations"];
}

wire_map! {
    /// What a root is called on the parent's machine.
    pub struct Petname {
        /// The name.
        0 => name: Label,
        /// The root.
        1 => root: RealmId,
    }
}

wire_map! {
    /// A realm's policy for its subtree, pushed down with the certificates.
    pub struct PolicyRecord {
        /// The realm.
        0 => realm: RealmId,
        /// Rises with every change.
        1 => number: u64,
        /// Cedar policies; all of them permit or the subtree may not.
        2 => cedar: String,
        /// Roots this realm's tree knows by name.
        3 => petnames: Vec<Petname>,
        /// When it was made.
        4 => created: Timestamp,
        /// The node that signs, under its `issue` scope.
        5 => node: NodeId,
        /// Digest of the policy record one level up that it was made under, if any.
        6 => above: Option<Digest>,
    }
}

impl Record for PolicyRecord {
    const TAGS: &'static [&'static str] = &["realm/1/policy"];
}
