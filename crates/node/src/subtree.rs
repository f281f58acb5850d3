//! What the realms above permit here, and what this realm permits the realms below.

use realm_crypto::verify;
use realm_protocol::{
    Scope,
    journal::Table,
    limits,
    records::{Petname, PolicyRecord, Signed},
};

use crate::{
    Node, Refused,
    state::{self, StoredCeiling, standing},
};

/// Bytes of a policy record beside its Cedar text and its petnames, at most.
const FRAME_BYTES: usize = 512;
/// Bytes of a petname in a policy record beside its name, at most.
const PETNAME_BYTES: usize = 48;

impl Node {
    pub(crate) fn take_policies(&mut self, policies: &[Signed<PolicyRecord>]) {
        let mut news = false;
        for record in policies {
            news |= self.take_policy(record);
        }
        if news {
            self.share_policies();
        }
    }

    /// Takes a policy record of a realm above, if it is newer than the one held. One that does
    /// not compile is taken too: until a better one comes, everything is denied.
    fn take_policy(&mut self, record: &Signed<PolicyRecord>) -> bool {
        let (Some(chain), Ok(claimed)) = (self.me.chain(), record.peek()) else {
            return false;
        };
        let above = |realm| realm == claimed.realm && realm != self.me.realm();
        let mut ancestors = chain.ancestors().iter();
        let Some(ancestor) = ancestors.find(|ancestor| above(ancestor.realm)) else {
            self.counters.refuse(Refused::Certificate);
            return false;
        };
        let Ok(policy) = verify(record, &[*ancestor.node.as_bytes()]) else {
            self.counters.refuse(Refused::Signature);
            return false;
        };
        let depth = ancestor.path.depth();
        let scope = Scope {
            root: self.me.root(),
            path: ancestor.path.clone(),
        };
        let held = self.rules.ceiling_number(&scope, policy.realm);
        if !ancestor.issue || held.is_some_and(|held| policy.number <= held) {
            return false;
        }
        let ceiling = StoredCeiling {
            record: record.clone(),
            scope,
        };
        let row = state::write(&ceiling);
        if let Err(problems) = self.rules.set_ceiling(ceiling, &policy) {
            tracing::warn!(
                ?problems,
                depth,
                "a policy from above does not compile: everything is denied until a better one comes"
            );
        }
        let key = [u8::try_from(depth).unwrap_or(u8::MAX)];
        self.put(Table::Ceilings, &key, row);
        true
    }

    /// The word of every realm above for its subtree, and then this realm's own.
    pub(crate) fn policies_for_children(&self) -> impl Iterator<Item = &Signed<PolicyRecord>> {
        self.policies_above().chain(&self.kin.policy)
    }

    /// The word of every realm above for its subtree, the root's first.
    pub(crate) fn policies_above(&self) -> impl Iterator<Item = &Signed<PolicyRecord>> {
        self.rules.ceilings().map(|ceiling| &ceiling.record)
    }

    /// Signs this realm's word for the realms below anew, if it has changed or a number given
    /// out before may have been forgotten. One too long to be read keeps the old in force.
    pub(crate) fn publish_policy(&mut self) {
        let held = self.kin.policy.as_ref();
        let held = held.and_then(|record| record.peek().ok());
        let cedar = self.rules.subtree_text();
        let petnames = self.petnames_for_subtree(cedar.len());
        let current = held.as_ref().is_some_and(|held| {
            held.number >= self.kin.least && held.cedar == cedar && held.petnames == petnames
        });
        if current {
            return;
        }
        let bytes = cedar.len();
        let mut record = Signed::unsigned(&PolicyRecord {
            realm: self.me.realm(),
            number: held
                .map_or(1, |held| held.number.saturating_add(1))
                .max(self.kin.least),
            cedar,
            petnames,
            created: self.wall(),
            node: self.me.node(),
            above: self
                .rules
                .ceilings()
                .last()
                .map(|ceiling| ceiling.record.digest()),
        });
        if bytes > limits::POLICY_BYTES || record.payload.len() > limits::RECORD_BYTES {
            tracing::warn!(
                bytes,
                limit = limits::POLICY_BYTES,
                "the policies for the subtree are too long to publish: the realms below keep the old"
            );
            return;
        }
        self.me.signer().sign(&mut record);
        let row = state::write(&record);
        self.put(Table::Standing, standing::POLICY, row);
        self.kin.policy = Some(record);
        self.share_policies();
    }

    /// The petnames that a policy record with so many bytes of Cedar has room for: first those of
    /// peers, whom the realms below can reach.
    fn petnames_for_subtree(&self, cedar: usize) -> Vec<Petname> {
        let pinned = || self.kin.petnames.iter();
        let peers = pinned().filter(|(_, root)| self.kin.peers.contains_key(root));
        let others = pinned().filter(|(_, root)| !self.kin.peers.contains_key(root));
        let mut room = limits::RECORD_BYTES.saturating_sub(cedar.saturating_add(FRAME_BYTES));
        let fitting = peers.chain(others).take(limits::PETNAMES);
        let fitting = fitting.take_while(|(name, _)| {
            let bytes = name.as_str().len().saturating_add(PETNAME_BYTES);
            let fits = room >= bytes;
            room = room.saturating_sub(bytes);
            fits
        });
        fitting
            .map(|(name, root)| Petname {
                name: name.clone(),
                root: *root,
            })
            .collect()
    }
}
