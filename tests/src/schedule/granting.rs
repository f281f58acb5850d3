//! Authority that realms give each other, hand on, take back and use.

use std::collections::BTreeMap;

use realm_node::{ControlId, GrantAsked, GrantView, Request, Response};
use realm_protocol::{LoopId, budget::Budget};

use super::{Fault, Member, Schedule};
use crate::{HostId, audit, grants};

/// A grant from whose loops it is for to who holds it, by who gave it.
#[derive(Clone, Debug)]
struct Way {
    owner: Member,
    by: Member,
    holder: Member,
}

/// What the realms of a schedule have granted each other.
#[derive(Debug, Default)]
pub(super) struct Granting {
    /// What was asked for and is not answered.
    asked: Vec<(Way, ControlId)>,
    given: Vec<(Way, GrantView)>,
    /// How often somebody was refused to hand on more than it holds.
    widened: u64,
}

impl Schedule {
    /// What realms do with authority; what they do more often stands there more often.
    pub(super) const GRANTING: [Fault; 8] = [
        Self::grant,
        Self::grant,
        Self::hand_on,
        Self::hand_on,
        Self::use_grant,
        Self::use_grant,
        Self::use_grant,
        Self::take_back,
    ];

    /// An owner lets a realm of another tree call some of its loops.
    fn grant(&mut self) {
        let owner = self.member();
        let holder = self.far_from(&owner);
        let by = owner.clone();
        self.give(Way { owner, by, holder }, None);
    }

    /// A holder gives some of what it holds to another one, or tries to give more.
    fn hand_on(&mut self) {
        let Some((way, view)) = self.given() else {
            return self.grant();
        };
        let holder = self.far_from(&way.owner);
        let (owner, by) = (way.owner, way.holder);
        self.give(Way { owner, by, holder }, Some(&view));
    }

    fn give(&mut self, way: Way, before: Option<&GrantView>) {
        if !self.world.is_up(way.by.host) {
            return;
        }
        let loops = ["pay", "look", "p*", "*"][self.world.random(4) as usize];
        let loops = vec![loops.parse().expect("a pattern")];
        let uses = [None, Some(1), Some(2), Some(5)][self.world.random(4) as usize];
        let (loops, uses) = match before {
            // As much as there is.
            Some(view) if self.world.random(4) > 0 => (view.grant.loops.clone(), None),
            _ => (loops, uses),
        };
        let asked = GrantAsked {
            holder: way.holder.name.parse().expect("a realm"),
            loops,
            uses,
            budget: Budget::default(),
            for_ms: [2_000, 20_000, 90_000, 86_400_000][self.world.random(4) as usize],
            from: before.map(|view| view.grant.id),
        };
        let control = self.world.ask(way.by.host, Request::Grant(asked));
        self.granting.asked.push((way, control));
    }

    /// What was given gets to its holders, by whatever way people have.
    pub(super) fn hand_over(&mut self) {
        for (way, control) in std::mem::take(&mut self.granting.asked) {
            let outcome = self.world.outcomes.get(&(way.by.host, control));
            match outcome.map(|outcome| &outcome.response) {
                None => self.granting.asked.push((way, control)),
                Some(Response::Granted(view)) => {
                    let view = (**view).clone();
                    self.take_up(way.holder.host, &view);
                    self.granting.given.push((way, view));
                }
                Some(Response::Refused(why)) => {
                    let widens = why.to_string().contains("than the grant before it");
                    self.granting.widened += u64::from(widens);
                }
                Some(_) => {}
            }
        }
    }

    fn take_up(&mut self, holder: HostId, view: &GrantView) {
        if self.world.is_up(holder) {
            self.world
                .ask(holder, Request::HoldGrant(view.links.clone()));
        }
    }

    /// A holder calls what it was granted, by hand or in a run, now and then several times.
    fn use_grant(&mut self) {
        let Some((way, view)) = self.given() else {
            return self.grant();
        };
        if self.world.random(3) == 0 {
            self.take_up(way.holder.host, &view);
        }
        let takes = |id: &&str| view.grant.takes(&id.parse::<LoopId>().expect("a loop id"));
        let loops: Vec<&str> = ["pay", "look", "secret"]
            .into_iter()
            .filter(takes)
            .collect();
        let loop_id = loops[self.world.random(loops.len() as u64) as usize];
        match self.world.random(4) {
            0 => self.call_of(&way.holder, &way.holder, "both"),
            times => {
                for _ in 0..times {
                    self.call_of(&way.holder, &way.owner, loop_id);
                }
            }
        }
    }

    /// Who gave something takes it back, or who holds it lets it go.
    fn take_back(&mut self) {
        let Some((way, view)) = self.given() else {
            return self.grant();
        };
        let who = match self.world.random(4) {
            0 => way.holder.host,
            _ => way.by.host,
        };
        if self.world.is_up(who) {
            self.world.ask(who, Request::RevokeGrant(view.grant.id));
        }
    }

    /// Something that was given, as often as not the last.
    fn given(&mut self) -> Option<(Way, GrantView)> {
        let given = &self.granting.given;
        let (many, last) = (given.len() as u64, given.last().cloned());
        match self.world.random(2) {
            0 => last,
            _ => {
                let at = self.world.random(many) as usize;
                self.granting.given.get(at).cloned()
            }
        }
    }

    /// What became of the grants of this schedule.
    pub(super) fn tell_grants(&self) -> BTreeMap<&'static str, u64> {
        let given = self.granting.given.iter();
        let handed_on = given.filter(|(_, view)| view.chain.len() > 1);
        let mut met = BTreeMap::from([
            ("a grant that is handed on", handed_on.count() as u64),
            (
                "more than one holds is not handed on",
                self.granting.widened,
            ),
        ]);
        let mut meet = |what, when| *met.entry(what).or_default() += u64::from(when);
        for chain in grants::uses(&self.world) {
            let bearer = chain.iter().any(|link| link["run"].is_string());
            let holders = chain.len() - usize::from(bearer);
            meet("a call by a grant", true);
            meet("a call by a grant that was handed on", holders > 1);
            meet("a call by a grant of a run's own", bearer);
        }
        let refusals = self
            .world
            .hosts
            .iter()
            .flat_map(|host| audit::entries(&host.disk));
        for entry in refusals.filter(|entry| entry.action == "grant.refused") {
            let why = entry.error.unwrap_or_default();
            meet(
                "a grant that was taken back is refused",
                why.contains("taken back"),
            );
            meet(
                "a grant that is used up is refused",
                why.contains("used up"),
            );
        }
        met
    }
}
