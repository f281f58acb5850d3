//! Which grants go along with a call of this realm's.

use realm_protocol::{
    CallId, Digest, GrantId, LoopId, Place, RealmId, Tick, Timestamp,
    budget::Budget,
    limits,
    records::{Grant, GrantLink, LoopPattern},
};

use super::{Bearer, GrantKept};
use crate::{
    Node,
    outbound::{Origin, Task},
};

/// What a call wants a grant for.
struct Asks {
    loop_id: LoopId,
    bearer: Option<Bearer>,
    budget: Budget,
    until: Tick,
}

/// A grant that a call goes by.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The grant that is held.
    pub(crate) id: GrantId,
    /// Its chain; of a run's call with one grant more, for that run alone.
    pub(crate) links: Vec<GrantLink>,
}

impl Node {
    /// Looks for the grant that a call goes by, once for all its attempts: its callee counts it once.
    pub(crate) fn look_for_grant(&mut self, call: CallId, destination: &Place) {
        let Some(callee) = destination.realm else {
            return;
        };
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &mut out.task else {
            return;
        };
        if invoke.grant.is_some() || self.grants.known.is_empty() {
            return;
        }
        let asks = Asks {
            loop_id: invoke.address.loop_id.clone(),
            bearer: invoke.bearer.clone(),
            budget: invoke.budget,
            until: invoke.until,
        };
        let by_hand = invoke.origin != Origin::Frame;
        let chosen = match by_hand || asks.bearer.is_some() {
            true => self.choose_grant(&asks, callee),
            false => None,
        };
        if let Some(out) = self.calls.get_mut(&call)
            && let Task::Invoke(invoke) = &mut out.task
        {
            invoke.grant = Some(chosen);
        }
    }

    /// The grant that a call goes by.
    pub(crate) fn grant_of(&self, call: CallId) -> Option<GrantId> {
        let Task::Invoke(invoke) = &self.calls.get(&call)?.task else {
            return None;
        };
        Some(invoke.grant.as_ref()?.as_ref()?.id)
    }

    /// The grant that a call goes by, where this realm holds one: for what people here ask for by hand,
    /// and for runs whose loops say that they need it. A run is given one of its own.
    fn choose_grant(&mut self, asks: &Asks, callee: RealmId) -> Option<Chosen> {
        let now = self.now.wall;
        let id = self.fitting(&asks.loop_id, callee, now)?;
        let known = self.grants.known.get(&id)?;
        let chain = known.chain.as_ref()?;
        let mut links = known.stored.links.clone();
        if let Some(bearer) = &asks.bearer {
            if links.len() >= limits::GRANT_LINKS {
                return None;
            }
            let before = chain.last().clone();
            let from = links.last()?.grant.digest();
            let own = self.own_link(asks, bearer, &before, from);
            links.push(own);
        }
        let known = self.grants.known.get_mut(&id)?;
        known.stored.used = known.stored.used.saturating_add(1);
        // Who gave the first knows itself, and who calls is known by the message.
        let me = self.me.realm();
        for link in &mut links {
            let issuer = link.grant.peek().map(|grant| grant.issuer);
            if issuer.is_ok_and(|issuer| issuer == callee || issuer == me) {
                link.chain = None;
            }
        }
        Some(Chosen { id, links })
    }

    /// The held grant that is good for the longest time and not used up, for a loop of a realm.
    fn fitting(&self, loop_id: &LoopId, callee: RealmId, now: Timestamp) -> Option<GrantId> {
        let known = self.grants.known.iter();
        let fitting = known.filter(|(_, known)| {
            let left = |grant: &Grant| grant.uses.is_none_or(|most| known.stored.used < most);
            let fits = |grant: &Grant| {
                grant.holder == self.me.realm()
                    && grant.takes(loop_id)
                    && grant.is_good_at(now)
                    && left(grant)
            };
            let chain = known.chain.as_ref();
            known.stored.kept == GrantKept::Held
                && known.is_good_at(now)
                && chain.is_some_and(|it| it.first().issuer == callee && fits(it.last()))
        });
        let best = fitting.max_by_key(|(_, known)| known.stored.until);
        best.map(|(id, _)| *id)
    }

    /// What a run is given: this loop alone, for itself alone, no longer than it waits.
    fn own_link(
        &mut self,
        asks: &Asks,
        (agent, run): &Bearer,
        before: &Grant,
        from: Digest,
    ) -> GrantLink {
        let now = self.now.wall;
        let waits = self.now.tick.until(asks.until).as_millis();
        let waits = u64::try_from(waits).unwrap_or(limits::RUN_MS);
        let budget = asks.budget.narrowed(before.budget.unwrap_or_default());
        let until = now.plus(waits).plus(limits::CLOCK_SKEW_MS);
        let grant = Grant {
            id: GrantId::at(now, self.random()),
            issuer: self.me.realm(),
            node: self.me.node(),
            holder: self.me.realm(),
            loops: vec![LoopPattern::from(&asks.loop_id)],
            uses: before.uses,
            budget: (!budget.is_unbounded()).then_some(budget),
            not_before: before.not_before,
            not_after: until.min(before.not_after),
            from: Some(from),
            agent: Some(agent.clone()),
            run: Some(*run),
        };
        GrantLink {
            grant: self.me.sign(&grant),
            chain: None,
        }
    }
}
