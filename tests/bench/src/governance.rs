//! What it costs to be governed: policy decisions, and calls with their traces, receipts and entries in
//! both audit logs, by grants and without. Nodes without nets and stores, on one thread, in its CPU time.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use realm_node::{GrantAsked, InvokeAsked, Request, Response};
use realm_policy::{
    Action, Allow, Memo, Policy, Request as Question, Resource, allow_policy, default_policies,
    subtree_text,
};
use realm_protocol::{RealmId, Scope, Timestamp, budget::Budget};
use serde_json::json;

use crate::{load::Times, market::Market, resources::thread_cpu, row::Row};

/// Decisions of a row.
const DECISIONS: usize = 5_000;
/// Permissions that the realm's owner has given.
const PERMISSIONS: usize = 100;
/// Calls of a row, and those before it that are not counted.
const CALLS: usize = 2_000;
const WARM_UP: usize = 200;
/// When it is.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// The loop that is called, of the first realm.
const LOOP: &str = "see@m0";

/// Times work, each piece by itself.
fn timed(job: &str, times: usize, mut work: impl FnMut(usize) -> Result<()>) -> Result<Row> {
    let mut took = Vec::with_capacity(times);
    let mut sum = Duration::ZERO;
    for number in 0..times {
        let begun = thread_cpu();
        work(number)?;
        let one = thread_cpu().saturating_sub(begun);
        sum += one;
        took.push(u64::try_from(one.as_nanos())?);
    }
    Ok(Times::new(took, sum).row(job, 1, Some(sum)))
}

/// A decision of a realm below one with what that allows its subtree, and a hundred permissions of its own:
/// worked out, and remembered.
pub(crate) fn decisions(job: &str) -> Result<[Row; 2]> {
    let root = Scope {
        root: RealmId::new([1; 32]),
        path: Default::default(),
    };
    let here = Scope {
        path: "health".parse()?,
        ..root.clone()
    };
    let mut own = default_policies(&here).own;
    let caller = |number: usize| Scope {
        path: format!("c{number}").parse().unwrap_or_default(),
        ..root.clone()
    };
    for number in 0..PERMISSIONS {
        let allow = Allow {
            caller: caller(number).into(),
            action: Action::Invoke,
            pattern: "see".to_owned(),
            owner: here.clone(),
            expires: None,
            caller_name: format!("m0/c{number}"),
        };
        own.extend([allow_policy(&allow)]);
    }
    let mut policy = Policy::new();
    let told = |problems| anyhow::anyhow!("{problems:?}");
    policy.set_own(own).map_err(told)?;
    policy.set_ancestors(1);
    let below = subtree_text(&default_policies(&root).subtree);
    let set = policy.set_ceiling(0, root.clone(), root.root, 1, &below);
    set.map_err(told)?;
    let (last, id) = (caller(PERMISSIONS - 1), "see".parse()?);
    let resource = Resource::Loop {
        owner: &here,
        id: &id,
    };
    let question = Question::new(Action::Invoke, (&last).into(), resource, NOW);
    let worked_out = timed(job, DECISIONS, |_| {
        let permitted = policy.decide(&question).is_permitted();
        ensure!(permitted, "not permitted");
        Ok(())
    })?;
    let mut memo = Memo::default();
    let remembered = timed(&format!("{job}-cached"), DECISIONS, |_| {
        let permitted = memo.decide(&policy, &question).is_ok();
        ensure!(permitted, "not permitted");
        Ok(())
    })?;
    Ok([worked_out, remembered])
}

/// Calls of one child at its parent, all that both do for one; and the same by a chain of four grants.
pub(crate) fn calls(job: &str) -> Result<[Row; 2]> {
    let mut market = Market::settle(20)?;
    let plain = calls_of(&mut market, job, 4)?;
    // From the first realm to the fourth of its children, by the other three.
    let mut from = None;
    for (giver, holder) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        let asked = GrantAsked {
            holder: format!("m0/m{holder}").parse()?,
            loops: vec!["see".parse()?],
            uses: None,
            budget: Budget::default(),
            for_ms: 3_600_000,
            from,
        };
        let given = match market.ask(giver, Request::Grant(asked))? {
            Response::Granted(given) => given,
            other => bail!("nothing is granted: {other:?}"),
        };
        from = Some(given.grant.id);
        match market.ask(holder, Request::HoldGrant(given.links.clone()))? {
            Response::Granted(held) => ensure!(held.chain.len() == holder, "a shorter chain"),
            other => bail!("the grant is not held: {other:?}"),
        }
    }
    let granted = calls_of(&mut market, &format!("{job}-granted"), 4)?;
    let held = market.grants(4);
    let used = held.first().context("no grant")?.used;
    ensure!(used as usize >= CALLS, "{used} calls by the grant");
    Ok([plain, granted])
}

fn calls_of(market: &mut Market, job: &str, from: usize) -> Result<Row> {
    let mut call = |_| {
        let asked = InvokeAsked {
            address: LOOP.parse()?,
            version: None,
            input: json!({"n": 1}),
            timeout_ms: None,
            key: None,
            caller: None,
            store: false,
            detach: false,
            stream: false,
            budget: Budget::default(),
            backend: None,
        };
        match market.ask(from, Request::Invoke(asked))? {
            Response::Invoked(ended) => match ended.result {
                Ok(_) => Ok(()),
                Err(failure) => bail!("{failure}"),
            },
            other => bail!("no call: {other:?}"),
        }
    };
    timed(job, WARM_UP, &mut call)?;
    timed(job, CALLS, &mut call)
}
