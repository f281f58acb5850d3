//! Heads of others' audit logs: this realm keeps those of its children and peers that are proven to go on from each
//! other, so that it can tell when one of them cuts its log short, puts an old one back, or tells it anew.

use std::collections::BTreeMap;

use realm_crypto::{VerifiedChain, verify};
use realm_protocol::{
    Digest, RealmId, Scope, Timestamp,
    audit::{AuditContradiction, AuditHead, AuditNote, AuditOutcome, AuditProof, Contradiction},
    journal::Table,
    limits,
    link::{Beat, Frame},
    records::Signed,
    wire_map,
};
use realm_router::{LinkId, Relation};

use crate::{Effect, LogGrowth, LookId, Node, Refusal, Refused, Response, market::bare, state};

/// How long another contradiction of the same realm is not told of, milliseconds.
const TOLD_AGAIN_MS: u64 = 60 * 60 * 1_000;

wire_map! {
    /// What this realm has seen of another one's audit log.
    pub struct Witnessed {
        /// Where that realm stands.
        0 => scope: Scope,
        /// Its newest heads, each proven to go on from the one before.
        1 => heads: Vec<Signed<AuditHead>>,
        /// Since when it shows a longer log without proof that it goes on from the newest of them.
        3 => unproven: Option<Timestamp>,
        /// The last contradiction.
        4 => contradiction: Option<AuditContradiction>,
        /// When an owner here has acknowledged that.
        5 => acknowledged: Option<Timestamp>,
        /// The newest one that was found while it was too early to tell of another.
        6 => again: Option<AuditContradiction>,
    }
}

/// What this realm has seen of another one's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessView {
    /// Where that realm stands.
    pub scope: Scope,
    /// The newest head.
    pub newest: AuditHead,
    /// Since when it shows a longer log without proof that it goes on from there.
    pub unproven: Option<Timestamp>,
    /// What contradicts that it only grew.
    pub contradiction: Option<ContradictionView>,
}

/// Two heads of one log of which the later contradicts the earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContradictionView {
    /// How.
    pub how: Contradiction,
    /// The head that was kept.
    pub known: AuditHead,
    /// The later one.
    pub shown: AuditHead,
    /// When it was shown.
    pub at: Timestamp,
    /// When an owner here has acknowledged it.
    pub acknowledged: Option<Timestamp>,
}

/// The heads that are kept, by realm.
pub(crate) type Witness = BTreeMap<RealmId, Witnessed>;

/// What a neighbour knows of this realm's log.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Whether it has said what it keeps.
    heard: bool,
    /// How many entries the head has that it keeps; none where it keeps none.
    kept: Option<u64>,
    /// The head that it was shown last.
    last: Option<Digest>,
    /// The head whose proof is read from the store.
    reading: Option<(LookId, Signed<AuditHead>)>,
}

impl Shown {
    /// What was shown last did not leave: it is shown again.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

impl Node {
    /// The newest head of this realm's log, for a neighbour that is to be its witness and has not been
    /// shown it on this link. One that keeps an earlier head is shown it with a proof, once that is read.
    pub(crate) fn head_for(&mut self, id: LinkId) -> Option<Signed<AuditHead>> {
        let relation = self.routes.relation(id)?;
        if !matches!(relation, Relation::Parent | Relation::Peer(_)) {
            return None;
        }
        let head = self.out.log_ref().kept_head()?.clone();
        let count = head.peek().ok()?.count;
        let shown = &mut self.links.get_mut(&id)?.log_shown;
        // It says in its Beats what it keeps.
        if !shown.heard || shown.reading.is_some() || shown.last == Some(head.digest()) {
            return None;
        }
        let Some(kept) = shown.kept.filter(|kept| *kept < count) else {
            shown.last = Some(head.digest());
            return Some(head);
        };
        let look = self.next_look();
        self.links.get_mut(&id)?.log_shown.reading = Some((look, head));
        self.out.promise(Effect::Grow(look, kept, count));
        None
    }

    /// Takes note of what a parent or a peer keeps of this realm's log.
    pub(crate) fn take_witnessed(&mut self, id: LinkId, beat: &Beat) {
        if let Some(link) = self.links.get_mut(&id) {
            link.log_shown.heard = true;
            // Its word may have crossed a head that was proven from an earlier one.
            if link.log_shown.kept != beat.witnessed {
                link.log_shown.forget();
            }
            link.log_shown.kept = beat.witnessed;
        }
    }

