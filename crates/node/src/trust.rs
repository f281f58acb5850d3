//! What this node holds to be true about other realms: chains, keys and revocations.

mod chains;
mod room;

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{CertError, RootMemos, Trust, VerifiedChain, check_known, verify, verify_chain};
use realm_protocol::{
    Digest, RealmId, RealmPath, Scope, Timestamp, limits,
    records::{Chain, RevocationList},
};

use self::chains::Chains;
use crate::{
    histories::Histories,
    revocations::over_at,
    state::{StoredHistory, StoredRevocations},
};

/// Bytes of a list, with its issuer's chain, that may take the place of a shorter one where its share is full.
const GROWN_BYTES: usize = 16 * 1024;

/// Chains by place, and revoked serials by issuer.
#[derive(Debug)]
pub(crate) struct TrustBase {
    /// Where this realm stands; its own share of what is remembered has no bound but the whole.
    place: Option<Scope>,
    chains: Chains,
    revocations: BTreeMap<RealmId, Revoked>,
    pub(crate) histories: Histories,
    /// Rises when something that was believed no longer is.
    epoch: u64,
    /// Verified roots by the neighbour's side they come from.
    pub(crate) roots: RootMemos<Scope>,
}

#[derive(Debug)]
struct Revoked {
    number: u64,
    serials: BTreeSet<u64>,
    scope: Scope,
    stored: StoredRevocations,
    /// What [`StoredRevocations::bytes`] says of it.
    bytes: usize,
    /// When neither the issuer's chain nor anything it has revoked can be in use any more.
    over: Timestamp,
}

/// What became of a revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is newer than the one held, or its issuer's chain ends later. The lists of realms below its
    /// issuer that had to make room for it are forgotten; these are theirs.
    News(Vec<RealmId>),
    /// It is held, or a newer one is.
    Known,
    /// It is not kept: it is too long, or there is no room for it among those of other realms.
    Full,
}

impl TrustBase {
    /// Believes nothing yet, and remembers so many chains at most.
    pub(crate) fn new(chains: usize) -> Self {
        Self {
            place: None,
            chains: Chains::new(chains),
            revocations: BTreeMap::new(),
            histories: Histories::default(),
            epoch: 0,
            roots: RootMemos::default(),
        }
    }

    /// Says where this realm stands.
    pub(crate) fn set_place(&mut self, place: Scope) {
        if self.place.as_ref() == Some(&place) {
            return;
        }
        self.place = Some(place);
        self.roots.clear();
        self.advance();
        let mut chains = std::mem::replace(&mut self.chains, Chains::new(0));
        chains.share_anew(|scope| self.share_of(scope));
        self.chains = chains;
    }

    /// The neighbour whose share of the memory a place falls into: the subtree of a child, or the
    /// tree of another root. The rest of this realm's own tree has no share.
    pub(crate) fn share_of(&self, scope: &Scope) -> Option<Scope> {
        let me = self.place.as_ref()?;
        let root = scope.root;
        if root != me.root {
            let path = RealmPath::ROOT;
            return Some(Scope { root, path });
        }
        let label = me.path.next_label(&scope.path)?;
        let path = me.path.child(&label).ok()?;
        Some(Scope { root, path })
    }

    /// The same for every place: the rest of this realm's own tree is one share, too.
    pub(crate) fn side_of(&self, scope: &Scope) -> Scope {
        let rest = || Scope {
            root: scope.root,
            path: RealmPath::ROOT,
        };
        self.share_of(scope).unwrap_or_else(rest)
    }

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

    /// Checks a chain against its root, from the nearest ancestor shared with `mine`, and against
    /// what is known of the keys of every realm on it. What it shows of them is learned.
    pub(crate) fn check(
        &mut self,
        chain: &Chain,
        root: RealmId,
        mine: Option<&VerifiedChain>,
        now: Timestamp,
    ) -> Result<VerifiedChain, CertError> {
        let revoked = |issuer, serial| self.is_revoked(issuer, serial);
        let trust = Trust {
            root,
            shared: mine,
            revoked: &revoked,
            now,
        };
        let checked = verify_chain(chain, &trust).and_then(|verified| {
            check_known(chain, |realm| self.histories.of(realm)).map(|()| verified)
        });
        if matches!(checked, Err(CertError::Fork(_))) {
            self.histories.note_fork(chain);
        }
        let chain = checked?;
        self.learn(&chain);
        if self.is_superseded(&chain) {
            return Err(CertError::Superseded);
        }
        Ok(chain)
    }

    /// Remembers the keys of the realms on a chain. Where that is more than may be held, the node
    /// makes room before its turn is over.
    pub(crate) fn learn(&mut self, chain: &VerifiedChain) {
        let root = chain.root();
        for (link, ancestor) in chain.chain().links.iter().zip(chain.ancestors()) {
            self.histories.touch(ancestor.realm);
            if link.successions.len() > self.histories.of(ancestor.realm).len() {
                let path = ancestor.path.clone();
                let history = StoredHistory {
                    scope: Scope { root, path },
                    successions: link.successions.clone(),
                };
                self.histories.learn(ancestor.realm, history);
            }
        }
    }

