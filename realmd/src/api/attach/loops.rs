//! The loops that an agent claims: those that are its own, and those that it registers.

use std::collections::{BTreeMap, BTreeSet};

use realm_client::{
    api::{Applied, ApplyRequest, AttachedLoop, Problem, ServedLoop, SourceFile},
    catalogue::Code,
};
use realm_executor::{Body, Manifest, Registry};
use realm_protocol::{LoopId, limits};
use serde_json::{Map, Value, json};

use crate::api::{Shared, apply, extract::invalid, problem::Fail, views::short};

/// What an agent has claimed, and may.
pub(super) struct Claimed {
    /// What it calls itself.
    pub(super) agent: LoopId,
    /// The loops whose calls it takes.
    pub(super) serves: BTreeSet<LoopId>,
    /// All it has named, as they are registered.
    pub(super) loops: Vec<ServedLoop>,
}

/// Registers what an agent defines, if all it names is its own.
pub(super) async fn claim(
    daemon: &Shared,
    agent: &str,
    loops: Vec<AttachedLoop>,
) -> Result<Claimed, Fail> {
    let agent: LoopId = agent
        .parse()
        .map_err(|_| invalid(&format!("`{}` is not a name for an agent", short(agent))))?;
    if !(1..=limits::ATTACHED_LOOPS).contains(&loops.len()) {
        let most = limits::ATTACHED_LOOPS;
        return Err(invalid(&format!("an agent serves 1 to {most} loops")));
    }
    let (mut named, mut files) = (Vec::new(), Vec::new());
    for (at, one) in loops.into_iter().enumerate() {
        match one {
            AttachedLoop::Registered(id) => {
                let id = id
                    .parse::<LoopId>()
                    .map_err(|error| invalid(&format!("/loops/{at}: {error}")))?;
                named.push(id);
            }
            AttachedLoop::Definition(document) => files.push(SourceFile {
                name: format!("loops/{at}"),
                text: Value::Object(complete(document, &agent)).to_string(),
                referred: false,
            }),
        }
    }
    let planned = apply::checked(daemon, &files).await?;
    if !planned.restrictions.is_empty() {
        let what = "an agent brings loops, and no policies: realmctl apply takes the file";
        return Err(invalid(what));
    }
    let defined = planned.loops.into_iter();
    let defined: Vec<Manifest> = defined.map(|(manifest, _)| manifest).collect();
    let look = {
        let (agent, named, defined) = (agent.clone(), named.clone(), defined.clone());
        move |node: &realm_node::Node| check(node.registry(), &agent, &named, &defined)
    };
    let versions = daemon.handle.read(look).await??;
    let applied = match files.is_empty() {
        true => Vec::new(),
        false => {
            let request = ApplyRequest {
                files,
                ..ApplyRequest::default()
            };
            let by = format!("agent {agent}");
            apply::register(daemon, request, &by).await?.0
        }
    };
    let tools = defined.iter().filter(|one| one.agent().is_some());
    let serves = tools.map(|tool| tool.id.clone()).chain(named).collect();
    let known = versions.into_iter().map(|(id, version)| ServedLoop {
        loop_id: id.to_string(),
        version,
        action: None,
    });
    Ok(Claimed {
        agent,
        serves,
        loops: known.chain(applied.into_iter().map(served)).collect(),
    })
}

fn served(applied: Applied) -> ServedLoop {
    ServedLoop {
        loop_id: applied.id,
        version: applied.version,
        action: Some(applied.action),
    }
}

/// Fills in what goes without saying: a tool, attached, of this agent.
fn complete(mut document: Map<String, Value>, agent: &LoopId) -> Map<String, Value> {
    let kind = document.entry("kind").or_insert_with(|| json!("tool"));
    if kind != "tool" {
        return document;
    }
    let tool = document
        .entry("tool")
        .or_insert_with(|| json!({"implementation": "attached"}));
    if let Some(tool) = tool.as_object_mut()
        && tool
            .get("implementation")
            .is_some_and(|it| it == "attached")
        && let Some(config) = tool
            .entry("config")
            .or_insert_with(|| json!({}))
            .as_object_mut()
    {
        config
            .entry("agent")
            .or_insert_with(|| json!(agent.as_str()));
    }
    document
}

/// Gives the versions of the loops that were named, if they and what they define are the agent's own.
fn check(
    registry: &Registry,
    agent: &LoopId,
    named: &[LoopId],
    defined: &[Manifest],
) -> Result<BTreeMap<LoopId, String>, Fail> {
    // It is given nobody else's state either.
    let own = |manifest: &Manifest| {
        let keeps = manifest.state_agent().is_none_or(|whose| whose == agent);
        manifest.agent() == Some(agent) && keeps
    };
    let here = |id: &LoopId| registry.get(id).map(|known| &known.manifest);
    let step = |machine: &realm_executor::Machine| {
        let called = &machine.step.loop_id;
        let new = defined.iter().find(|one| one.id == called.loop_id);
        let found = new.or_else(|| here(&called.loop_id).map(|known| &**known));
        called.realm.is_none() && found.is_some_and(own)
    };
    let owned = |manifest: &Manifest| match &manifest.body {
        Body::Machine(machine) => step(machine),
        _ => own(manifest),
    };
    for new in defined {
        if !owned(new) {
            let what = format!(
                "`{}` is neither a tool that agent `{agent}` runs nor a machine of its steps",
                new.id
            );
            return Err(foreign(what, &new.id));
        }
        if let Some(known) = here(&new.id)
            && !owned(known)
        {
            return Err(taken(agent, known));
        }
    }
    let versions = named.iter().map(|id| match here(id) {
        Some(known) if own(known) => Ok((id.clone(), known.version.to_string())),
        Some(known) => Err(taken(agent, known)),
        None => {
            let what = format!("there is no loop `{id}`");
            let hint = "register it first, or send its definition: realmctl apply -f FILE";
            Err(Problem::new(Code::LoopNotFound, what)
                .with_hint(hint)
                .into())
        }
    });
    versions.collect()
}

fn taken(agent: &LoopId, known: &Manifest) -> Fail {
    let what = match known.agent() {
        Some(other) => format!("`{}` is run by agent `{other}`, not by `{agent}`", known.id),
        None => format!("`{}` is a {}, which no agent runs", known.id, known.kind()),
    };
    foreign(what, &known.id)
}

fn foreign(what: String, id: &LoopId) -> Fail {
    Problem::new(Code::AgentLoop, what)
        .with_hint(format!("realmctl agent show {id}"))
        .into()
}