    /// Shows a head with the proof that was read for it. Where there is none, it is shown without: the witness then knows
    /// that there is one.
    pub(crate) fn handle_grown(&mut self, look: LookId, growth: Option<LogGrowth>) {
        let mut links = self.links.iter_mut();
        let found = links.find_map(|(id, link)| {
            let reading = link.log_shown.reading.take_if(|(of, _)| *of == look)?;
            link.log_shown.last = Some(reading.1.digest());
            Some((*id, reading.1))
        });
        let Some((id, head)) = found else {
            return;
        };
        let log = self.out.log_ref();
        let proof = growth.and_then(|growth| {
            Some(AuditProof {
                from: log.head_before(&growth.frontier, self.me.signer())?,
                frontier: growth.frontier.to_bytes(),
                range: growth.range.to_bytes(),
            })
        });
        let beat = Beat {
            head: Some(head),
            proof,
            ..self.next_beat(id)
        };
        self.send_promise(id, &Frame::Beat(beat));
    }

    /// How many entries the head has that is kept of the log of the realm at the other end.
    pub(crate) fn witnessed_of(&self, id: LinkId) -> Option<u64> {
        let chain = self.links.get(&id)?.chain.as_ref()?;
        let newest = self.witness.get(&chain.realm())?.heads.last()?;
        Some(newest.peek().ok()?.count)
    }

    /// Keeps the head of a child's or a peer's log that goes on from the one which is kept, and tells when it
    /// contradicts that.
    pub(crate) fn take_head(&mut self, id: LinkId, beat: &Beat) {
        let Some(signed) = &beat.head else {
            return;
        };
        let relation = self.routes.relation(id);
        if !matches!(relation, Some(Relation::Child(_) | Relation::Peer(_))) {
            return self.counters.refuse(Refused::Unasked);
        }
        let chain = self.links.get(&id).and_then(|link| link.chain.clone());
        let Some(chain) = chain else {
            return;
        };
        let (realm, scope) = (chain.realm(), chain.place().scope());
        let head = head_of(signed, &chain).filter(AuditHead::is_dated);
        let Some(head) = head else {
            return self.counters.refuse(Refused::Signature);
        };
        if !self.witness.contains_key(&realm) && !self.has_room_for_head() {
            tracing::warn!(%scope, "there is no room to keep a head of its audit log");
            return;
        }
        let kept = self.witness.remove(&realm);
        let mut kept = kept.unwrap_or_else(|| Witnessed {
            scope: scope.clone(),
            heads: Vec::new(),
            unproven: None,
            contradiction: None,
            acknowledged: None,
            again: None,
        });
        kept.scope = scope;
        self.hold_head(&mut kept, (signed, &head), beat.proof.as_ref(), &chain);
        self.put(Table::Witness, realm.as_bytes(), state::write(&kept));
        self.witness.insert(realm, kept);
    }

    /// Whether the head of one more realm can be kept. One of a realm that is no child and no peer any more, and of
    /// which there is nothing to tell, makes room.
    fn has_room_for_head(&mut self) -> bool {
        if self.witness.len() < limits::WITNESSED {
            return true;
        }
        let gone = |realm: &RealmId, kept: &Witnessed| {
            let child = self.child_at(&kept.scope);
            let child = child.and_then(|label| self.kin.children.get(&label));
            let child = child.is_some_and(|child| child.realm == *realm);
            let peer = self.kin.peers.contains_key(&kept.scope.root);
            !child && !peer && kept.contradiction.is_none()
        };
        let mut gone = self
            .witness
            .iter()
            .filter(|(realm, kept)| gone(realm, kept));
        let Some(realm) = gone.next().map(|(realm, _)| *realm) else {
            return false;
        };
        self.witness.remove(&realm);
        self.delete(Table::Witness, realm.as_bytes());
        true
    }

    fn hold_head(
        &mut self,
        kept: &mut Witnessed,
        (signed, head): (&Signed<AuditHead>, &AuditHead),
        proof: Option<&AuditProof>,
        chain: &VerifiedChain,
    ) {
        let proven = proof.and_then(|proof| {
            let from = head_of(&proof.from, chain)?;
            let leads = proof.leads(&from, head);
            Some((proof, from, leads))
        });
        let told = proven
            .as_ref()
            .map(|(proof, from, _)| (&proof.from, from.clone()));
        // What it says that its log was, and then what it says that it is.
        let told = told.into_iter().chain([(signed, head.clone())]);
        for (shown, read) in told {
            if let Some(known) = contradicted(&kept.heads, &read) {
                self.tell_contradiction(kept, (&known, shown), chain);
                kept.heads = vec![shown.clone()];
                kept.unproven = None;
            }
        }
        let newest = kept.heads.last().and_then(|newest| newest.peek().ok());
        let goes_on = newest.is_none_or(|newest| {
            let leads = |from: &AuditHead| from.count == newest.count && from.root == newest.root;
            let proven = proven.as_ref();
            head.count == newest.count || proven.is_some_and(|(_, from, ok)| *ok && leads(from))
        });
        if !goes_on {
            kept.unproven.get_or_insert(self.now.wall);
            return;
        }
        kept.unproven = None;
        kept.heads.retain(|known| known.digest() != signed.digest());
        kept.heads.push(signed.clone());
        let dated = |head: &Signed<AuditHead>| head.peek().is_ok_and(|head| head.is_dated());
        kept.heads.retain(dated);
        let over = kept.heads.len().saturating_sub(limits::WITNESS_HEADS);
        kept.heads.drain(..over);
    }

