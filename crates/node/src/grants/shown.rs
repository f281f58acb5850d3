//! Grants that come with a call, and what they are worth here.

use realm_crypto::{GrantError, VerifiedGrants, verify_grants};
use realm_protocol::{
    Digest, FailureCode, GrantId, LoopId, NodeId, Place, RealmId, RunId, Scope, Timestamp,
    audit::{AuditNote, AuditOutcome},
    budget::Budget,
    json::Object,
    limits,
    message::Call,
    records::{Grant, GrantLink},
};
use serde::Serialize;

use super::{GrantKept, Known, StoredGrant};
use crate::{CallFailure, Node};

/// A chain of grants that a call came with, and that holds.
#[derive(Debug)]
pub(crate) struct Shown {
    chain: VerifiedGrants,
}

/// Why a call's grants are refused.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    Chain(#[from] GrantError),
    #[error("it begins with a grant that this realm has not given")]
    Foreign,
    #[error("grant {0} has been taken back")]
    Revoked(GrantId),
    #[error("grant {0} is used up: {1} calls have begun by it")]
    UsedUp(GrantId, u64),
    #[error("it is for another run of its holder's")]
    Run,
    #[error("there is no room to count its uses")]
    Full,
}

impl Shown {
    /// What the call may use by it.
    pub(crate) fn budget(&self) -> Option<Budget> {
        self.chain.last().budget
    }

    /// Whether a call by it counts as a use.
    pub(crate) fn is_counted(&self) -> bool {
        counted(&self.chain).next().is_some()
    }

    /// Until when it is good.
    pub(crate) fn until(&self) -> Timestamp {
        self.chain.last().not_after
    }

    /// Where its grants are kept, as far as they are.
    pub(crate) fn rows(&self, me: RealmId) -> Vec<GrantId> {
        self.chain.all().map(|grant| row_of(grant, me)).collect()
    }

    /// Who gave whom, for the trace of the run.
    pub(crate) fn trace(&self) -> Object {
        let links: Vec<Link<'_>> = self.chain.all().map(Link::of).collect();
        Object::new().with("grants", &links)
    }
}

/// One grant of a chain, in a trace.
#[derive(Serialize)]
struct Link<'a> {
    id: GrantId,
    issuer: RealmId,
    holder: RealmId,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a LoopId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
}

impl<'a> Link<'a> {
    const fn of(grant: &'a Grant) -> Self {
        Self {
            id: grant.id,
            issuer: grant.issuer,
            holder: grant.holder,
            agent: grant.agent.as_ref(),
            run: grant.run,
        }
    }
}

impl Node {
    /// The grants that a call goes by; none where it names none. What does not hold in every link is
    /// refused, also where policy would permit the call without. Whether a call may still begin by them is asked
    /// when one does: one that comes again is answered as the first was.
    pub(crate) fn shown_grants(
        &mut self,
        source: &Place,
        call: &Call,
    ) -> Result<Option<Box<Shown>>, CallFailure> {
        if call.grants.is_none() {
            return Ok(None);
        }
        match self.examine_grants(source, call) {
            Ok(chain) => Ok(Some(Box::new(Shown { chain }))),
            Err(unfit) => Err(self.refuse_grants(&source.scope(), &call.loop_id, &unfit)),
        }
    }

    fn refuse_grants(&mut self, caller: &Scope, loop_id: &LoopId, unfit: &Unfit) -> CallFailure {
        let message = format!("its grant is refused: {unfit}");
        self.counters.refuse(crate::Refused::Denied);
        if self.out.log().counts_refusal() {
            self.audit(AuditNote {
                outcome: AuditOutcome::Refusal,
                error: Some(unfit.to_string()),
                realm: Some(caller.clone()),
                ..AuditNote::new("grant.refused").about(loop_id.to_string())
            });
        }
        CallFailure::new(FailureCode::Denied, message).before_work()
    }

    fn examine_grants(&mut self, source: &Place, call: &Call) -> Result<VerifiedGrants, Unfit> {
        let links = call.grants.as_deref().unwrap_or_default();
        // Before any signature is checked: nobody makes this realm verify what it has not given.
        if !links
            .first()
            .is_some_and(|first| self.grants.has_given(first))
        {
            return Err(Unfit::Foreign);
        }
        let chain = verify_grants(links, |link| self.prove_grant(link, source))?;
        let caller = source.realm.ok_or(GrantError::Holder)?;
        chain.covers(caller, &call.loop_id)?;
        let run = call.parent.as_ref().map(|parent| parent.run);
        if chain.last().run.is_some_and(|only| Some(only) != run) {
            return Err(Unfit::Run);
        }
        Ok(chain)
    }

