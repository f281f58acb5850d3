//! Permits that ask for a person: `@approval("approver")`.
//!
//! A policy with it permits calls that people approve. It holds beside others that permit the same
//! without it: what a policy demands, no other takes back.

use cedar_policy::{ActionConstraint, Effect, Policy, PolicySet};
use realm_protocol::records::Role;

use crate::{Action, PolicyProblem};

/// The annotation.
const ANNOTATION: &str = "approval";

/// The role that a policy asks for; none where it asks for nobody.
pub(crate) fn demanded(policy: &Policy) -> Option<Role> {
    role(policy.annotation(ANNOTATION)?)
}

/// What is wrong with the annotations of some policies: what nobody could be asked for is not taken.
pub(crate) fn problems(id: &str, set: &PolicySet) -> Vec<PolicyProblem> {
    let policies = set.policies().filter_map(|policy| {
        let what = problem(policy, policy.annotation(ANNOTATION)?)?;
        Some(PolicyProblem::whole(id.to_owned(), what))
    });
    policies.collect()
}

fn problem(policy: &Policy, role_named: &str) -> Option<String> {
    if role(role_named).is_none() {
        return Some(format!(
            "`@approval(\"{role_named}\")` names no role that approves: operator, approver or owner"
        ));
    }
    if policy.effect() == Effect::Forbid {
        return Some(
            "`@approval` stands before `permit`: what is forbidden, nobody approves".to_owned(),
        );
    }
    let is_call = match policy.action_constraint() {
        ActionConstraint::Eq(action) => {
            let named = <_ as AsRef<str>>::as_ref(action.id());
            [Action::Invoke, Action::Step]
                .map(Action::name)
                .contains(&named)
        }
        ActionConstraint::Any | ActionConstraint::In(_) => false,
    };
    (!is_call).then(|| {
        "`@approval` is for calls: say `action == Action::\"invoke\"`, or `step`, in the policy's scope"
            .to_owned()
    })
}

/// A viewer changes nothing, and so approves nothing.
fn role(text: &str) -> Option<Role> {
    let role: Role = text.parse().ok()?;
    (role != Role::Viewer).then_some(role)
}
