//! What people say of calls that wait for an approval, and whether that is enough.

use std::collections::BTreeSet;

use realm_crypto::verify;
use realm_protocol::{
    ApprovalId,
    audit::AuditNote,
    limits,
    records::{Approval, ApprovalVerdict, Role, Signed},
};
use thiserror::Error;

use super::{ApprovalState, Looking, StoredRequest};
use crate::{ControlId, Node, Refusal, Response};

/// Somebody who uses the local API, as the daemon knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
}

impl Person {
    /// Whether they may do what this role may; owners may do everything.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role) || self.roles.contains(&Role::Owner)
    }
}

/// What a person says of a call that waits for an approval.
#[derive(Clone, Debug)]
pub struct Decide {
    /// The request.
    pub approval: ApprovalId,
    /// Who says so.
    pub person: Person,
    /// Whether the call may begin.
    pub granted: bool,
    /// Why.
    pub reason: Option<String>,
}

/// Why what a person says of a call is not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecideError {
    /// It was decided before, or waits for nobody any more.
    #[error("the request is {state} already")]
    Decided {
        /// Where it stands.
        state: &'static str,
    },
    /// They lack the role.
    #[error("{person} has none of the roles that may decide this: {roles}")]
    Role {
        /// Who.
        person: String,
        /// The roles.
        roles: String,
    },
    /// They asked for the work, and somebody else has to approve it.
    #[error("{person} asked for this, and somebody else has to approve it")]
    OwnRequest {
        /// Who.
        person: String,
    },
    /// They have said so before.
    #[error("{person} has approved this already, and somebody else has to as well")]
    Twice {
        /// Who.
        person: String,
    },
    /// The reason is too long.
    #[error("a reason has at most {} characters", limits::REASON_CHARS)]
    Reason,
}

impl Node {
    /// Takes what a person says of a call that waits.
    pub(crate) fn decide_approval(&mut self, control: ControlId, said: Decide) {
        let id = said.approval;
        let Some(request) = self.approvals.requests.get(&id) else {
            let name = id.to_string();
            let what = "approval";
            return self.refuse(control, Refusal::NotFound { what, name });
        };
        if request.state() == ApprovalState::Waiting && request.expires <= self.now.wall {
            self.approvals_are_due();
        }
        match self.check_decision(&said) {
            Ok(()) => {
                self.note_decision(said);
                self.respond(control, Response::Done);
            }
            Err(error) => self.refuse(control, error.into()),
        }
    }

    fn check_decision(&self, said: &Decide) -> Result<(), DecideError> {
        let Some(request) = self.approvals.requests.get(&said.approval) else {
            return Ok(());
        };
        let person = said.person.name.clone();
        if request.state() != ApprovalState::Waiting {
            let state = request.state().name();
            return Err(DecideError::Decided { state });
        }
        let reason = said.reason.as_deref().unwrap_or_default();
        if reason.chars().count() > limits::REASON_CHARS {
            return Err(DecideError::Reason);
        }
        let roles: Vec<Role> = said.person.roles.iter().copied().collect();
        let mut rules = request.rules.iter();
        if !rules.any(|rule| rule.takes(&roles, request.requested, self.now.wall)) {
            let roles = request.rules.iter().map(|rule| rule.role.as_str());
            let roles = roles.collect::<BTreeSet<_>>().into_iter();
            let roles = roles.collect::<Vec<_>>().join(", ");
            return Err(DecideError::Role { person, roles });
        }
        if !said.granted {
            return Ok(());
        }
        if request.is_distinct() && request.requester.as_ref() == Some(&person) {
            return Err(DecideError::OwnRequest { person });
        }
        let mut before = request.decisions.iter().filter_map(|said| said.peek().ok());
        match before.any(|said| said.person == person) {
            true => Err(DecideError::Twice { person }),
            false => Ok(()),
        }
    }

