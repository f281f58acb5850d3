//! People of directories: runs go on for them only while it is known that they may.
//!
//! The daemon says what a directory lets somebody do, and until when that is believed. A step of a run
//! begins only under such a word. Where somebody may no longer run things the step is refused; where that
//! is not known the run stands still, and goes on by itself once it is.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{CallId, FailureCode, RunId, Tick, limits, records::Role};

use crate::{CallFailure, Node, Person};

/// What stands between a directory and the name that somebody has there.
const FROM: char = '@';

/// What a directory lets somebody do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who, and what they may do now.
    pub person: Person,
    /// Until when that is believed.
    pub until: Tick,
}

/// What is known of people whom directories know.
#[derive(Debug, Default)]
pub(crate) struct Members {
    known: BTreeMap<String, Member>,
    /// Runs that stand still because it is not known whether they may go on.
    held: BTreeSet<RunId>,
}

/// Whether a run may go on.
enum Standing {
    May,
    MayNot(String),
    Unknown(String),
}

impl Node {
    /// Takes what a directory says of somebody; runs that waited for it go on, or end at their next step.
    pub(crate) fn know_member(&mut self, member: Member) {
        let (now, name) = (self.now.tick, member.person.name.clone());
        let known = &mut self.members.known;
        if known.len() >= limits::PEOPLE_KNOWN {
            known.retain(|_, member| member.until > now);
        }
        if known.len() < limits::PEOPLE_KNOWN {
            known.insert(name.clone(), member);
        }
        let held = self.members.held.iter().copied();
        let theirs = held.filter(|run| self.member_of(*run) == Some(&name));
        for run in theirs.collect::<Vec<_>>() {
            self.let_go_on(run);
        }
    }

    /// Lets a run go on that stood still for a directory's word, once there is one. What holds it beside that
    /// holds it still.
    pub(crate) fn let_go_on(&mut self, run: RunId) {
        let known = !matches!(self.standing_of(run), Standing::Unknown(_));
        // One that is halted asks again when that is lifted.
        if known && !self.executor.is_halted(run) && self.members.held.remove(&run) {
            self.executor.let_go(run, &self.registry, self.now);
        }
    }

    /// Believes nothing any more that directories have said: until they say it again, runs stand still.
    pub(crate) fn forget_members(&mut self) {
        self.members.known.clear();
    }

    /// People of directories for whom something runs here.
    pub fn members_at_work(&self) -> BTreeSet<String> {
        let runs = self.serving.ids().chain(self.market.own_runs());
        runs.filter_map(|run| self.member_of(run).cloned())
            .collect()
    }

    /// The person of a directory who began a run, if one did.
    fn member_of(&self, run: RunId) -> Option<&String> {
        let person = self.person_behind(run);
        person.filter(|name| name.contains(FROM))
    }

    /// Whether it is known that whoever began a run may still run things.
    pub(crate) fn may_go_on(&self, run: RunId) -> bool {
        matches!(self.standing_of(run), Standing::May)
    }

    fn standing_of(&self, run: RunId) -> Standing {
        let Some(name) = self.member_of(run) else {
            return Standing::May;
        };
        let known = self.members.known.get(name);
        match known.filter(|known| known.until > self.now.tick) {
            Some(known) if known.person.has(Role::Operator) => Standing::May,
            Some(_) => Standing::MayNot(name.clone()),
            None => Standing::Unknown(name.clone()),
        }
    }

    /// Whether it is known that whoever began a run may do so no more.
    pub(crate) fn may_not_go_on(&self, run: RunId) -> bool {
        matches!(self.standing_of(run), Standing::MayNot(_))
    }

    /// Whether a step of a run may ask somebody, by who began it; nothing where the run stands still instead.
    ///
    /// # Errors
    /// Whoever began the run may no longer run things.
    pub(crate) fn let_member(
        &mut self,
        run: RunId,
        call: CallId,
    ) -> Option<Result<(), CallFailure>> {
        match self.standing_of(run) {
            Standing::May => Some(Ok(())),
            Standing::MayNot(name) => {
                let message = format!("no group of {name} lets them run loops any more");
                Some(Err(CallFailure::new(FailureCode::Denied, message)))
            }
            Standing::Unknown(name) => {
                let reason = format!("what {name} may do is not known: the directory has not said");
                self.executor.hold_back(run, &reason, self.now);
                self.executor.not_asked(call, self.now);
                let serving = &self.serving;
                self.members.held.retain(|run| serving.has(*run));
                self.members.held.insert(run);
                None
            }
        }
    }
}
