//! Grants that this realm gives, takes back, and is given.

use realm_crypto::{CertError, VerifiedChain, VerifiedGrants, verify_grant, verify_grants};
use realm_protocol::{
    GrantId, NodeId, RealmId, Scope, Timestamp,
    audit::AuditNote,
    cbor::{self, Blob},
    limits,
    records::{Chain, Grant, GrantLink, LoopPattern},
};

use super::{GrantAsked, GrantKept, Known, StoredGrant, certificates, stored::trusted, view};
use crate::{CallFailure, ControlId, Node, Refusal, Response, resolve::Asker};

impl Node {
    /// Grants something, once it is known who the holder is.
    pub(crate) fn grant(&mut self, control: ControlId, by: Option<&str>, asked: GrantAsked) {
        match self.resolve_name(&asked.holder) {
            Err(refusal) => self.refuse(control, refusal),
            Ok(scope) => {
                let by = by.map(ToOwned::to_owned);
                self.grants.asked.insert(control, (by, asked));
                self.resolve(scope, Asker::Grant(control));
            }
        }
    }

    /// The holder cannot be found.
    pub(crate) fn grant_unresolved(&mut self, control: ControlId, failure: CallFailure) {
        self.grants.asked.remove(&control);
        self.refuse(control, Refusal::Call(failure));
    }

    /// The holder is known.
    pub(crate) fn grant_resolved(&mut self, control: ControlId, scope: &Scope) {
        let Some((by, asked)) = self.grants.asked.remove(&control) else {
            return;
        };
        let now = self.now.wall;
        let holder = self.trust.chain(scope, now).map(VerifiedChain::realm);
        let done = match holder {
            Some(holder) => self.give_grant(&asked, holder, scope),
            None => Err(Refusal::NotFound {
                what: "realm",
                name: asked.holder.to_string(),
            }),
        };
        let note = AuditNote {
            person: by,
            realm: Some(scope.clone()),
            ..AuditNote::new("grant.created").about(loops_text(&asked.loops))
        };
        self.settle(control, Some(note), done);
    }

    fn give_grant(
        &mut self,
        asked: &GrantAsked,
        holder: RealmId,
        other: &Scope,
    ) -> Result<Response, Refusal> {
        let now = self.now.wall;
        self.trim_grants();
        if self.grants.count(GrantKept::Given) >= limits::GRANTS {
            return Err(Refusal::Full {
                what: "grants",
                limit: limits::GRANTS,
            });
        }
        if asked.for_ms == 0 || asked.for_ms > limits::GRANT_MS {
            return Err(Refusal::Range {
                what: "how long a grant is good",
                range: format!("1 to {} milliseconds", limits::GRANT_MS),
            });
        }
        if asked.loops.is_empty() || asked.loops.len() > limits::GRANT_LOOPS {
            return Err(Refusal::Range {
                what: "the number of loops",
                range: format!("1 to {}", limits::GRANT_LOOPS),
            });
        }
        let before = match asked.from {
            Some(id) => Some(self.held(id)?.clone()),
            None => None,
        };
        let mut links = before
            .as_ref()
            .map_or_else(Vec::new, |known| known.stored.links.clone());
        let above = before.and_then(|known| known.chain);
        let last = above.as_ref().map(VerifiedGrants::last);
        let until = now.plus(asked.for_ms);
        let budget = match last.and_then(|last| last.budget) {
            Some(most) => asked.budget.narrowed(most),
            None => asked.budget,
        };
        let grant = Grant {
            id: GrantId::at(now, self.random()),
            issuer: self.me.realm(),
            node: self.me.node(),
            holder,
            loops: asked.loops.clone(),
            uses: asked.uses.or(last.and_then(|last| last.uses)),
            budget: (!budget.is_unbounded()).then_some(budget),
            not_before: last.map_or(now, |last| last.not_before.max(now)),
            not_after: last.map_or(until, |last| last.not_after.min(until)),
            from: links.last().map(|link| link.grant.digest()),
            agent: None,
            run: None,
        };
        links.push(GrantLink {
            grant: self.me.sign(&grant),
            chain: certificates(self),
        });
        let chain = verify_grants(&links, trusted);
        let chain = chain.map_err(|error| Refusal::Grant(error.to_string()))?;
        self.keep_and_show(GrantKept::Given, links, chain, other.clone())
    }

