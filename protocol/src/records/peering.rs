//! How trees meet: peerings between roots, and the tickets that begin a join.

use super::Record;
use crate::{
    Label, NodeId, RealmId, RealmPath, Secret16, TicketId, Timestamp,
    cbor::{CborError, Reader, Wire, Writer},
    wire_map,
};

wire_map! {
    /// What one root lets in from the other's tree.
    pub struct Admission {
        /// Subtrees of the other's tree whose messages are let in; `[""]` is all of it.
        0 => scopes: Vec<RealmPath>,
        /// Messages a second.
        1 => rate: u64,
        /// Messages at once.
        2 => burst: u64,
    }
}

wire_map! {
    /// Two roots agree on what passes between their trees. The inviter signs first.
    pub struct Peering {
        /// Number among the inviter's peerings; what a revocation by the inviter names.
        0 => serial: u64,
        /// The root that invited.
        1 => inviter: RealmId,
        /// The root that accepted.
        2 => acceptor: RealmId,
        /// What the inviter lets in from the acceptor's tree.
        3 => from_inviter: Admission,
        /// What the acceptor lets in from the inviter's tree.
        4 => from_acceptor: Admission,
        /// Not valid before.
        5 => not_before: Timestamp,
        /// Not valid from.
        6 => not_after: Timestamp,
        /// The inviter's node that signs, under its `issue` scope.
        7 => inviter_node: NodeId,
        /// The acceptor's node that signs, under its `issue` scope.
        8 => acceptor_node: NodeId,
    }
}

impl Record for Peering {
    const TAGS: &'static [&'static str] = &["realm/1/peering", "realm/1/peering-accept"];
}

/// What a ticket invites to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketKind {
    /// To become the child with this label.
    Child(Label),
    /// To become a peer; the label is what the inviter would like to be called.
    Peer(Label),
}

impl Wire for TicketKind {
    fn write(&self, out: &mut Writer) {
        let (kind, label) = match self {
            Self::Child(label) => (1, label),
            Self::Peer(label) => (2, label),
        };
        out.array(2);
        out.uint(kind);
        label.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.array_of(2, "a ticket kind")?;
        let (kind, label) = (from.uint()?, Label::read(from)?);
        match kind {
            1 => Ok(Self::Child(label)),
            2 => Ok(Self::Peer(label)),
            _ => Err(CborError::Expected("a ticket kind")),
        }
    }
}

wire_map! {
    /// What `invite` prints, in its text form, and `join` takes.
    pub struct Ticket {
        /// The invitation.
        0 => id: TicketId,
        /// Proves that the joiner was invited. Worth nothing after the last use.
        1 => secret: Secret16,
        /// What it invites to.
        2 => kind: TicketKind,
        /// The inviting realm.
        3 => realm: RealmId,
        /// The root of its tree; a joining child pins it.
        4 => root: RealmId,
        /// Where the inviter stands below its root.
        5 => path: RealmPath,
        /// What the inviter calls its root.
        6 => petname: Label,
        /// The inviter's node: the only one to be believed at the addresses below.
        7 => node: NodeId,
        /// Addresses of that node as multiaddr text, the best first.
        8 => addresses: Vec<String>,
        /// Not valid from.
        9 => expires: Timestamp,
    }
}
