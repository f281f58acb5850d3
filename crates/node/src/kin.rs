//! The realms this one is bound to: parent, children, peers, open invitations, petnames.

use std::collections::BTreeMap;

use realm_protocol::{
    Label, RealmId, RealmName, RealmPath, Scope, TicketId, Timestamp,
    records::{Admission, PolicyRecord, Signed},
};

use crate::{
    Refusal,
    state::{ChildRecord, ParentRecord, PeerRecord, TicketRecord},
};

/// Everything that binds this realm to others, as stored.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    pub(crate) parent: Option<ParentRecord>,
    pub(crate) children: BTreeMap<Label, ChildRecord>,
    pub(crate) peers: BTreeMap<RealmId, PeerRecord>,
    pub(crate) tickets: BTreeMap<TicketId, TicketRecord>,
    /// Petnames pinned on this machine.
    pub(crate) petnames: BTreeMap<Label, RealmId>,
    /// This realm's word for every realm below, signed.
    pub(crate) policy: Option<Signed<PolicyRecord>>,
    /// Last serial given to a certificate or peering.
    pub(crate) serial: u64,
    /// Serials that this realm has revoked, with when their certificates have run out for sure.
    pub(crate) revoked: BTreeMap<u64, Timestamp>,
    /// Least number of what is signed from here on: a store that was restored, or has lost a
    /// record, does not know which numbers the world has seen.
    pub(crate) least: u64,
}

impl Kin {
    /// The root that has this petname, pinned here or given from above.
    pub(crate) fn root_called(
        &self,
        name: &Label,
        above: &[(Label, RealmId)],
    ) -> Result<RealmId, Refusal> {
        let given = || {
            above
                .iter()
                .find(|(given, _)| given == name)
                .map(|(_, root)| *root)
        };
        self.petnames
            .get(name)
            .copied()
            .or_else(given)
            .ok_or_else(|| {
                let known = self
                    .petnames
                    .keys()
                    .chain(above.iter().map(|(name, _)| name));
                let mut known: Vec<Label> = known.cloned().collect();
                known.sort();
                known.dedup();
                Refusal::UnknownPetname {
                    name: name.clone(),
                    known,
                }
            })
    }

    /// What a root is called here; its id's text where it has no name.
    pub(crate) fn name_of(&self, scope: &Scope, above: &[(Label, RealmId)]) -> String {
        let pinned = self.petnames.iter().find(|(_, root)| **root == scope.root);
        let pinned = pinned.map(|(name, _)| name);
        // A name that is pinned here means another root here, whatever it means above.
        let mut given = above
            .iter()
            .filter(|(name, _)| !self.petnames.contains_key(name));
        let name = pinned.or_else(|| {
            given
                .find(|(_, root)| *root == scope.root)
                .map(|(name, _)| name)
        });
        match name {
            Some(name) => RealmName {
                petname: name.clone(),
                path: scope.path.clone(),
            }
            .to_string(),
            None => scope.to_string(),
        }
    }

    /// The petname of a root pinned here.
    pub(crate) fn petname_of(&self, root: RealmId) -> Option<&Label> {
        self.petnames
            .iter()
            .find(|(_, pinned)| **pinned == root)
            .map(|(name, _)| name)
    }

    /// What this realm lets in from a peer.
    pub(crate) fn admission_of(&self, me: RealmId, peer: RealmId) -> Option<Admission> {
        let peering = self.peers.get(&peer)?.peering.peek().ok()?;
        Some(if peering.inviter == me {
            peering.from_inviter
        } else {
            peering.from_acceptor
        })
    }

    /// The scopes of a peer's tree whose messages are let in.
    pub(crate) fn peer_scopes(&self, me: RealmId, peer: RealmId) -> Vec<RealmPath> {
        let admission = self.admission_of(me, peer);
        admission.map_or_else(Vec::new, |admission| admission.scopes)
    }
}