    /// Counts a call that begins by its grants.
    pub(crate) fn count_grants(
        &mut self,
        shown: &Shown,
        caller: &Scope,
        loop_id: &LoopId,
    ) -> Result<(), CallFailure> {
        let (me, now) = (self.me.realm(), self.now.wall);
        self.trim_grants();
        let good = shown.chain.good_at(now).map_err(Unfit::from);
        if let Err(unfit) = good.and_then(|()| self.grants.is_good(&shown.chain, me)) {
            return Err(self.refuse_grants(caller, loop_id, &unfit));
        }
        for grant in counted(&shown.chain) {
            let row = row_of(grant, me);
            let known = self.grants.known.get(&row).cloned();
            let first = shown.chain.first().id;
            let mut known = known.unwrap_or_else(|| counted_alone(first, grant.not_after));
            known.stored.used = known.stored.used.saturating_add(1);
            self.keep_grant(row, known);
        }
        Ok(())
    }
}

/// The grants of a chain that are counted: the first that bounds the number, and each that bounds it
/// further.
fn counted(chain: &VerifiedGrants) -> impl Iterator<Item = &Grant> {
    chain
        .all()
        .scan(None, |most: &mut Option<u64>, grant| {
            let further = grant
                .uses
                .filter(|uses| most.is_none_or(|most| *uses < most));
            *most = further.or(*most);
            Some(further.map(|_| grant))
        })
        .flatten()
}

/// Where a grant is kept: one that others have given by who gave it as well, so that nobody can take the
/// place of another one's.
fn row_of(grant: &Grant, me: RealmId) -> GrantId {
    match grant.issuer == me {
        true => grant.id,
        false => GrantId::new(Digest::of(&[grant.issuer.as_bytes(), grant.id.as_bytes()]).half()),
    }
}

fn counted_alone(first: GrantId, until: Timestamp) -> Known {
    Known {
        stored: StoredGrant {
            kept: GrantKept::Counted,
            links: Vec::new(),
            other: None,
            used: 0,
            revoked: None,
            until,
            first: Some(first),
        },
        chain: None,
    }
}

impl super::Grants {
    /// Whether a node that is no longer this realm's has signed grants that are still good.
    pub(super) fn has_signed(&self, node: NodeId) -> bool {
        let known = self.known.values();
        let mut given = known.filter(|known| known.stored.kept == GrantKept::Given);
        given.any(|known| {
            let chain = known.chain.as_ref();
            chain.is_some_and(|chain| chain.last().node == node)
        })
    }

    /// Whether this realm has given exactly this grant.
    fn has_given(&self, link: &GrantLink) -> bool {
        let id = link.grant.peek().map(|grant| grant.id);
        let known = id.ok().and_then(|id| self.known.get(&id));
        let given = known.filter(|known| known.stored.kept == GrantKept::Given);
        let chain = given.and_then(|known| known.chain.as_ref());
        chain.is_some_and(|chain| *chain.first_digest() == link.grant.digest())
    }

    /// Whether uses of one more grant that others have handed on of a first one can be counted.
    fn has_room(&self, first: GrantId) -> bool {
        let known = self.known.values();
        let counted = known.filter(|known| known.stored.kept == GrantKept::Counted);
        let (mut all, mut share) = (0_usize, 0_usize);
        for known in counted {
            all = all.saturating_add(1);
            share = share.saturating_add(usize::from(known.stored.first == Some(first)));
        }
        all < limits::GRANTS_COUNTED && share < limits::GRANTS_COUNTED_SHARE
    }

    /// Whether a grant that is kept there was taken back.
    pub(crate) fn is_revoked(&self, row: GrantId) -> bool {
        let known = self.known.get(&row);
        known.is_some_and(|known| known.stored.revoked.is_some())
    }

    /// Whether nothing of a chain was taken back, and another call may begin by it.
    fn is_good(&self, chain: &VerifiedGrants, me: RealmId) -> Result<(), Unfit> {
        let known = |grant: &Grant| self.known.get(&row_of(grant, me));
        let gone = |grant: &&Grant| self.is_revoked(row_of(grant, me));
        if let Some(revoked) = chain.all().find(gone) {
            return Err(Unfit::Revoked(revoked.id));
        }
        for grant in counted(chain) {
            let known = known(grant);
            let used = known.map_or(0, |known| known.stored.used);
            let most = grant.uses.unwrap_or(u64::MAX);
            if used >= most {
                return Err(Unfit::UsedUp(grant.id, used));
            }
            if known.is_none() && !self.has_room(chain.first().id) {
                return Err(Unfit::Full);
            }
        }
        Ok(())
    }
}
