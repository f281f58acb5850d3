//! Heads of others' audit logs: this realm keeps the newest of its children and peers, so that it can tell
//! when one of them cuts its log short, puts an old one back, or tells it anew.

use std::collections::BTreeMap;

use realm_crypto::verify;
use realm_protocol::{
    RealmId, Scope,
    audit::{AuditHead, AuditNote, AuditOutcome},
    journal::Table,
    limits,
    link::Beat,
    records::Signed,
    wire_map,
};
use realm_router::{LinkId, Relation};

use crate::{Node, Refused, state};

wire_map! {
    /// What this realm has seen of another one's audit log.
    pub struct Witnessed {
        /// Where that realm stands.
        0 => scope: Scope,
        /// Its newest heads, the last the newest.
        1 => heads: Vec<Signed<AuditHead>>,
        /// Two heads of which the second, signed later, contradicts the first.
        2 => contradiction: Option<Vec<Signed<AuditHead>>>,
    }
}

/// How two heads of one log contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The one that was shown later has fewer entries: the log was cut short, or an old one was put back.
    Shorter,
    /// Both have as many entries, and not the same: the log was told anew.
    Other,
}

/// What this realm has seen of another one's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessView {
    /// Where that realm stands.
    pub scope: Scope,
    /// The newest head.
    pub newest: AuditHead,
    /// The head that was known, and the later one that contradicts it.
    pub contradiction: Option<(Contradiction, AuditHead, AuditHead)>,
}

/// The heads that are kept, by realm.
pub(crate) type Witness = BTreeMap<RealmId, Witnessed>;

/// How a head contradicts one of the same log that was shown before; none where it may follow it. A realm shows
/// its heads in order, whatever its clock says.
fn contradicts(known: &AuditHead, shown: &AuditHead) -> Option<Contradiction> {
    if shown.count == known.count && shown.root != known.root {
        return Some(Contradiction::Other);
    }
    (shown.count < known.count).then_some(Contradiction::Shorter)
}

impl Node {
    /// The newest head of this realm's log, for a neighbour that is to be its witness and has not been
    /// shown it on this link.
    pub(crate) fn head_for(&mut self, id: LinkId) -> Option<Signed<AuditHead>> {
        let relation = self.routes.relation(id)?;
        if !matches!(relation, Relation::Parent | Relation::Peer(_)) {
            return None;
        }
        let head = self.out.log_ref().kept_head()?;
        let link = self.links.get_mut(&id)?;
        let digest = head.digest();
        (link.head_shown.replace(digest) != Some(digest)).then(|| head.clone())
    }

    /// Keeps the head of a child's or a peer's log, and tells when it contradicts one that is kept.
    pub(crate) fn take_head(&mut self, id: LinkId, beat: &Beat) {
        let Some(signed) = &beat.head else {
            return;
        };
        let relation = self.routes.relation(id);
        if !matches!(relation, Some(Relation::Child(_) | Relation::Peer(_))) {
            return self.counters.refuse(Refused::Unasked);
        }
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let Some(chain) = &link.chain else {
            return;
        };
        let (realm, scope) = (chain.realm(), chain.place().scope());
        let head = verify(signed, &[*chain.node().as_bytes()]).ok();
        let Some(head) = head.filter(|head| head.realm == realm) else {
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
            contradiction: None,
        });
        kept.scope = scope;
        self.hold_head(&mut kept, signed, &head);
        self.put(Table::Witness, realm.as_bytes(), state::write(&kept));
        self.witness.insert(realm, kept);
    }

    /// Whether the head of one more realm can be kept. One of a realm that is no child and no peer any more, and of
    /// which there is nothing to tell, makes room.
    fn has_room_for_head(&mut self) -> bool {
        if self.witness.len() < limits::WITNESSED {
            return true;
        }
        let gone = |kept: &Witnessed| {
            let child = self.child_at(&kept.scope);
            let child = child.is_some_and(|label| self.kin.children.contains_key(&label));
            let peer = self.kin.peers.contains_key(&kept.scope.root);
            !child && !peer && kept.contradiction.is_none()
        };
        let mut gone = self.witness.iter().filter(|(_, kept)| gone(kept));
        let Some(realm) = gone.next().map(|(realm, _)| *realm) else {
            return false;
        };
        self.witness.remove(&realm);
        self.delete(Table::Witness, realm.as_bytes());
        true
    }

    fn hold_head(&mut self, kept: &mut Witnessed, signed: &Signed<AuditHead>, head: &AuditHead) {
        let earlier = kept.heads.iter().filter_map(|known| {
            let read = known.peek().ok()?;
            Some((contradicts(&read, head)?, known.clone(), read))
        });
        let found = earlier.last();
        if let Some((how, known, read)) = found {
            let why = format!(
                "signed {} entries at {}, then {} at {}",
                read.count,
                read.at.as_millis(),
                head.count,
                head.at.as_millis()
            );
            tracing::error!(scope = %kept.scope, ?how, why, "its audit log contradicts what it was");
            self.audit(AuditNote {
                outcome: AuditOutcome::Failure,
                error: Some(why),
                realm: Some(kept.scope.clone()),
                ..AuditNote::new("witness.contradicted")
            });
            kept.contradiction = Some(vec![known, signed.clone()]);
            kept.heads.clear();
        }
        kept.heads.retain(|known| known.digest() != signed.digest());
        kept.heads.push(signed.clone());
        let over = kept.heads.len().saturating_sub(limits::WITNESS_HEADS);
        kept.heads.drain(..over);
    }

    /// What this realm has seen of the audit logs of others.
    pub fn witnessed(&self) -> Vec<WitnessView> {
        let views = self.witness.values().filter_map(|kept| {
            let contradiction = kept.contradiction.as_deref().and_then(|pair| {
                let [known, shown] = pair else { return None };
                let (known, shown) = (known.peek().ok()?, shown.peek().ok()?);
                Some((contradicts(&known, &shown)?, known, shown))
            });
            Some(WitnessView {
                scope: kept.scope.clone(),
                newest: kept.heads.last()?.peek().ok()?,
                contradiction,
            })
        });
        views.collect()
    }
}

#[cfg(test)]
mod tests;
