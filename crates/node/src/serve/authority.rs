//! Whether a call of another realm's that people have approved may still begin: what was asked when it came is asked
//! again, because much may have been taken back while they thought about it. And whether one that has begun by a grant
//! may go on.

use realm_crypto::VerifiedChain;
use realm_protocol::{
    CallId, FailureCode, GrantId, LoopId, RealmId, RunId, Scope, Timestamp, cbor::Blob,
    journal::Direction, link::read_chain, wire_map,
};

use super::Incoming;
use crate::{CallFailure, Node, accept::stored_run};

wire_map! {
    /// What let a call of another realm's in.
    pub struct StoredAuthority {
        /// Who called.
        0 => realm: RealmId,
        /// Their chain.
        1 => chain: Option<Blob>,
        /// Where the grants are kept that it goes by.
        2 => grants: Vec<GrantId>,
        /// Until when these are good.
        3 => until: Option<Timestamp>,
        /// How many people of the caller's realm had approved it.
        4 => approved: u64,
    }
}

impl Node {
    pub(super) fn authority_of(&mut self, incoming: &Incoming) -> Option<StoredAuthority> {
        if incoming.direction != Direction::In {
            return None;
        }
        let (now, me) = (self.wall(), self.me.realm());
        let chain = self.trust.chain(&incoming.caller, now);
        let grants = incoming.grants.as_deref();
        Some(StoredAuthority {
            realm: incoming.caller_realm,
            chain: chain.map(|chain| chain.bytes().clone()),
            grants: grants.map_or_else(Vec::new, |grants| grants.rows(me)),
            until: grants.map(crate::grants::Shown::until),
            approved: incoming.approved_at(now),
        })
    }

    /// Whether the frame that a run began with may still begin.
    ///
    /// # Errors
    /// The caller is not who it was, its grant was taken back, or policy does not let it call any more.
    pub(crate) fn still_authorized(&mut self, run: RunId, call: CallId) -> Result<(), CallFailure> {
        let served = self.serving.get(run).filter(|served| served.call == call);
        let Some(served) = served.filter(|_| !self.executor.has_question(run, call)) else {
            return Ok(());
        };
        let stored = stored_run(served).and_then(|stored| stored.authority);
        let (Some(stored), Ok(loop_id)) = (stored, served.record.loop_id.parse::<LoopId>()) else {
            return Ok(());
        };
        let caller = served.caller.clone();
        if !self.is_still(&caller, &stored) {
            let message =
                "the caller's certificate or peering ended before people had approved its call";
            return Err(CallFailure::new(FailureCode::BadCertificate, message));
        }
        let now = self.wall();
        let over = stored.until.is_some_and(|until| until <= now);
        if over || stored.grants.iter().any(|row| self.grants.is_revoked(*row)) {
            let message = "its grant was taken back or ran out before people had approved its call";
            return Err(CallFailure::new(FailureCode::Denied, message));
        }
        let granted = stored.until.is_some();
        self.permit_caller(&caller, &loop_id, (stored.approved, granted))?;
        Ok(())
    }

    /// Whether a step of a run may begin by the grants that the run began by.
    ///
    /// # Errors
    /// One of them was taken back since.
    pub(crate) fn still_granted(&self, run: RunId) -> Result<(), CallFailure> {
        let served = self.serving.get(run);
        let mut rows = served.iter().flat_map(|served| &served.grants);
        match rows.any(|row| self.grants.is_revoked(*row)) {
            true => Err(CallFailure::new(
                FailureCode::Denied,
                "the grant that its run goes by has been taken back",
            )),
            false => Ok(()),
        }
    }

    /// Whether a realm that called is still there, and of a tree that has to do with this one.
    fn is_still(&mut self, caller: &Scope, stored: &StoredAuthority) -> bool {
        // An agent here may have won work of this realm's own.
        if *caller == self.me.scope() {
            return true;
        }
        let now = self.wall();
        let known = self.trust.chain(caller, now).map(VerifiedChain::realm);
        let proven = known.or_else(|| {
            let chain = read_chain(stored.chain.as_ref()?).ok()?;
            let own = self.me.chain();
            let chain = self.trust.check(&chain, caller.root, own, now).ok()?;
            Some(chain.realm())
        });
        proven == Some(stored.realm) && !self.is_parted(caller)
    }
}
