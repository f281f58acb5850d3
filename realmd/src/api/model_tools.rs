//! The loops that models may call, and their owner's approval of those of other realms.

use std::sync::Arc;

use futures::future::join_all;
use realm_client::{
    api::{
        ApplyResult, ApproveRequest, Fault, LoopDetail, ModelToolView, Page, Problem, ToolState,
    },
    catalogue::Code,
};
use realm_executor::{Body as LoopBody, Manifest, ModelTool};
use realm_node::{Node, definition_of};
use realm_protocol::{Digest, LoopAddress, LoopId, RealmName};

use super::{
    Answer, Shared,
    apply::{file_of, register_all},
    extract::{Body, Segment, tool_digest},
    loops::{contracts, foreign_detail, loop_id, no_loop, own_detail},
    people::Asker,
    problem::Fail,
};

/// Lists them, as they are now: each other realm is asked.
pub(super) async fn list(daemon: Shared, Segment(id): Segment) -> Answer<Page<ModelToolView>> {
    let manifest = prompt(&daemon, &loop_id(&id)?).await?;
    let views = tools_of(&manifest).iter().map(|tool| view(&daemon, tool));
    let views: Result<Vec<_>, Fail> = join_all(views).await.into_iter().collect();
    Ok(axum::Json(Page::whole(views?)))
}

/// Approves loops of other realms as they were shown, by registering the prompt with their digests.
pub(super) async fn approve(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<ApproveRequest>,
) -> Answer<ApplyResult> {
    let id = loop_id(&id)?;
    let manifest = prompt(&daemon, &id).await?;
    let mut manifest = Manifest::clone(&manifest);
    let LoopBody::Prompt(prompt) = &mut manifest.body else {
        return Err(no_loop(&id));
    };
    for (name, digest) in &request.tools {
        let digest = tool_digest(name, digest)?;
        let mut tools = prompt.tools.iter_mut();
        let tool = tools.find(|tool| tool.name == *name && is_elsewhere(tool));
        let tool = tool.ok_or_else(|| {
            let detail = format!("`{id}` has no tool `{name}` that is a loop of another realm");
            let problem = Problem::new(Code::NotFound, detail);
            Fail::from(problem.with_hint(format!("realmctl tool ls {id}")))
        })?;
        tool.call.digest = Some(digest);
    }
    let (applied, warnings) = register_all(&daemon, vec![manifest], asker.name()).await?;
    Ok(axum::Json(ApplyResult {
        restrictions: Vec::new(),
        applied,
        dry_run: false,
        warnings,
    }))
}

/// What models will be refused, because nobody has approved it.
pub(super) fn unapproved(manifest: &Manifest) -> Option<Fault> {
    let mut open = tools_of(manifest)
        .iter()
        .filter(|tool| is_elsewhere(tool) && tool.call.digest.is_none());
    let tool = open.next()?;
    let (id, name, address) = (&manifest.id, &tool.name, &tool.call.loop_id);
    let more = open.count();
    let more = (more > 0).then(|| format!(", and {more} more"));
    let what = format!(
        "the model of `{id}` may not call its tool `{name}` ({address}){} before somebody approves it",
        more.unwrap_or_default()
    );
    Some(Fault {
        file: file_of(manifest),
        hint: Some(format!("realmctl tool approve {id}")),
        ..Fault::new(what)
    })
}

fn tools_of(manifest: &Manifest) -> &[ModelTool] {
    match &manifest.body {
        LoopBody::Prompt(prompt) => &prompt.tools,
        _ => &[],
    }
}

const fn is_elsewhere(tool: &ModelTool) -> bool {
    tool.call.loop_id.realm.is_some()
}

async fn prompt(daemon: &Shared, id: &LoopId) -> Result<Arc<Manifest>, Fail> {
    let asked = id.clone();
    let look = move |node: &Node| {
        let known = node.registry().find(&asked, None);
        known.map(|known| known.manifest.clone())
    };
    let manifest = daemon.handle.read(look).await?;
    manifest.ok_or_else(|| no_loop(id))
}

async fn view(daemon: &Shared, tool: &ModelTool) -> Result<ModelToolView, Fail> {
    let address = &tool.call.loop_id;
    let told = match &address.realm {
        None => own(daemon, &address.loop_id).await?,
        Some(realm) => foreign(daemon, realm, address).await,
    };
    let mut view = ModelToolView {
        name: tool.name.clone(),
        loop_id: address.to_string(),
        description: None,
        input_schema: serde_json::Value::Null,
        output_schema: serde_json::Value::Null,
        digest: String::new(),
        state: ToolState::Approved,
        fault: None,
    };
    match told {
        Ok((detail, digest)) => {
            view.description = detail.summary.description;
            view.input_schema = detail.input_schema;
            view.output_schema = detail.output_schema;
            view.digest = digest.map(|digest| digest.to_string()).unwrap_or_default();
            view.state = match tool.call.digest {
                _ if address.realm.is_none() => ToolState::Approved,
                None => ToolState::Unapproved,
                approved if approved == digest => ToolState::Approved,
                Some(_) => ToolState::Changed,
            };
        }
        Err(fault) => {
            view.fault = Some(fault);
            view.state = match tool.call.digest {
                None if address.realm.is_some() => ToolState::Unapproved,
                _ => ToolState::Changed,
            };
        }
    }
    Ok(view)
}

type Told = Result<(LoopDetail, Option<Digest>), String>;

async fn own(daemon: &Shared, id: &LoopId) -> Result<Told, Fail> {
    let asked = id.clone();
    let look = move |node: &Node| {
        node.registry()
            .find(&asked, None)
            .map(|known| own_detail(known))
    };
    let found = daemon.handle.read(look).await?;
    Ok(found
        .map(|detail| (detail, None))
        .ok_or_else(|| format!("this realm has no loop `{id}`")))
}

async fn foreign(daemon: &Shared, realm: &RealmName, address: &LoopAddress) -> Told {
    let asked = contracts(daemon, realm.clone(), Some(address.loop_id.clone())).await;
    let contracts = asked.map_err(|fail| fail.into_problem().detail)?;
    let contract = contracts.first();
    let told = contract.and_then(|told| Some((told, definition_of(told)?)));
    told.map(|(told, digest)| (foreign_detail(told, &realm.to_string()), Some(digest)))
        .ok_or_else(|| format!("`{realm}` shows no loop `{}`", address.loop_id))
}
