//! Whether policy lets the people of this realm do what they ask for, and its agents call what they call.
//!
//! The daemon has let them in, by their roles. Here the realm's policy is asked about each thing by
//! itself: this person, this action, this loop, at most this cost. What changes policy, and what lets things
//! stand still, is asked of nobody: an owner cannot be kept from the one, nor an operator from the other.

mod members;
mod pseudonyms;
mod user;

use realm_policy::{Action, AskedResource, Principal, Request as Question};
use realm_protocol::{
    FailureCode, LoopAddress, LoopId, RunId,
    budget::{Amount, Budget},
    records::Role,
};

pub use members::Member;
pub(crate) use members::Members;
pub(crate) use pseudonyms::Named;
pub use pseudonyms::{ForgetAsked, Pseudonym, Pseudonyms};

pub(crate) use user::{User, key_of};

use crate::{CallFailure, ControlId, InvokeAsked, Node, Person, PromptChange, Refusal, Request};

/// One thing that somebody would do.
struct Wanted {
    action: Action,
    resource: AskedResource,
    cost: Option<Amount>,
}

impl Wanted {
    const fn new(action: Action, resource: AskedResource) -> Self {
        Self {
            action,
            resource,
            cost: None,
        }
    }
}

impl Node {
    /// Carries out what somebody asks for, if policy lets them.
    pub(crate) fn handle_asked_by(&mut self, control: ControlId, person: &Person, asked: Request) {
        let user = User::Person(person.clone());
        match self
            .wanted(&asked)
            .and_then(|all| self.let_user(&user, &all))
        {
            Ok(()) => self.handle_control(control, Some(person), asked),
            Err(refusal) => self.refuse(control, refusal),
        }
    }

    /// Carries out a call of an agent's, if policy lets it.
    pub(crate) fn invoke_as(&mut self, control: ControlId, agent: LoopId, asked: InvokeAsked) {
        let user = User::Agent(agent);
        let asked = InvokeAsked {
            caller: Some(user.name()),
            ..asked
        };
        match self.let_agent(&user, &asked) {
            Ok(()) => self.invoke(control, Some(user), asked),
            Err(refusal) => self.refuse(control, refusal),
        }
    }

    fn let_agent(&mut self, user: &User, asked: &InvokeAsked) -> Result<(), Refusal> {
        if asked.backend.is_some() {
            let message = "which backend a prompt asks is not an agent's to say";
            return Err(CallFailure::new(FailureCode::Malformed, message).into());
        }
        let wanted = self.calling(self.called(&asked.address)?, asked.budget);
        self.let_user(user, &wanted)
    }

    fn let_user(&mut self, user: &User, all: &[Wanted]) -> Result<(), Refusal> {
        for wanted in all {
            let approvals = self.permit_user(user, wanted)?;
            if wanted.action == Action::Invoke && !self.waits_for(&approvals, &wanted.resource) {
                let message = "a policy wants people to approve this call, and only what runs here \
                               waits for them: call it from a loop of this realm";
                return Err(CallFailure::new(FailureCode::Denied, message).into());
            }
        }
        Ok(())
    }

