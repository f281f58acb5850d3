//! What this node holds to be true about other realms: chains and revocations.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{CertError, RootMemo, Trust, VerifiedChain, verify, verify_chain};
use realm_protocol::{
    Digest, RealmId, RealmPath, Scope, Timestamp, limits,
    records::{Chain, RevocationList},
};

use crate::state::StoredRevocations;

/// Chains by place, and revoked serials by issuer.
#[derive(Debug, Default)]
pub(crate) struct TrustBase {
    chains: BTreeMap<Scope, Known>,
    revocations: BTreeMap<RealmId, Revoked>,
    /// Rises when something that was believed no longer is.
    epoch: u64,
    /// Counts uses of chains, to forget the one used longest ago.
    uses: u64,
    pub(crate) roots: RootMemo,
}

#[derive(Debug)]
struct Known {
    chain: VerifiedChain,
    used: u64,
}

#[derive(Debug)]
struct Revoked {
    number: u64,
    serials: BTreeSet<u64>,
    scope: Scope,
    stored: StoredRevocations,
}

impl TrustBase {
    /// How many chains are remembered.
    pub(crate) fn len(&self) -> usize {
        self.chains.len()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Something that was believed no longer is: proofs made before are checked again.
    pub(crate) fn advance(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    pub(crate) fn is_revoked(&self, issuer: RealmId, serial: u64) -> bool {
        self.revocations
            .get(&issuer)
            .is_some_and(|list| list.serials.contains(&serial))
    }

    /// Checks a chain against its root, from the nearest ancestor shared with `mine`.
    pub(crate) fn check(
        &self,
        chain: &Chain,
        root: RealmId,
        mine: Option<&VerifiedChain>,
        now: Timestamp,
    ) -> Result<VerifiedChain, CertError> {
        let revoked = |issuer, serial| self.is_revoked(issuer, serial);
        verify_chain(
            chain,
            &Trust {
                root,
                shared: mine,
                revoked: &revoked,
                now,
            },
        )
    }

    /// Remembers a verified chain for its place, unless one of a later epoch is known.
    pub(crate) fn remember(&mut self, chain: VerifiedChain) {
        let scope = chain.place().scope();
        if self.chains.get(&scope).is_some_and(|known| {
            known.chain.realm() == chain.realm() && known.chain.epoch() > chain.epoch()
        }) {
            return;
        }
        self.uses = self.uses.saturating_add(1);
        self.chains.insert(
            scope,
            Known {
                chain,
                used: self.uses,
            },
        );
        if self.chains.len() > limits::CHAINS {
            let oldest = self.chains.iter().min_by_key(|(_, known)| known.used);
            if let Some(scope) = oldest.map(|(scope, _)| scope.clone()) {
                self.chains.remove(&scope);
            }
        }
    }

    pub(crate) fn forget(&mut self, scope: &Scope) {
        self.chains.remove(scope);
    }

    /// The chain known for a place, if it still stands.
    pub(crate) fn chain(&mut self, scope: &Scope, now: Timestamp) -> Option<&VerifiedChain> {
        let revocations = &self.revocations;
        let revoked = |issuer: RealmId, serial: u64| {
            revocations
                .get(&issuer)
                .is_some_and(|list| list.serials.contains(&serial))
        };
        let known = self.chains.get_mut(scope)?;
        if known.chain.is_valid_at(now, &revoked).is_err() {
            self.chains.remove(scope);
            return None;
        }
        self.uses = self.uses.saturating_add(1);
        known.used = self.uses;
        self.chains.get(scope).map(|known| &known.chain)
    }

    /// Takes a revocation list if its issuer signed it and it is newer than the one held.
    pub(crate) fn revoke(
        &mut self,
        stored: StoredRevocations,
        issuer: &VerifiedChain,
    ) -> Result<bool, CertError> {
        let signers: Vec<[u8; 32]> = vec![*issuer.node().as_bytes()];
        let list: RevocationList = verify(&stored.list, &signers)?;
        if list.realm != issuer.realm() || list.node != issuer.node() {
            return Err(CertError::Realm);
        }
        let held = self
            .revocations
            .get(&list.realm)
            .map_or(0, |held| held.number);
        if list.number <= held {
            return Ok(false);
        }
        let scope = issuer.place().scope();
        let serials = list.serials.into_iter().collect();
        self.revocations.insert(
            list.realm,
            Revoked {
                number: list.number,
                serials,
                scope,
                stored,
            },
        );
        self.advance();
        Ok(true)
    }

    /// Takes back a list that was checked before it was written down.
    pub(crate) fn recover(&mut self, stored: StoredRevocations) {
        let Ok(list) = stored.list.peek() else { return };
        let root = stored
            .issuer
            .links
            .first()
            .map(|link| link.inception.realm_id());
        let labels = stored.issuer.links.iter().skip(1).map(|link| {
            link.child_cert
                .as_ref()
                .and_then(|cert| cert.peek().ok())
                .map(|cert| cert.label)
        });
        let path = labels
            .collect::<Option<Vec<_>>>()
            .and_then(|path| RealmPath::new(path).ok());
        if let (Some(root), Some(path)) = (root, path) {
            let scope = Scope { root, path };
            let serials = list.serials.into_iter().collect();
            let held = Revoked {
                number: list.number,
                serials,
                scope,
                stored,
            };
            self.revocations.insert(list.realm, held);
        }
    }

    pub(crate) fn number(&self, issuer: RealmId) -> u64 {
        self.revocations.get(&issuer).map_or(0, |held| held.number)
    }

    pub(crate) fn serials(&self, issuer: RealmId) -> BTreeSet<u64> {
        self.revocations
            .get(&issuer)
            .map_or_else(BTreeSet::new, |held| held.serials.clone())
    }

    /// The lists of the realms within `scope`; of all realms without one.
    pub(crate) fn lists(&self, scope: Option<&Scope>) -> Vec<&StoredRevocations> {
        let shared = self
            .revocations
            .values()
            .filter(|held| scope.is_none_or(|scope| scope.contains(&held.scope)));
        shared.map(|held| &held.stored).collect()
    }

    /// SHA-256 over issuer and number of the lists that [`TrustBase::lists`] gives.
    pub(crate) fn digest(&self, scope: Option<&Scope>) -> Digest {
        let shared = self
            .revocations
            .iter()
            .filter(|(_, held)| scope.is_none_or(|scope| scope.contains(&held.scope)));
        let mut bytes = Vec::new();
        for (issuer, held) in shared {
            bytes.extend_from_slice(issuer.as_bytes());
            bytes.extend_from_slice(&held.number.to_be_bytes());
        }
        Digest::of(&[&bytes])
    }
}
