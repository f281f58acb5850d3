//! Links of chains of grants that were found good: the same ones need not be verified with every call.

use std::collections::{BTreeMap, VecDeque};

use realm_crypto::{CertError, SignedGrant, VerifiedChain, verify_grant};
use realm_protocol::{Digest, Place, limits, records::GrantLink};

use crate::Node;

/// What was found good, by the digest of every byte that was looked at.
///
/// A signature holds for good. Who gave a grant is who they were until something is believed no longer, which
/// forgets everything; times and revocations are asked again with each call.
#[derive(Debug, Default)]
pub(super) struct Proven {
    epoch: u64,
    links: BTreeMap<Digest, Found>,
    /// The oldest first.
    order: VecDeque<Digest>,
}

#[derive(Clone, Debug)]
struct Found {
    grant: SignedGrant,
    /// The certificates that it came with; none where who gave it was known without.
    giver: Option<VerifiedChain>,
}

impl Proven {
    fn get(&mut self, name: &Digest, epoch: u64) -> Option<Found> {
        if self.epoch != epoch {
            self.links.clear();
            self.order.clear();
            self.epoch = epoch;
        }
        self.links.get(name).cloned()
    }

    fn insert(&mut self, name: Digest, found: Found) {
        if self.links.insert(name, found).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > limits::GRANTS_PROVEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.links.remove(&oldest);
        }
    }
}

impl Node {
    /// Verifies one grant of a chain that a realm calls by, or remembers that it did.
    pub(super) fn prove_grant(
        &mut self,
        link: &GrantLink,
        source: &Place,
    ) -> Result<SignedGrant, CertError> {
        let claimed = link.grant.peek()?;
        let signer = (claimed.issuer, claimed.node);
        // Who is known without certificates: this realm, and the one that calls.
        let known = match claimed.issuer == self.me.realm() {
            true if claimed.node == self.me.node() => true,
            true if self.grants.has_signed(claimed.node) => true,
            true => return Err(CertError::Node),
            false => (Some(signer.0), Some(signer.1)) == (source.realm, source.node),
        };
        let (name, now) = (name_of(link), self.now.wall);
        if let Some(found) = self.grants.proven.get(&name, self.trust.epoch()) {
            let giver = found.giver.as_ref();
            if known || giver.is_some_and(|giver| self.trust.still_holds(giver, now)) {
                return Ok(found.grant);
            }
        }
        let mut giver = None;
        let grant = verify_grant(link, |_, _, chain| {
            if !known {
                giver = Some(self.grantor(signer, chain, now)?);
            }
            Ok(())
        })?;
        // What a run was handed on is for that run alone, and is not seen again.
        if claimed.run.is_none() {
            let found = Found {
                grant: grant.clone(),
                giver,
            };
            self.grants.proven.insert(name, found);
        }
        Ok(grant)
    }
}

/// The digest of a link: of what was granted, by which signatures, with which certificates.
fn name_of(link: &GrantLink) -> Digest {
    let chain = link.chain.as_deref().map(|chain| Digest::of(&[chain]));
    let chain = chain.as_ref().map_or(&[][..], |chain| chain.as_bytes());
    let granted = link.grant.digest();
    let signatures = link.grant.signatures.concat();
    Digest::of(&[granted.as_bytes(), chain, &signatures])
}