    /// What a request comes to, as policy sees it.
    fn wanted(&self, asked: &Request) -> Result<Vec<Wanted>, Refusal> {
        let own = |id: &LoopId| AskedResource::Loop {
            owner: self.me.scope(),
            id: self.registry.resolve(id).clone(),
        };
        let wanted = match asked {
            Request::Invoke(asked) => self
                .calling(self.called(&asked.address)?, asked.budget)
                .into(),
            Request::Broadcast(asked) => {
                let resource = own(&asked.loop_id);
                let mut wanted = vec![Wanted::new(Action::Announce, resource.clone())];
                // Without a currency no bid may ask for a price.
                if let Some(currency) = &asked.limits.currency {
                    let currency = currency.parse().ok();
                    let all = |price: u64| price.saturating_mul(asked.rule.awards.max(1));
                    let cost = asked.limits.price.map(all);
                    wanted.push(Wanted {
                        cost: currency
                            .zip(cost)
                            .map(|(currency, micros)| Amount { currency, micros }),
                        ..Wanted::new(Action::Spend, resource)
                    });
                }
                // What makes the results one is a call like any other.
                if let Some(aggregator) = &asked.aggregator {
                    wanted.extend(self.calling(own(aggregator), Budget::default()));
                }
                wanted
            }
            Request::Decide(said) => {
                let Some(loop_id) = self.loop_of_approval(said.approval) else {
                    return Ok(Vec::new());
                };
                let address = loop_id.parse().map_err(|_| Refusal::NotFound {
                    what: "loop",
                    name: loop_id.to_owned(),
                })?;
                vec![Wanted::new(Action::Approve, self.called(&address)?)]
            }
            Request::Prompt(asked) => match asked.what {
                // A score changes nothing that is called.
                PromptChange::Score(_) => Vec::new(),
                PromptChange::Promote(_)
                | PromptChange::PromoteBest(_)
                | PromptChange::Rollback
                | PromptChange::Share(_) => {
                    vec![Wanted::new(Action::PromotePrompt, own(&asked.id))]
                }
            },
            // What a call did whose outcome is unknown is said by those who may make such a call.
            Request::Resume(run, Some(_)) => match self.decided_about(*run) {
                Some((action, id)) => vec![Wanted::new(action, own(&id))],
                None => Vec::new(),
            },
            Request::May(action) => {
                vec![Wanted::new(*action, AskedResource::Realm(self.me.scope()))]
            }
            // What holds work and lets it go on is everybody's whose role lets them.
            Request::Cancel(_)
            | Request::Pause(_)
            | Request::Resume(_, None)
            | Request::ResetBreaker(_)
            | Request::Halt(_)
            | Request::Unhalt(_) => Vec::new(),
            // The owner's way back from a policy that forbids too much.
            Request::Allow(_) | Request::SetPolicy { .. } | Request::Disallow(_) => Vec::new(),
            // Asked at the door, by `May`.
            Request::Invite(_)
            | Request::Join(_)
            | Request::Apply(_)
            | Request::Restrict(_)
            | Request::Erase(_)
            | Request::ForgetPseudonyms(_)
            | Request::RemoveLoop(_)
            | Request::ForgetState { .. }
            | Request::ApplyRate(_)
            | Request::RemoveRate(_)
            | Request::Revoke(_)
            | Request::Grant(_)
            | Request::HoldGrant(_)
            | Request::RevokeGrant(_)
            | Request::Acknowledge { .. }
            | Request::RemovePeer(_)
            | Request::Pin { .. } => Vec::new(),
            // The daemon's own word.
            Request::Know(_)
            | Request::ForgetMembers
            | Request::KeepSignIns(_)
            | Request::Note(_) => Vec::new(),
            // What this realm may see of others is asked there.
            Request::Contracts(_) | Request::Trace(_) | Request::Ping(_) => Vec::new(),
            // Asked about when it is unpacked.
            Request::By(..) | Request::InvokeAs(..) => Vec::new(),
        };
        Ok(wanted)
    }

    /// The loop of a run that waits for somebody's word, and what was done with it.
    fn decided_about(&self, run: RunId) -> Option<(Action, LoopId)> {
        if let Some(loop_id) = self.announced_by(run) {
            return Some((Action::Announce, loop_id.clone()));
        }
        let served = self.serving.get(run)?;
        Some((Action::Invoke, served.record.loop_id.parse().ok()?))
    }

    /// The loop that a call names.
    fn called(&self, address: &LoopAddress) -> Result<AskedResource, Refusal> {
        let me = self.me.scope();
        let owner = match &address.realm {
            Some(name) => self.resolve_name(name)?,
            None => me.clone(),
        };
        let id = match owner == me {
            true => self.registry.resolve(&address.loop_id),
            false => &address.loop_id,
        };
        let id = id.clone();
        Ok(AskedResource::Loop { owner, id })
    }

    /// What a call with this budget comes to.
    fn calling(&self, called: AskedResource, budget: Budget) -> [Wanted; 2] {
        let spending = Wanted {
            // The most that it may cost, if that is bounded.
            cost: self.asker_budget(budget).budget.money,
            ..Wanted::new(Action::Spend, called.clone())
        };
        [Wanted::new(Action::Invoke, called), spending]
    }

    /// Asks policy for one thing; gives the roles of those who have to approve it.
    fn permit_user(&mut self, user: &User, wanted: &Wanted) -> Result<Vec<Role>, Refusal> {
        let (home, now) = (self.me.scope(), self.now.wall);
        let principal = user.as_principal(&home);
        let resource = wanted.resource.as_resource();
        let question = Question {
            cost: wanted.cost,
            ..Question::new(wanted.action, principal, resource, now)
        };
        let decided = self.rules.decide_request(&question);
        let permit = decided.map_err(|denial| {
            let reference = self.denied(denial);
            let (name, action) = (user.name(), wanted.action);
            let message = format!("policy does not let {name} {action}; reference {reference}");
            let mut failure = CallFailure::new(FailureCode::Denied, message);
            failure.reference = Some(reference);
            Refusal::from(failure)
        })?;
        Ok(permit.approvals().to_vec())
    }

    /// Whether the run of a call of somebody's waits for these roles by itself: what a policy demands of
    /// a person alone, no run would wait for.
    fn waits_for(&mut self, approvals: &[Role], called: &AskedResource) -> bool {
        let me = self.me.scope();
        let runs_here = matches!(called, AskedResource::Loop { owner, .. } if *owner == me);
        let now = self.now.wall;
        let decided = match approvals {
            [] => return true,
            _ => self.rules.decide_request(&Question::new(
                Action::Invoke,
                Principal::Realm(&me),
                called.as_resource(),
                now,
            )),
        };
        // What policy denies the realm is refused where it is asked, with a reference.
        let waited = |role| match &decided {
            Ok(permit) => permit.approvals().contains(role),
            Err(_) => true,
        };
        runs_here && approvals.iter().all(waited)
    }
}