    fn tell_contradiction(
        &mut self,
        kept: &mut Witnessed,
        (known, shown): (&Signed<AuditHead>, &Signed<AuditHead>),
        chain: &VerifiedChain,
    ) {
        let found = AuditContradiction {
            known: known.clone(),
            shown: shown.clone(),
            at: self.now.wall,
            chain: Some(bare(chain)),
        };
        // One that contradicts itself again and again is told of once an hour; after somebody has acknowledged it, anew.
        let told = kept.contradiction.as_ref().map(|told| told.at);
        let told = told.filter(|_| kept.acknowledged.is_none());
        match told.is_some_and(|told| found.at.since(told) < TOLD_AGAIN_MS) {
            true => kept.again = Some(found),
            false => self.tell_of(kept, found),
        }
    }

    fn tell_of(&mut self, kept: &mut Witnessed, found: AuditContradiction) {
        let Some(view) = view_of(&found, None) else {
            return;
        };
        let why = format!(
            "signed {} entries at {}, then {} at {}",
            view.known.count,
            view.known.at.as_millis(),
            view.shown.count,
            view.shown.at.as_millis()
        );
        tracing::error!(scope = %kept.scope, how = ?view.how, why, "its audit log contradicts what it was");
        self.audit(AuditNote {
            outcome: AuditOutcome::Failure,
            error: Some(why),
            realm: Some(kept.scope.clone()),
            ..AuditNote::new("witness.contradicted")
        });
        kept.contradiction = Some(found);
        kept.acknowledged = None;
        kept.again = None;
    }

    /// An owner has seen that the audit log of a realm is not what it was, of every realm that has stood there. What was
    /// found since, and not told of yet, is told of now.
    pub(crate) fn acknowledge_contradiction(&mut self, scope: &Scope) -> Result<Response, Refusal> {
        let there = |kept: &Witnessed| kept.scope == *scope && kept.contradiction.is_some();
        let found = self.witness.iter().filter(|(_, kept)| there(kept));
        let found: Vec<_> = found.map(|(id, kept)| (*id, kept.clone())).collect();
        if found.is_empty() {
            return Err(Refusal::NotFound {
                what: "contradiction of",
                name: self.name_of(scope),
            });
        }
        for (realm, mut kept) in found {
            kept.acknowledged.get_or_insert(self.now.wall);
            if let Some(again) = kept.again.take() {
                self.tell_of(&mut kept, again);
            }
            self.put(Table::Witness, realm.as_bytes(), state::write(&kept));
            self.witness.insert(realm, kept);
        }
        Ok(Response::Done)
    }

    /// What this realm has seen of the audit logs of others.
    pub fn witnessed(&self) -> Vec<WitnessView> {
        let views = self.witness.values().filter_map(|kept| {
            Some(WitnessView {
                scope: kept.scope.clone(),
                newest: kept.heads.last()?.peek().ok()?,
                unproven: kept.unproven,
                contradiction: kept
                    .contradiction
                    .as_ref()
                    .and_then(|found| view_of(found, kept.acknowledged)),
            })
        });
        views.collect()
    }

    /// The contradiction that was found in the audit log of the realm at a place; of several that have stood there, rather
    /// one that nobody has acknowledged.
    pub fn contradiction_of(&self, scope: &Scope) -> Option<&AuditContradiction> {
        let kept = self.witness.values();
        let kept = kept.filter(|kept| kept.scope == *scope && kept.contradiction.is_some());
        let found = kept.min_by_key(|kept| kept.acknowledged.is_some())?;
        found.contradiction.as_ref()
    }
}

/// The head, if the realm of the chain has signed it about its own log.
fn head_of(signed: &Signed<AuditHead>, chain: &VerifiedChain) -> Option<AuditHead> {
    let head = verify(signed, &[*chain.node().as_bytes()]).ok()?;
    (head.realm == chain.realm()).then_some(head)
}

/// Of the heads that are kept the one that another contradicts: the newest, but rather one of the same length.
fn contradicted(kept: &[Signed<AuditHead>], shown: &AuditHead) -> Option<Signed<AuditHead>> {
    let how = |known: &&Signed<AuditHead>| known.peek().ok()?.contradicted_by(shown);
    let found = || kept.iter().rev().filter(|known| how(known).is_some());
    let other = found().find(|known| how(known) == Some(Contradiction::Other));
    other.or_else(|| found().next()).cloned()
}

fn view_of(
    found: &AuditContradiction,
    acknowledged: Option<Timestamp>,
) -> Option<ContradictionView> {
    let (known, shown) = (found.known.peek().ok()?, found.shown.peek().ok()?);
    Some(ContradictionView {
        how: known.contradicted_by(&shown)?,
        known,
        shown,
        at: found.at,
        acknowledged,
    })
}
