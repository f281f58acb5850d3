//! Policies that never decide anything, because another one always goes before them, and policies of which others
//! take something.

use std::collections::BTreeMap;

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use super::{PolicyProblem, Strictness, parse};
use crate::Action;

/// The policies of documents that never decide anything: what they permit another one, or one of a realm above,
/// forbids as a whole, or another one without conditions says the same. Documents that do not parse are passed
/// over. Those of realms above go by their names.
pub fn overruled(
    documents: &BTreeMap<String, String>,
    above: &BTreeMap<String, String>,
) -> Vec<PolicyProblem> {
    let policies = named(documents);
    let closed = closed_above(&policies, above);
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
    found.chain(closed).collect()
}

/// What policies permit other realms, of which a realm above permits nothing: every level has to.
fn closed_above(policies: &[Named], above: &BTreeMap<String, String>) -> Vec<PolicyProblem> {
    let mut found = Vec::new();
    for (realm, text) in above {
        let Ok(set) = parse(realm, text, Strictness::Parsed) else {
            continue;
        };
        let permits: Vec<&Policy> = set
            .policies()
            .filter(|policy| policy.effect() == Effect::Permit)
            .collect();
        for Named {
            document,
            name,
            policy,
        } in policies
        {
            let asked_above = policy.effect() == Effect::Permit && is_for_realms(policy);
            if asked_above && !permits.iter().any(|permit| may_meet(permit, policy)) {
                let what =
                    format!("{name} never permits anything: `{realm}`, above, permits none of it");
                found.push(PolicyProblem::whole(document.clone(), what));
            }
        }
    }
    found
}

/// Whether a policy is about realms alone: people and loops inside are permitted by their own realm.
fn is_for_realms(policy: &Policy) -> bool {
    use PrincipalConstraint::{Any, Eq, In, Is, IsIn};
    let kind = match policy.principal_constraint() {
        Any => return false,
        Eq(uid) | In(uid) => uid.type_name().clone(),
        Is(kind) | IsIn(kind, _) => kind,
    };
    let listed = listed(&policy.action_constraint());
    let mut named = listed.iter().flatten();
    // Realms above are not asked who administers, and permit no steps: they only forbid them.
    let own = [Action::Administer, Action::Step].map(Action::name);
    let is_own = named.any(|action| own.contains(&action.id().unescaped()));
    kind.to_string() == "Realm" && !is_own
}

/// What a document would not do as it seems to, in force beside others: what it would never decide, and what others
/// would no more. A document of the same id is the one that it takes the place of.
pub fn overruled_with(
    (id, text): (&str, &str),
    documents: &BTreeMap<String, String>,
    above: &BTreeMap<String, String>,
) -> Vec<PolicyProblem> {
    let before = overruled(documents, above);
    let mut after = documents.clone();
    after.insert(id.to_owned(), text.to_owned());
    let mut found = overruled(&after, above);
    found.retain(|problem| !before.contains(problem));
    found
}

/// Where a document permits what others, or realms above, forbid in part, or forbids a part of what others permit.
pub fn conflicts(
    (id, text): (&str, &str),
    documents: &BTreeMap<String, String>,
    above: &BTreeMap<String, String>,
) -> Vec<PolicyProblem> {
    let own = named(&[(id.to_owned(), text.to_owned())].into());
    let mut others = documents.clone();
    others.remove(id);
    let (others, above) = (named(&others), named(above));
    let within = own
        .iter()
        .flat_map(|one| own.iter().map(move |other| (one, other)));
    let beside = own
        .iter()
        .flat_map(|one| others.iter().map(move |other| (one, other)));
    let under = own
        .iter()
        .flat_map(|one| above.iter().map(move |other| (one, other)));
    let turned = beside.clone().map(|(one, other)| (other, one));
    let pairs = within.chain(beside).chain(turned).chain(under);
    let found = pairs.filter(|(permit, forbid)| {
        let (permit, forbid) = (&permit.policy, &forbid.policy);
        permit.effect() == Effect::Permit
            && forbid.effect() == Effect::Forbid
            && (covers(forbid, permit) && forbid.has_non_scope_constraint()
                || !covers(forbid, permit) && covers(permit, forbid))
    });
    let told = found.map(|(permit, forbid)| {
        let what = format!(
            "{} permits what {} forbids in part: what is forbidden stays forbidden",
            permit.name, forbid.name
        );
        PolicyProblem::whole(id.to_owned(), what)
    });
    told.collect()
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
    (forbids || plain) && covers(stronger, weaker)
}

/// Whether all that one is about by its scope, another one is about as well.
fn covers(wide: &Policy, narrow: &Policy) -> bool {
    principals(&wide.principal_constraint(), &narrow.principal_constraint())
        && actions(&wide.action_constraint(), &narrow.action_constraint())
        && resources(&wide.resource_constraint(), &narrow.resource_constraint())
}

/// Whether two may be about the same by their actions: what lies in what cannot be told from scopes.
fn may_meet(one: &Policy, other: &Policy) -> bool {
    match (
        listed(&one.action_constraint()),
        listed(&other.action_constraint()),
    ) {
        (Some(one), Some(other)) => one.iter().any(|action| other.contains(action)),
        _ => true,
    }
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
    match (listed(wide), listed(narrow)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|action| wide.contains(action)),
    }
}

/// The actions that a scope names; none for all.
fn listed(of: &ActionConstraint) -> Option<Vec<EntityUid>> {
    match of {
        ActionConstraint::Any => None,
        ActionConstraint::In(actions) => Some(actions.clone()),
        ActionConstraint::Eq(action) => Some(vec![action.clone()]),
    }
}
