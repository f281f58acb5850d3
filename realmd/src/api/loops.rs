//! Loops and who runs them.

use std::{collections::BTreeMap, sync::Arc};

use realm_backends::Backends;
use realm_client::{
    api::{AgentView, LoopChange, LoopDetail, LoopQuery, LoopSummary, Page, RemoveQuery, Removed},
    catalogue::Code,
};
use realm_executor::{Body, Registered, Tool, example};
use realm_node::{ContractsOf, Node, RemoveAsked, Request, Response};
use realm_protocol::{LoopId, RealmName, journal::Status, json, message::Contract};
use serde_json::Value;

use super::{
    Answer, Shared, apply,
    extract::{Params, Segment, invalid},
    invoke::{carry_out, unexpected},
    people::Asker,
    problem::Fail,
    runs::blocking,
    views::{realm_name, short, time},
};

/// Loops in a page.
const PAGE: usize = 500;

pub(super) async fn list(
    daemon: Shared,
    Params(query): Params<LoopQuery>,
) -> Answer<Page<LoopSummary>> {
    let LoopQuery {
        realm,
        example: _,
        cursor,
    } = query;
    let mut loops = match elsewhere(&daemon, realm.as_deref()).await? {
        None => {
            let own = |node: &Node| node.registry().iter().map(|known| own(known)).collect();
            daemon.handle.read(own).await?
        }
        Some(realm) => {
            let name = realm.to_string();
            let contracts = contracts(&daemon, realm, None).await?;
            contracts
                .iter()
                .map(|contract| foreign(contract, &name))
                .collect::<Vec<_>>()
        }
    };
    loops.sort_by(|a, b| a.id.cmp(&b.id));
    loops.retain(|known| cursor.as_ref().is_none_or(|cursor| known.id > *cursor));
    let more = loops.len() > PAGE;
    loops.truncate(PAGE);
    let next = loops.last().filter(|_| more).map(|last| last.id.clone());
    Ok(axum::Json(Page { items: loops, next }))
}

pub(super) async fn show(
    daemon: Shared,
    Segment(id): Segment,
    Params(query): Params<LoopQuery>,
) -> Answer<LoopDetail> {
    let id = loop_id(&id)?;
    let wanted = query.example;
    let found = match elsewhere(&daemon, query.realm.as_deref()).await? {
        None => {
            let asked = id.clone();
            let look = move |node: &Node| {
                node.registry()
                    .find(&asked, None)
                    .map(|known| own_detail(known))
            };
            daemon.handle.read(look).await?
        }
        Some(realm) => {
            let name = realm.to_string();
            let contracts = contracts(&daemon, realm, Some(id.clone())).await?;
            contracts
                .first()
                .map(|contract| foreign_detail(contract, &name))
        }
    };
    let mut detail = found.ok_or_else(|| no_loop(&id))?;
    if wanted {
        detail.example = Some(example(&detail.input_schema));
    }
    Ok(axum::Json(detail))
}

pub(super) async fn remove(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Params(query): Params<RemoveQuery>,
) -> Answer<Removed> {
    let RemoveQuery { version, force } = query;
    let id = loop_id(&id)?;
    let parsed = version.as_deref().map(semver::Version::parse).transpose();
    let parsed = parsed.map_err(|error| invalid(&format!("the version: {error}")))?;
    let asked = id.clone();
    let look = move |node: &Node| {
        node.registry()
            .get(&asked)
            .is_some_and(|known| known.builtin)
    };
    if daemon.handle.read(look).await? {
        let detail = format!("loop `{id}` is built in and cannot be removed");
        return Err(invalid(&detail));
    }
    let asked = RemoveAsked {
        id: id.clone(),
        version: parsed,
        force,
        by: asker.name().to_owned(),
    };
    carry_out(&daemon, asker.asks(Request::RemoveLoop(asked))).await?;
    let id = id.to_string();
    Ok(axum::Json(Removed { id, version }))
}

