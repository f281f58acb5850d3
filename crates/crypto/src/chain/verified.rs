//! The proof that a chain holds.

use std::{fmt, sync::Arc};

use realm_protocol::{
    NodeId, Place, RealmId, RealmPath, Timestamp,
    cbor::Blob,
    limits,
    records::{Chain, ChildCert, ChildLimits, KemRecord, NodeCert},
};

use crate::{ed25519::PublicKey, record::CertError};

/// A chain that [`crate::verify_chain`] found good. Cheap to clone.
#[derive(Clone)]
pub struct VerifiedChain {
    place: Place,
    node: NodeId,
    realm: RealmId,
    proof: Arc<Proof>,
}

/// One realm on a verified chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// The realm.
    pub realm: RealmId,
    /// Where it stands below the root.
    pub path: RealmPath,
    /// The node that signs for it.
    pub node: NodeId,
    /// Whether that node may sign certificates, revocations and policy records.
    pub issue: bool,
}

/// What verification learned.
pub(super) struct Proof {
    pub(super) root: RealmId,
    /// The node's key, taken up; none if it is no key that anything is believed for.
    pub(super) key: Option<PublicKey>,
    pub(super) ancestors: Vec<Ancestor>,
    pub(super) terms: Vec<Term>,
    pub(super) kem: Vec<KemRecord>,
    pub(super) stored_kem: Vec<KemRecord>,
    pub(super) epoch: u64,
    pub(super) scopes: u64,
    pub(super) limits: Option<ChildLimits>,
    pub(super) chain: Arc<Chain>,
    pub(super) bytes: Blob,
}

/// How long one certificate counts, and what undoes it sooner.
pub(super) struct Term {
    not_before: Timestamp,
    not_after: Timestamp,
    /// Issuer and serial, where the issuer can revoke it.
    serial: Option<(RealmId, u64)>,
}

impl Term {
    pub(super) fn of_node(cert: &NodeCert) -> Self {
        Self {
            not_before: cert.not_before,
            not_after: cert.not_after,
            serial: None,
        }
    }

    pub(super) fn of_child(cert: &ChildCert) -> Self {
        Self {
            not_before: cert.not_before,
            not_after: cert.not_after,
            serial: Some((cert.parent, cert.serial)),
        }
    }

    fn check(
        &self,
        now: Timestamp,
        revoked: &dyn Fn(RealmId, u64) -> bool,
    ) -> Result<(), CertError> {
        if now.plus(limits::CLOCK_SKEW_MS) < self.not_before {
            return Err(CertError::NotYetValid);
        }
        if now >= self.not_after {
            return Err(CertError::Expired);
        }
        match self.serial {
            Some((issuer, serial)) if revoked(issuer, serial) => {
                Err(CertError::Revoked { issuer, serial })
            }
            _ => Ok(()),
        }
    }
}

impl VerifiedChain {
    /// Takes a proof with at least one realm in it.
    pub(super) fn new(proof: Proof) -> Option<Self> {
        let leaf = proof.ancestors.last()?;
        let (realm, node) = (leaf.realm, leaf.node);
        let place = Place {
            root: proof.root,
            path: leaf.path.clone(),
            realm: Some(realm),
            node: Some(node),
        };
        Some(Self {
            place,
            node,
            realm,
            proof: Arc::new(proof),
        })
    }

    /// Gives the realm's place, with root, path, realm and node.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Gives the node that serves the realm.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Gives the node's key, ready for signatures of messages; none if it is of no use.
    pub(crate) fn key(&self) -> Option<&PublicKey> {
        self.proof.key.as_ref()
    }

    /// Gives the realm.
    pub fn realm(&self) -> RealmId {
        self.realm
    }

    /// Gives the root of the realm's tree.
    pub fn root(&self) -> RealmId {
        self.place.root
    }

    /// Gives the realm's path below its root.
    pub fn path(&self) -> &RealmPath {
        &self.place.path
    }

    /// Gives the realm's keys for live messages that had not run out when it was verified.
    pub fn kem(&self) -> &[KemRecord] {
        &self.proof.kem
    }

    /// Gives the key to seal to: the newest that is valid. A receiver's clock may be ahead, so
    /// one about to become valid serves where there is no other.
    pub fn kem_at(&self, now: Timestamp) -> Option<&KemRecord> {
        newest(self.kem(), now)
    }

    /// Gives the realm's keys for messages that its parent may keep, as far as they had not run
    /// out when it was verified. A realm that shows one asks for messages to be kept.
    pub fn stored_kem(&self) -> &[KemRecord] {
        &self.proof.stored_kem
    }

    /// Gives the key to seal to what the realm's parent may keep, as [`VerifiedChain::kem_at`]
    /// does for live messages.
    pub fn stored_kem_at(&self, now: Timestamp) -> Option<&KemRecord> {
        newest(self.stored_kem(), now)
    }

    /// Gives the scopes of the realm's node, as in its certificate.
    pub fn scopes(&self) -> u64 {
        self.proof.scopes
    }

    /// Gives the epoch of the realm record.
    pub fn epoch(&self) -> u64 {
        self.proof.epoch
    }

    /// Tells when the first certificate that matters runs out. KEM records do not count.
    pub fn expires(&self) -> Timestamp {
        let ends = self.proof.terms.iter().map(|term| term.not_after);
        ends.min().unwrap_or_default()
    }

    /// Gives every realm on the chain, the root first, the realm itself last.
    pub fn ancestors(&self) -> &[Ancestor] {
        &self.proof.ancestors
    }

    /// Gives issuer and serial of each certificate that a revocation would undo.
    pub fn serials(&self) -> impl Iterator<Item = (RealmId, u64)> {
        self.proof.terms.iter().filter_map(|term| term.serial)
    }

    /// Gives what the parent lets the realm's link carry; none for a root.
    pub fn limits(&self) -> Option<ChildLimits> {
        self.proof.limits
    }

    /// Gives the chain itself.
    pub fn chain(&self) -> &Chain {
        &self.proof.chain
    }

    /// Gives the chain itself, to keep beside the proof.
    pub fn shared_chain(&self) -> Arc<Chain> {
        Arc::clone(&self.proof.chain)
    }

    /// Gives the chain encoded, as envelopes carry it.
    pub fn bytes(&self) -> &Blob {
        &self.proof.bytes
    }

    /// Judges times and revocations again, without any signature.
    ///
    /// # Errors
    /// [`CertError::NotYetValid`], [`CertError::Expired`] or [`CertError::Revoked`].
    pub fn is_valid_at(
        &self,
        now: Timestamp,
        revoked: &dyn Fn(RealmId, u64) -> bool,
    ) -> Result<(), CertError> {
        let mut terms = self.proof.terms.iter();
        terms.try_for_each(|term| term.check(now, revoked))
    }
}

impl fmt::Debug for VerifiedChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedChain").field(&self.place).finish()
    }
}

/// The newest key that is valid, or else the one that will be first.
fn newest(keys: &[KemRecord], now: Timestamp) -> Option<&KemRecord> {
    let open = || keys.iter().filter(|key| now < key.not_after);
    let begun = open().filter(|key| key.not_before <= now);
    let near = open().filter(|key| key.not_before <= now.plus(limits::CLOCK_SKEW_MS));
    begun
        .max_by_key(|key| key.not_before)
        .or_else(|| near.min_by_key(|key| key.not_before))
}