    /// Signs what a person has said, and lets the call ask again once that is enough.
    fn note_decision(&mut self, said: Decide) {
        let id = said.approval;
        let Decide {
            approval: _,
            person,
            granted,
            reason,
        } = said;
        let now = self.now.wall;
        let Some(request) = self.approvals.requests.get(&id) else {
            return;
        };
        let record = Approval {
            id,
            action: request.action.clone(),
            verdict: match granted {
                true => ApprovalVerdict::Granted,
                false => ApprovalVerdict::Denied,
            },
            person: person.name.clone(),
            roles: person.roles.iter().copied().collect(),
            reason: reason.clone(),
            decided: now,
            expires: request.expires,
            node: self.me.node(),
        };
        let signed = self.me.sign(&record);
        let audited = record.reason.clone();
        let Some(request) = self.approvals.requests.get_mut(&id) else {
            return;
        };
        let payload = request
            .told(id)
            .with("person", &person.name)
            .with("record", &signed.digest())
            .with_some("reason", reason);
        request.decisions.push(signed);
        let enough = granted && request.is_met(&request.said());
        if enough || !granted {
            let state = match granted {
                true => ApprovalState::Granted,
                false => ApprovalState::Denied,
            };
            request.state = state.number();
            request.decided = Some(now);
        }
        let (run, call) = (request.action.run, request.action.frame);
        let kind = match granted {
            true => "approval.granted",
            false => "approval.denied",
        };
        let note = AuditNote {
            run: Some(run),
            call: Some(call),
            input: Some(request.action.input),
            person: Some(person.name),
            why: audited,
            ..AuditNote::new(kind).about(request.action.loop_id.clone())
        };
        self.audit(note);
        let payload = payload.with_some("enough", granted.then_some(enough));
        self.note_in_frame(run, call, kind, payload);
        self.keep_request(id);
        self.set_approval_timer();
        if !granted {
            self.refuse_call(id);
        } else if enough {
            self.executor.ask_again(run, call, &self.registry, self.now);
        }
    }

    /// Whether what was read of a request lets its call begin: every record by itself, and all together.
    pub(super) fn examine(
        &self,
        request: &StoredRequest,
        looking: &Looking,
    ) -> Result<(), &'static str> {
        let now = self.now.wall;
        if request.action != looking.action {
            return Err("it was given for another call");
        }
        if request.state() != ApprovalState::Granted {
            return Err("it was not given");
        }
        if request.used.is_some() && !looking.repeatable {
            return Err("it was used before");
        }
        let key = *self.me.node().as_bytes();
        let good = |signed: &Signed<Approval>| -> Result<Approval, &'static str> {
            let said = verify(signed, &[key]).map_err(|_| "a signature does not verify")?;
            let meant = said.id == looking.id && said.action == looking.action;
            match () {
                () if !meant => Err("it was given for another call"),
                () if said.verdict != ApprovalVerdict::Granted => Err("somebody has denied it"),
                () if said.expires <= now => Err("it has expired"),
                () => Ok(said),
            }
        };
        let said = request.decisions.iter().map(good);
        let said = said.collect::<Result<Vec<_>, _>>()?;
        let own = |said: &Approval| Some(&said.person) == request.requester.as_ref();
        if request.is_distinct() && said.iter().any(own) {
            return Err("whoever asked for the work has approved it");
        }
        match request.is_met(&said) {
            true => Ok(()),
            false => Err("not enough people have approved it"),
        }
    }
}

impl StoredRequest {
    fn said(&self) -> Vec<Approval> {
        let said = self.decisions.iter();
        said.filter_map(|said| said.peek().ok()).collect()
    }

    /// Whether every rule is met by as many different people as it asks for.
    fn is_met(&self, said: &[Approval]) -> bool {
        self.rules.iter().all(|rule| {
            let takes = |said: &&Approval| {
                said.verdict == ApprovalVerdict::Granted
                    && rule.takes(&said.roles, self.requested, said.decided)
            };
            let people: BTreeSet<&str> = said
                .iter()
                .filter(takes)
                .map(|said| said.person.as_str())
                .collect();
            people.len() as u64 >= rule.count
        })
    }
}
