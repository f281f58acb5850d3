//! What Cedar text would have changed, had it been in force: the calls and denials of the past, asked again.

use std::collections::BTreeMap;

use realm_client::api::{Expectation, PolicyApply, PolicyChange, PolicyQuestion, PolicyShadow};
use realm_node::Node;
use realm_policy::{Action, AskedPrincipal, AskedResource, Decision, Policy, RequestCopy};
use realm_protocol::{
    RealmName,
    journal::{Direction, Run},
};
use realm_store::RunQuery;

use super::{
    Answer, Shared, asked,
    extract::{Body, invalid},
    policy::apply::usable,
    problem::Fail,
    runs::blocking,
    views::time,
};

/// Runs that are looked at, the latest.
const RUNS: usize = 10_000;

/// A question of the past, and who and what it was about in words.
struct Past {
    asked: RequestCopy,
    question: PolicyQuestion,
}

pub(super) async fn shadow(
    daemon: Shared,
    Body(request): Body<PolicyApply>,
) -> Answer<PolicyShadow> {
    let PolicyApply {
        id,
        text,
        subtree,
        dry_run: _,
    } = request;
    if subtree {
        return Err(invalid(
            "what a policy would change below is seen there alone",
        ));
    }
    let id = usable(&id, false, &text)?;
    daemon.handle.settled().await?;
    let runs = blocking(&daemon, |store| {
        let mut runs: Vec<Run> = Vec::new();
        let mut before = None;
        loop {
            let query = RunQuery {
                before,
                limit: RUNS.saturating_sub(runs.len()),
                ..RunQuery::default()
            };
            let page = store.runs(&query)?;
            runs.extend(page.items);
            before = page.next;
            if before.is_none() || runs.len() >= RUNS {
                return Ok(runs);
            }
        }
    });
    let runs = runs.await?;
    let look = move |node: &Node| {
        let (past, unknown) = past(node, &runs);
        let own = node.policies().filter(|(.., below, _)| !below);
        let own: BTreeMap<String, String> = own
            .map(|(id, cedar, ..)| (id.to_owned(), cedar.to_owned()))
            .collect();
        (past, unknown, own, node.policy().clone())
    };
    let (past, unknown, mut own, before) = daemon.handle.read(look).await?;
    own.insert(id, text);
    let mut after = before.clone();
    after
        .set_own(own)
        .map_err(|problems| Fail::from(realm_node::Refusal::Policy(problems)))?;
    let asked = past.len() as u64;
    let compared = tokio::task::spawn_blocking(move || changes(&before, &after, past));
    Ok(axum::Json(PolicyShadow {
        asked,
        unknown,
        changes: compared.await?,
    }))
}

/// The questions of the past: each call, and each denial that is remembered. Tells how many name somebody who
/// is not known here any more.
fn past(node: &Node, runs: &[Run]) -> (Vec<Past>, u64) {
    let mut unknown = 0;
    let calls = runs.iter().filter_map(|run| {
        let call = call(node, run);
        unknown += u64::from(call.is_none());
        call
    });
    let denials = node.denials().map(|denial| denial.request.clone());
    let all: Vec<RequestCopy> = calls
        .collect::<Vec<_>>()
        .into_iter()
        .chain(denials)
        .collect();
    let all = all.into_iter().map(|asked| Past {
        question: PolicyQuestion {
            principal: asked::who(node, &asked.principal),
            action: asked.action.to_string(),
            resource: asked::what(node, &asked.resource),
        },
        asked,
    });
    (all.collect(), unknown)
}

/// What policy was asked for a run: whether its caller may call its loop.
fn call(node: &Node, run: &Run) -> Option<RequestCopy> {
    let me = node.standing().scope;
    let peer = || {
        let name: RealmName = run.peer.as_ref()?.parse().ok()?;
        node.resolve_name(&name).ok()
    };
    let (principal, owner) = match run.direction {
        Direction::In => (peer()?, me),
        Direction::Out => (me, peer()?),
        Direction::Local => (me.clone(), me),
    };
    let resource = AskedResource::Loop {
        owner,
        id: run.loop_id.parse().ok()?,
    };
    let principal = AskedPrincipal::Realm(principal);
    let asked = realm_policy::Request::new(
        Action::Invoke,
        principal.as_principal(),
        resource.as_resource(),
        run.started,
    );
    Some(RequestCopy::from(&asked))
}

/// The questions that are answered otherwise, each once.
fn changes(before: &Policy, after: &Policy, past: Vec<Past>) -> Vec<PolicyChange> {
    let mut changes: BTreeMap<[String; 3], PolicyChange> = BTreeMap::new();
    for Past { asked, question } in past {
        let decided = |policy: &Policy| match policy.decide(&asked.as_request()) {
            Decision::Permitted(_) => (Expectation::Permit, Vec::new()),
            Decision::Denied(denial) => (Expectation::Deny, denial.determining),
        };
        let ((before, _), (after, determining)) = (decided(before), decided(after));
        if before == after {
            continue;
        }
        let names = [&question.principal, &question.action, &question.resource];
        let last = time(asked.now);
        let change = changes
            .entry(names.map(String::clone))
            .or_insert(PolicyChange {
                question,
                before,
                after,
                times: 0,
                last,
                determining,
            });
        change.times += 1;
        change.last = change.last.max(last);
    }
    changes.into_values().collect()
}
