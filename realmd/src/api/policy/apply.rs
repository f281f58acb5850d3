//! Taking Cedar text into force: all of it, or none.

use std::collections::BTreeMap;

use realm_client::{
    api::{PolicyApplied, PolicyApply, Problem},
    catalogue::Code,
};
use realm_node::{Node, Request};
use realm_policy::{MAX_POLICY_ID, inside_policies, overruled_with};

use super::super::{
    Answer, Shared,
    extract::{Body, invalid},
    invoke::carry_out,
    people::Asker,
    problem::{Fail, policy_faults},
    views::short,
};

/// What policies for every realm below are called.
pub(super) const SUBTREE: &str = "subtree.";

pub(in crate::api) async fn apply(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<PolicyApply>,
) -> Answer<PolicyApplied> {
    let PolicyApply {
        id,
        text,
        subtree,
        dry_run,
    } = request;
    let id = usable(&id, subtree, &text)?;
    let [documents, above] = daemon
        .handle
        .read(move |node| documents(node, subtree))
        .await?;
    let replaced = documents.contains_key(&id);
    let warnings = overruled_with((&id, &text), &documents, &above);
    if !dry_run {
        let cedar = text;
        let policy = Request::SetPolicy {
            id: id.clone(),
            cedar,
            subtree,
        };
        carry_out(&daemon, asker.asks(policy)).await?;
    }
    Ok(axum::Json(PolicyApplied {
        policy_id: id,
        replaced,
        warnings: policy_faults(&warnings),
        dry_run,
    }))
}

/// The id that a policy gets, if its text can be used.
pub(in crate::api) fn usable(id: &str, subtree: bool, text: &str) -> Result<String, Fail> {
    let id = named(id, subtree)?;
    let mut problems = realm_policy::check(text);
    if problems.is_empty() {
        return Ok(id);
    }
    for problem in &mut problems {
        problem.id.clone_from(&id);
    }
    let detail = format!(
        "`{}` is not taken: what was in force stays in force",
        short(&id)
    );
    let problem = Problem::new(Code::PolicySyntax, detail);
    Err(problem.with_errors(policy_faults(&problems)).into())
}

/// The id that a policy gets.
fn named(id: &str, subtree: bool) -> Result<String, Fail> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let sound = (1..=MAX_POLICY_ID).contains(&id.len()) && id.chars().all(plain);
    if !sound || inside_policies().contains_key(id) {
        let what = format!(
            "a policy is called by 1 to {MAX_POLICY_ID} letters, digits, dots, dashes and underscores, and by \
             no name of those that are always there: `{}`",
            short(id)
        );
        return Err(invalid(&what));
    }
    let marked = id.starts_with(SUBTREE);
    match (marked, subtree) {
        (false, true) => Ok(format!("{SUBTREE}{id}")),
        (true, false) => Err(invalid(&format!(
            "`{SUBTREE}…` is what policies for the realms below are called: say `subtree`"
        ))),
        (true, true) | (false, false) => Ok(id.to_owned()),
    }
}

/// The documents that decide beside it, and those of the realms above by their names.
pub(super) fn documents(node: &Node, subtree: bool) -> [BTreeMap<String, String>; 2] {
    let held = node.policies().filter(|(.., below, _)| *below == subtree);
    let held = held.map(|(id, cedar, ..)| (id.to_owned(), cedar.to_owned()));
    let above = node.ceilings().into_iter();
    let above = above.map(|(scope, _, cedar)| (node.name_of(&scope), cedar));
    [held.collect(), above.collect()]
}