    fn keep_and_show(
        &mut self,
        kept: GrantKept,
        links: Vec<GrantLink>,
        chain: VerifiedGrants,
        other: Scope,
    ) -> Result<Response, Refusal> {
        let (id, until) = (chain.last().id, chain.last().not_after);
        let known = Known {
            stored: StoredGrant {
                kept,
                links,
                other: Some(other),
                used: 0,
                revoked: None,
                until,
                first: None,
            },
            chain: Some(chain),
        };
        let shown = view(&known);
        self.keep_grant(id, known);
        let shown = shown.ok_or_else(|| Refusal::Grant("it cannot be shown".to_owned()))?;
        Ok(Response::Granted(Box::new(shown)))
    }

    fn held(&self, id: GrantId) -> Result<&Known, Refusal> {
        let known = self.grants.known.get(&id);
        let known = known.filter(|known| known.stored.kept == GrantKept::Held);
        known.ok_or_else(|| missing(id))
    }

    /// Takes a grant that another realm has given this one.
    pub(crate) fn hold_grant(&mut self, links: Vec<GrantLink>) -> Result<Response, Refusal> {
        let now = self.now.wall;
        self.trim_grants();
        let refuse = |why: String| Err(Refusal::Grant(why));
        let mut issuers: Vec<Scope> = Vec::new();
        let chain = verify_grants(&links, |link| {
            verify_grant(link, |realm, node, chain| {
                let verified = self.grantor((realm, node), chain, now)?;
                issuers.push(verified.place().scope());
                Ok(())
            })
        });
        let chain = match chain {
            Ok(chain) => chain,
            Err(error) => return refuse(error.to_string()),
        };
        let last = chain.last().clone();
        if last.holder != self.me.realm() {
            return refuse("it was given to another realm".to_owned());
        }
        if last.not_after <= now {
            return refuse("it is good no more".to_owned());
        }
        let Some(giver) = issuers.last().cloned() else {
            return refuse("it names nobody who gave it".to_owned());
        };
        // One that is held already is taken anew, also if it was let go.
        let known = self.grants.known.get(&last.id);
        let same =
            |known: &Known| known.stored.kept == GrantKept::Held && known.stored.links == links;
        if known.is_some_and(|known| !same(known)) {
            return refuse("another grant with its id is known here".to_owned());
        }
        if known.is_none() && self.grants.count(GrantKept::Held) >= limits::GRANTS_HELD {
            return Err(Refusal::Full {
                what: "grants of others",
                limit: limits::GRANTS_HELD,
            });
        }
        self.keep_and_show(GrantKept::Held, links, chain, giver)
    }

    /// The certificates that came with a grant, if they hold by what is known here and are its signer's.
    pub(super) fn grantor(
        &mut self,
        (realm, node): (RealmId, NodeId),
        encoded: Option<&Blob>,
        now: Timestamp,
    ) -> Result<VerifiedChain, CertError> {
        let chain: Chain = cbor::decode(encoded.ok_or(CertError::Empty)?)?;
        let root = chain.links.first().map(|link| link.inception.realm_id());
        let root = root.ok_or(CertError::Empty)?;
        let verified = self.trust.check(&chain, root, self.me.chain(), now)?;
        if verified.realm() != realm {
            Err(CertError::Realm)
        } else if verified.node() != node {
            Err(CertError::Node)
        } else {
            Ok(verified)
        }
    }

    /// Takes a grant back that this realm has given, or lets one go that it holds.
    pub(crate) fn revoke_grant(&mut self, id: GrantId) -> Result<Response, Refusal> {
        let now = self.now.wall;
        let known = self.grants.known.get(&id);
        let known = known.filter(|known| known.stored.kept != GrantKept::Counted);
        let mut known = known.ok_or_else(|| missing(id))?.clone();
        if known.stored.revoked.is_none() {
            known.stored.revoked = Some(now);
            self.keep_grant(id, known);
        }
        Ok(Response::Done)
    }
}

fn missing(id: GrantId) -> Refusal {
    Refusal::NotFound {
        what: "grant",
        name: id.to_string(),
    }
}

pub(super) fn loops_text(loops: &[LoopPattern]) -> String {
    let texts: Vec<String> = loops.iter().map(ToString::to_string).collect();
    texts.join(" ")
}