    /// The realms on the chains that are remembered, and on those beside revocation lists.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = RealmId> {
        let chains = self.chains.iter().map(|(_, chain)| chain.chain());
        let issuers = self.revocations.values().map(|held| &held.stored.issuer);
        chains.chain(issuers).flat_map(realms_on)
    }

    /// Forgets successions until no more are held than may be; gives whose.
    pub(crate) fn trim_histories(
        &mut self,
        needed: &BTreeSet<RealmId>,
        kept: &BTreeSet<RealmId>,
    ) -> Vec<RealmId> {
        let mut histories = std::mem::take(&mut self.histories);
        let forgotten = histories.trim(needed, kept, |scope| self.share_of(scope));
        self.histories = histories;
        forgotten
    }

    /// Forgets the chains that rest on a key since declared compromised.
    pub(crate) fn forget_undone(&mut self) {
        let undone = self.chains.iter();
        let undone = undone.filter(|(_, chain)| self.histories.undo(chain));
        let undone: Vec<Scope> = undone.map(|(scope, _)| scope.clone()).collect();
        for scope in undone {
            self.forget(&scope);
        }
        self.advance();
    }

    /// Whether a chain of a later epoch is known for the same realm in the same place.
    fn is_superseded(&self, chain: &VerifiedChain) -> bool {
        let known = self.chains.get(&chain.place().scope());
        known.is_some_and(|known| known.realm() == chain.realm() && known.epoch() > chain.epoch())
    }

    /// Whether a chain that was found good in this epoch still is.
    pub(crate) fn still_holds(&self, chain: &VerifiedChain, now: Timestamp) -> bool {
        let revoked = |issuer, serial| self.is_revoked(issuer, serial);
        chain.is_valid_at(now, &revoked).is_ok() && !self.is_superseded(chain)
    }

    /// Remembers a verified chain for its place, unless one of a later epoch is known.
    pub(crate) fn remember(&mut self, chain: VerifiedChain) {
        if self.is_superseded(&chain) {
            return;
        }
        let share = self.share_of(&chain.place().scope());
        for node in self.chains.insert(chain, share) {
            self.roots.forget(node);
        }
    }

    /// Forgets the chain of a place, and what its node was known to have signed.
    pub(crate) fn forget(&mut self, scope: &Scope) {
        if let Some(node) = self.chains.remove(scope) {
            self.roots.forget(node);
        }
    }

    /// Forgets the chains that no longer stand.
    fn forget_fallen(&mut self, now: Timestamp) {
        let revoked = |issuer, serial| self.is_revoked(issuer, serial);
        let fallen = self.chains.iter();
        let fallen = fallen.filter(|(_, chain)| chain.is_valid_at(now, &revoked).is_err());
        let fallen: Vec<Scope> = fallen.map(|(scope, _)| scope.clone()).collect();
        for scope in fallen {
            self.forget(&scope);
        }
    }

    /// The chain known for a place, as it was when it was last relied on.
    pub(crate) fn known(&self, scope: &Scope) -> Option<&VerifiedChain> {
        self.chains.get(scope)
    }

    /// The chain known for a place, if it still stands.
    pub(crate) fn chain(&mut self, scope: &Scope, now: Timestamp) -> Option<&VerifiedChain> {
        let revocations = &self.revocations;
        let revoked = |issuer: RealmId, serial: u64| {
            revocations
                .get(&issuer)
                .is_some_and(|list| list.serials.contains(&serial))
        };
        if self.chains.get(scope)?.is_valid_at(now, &revoked).is_err() {
            self.forget(scope);
            return None;
        }
        self.chains.using(scope)
    }

    /// Whether a list says nothing that is not held, by its number and its chain: it need not be
    /// checked.
    pub(crate) fn knows(&self, stored: &StoredRevocations) -> bool {
        let Ok(list) = stored.list.peek() else {
            return false;
        };
        self.revocations.get(&list.realm).is_some_and(|held| {
            let newer = list.number > held.number;
            let longer = list.number == held.number && end_of(&stored.issuer) > held.end();
            !newer && !longer
        })
    }

    /// Takes a revocation list if its issuer signed it and it is newer than the one held.
    pub(crate) fn revoke(
        &mut self,
        stored: StoredRevocations,
        issuer: &VerifiedChain,
        now: Timestamp,
    ) -> Result<Taken, CertError> {
        let signers: Vec<[u8; 32]> = vec![*issuer.node().as_bytes()];
        let list: RevocationList = verify(&stored.list, &signers)?;
        if list.realm != issuer.realm() || list.node != issuer.node() {
            return Err(CertError::Realm);
        }
        let scope = issuer.place().scope();
        let held = self.revocations.get(&list.realm);
        let same = held.is_some_and(|held| held.stored.list.payload == stored.list.payload);
        if self.knows(&stored) || held.is_some_and(|held| held.number == list.number && !same) {
            return Ok(Taken::Known);
        }
        // What a realm has begun to revoke it may go on with, whoever has filled its share since.
        let goes_on = held.is_some()
            && list.serials.len() <= limits::REVOCATIONS
            && stored.bytes() <= GROWN_BYTES;
        let making_room = match goes_on {
            true => Some(Vec::new()),
            false => self.room_for(&list, &scope, stored.bytes()),
        };
        let Some(displaced) = making_room else {
            return Ok(Taken::Full);
        };
        for issuer in &displaced {
            self.revocations.remove(issuer);
        }
        self.hold(list, scope, stored, now);
        self.forget_fallen(now);
        self.advance();
        Ok(Taken::News(displaced))
    }

    fn hold(
        &mut self,
        list: RevocationList,
        scope: Scope,
        stored: StoredRevocations,
        now: Timestamp,
    ) {
        let over = over_at(list.created.min(now)).max(end_of(&stored.issuer));
        let bytes = stored.bytes();
        let held = Revoked {
            number: list.number,
            serials: list.serials.into_iter().collect(),
            scope,
            stored,
            bytes,
            over,
        };
        self.revocations.insert(list.realm, held);
    }

    /// Puts the newest chain of this realm beside its own list, if it is another.
    pub(crate) fn reissue(
        &mut self,
        me: RealmId,
        chain: &VerifiedChain,
    ) -> Option<&StoredRevocations> {
        let held = self.revocations.get_mut(&me)?;
        if held.stored.issuer == *chain.chain() {
            return None;
        }
        held.stored.issuer = chain.chain().clone();
        held.bytes = held.stored.bytes();
        held.scope = chain.place().scope();
        Some(&held.stored)
    }

    /// Forgets the lists of other realms that say nothing any more, and gives their issuers.
    pub(crate) fn forget_lists(&mut self, now: Timestamp) -> Vec<RealmId> {
        let mine = self.place.as_ref();
        let over = self.revocations.iter();
        let over = over.filter(|(_, held)| held.over <= now && Some(&held.scope) != mine);
        let over: Vec<RealmId> = over.map(|(issuer, _)| *issuer).collect();
        for issuer in &over {
            self.revocations.remove(issuer);
        }
        over
    }

    /// Takes back a list that was checked before it was written down.
    pub(crate) fn recover(&mut self, stored: StoredRevocations, now: Timestamp) {
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
            .and_then(|path| RealmPath::new(&path).ok());
        if let (Some(root), Some(path)) = (root, path) {
            let scope = Scope { root, path };
            self.hold(list, scope, stored, now);
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

    /// The realms whose lists [`TrustBase::lists`] gives.
    pub(crate) fn issuers(&self, scope: Option<&Scope>) -> Vec<RealmId> {
        let shared = self.revocations.iter();
        let shared =
            shared.filter(|(_, held)| scope.is_none_or(|scope| scope.contains(&held.scope)));
        shared.map(|(issuer, _)| *issuer).collect()
    }

    /// The list of one realm, if it is within `scope`.
    pub(crate) fn list_of(
        &self,
        issuer: RealmId,
        scope: Option<&Scope>,
    ) -> Option<&StoredRevocations> {
        let held = self.revocations.get(&issuer);
        held.filter(|held| scope.is_none_or(|scope| scope.contains(&held.scope)))
            .map(|held| &held.stored)
    }

    /// SHA-256 over issuer and number of the lists that [`TrustBase::lists`] gives, and then of
    /// policy records.
    pub(crate) fn digest(
        &self,
        scope: Option<&Scope>,
        policies: impl Iterator<Item = (RealmId, u64)>,
    ) -> Digest {
        let shared = self
            .revocations
            .iter()
            .filter(|(_, held)| scope.is_none_or(|scope| scope.contains(&held.scope)));
        let mut bytes = Vec::new();
        for (issuer, held) in shared {
            bytes.extend_from_slice(issuer.as_bytes());
            bytes.extend_from_slice(&held.number.to_be_bytes());
        }
        for (realm, number) in policies {
            bytes.extend_from_slice(realm.as_bytes());
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        Digest::of(&[&bytes])
    }
}

impl Revoked {
    /// When the issuer's chain runs out.
    fn end(&self) -> Timestamp {
        end_of(&self.stored.issuer)
    }
}

/// The realms on a chain.
pub(crate) fn realms_on(chain: &Chain) -> impl Iterator<Item = RealmId> {
    let links = chain.links.iter();
    links.map(|link| link.inception.realm_id())
}

/// When a chain runs out.
fn end_of(chain: &Chain) -> Timestamp {
    let ends = chain.links.iter().flat_map(|link| {
        let node = link.node_cert.peek().ok().map(|cert| cert.not_after);
        let child = link.child_cert.as_ref();
        let child = child.and_then(|cert| cert.peek().ok().map(|cert| cert.not_after));
        [node, child].into_iter().flatten()
    });
    ends.min().unwrap_or_default()
}
