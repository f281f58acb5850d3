//! What agents keep between calls.

use realm_client::{
    api::{Page, Problem, StateQuery, StateSummary, StateView},
    catalogue::Code,
};
use realm_executor::StateValue;
use realm_node::{Node, Request};
use realm_protocol::{LoopId, json};

use super::{
    Answer, Shared,
    extract::{Params, Segment},
    invoke::carry_out,
    loops::loop_id,
    people::Asker,
    problem::Fail,
    views::time,
};

pub(super) async fn list(daemon: Shared) -> Answer<Page<StateSummary>> {
    let look = |node: &Node| -> Vec<StateSummary> {
        let agents = node.states().agents();
        let summaries = agents.filter_map(|(agent, values)| {
            let bytes = values
                .values()
                .map(|held| json::to_bytes(&held.value).len());
            Some(StateSummary {
                agent: agent.to_string(),
                keys: values.len() as u64,
                bytes: bytes.sum::<usize>() as u64,
                changed: time(values.values().map(|held| held.at).max()?),
            })
        });
        summaries.collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(
    daemon: Shared,
    Segment(agent): Segment,
    Params(query): Params<StateQuery>,
) -> Answer<Page<StateView>> {
    Ok(axum::Json(
        kept(&daemon, loop_id(&agent)?, query.key).await?,
    ))
}

pub(super) async fn remove(
    daemon: Shared,
    asker: Asker,
    Segment(agent): Segment,
    Params(query): Params<StateQuery>,
) -> Answer<Page<StateView>> {
    let agent = loop_id(&agent)?;
    let was = kept(&daemon, agent.clone(), query.key.clone()).await?;
    let key = query.key;
    carry_out(&daemon, asker.asks(Request::ForgetState { agent, key })).await?;
    Ok(axum::Json(was))
}

async fn kept(
    daemon: &Shared,
    agent: LoopId,
    key: Option<String>,
) -> Result<Page<StateView>, Fail> {
    let named = key
        .clone()
        .map_or_else(|| agent.to_string(), |key| format!("{agent}, key {key}"));
    let look = move |node: &Node| -> Vec<StateView> {
        let values = node.states().of(&agent).into_iter().flatten();
        let wanted = values.filter(|(held, _)| key.as_ref().is_none_or(|key| key == *held));
        wanted
            .map(|(key, value)| view(&agent, key, value))
            .collect()
    };
    let found = daemon.handle.read(look).await?;
    if found.is_empty() {
        let problem = Problem::new(
            Code::NotFound,
            format!("there is no state of agent {named}"),
        );
        return Err(problem.with_hint("realmctl agent state ls").into());
    }
    Ok(Page::whole(found))
}

fn view(agent: &LoopId, key: &str, held: &StateValue) -> StateView {
    StateView {
        agent: agent.to_string(),
        key: key.to_owned(),
        version: held.version,
        changed: time(held.at),
        call: held.call.to_string(),
        value: held.value.clone(),
    }
}
