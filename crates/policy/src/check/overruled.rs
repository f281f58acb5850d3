//! Policies that never decide anything, because another one always goes before them.

use std::collections::BTreeMap;

use cedar_policy::{ActionConstraint, Effect, Policy, PrincipalConstraint, ResourceConstraint};

use super::{PolicyProblem, Strictness, parse};

/// The policies of documents that never decide anything: what they permit another one, or one of a realm above,
/// forbids as a whole, or another one without conditions says the same. Documents that do not parse are passed
/// over. Those of realms above go by their names.
pub fn overruled(
    documents: &BTreeMap<String, String>,
    above: &BTreeMap<String, String>,
) -> Vec<PolicyProblem> {
    let policies = named(documents);
    let above = named(above).into_iter();
    let above: Vec<Named> = above
        .filter(|named| named.policy.effect() == Effect::Forbid)
        .collect();
    let found = policies.iter().enumerate().filter_map(|(at, weaker)| {
        let policy = &weaker.policy;
        let others = policies.iter().chain(&above).enumerate();
        let others = others.filter(|(other, _)| *other != at);
        let mut over = others.filter(|(_, other)| !other.policy.has_non_scope_constraint());
        let (other, by) = over.find(|(_, other)| goes_before(&other.policy, policy))?;
        let (by, stronger) = (&by.name, &by.policy);
        // Of two that say the same, the later one is the one too many.
        if other > at && goes_before(policy, stronger) && !policy.has_non_scope_constraint() {
            return None;
        }
        let what = match (stronger.effect(), policy.effect()) {
            (Effect::Forbid, Effect::Permit) => {
                format!(
                    "{} never permits anything: {by} forbids all of it",
                    weaker.name
                )
            }
            _ => format!(
                "{} changes nothing: {by} says all of it already",
                weaker.name
            ),
        };
        Some(PolicyProblem::whole(weaker.document.clone(), what))
    });
    found.collect()
}

/// A policy, and what a person calls it.
struct Named {
    document: String,
    name: String,
    policy: Policy,
}

/// The policies of documents that parse.
fn named(documents: &BTreeMap<String, String>) -> Vec<Named> {
    let mut policies = Vec::new();
    for (id, text) in documents {
        let Ok(set) = parse(id, text, Strictness::Parsed) else {
            continue;
        };
        let alone = set.policies().count() == 1;
        policies.extend(set.policies().map(|policy| Named {
            document: id.clone(),
            name: name(id, policy, alone),
            policy: policy.clone(),
        }));
    }
    policies
}

/// A policy by its document, and by its number where that has more.
fn name(document: &str, policy: &Policy, alone: bool) -> String {
    let number = policy.id().to_string();
    let number = number
        .strip_prefix("policy")
        .and_then(|at| at.parse::<usize>().ok());
    let number = number.map_or_else(|| policy.id().to_string(), |at| (at + 1).to_string());
    match (document, alone) {
        ("", _) => format!("policy {number}"),
        (document, true) => format!("`{document}`"),
        (document, false) => format!("policy {number} of `{document}`"),
    }
}

/// Whether one without conditions decides whatever another one is about, by its scope.
fn goes_before(stronger: &Policy, weaker: &Policy) -> bool {
    let forbids = stronger.effect() == Effect::Forbid;
    // What asks for a person asks beside others.
    let plain = stronger.effect() == weaker.effect() && weaker.annotation("approval").is_none();
    (forbids || plain)
        && principals(
            &stronger.principal_constraint(),
            &weaker.principal_constraint(),
        )
        && actions(&stronger.action_constraint(), &weaker.action_constraint())
        && resources(
            &stronger.resource_constraint(),
            &weaker.resource_constraint(),
        )
}

fn principals(wide: &PrincipalConstraint, narrow: &PrincipalConstraint) -> bool {
    use PrincipalConstraint::{Any, Eq, In, Is, IsIn};
    match (wide, narrow) {
        (Any, _) => true,
        (Is(kind), Eq(uid)) => uid.type_name() == kind,
        (Is(kind), IsIn(other, _)) => kind == other,
        (In(uid), Eq(other) | IsIn(_, other)) => uid == other,
        (wide, narrow) => wide == narrow,
    }
}

fn resources(wide: &ResourceConstraint, narrow: &ResourceConstraint) -> bool {
    use ResourceConstraint::{Any, Eq, In, Is, IsIn};
    match (wide, narrow) {
        (Any, _) => true,
        (Is(kind), Eq(uid)) => uid.type_name() == kind,
        (Is(kind), IsIn(other, _)) => kind == other,
        (In(uid), Eq(other) | IsIn(_, other)) => uid == other,
        (wide, narrow) => wide == narrow,
    }
}

fn actions(wide: &ActionConstraint, narrow: &ActionConstraint) -> bool {
    let listed = |of: &ActionConstraint| match of {
        ActionConstraint::Any => None,
        ActionConstraint::In(actions) => Some(actions.clone()),
        ActionConstraint::Eq(action) => Some(vec![action.clone()]),
    };
    match (listed(wide), listed(narrow)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|action| wide.contains(action)),
    }
}
