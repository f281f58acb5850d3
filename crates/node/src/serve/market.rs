//! Work that the market has for loops of this realm.

use std::collections::BTreeMap;

use realm_protocol::{
    BroadcastId, CallId, Digest, LoopId, Place, RealmId, budget::Budget, journal::Direction,
};

use super::Incoming;
use crate::{Node, answer::Responder};

/// Work that a bid of this realm's has won.
pub(crate) struct Leased {
    pub(crate) broadcast: BroadcastId,
    pub(crate) bid: Digest,
    pub(crate) agent: LoopId,
    /// The same for every holder of the slot.
    pub(crate) key: Digest,
    pub(crate) input: serde_json::Value,
    pub(crate) announcer: Place,
    /// How many calls and broadcasts led to it.
    pub(crate) depth: u64,
    pub(crate) timeout_ms: u64,
    /// What it may use, as its announcer says.
    pub(crate) budget: Option<Budget>,
}

/// What the market asks a loop of this realm.
pub(crate) struct Asked {
    pub(crate) call: CallId,
    pub(crate) loop_id: LoopId,
    pub(crate) input: serde_json::Value,
    pub(crate) limit_ms: u64,
    /// How many calls and broadcasts led to it.
    pub(crate) depth: u64,
    /// Where it must not run twice, also after a restart.
    pub(crate) key: Option<Digest>,
    /// What it may use.
    pub(crate) budget: Budget,
    pub(crate) purpose: Purpose,
}

/// What the market asks a loop for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// What an agent offers for announced work.
    Offer(Question),
    /// To make the results of a broadcast one.
    Aggregate(BroadcastId),
}

/// Which agent is asked about which announcement.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) broadcast: BroadcastId,
    pub(crate) round: u64,
    pub(crate) agent: LoopId,
}

impl Node {
    /// Runs an agent whose bid has won, for whoever leased the work.
    pub(crate) fn serve_leased(&mut self, leased: Leased) {
        let Some(caller_realm) = leased.announcer.realm else {
            return;
        };
        let key = leased_run(leased.key, leased.bid);
        let work = Digest::of(&[
            b"realm/1/leased",
            caller_realm.as_bytes(),
            leased.key.as_bytes(),
        ]);
        let incoming = Incoming {
            responder: Responder::Leased(leased.bid),
            call: leased_call(caller_realm, leased.key),
            caller: leased.announcer.scope(),
            caller_realm,
            loop_id: leased.agent,
            version: None,
            input: leased.input,
            key: Some((key, self.wall())),
            timeout_ms: leased.timeout_ms,
            depth: leased.depth,
            caller_name: None,
            asker: None,
            parent: None,
            direction: Direction::In,
            part_of: self.market.run_of(leased.broadcast),
            detached: false,
            waited_ms: 0,
            work: Some((leased.broadcast, work)),
            budgets: self.caller_budgets(leased.budget, None),
            approved_by: BTreeMap::new(),
            epoch: 0,
            backend: None,
            grants: None,
        };
        self.serve(incoming);
    }

    /// Runs a loop for the market.
    pub(crate) fn serve_asked(&mut self, asked: Asked) {
        let (Purpose::Offer(Question { broadcast, .. }) | Purpose::Aggregate(broadcast)) =
            asked.purpose;
        let incoming = Incoming {
            responder: Responder::Asked(Box::new(asked.purpose)),
            call: asked.call,
            caller: self.me.scope(),
            caller_realm: self.me.realm(),
            loop_id: asked.loop_id,
            version: None,
            input: asked.input,
            key: asked.key.map(|key| (key, self.wall())),
            timeout_ms: asked.limit_ms,
            depth: asked.depth,
            caller_name: None,
            asker: None,
            parent: None,
            direction: Direction::Local,
            part_of: self.market.run_of(broadcast),
            detached: false,
            waited_ms: 0,
            work: None,
            budgets: vec![self.asker_budget(asked.budget)],
            approved_by: BTreeMap::new(),
            epoch: 0,
            backend: None,
            grants: None,
        };
        self.serve(incoming);
    }
}

/// The key of the run that does leased work for a bid: the next holder of a slot may be another agent here, whose
/// run is another.
pub(crate) fn leased_run(key: Digest, bid: Digest) -> Digest {
    Digest::of(&[b"realm/1/leased-run", key.as_bytes(), bid.as_bytes()])
}

/// The call of leased work under this key in the traces of its holders, which the keys of tools come from: one
/// for each slot, because a realm may win several of a broadcast, and the same for every holder. Another announcer that
/// gives its work the same name has other calls.
fn leased_call(announcer: RealmId, key: Digest) -> CallId {
    let label = b"realm/1/leased-call";
    let digest = Digest::of(&[label, announcer.as_bytes(), key.as_bytes()]);
    CallId::new(digest.half())
}
