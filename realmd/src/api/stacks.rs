//! Stacks: composites that announce work.

use realm_client::api::{Page, Problem, Removed, StackInput, StackPart, StackView};
use realm_client::catalogue::Code;
use realm_executor::{Body, Broadcast, Call, Composite, Registered, Registry, Step, Work};
use realm_node::{Node, RemoveAsked, Request};

use super::{
    Answer, Shared,
    extract::{Params, Segment, invalid},
    invoke::carry_out,
    loops::loop_id,
    people::Asker,
    problem::Fail,
};

pub(super) async fn list(daemon: Shared) -> Answer<Page<StackView>> {
    let look = |node: &Node| -> Vec<StackView> {
        let registry = node.registry();
        let stacks = registry.iter().filter_map(|known| view(registry, known));
        stacks.collect()
    };
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<StackView> {
    Ok(axum::Json(find(&daemon, &id).await?))
}

/// Removes a stack, and what it announces as far as nothing else calls that.
pub(super) async fn remove(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Params(query): Params<realm_client::api::RemoveQuery>,
) -> Answer<Page<Removed>> {
    if query.version.is_some() {
        return Err(invalid(
            "a stack goes as a whole: remove a version of it as of a loop",
        ));
    }
    let stack = find(&daemon, &id).await?;
    remove_loop(&daemon, asker.clone(), &stack.id, query.force).await?;
    let mut removed = vec![stack.id];
    for part in stack.parts {
        // One that another loop calls stays.
        let gone = removed.contains(&part.loop_id);
        if !gone
            && remove_loop(&daemon, asker.clone(), &part.loop_id, false)
                .await
                .is_ok()
        {
            removed.push(part.loop_id);
        }
    }
    let removed = removed.into_iter().map(|id| Removed { id, version: None });
    Ok(axum::Json(Page::whole(removed.collect())))
}

async fn remove_loop(daemon: &Shared, asker: Asker, id: &str, force: bool) -> Result<(), Fail> {
    let asked = RemoveAsked {
        id: loop_id(id)?,
        version: None,
        force,
        by: asker.name().to_owned(),
    };
    carry_out(daemon, asker.asks(Request::RemoveLoop(asked))).await
}

async fn find(daemon: &Shared, id: &str) -> Result<StackView, Fail> {
    let id = loop_id(id)?;
    let asked = id.clone();
    let look = move |node: &Node| {
        let registry = node.registry();
        registry
            .find(&asked, None)
            .and_then(|known| view(registry, known))
    };
    let found = daemon.handle.read(look).await?;
    found.ok_or_else(|| {
        Problem::new(Code::LoopNotFound, format!("there is no stack `{id}`"))
            .with_hint("realmctl stack ls")
            .into()
    })
}

/// A loop as a stack, if it is a composite that announces work.
fn view(registry: &Registry, known: &Registered) -> Option<StackView> {
    let manifest = &known.manifest;
    let Body::Composite(composite) = &manifest.body else {
        return None;
    };
    let parts = parts(registry, composite);
    (!parts.is_empty()).then(|| StackView {
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        description: manifest.description.clone(),
        parts,
    })
}

fn parts(registry: &Registry, composite: &Composite) -> Vec<StackPart> {
    let steps = composite.steps.iter().enumerate();
    let calls = steps.flat_map(|(number, step)| {
        let steps = match &step.work {
            Work::Parallel(steps) => steps.as_slice(),
            Work::Call(_) | Work::Wait { .. } => std::slice::from_ref(step),
        };
        steps.iter().map(move |step| (number, step))
    });
    let announced = calls.filter_map(|(number, step)| {
        let call = step.call().filter(|call| call.loop_id.realm.is_none())?;
        let called = registry.find(&call.loop_id.loop_id, call.loop_version.as_deref())?;
        match &called.manifest.body {
            Body::Broadcast(broadcast) => Some(part(registry, number, (step, call), broadcast)),
            _ => None,
        }
    });
    announced.collect()
}

fn part(
    registry: &Registry,
    number: usize,
    (step, call): (&Step, &Call),
    broadcast: &Broadcast,
) -> StackPart {
    let able = match broadcast.capabilities.as_slice() {
        [] => Vec::new(),
        needed => registry
            .able(needed)
            .map(|known| known.manifest.id.to_string())
            .collect(),
    };
    let input = call.input_mapping.as_ref().map(|mapping| {
        let members = mapping.iter().map(|(name, from)| StackInput {
            name: name.clone(),
            from: from.to_string(),
        });
        members.collect()
    });
    StackPart {
        step: number,
        loop_id: call.loop_id.to_string(),
        capabilities: broadcast
            .capabilities
            .iter()
            .map(ToString::to_string)
            .collect(),
        able,
        input,
        when: step.when.as_ref().map(ToString::to_string),
        select: broadcast.selects().to_owned(),
        winners: broadcast.rule.awards,
        min_bids: broadcast.rule.min_bids,
        aggregate: broadcast.aggregates().to_owned(),
        window_ms: broadcast.window_ms,
        within_ms: broadcast.within_ms,
    }
}
