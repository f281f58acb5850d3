//! A realm's certificate chain, from its root down to itself.

use super::{ChildCert, Inception, KemRecord, NodeCert, RealmRecord, Signed, Succession};
use crate::wire_map;

wire_map! {
    /// One realm in a chain: who it is, who acts for it, and its parent's word for its name.
    pub struct ChainLink {
        /// Its first record.
        0 => inception: Signed<Inception>,
        /// Its successions, in order.
        1 => successions: Vec<Signed<Succession>>,
        /// The certificate of the node that signs below.
        2 => node_cert: Signed<NodeCert>,
        /// The parent's certificate, with both signatures; absent for a root.
        3 => child_cert: Option<Signed<ChildCert>>,
    }
}

wire_map! {
    /// Proof of a realm's name, checked from the nearest ancestor that the reader trusts.
    pub struct Chain {
        /// The root first, the realm itself last.
        0 => links: Vec<ChainLink>,
        /// Where bodies for the realm are sealed to: its live key, and the next one if near.
        1 => kem: Vec<Signed<KemRecord>>,
        /// Which node serves it.
        2 => realm_record: Signed<RealmRecord>,
    }
}