pub(super) async fn history(daemon: Shared, Segment(id): Segment) -> Answer<Page<LoopChange>> {
    let id = loop_id(&id)?;
    let asked = id.clone();
    let look = move |node: &Node| -> Vec<LoopChange> {
        let changes = node.loop_history(&asked);
        changes.map(change).collect()
    };
    let changes = daemon.handle.read(look).await?;
    if changes.is_empty() {
        return Err(no_loop(&id));
    }
    Ok(axum::Json(Page::whole(changes)))
}

fn change(change: &realm_node::LoopChange) -> LoopChange {
    LoopChange {
        at: time(change.at),
        by: change.by.clone(),
        action: apply::action(change.action),
        version: change.version.to_string(),
        digest: change.digest.to_string(),
        compatibility: change.verdict.map(apply::compatibility),
        reasons: change.reasons.clone(),
        why: change.why.clone(),
    }
}

pub(super) async fn agents(daemon: Shared) -> Answer<Page<AgentView>> {
    let running = running(&daemon).await?;
    let backends = Arc::clone(&daemon.backends);
    let look = move |node: &Node| {
        let loops = node.registry().iter();
        loops
            .map(|known| agent_view(known, &running, &backends))
            .collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn agent(daemon: Shared, Segment(id): Segment) -> Answer<AgentView> {
    let id = loop_id(&id)?;
    let running = running(&daemon).await?;
    let asked = id.clone();
    let backends = Arc::clone(&daemon.backends);
    let look = move |node: &Node| {
        node.registry()
            .get(&asked)
            .map(|known| agent_view(known, &running, &backends))
    };
    daemon
        .handle
        .read(look)
        .await?
        .map(axum::Json)
        .ok_or_else(|| no_loop(&id))
}

/// Runs under way here, by loop.
async fn running(daemon: &Shared) -> Result<BTreeMap<String, u64>, Fail> {
    let query = realm_store::RunQuery {
        status: Some(Status::Running),
        limit: 1_000,
        ..realm_store::RunQuery::default()
    };
    let page = blocking(daemon, move |store| store.runs(&query)).await?;
    let mut counts = BTreeMap::new();
    for run in page.items {
        if run.direction != realm_protocol::journal::Direction::Out {
            *counts.entry(run.loop_id).or_default() += 1;
        }
    }
    Ok(counts)
}

/// The realm that is asked, if it is not this one.
async fn elsewhere(daemon: &Shared, realm: Option<&str>) -> Result<Option<RealmName>, Fail> {
    let Some(name) = realm.map(realm_name).transpose()? else {
        return Ok(None);
    };
    let asked = name.clone();
    let look = move |node: &Node| {
        node.resolve_name(&asked)
            .map(|scope| scope == node.standing().scope)
    };
    let own = daemon.handle.read(look).await??;
    Ok((!own).then_some(name))
}

pub(super) async fn contracts(
    daemon: &Shared,
    realm: RealmName,
    loop_id: Option<LoopId>,
) -> Result<Vec<Contract>, Fail> {
    let asked = ContractsOf { realm, loop_id };
    match daemon.handle.ask(Request::Contracts(asked)).await? {
        Response::Contracts(contracts) => Ok(contracts),
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

fn own(known: &Registered) -> LoopSummary {
    let manifest = &known.manifest;
    LoopSummary {
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        kind: manifest.kind().to_string(),
        effects: known.effects.to_string(),
        description: manifest.description.clone(),
        digest: known.contract.to_string(),
        realm: None,
    }
}

pub(super) fn own_detail(known: &Registered) -> LoopDetail {
    let manifest = &known.manifest;
    LoopDetail {
        summary: own(known),
        input_schema: manifest.input_schema.clone(),
        output_schema: manifest.output_schema.clone(),
        example: None,
        manifest: Some(manifest.to_json()),
    }
}

fn foreign(contract: &Contract, realm: &str) -> LoopSummary {
    LoopSummary {
        id: contract.loop_id.to_string(),
        version: contract.version.clone(),
        kind: contract.kind.clone(),
        effects: contract.effects.clone(),
        description: contract.description.clone(),
        digest: contract.digest.to_string(),
        realm: Some(realm.to_owned()),
    }
}

pub(super) fn foreign_detail(contract: &Contract, realm: &str) -> LoopDetail {
    let schema = |text: Option<&realm_protocol::cbor::Blob>| {
        text.and_then(|text| json::parse(text).ok())
            .unwrap_or(Value::Bool(true))
    };
    LoopDetail {
        summary: foreign(contract, realm),
        input_schema: schema(contract.input_schema.as_ref()),
        output_schema: schema(contract.output_schema.as_ref()),
        example: None,
        manifest: None,
    }
}

/// What kind of backend a loop is run by, and what is called there: an address, the exact
/// arguments as JSON, a model.
pub(super) fn called(body: &Body) -> (&str, Option<String>) {
    match body {
        Body::Prompt(prompt) => (prompt.backend.as_str(), prompt.model.clone()),
        Body::Composite(composite) => {
            let calls = composite.calls();
            let called: Vec<String> = calls.map(|call| call.loop_id.to_string()).collect();
            ("composite", Some(called.join(", ")))
        }
        Body::Machine(machine) => ("machine", Some(machine.step.loop_id.to_string())),
        Body::Broadcast(broadcast) => {
            let named = broadcast.capabilities.iter().chain(&broadcast.loop_id);
            let named: Vec<&str> = named.map(LoopId::as_str).collect();
            let target = (!named.is_empty()).then(|| named.join(", "));
            ("broadcast", target)
        }
        Body::Route(route) => {
            let targets = route.targets.iter();
            let targets: Vec<String> = targets.map(|it| it.call.loop_id.to_string()).collect();
            ("route", Some(targets.join(", ")))
        }
        Body::Tool(tool @ (Tool::Echo | Tool::Count)) => {
            ("builtin", Some(tool.implementation().to_owned()))
        }
        Body::Tool(Tool::Http(http)) => ("http", Some(http.url.clone())),
        Body::Tool(Tool::Mcp(mcp)) => ("mcp", Some(format!("{} {}", mcp.server, mcp.tool))),
        Body::Tool(Tool::Process(process)) => {
            let argv = Value::from(process.argv.clone());
            ("process", Some(argv.to_string()))
        }
        Body::Tool(Tool::Commands(commands)) => {
            let names: Vec<&str> = commands.list.keys().map(String::as_str).collect();
            ("commands", Some(names.join(", ")))
        }
        Body::Tool(Tool::Container(container)) => {
            ("container", Some(container.image.as_str().to_owned()))
        }
        Body::Tool(Tool::Attached(attached)) => {
            let agent = attached.agent.as_ref().map(ToString::to_string);
            ("attached", agent)
        }
    }
}

fn agent_view(
    known: &Registered,
    running: &BTreeMap<String, u64>,
    backends: &Backends,
) -> AgentView {
    let attached = known.manifest.agent();
    let attached = attached.map(|agent| {
        let seats = backends.attached();
        seats.instances(agent, &known.manifest.id)
    });
    let manifest = &known.manifest;
    let (backend, target) = called(&manifest.body);
    let loop_id = manifest.id.to_string();
    AgentView {
        version: manifest.version.to_string(),
        builtin: known.builtin,
        backend: backend.to_owned(),
        target,
        running: running.get(&loop_id).copied().unwrap_or(0),
        concurrency: Some(manifest.limits.concurrency),
        attached,
        loop_id,
    }
}

/// Reads the id of a loop.
pub(super) fn loop_id(text: &str) -> Result<LoopId, Fail> {
    text.parse()
        .map_err(|error| invalid(&format!("`{}`: {error}", short(text))))
}

pub(super) fn no_loop(id: &LoopId) -> Fail {
    realm_client::api::Problem::new(Code::LoopNotFound, format!("there is no loop `{id}`"))
        .with_hint("realmctl loop ls")
        .into()
}
