//! Model backends, and MCP servers with their tools.

use std::collections::{BTreeMap, BTreeSet};

use realm_backends::{Model, Server, ToolDefinition};
use realm_client::{
    api::{
        ApplyResult, ApproveRequest, BackendView, ImageView, ImportResult, Imported, Page, Problem,
        ToolState, ToolView,
    },
    catalogue::Code,
};
use realm_executor::{Body as LoopBody, LoopLimits, MOCK, Manifest, Mcp, Tool};
use realm_protocol::{Digest, LoopId};
use serde_json::{Map, Value, json};

use super::{
    Answer, Shared,
    apply::register_all,
    extract::{Body, Segment, tool_digest},
    people::Asker,
    problem::Fail,
    yaml,
};
use crate::{config::BackendConfig, containers};

/// What the container engine is called among backends.
const CONTAINERS: &str = "containers";
/// Its format, which no backend has that is configured by name.
const ENGINE: &str = "docker";

pub(super) async fn list(daemon: Shared) -> Answer<Page<BackendView>> {
    Ok(axum::Json(Page {
        items: views(&daemon),
        next: None,
    }))
}

/// Shows one; a server is asked for its tools.
pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<BackendView> {
    let found = views(&daemon).into_iter().find(|backend| backend.id == id);
    let mut backend = found.ok_or_else(|| unknown(&id))?;
    if backend.format == ENGINE {
        return engine(&daemon, backend).await;
    }
    if daemon.backends.servers().contains_key(&id) {
        let uses = uses(&daemon, &id).await?;
        match daemon.backends.tools(&id).await {
            Ok(tools) => backend.tools = tools_of(tools, uses),
            Err(error) => backend.fault = Some(error.to_string()),
        }
    }
    Ok(axum::Json(backend))
}

/// The container engine, which is asked for the images that loops need.
async fn engine(daemon: &Shared, mut backend: BackendView) -> Answer<BackendView> {
    match daemon.backends.engine(None).await {
        Ok(_) => {
            for (image, loops) in containers::images(&daemon.handle).await? {
                let fault = daemon.backends.engine(Some(&image)).await.err();
                backend.images.push(ImageView {
                    image,
                    fault: fault.map(|fault| fault.to_string()),
                    loops,
                });
            }
        }
        Err(error) => backend.fault = Some(error.to_string()),
    }
    Ok(axum::Json(backend))
}

/// Approves tools, as they were shown, for the loops that call them.
pub(super) async fn approve(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<ApproveRequest>,
) -> Answer<ApplyResult> {
    if !daemon.backends.servers().contains_key(&id) {
        return Err(unknown(&id));
    }
    let mut manifests = Vec::new();
    let uses = uses(&daemon, &id).await?;
    for (tool, digest) in &request.tools {
        let digest = tool_digest(tool, digest)?;
        let mut calling = uses.iter().filter(|(_, mcp)| mcp.tool == *tool).peekable();
        if calling.peek().is_none() {
            let detail = format!("no loop calls the tool `{tool}` of MCP server `{id}`");
            let problem = Problem::new(Code::NotFound, detail);
            let hint = format!("realmctl backend import {id} {tool} | realmctl apply -f -");
            return Err(problem.with_hint(hint).into());
        }
        manifests.extend(calling.map(|(manifest, mcp)| {
            let mcp = Mcp {
                digest: Some(digest),
                ..mcp.clone()
            };
            Manifest {
                body: LoopBody::Tool(Tool::Mcp(mcp)),
                ..manifest.clone()
            }
        }));
    }
    let (applied, warnings) = register_all(&daemon, manifests, asker.name()).await?;
    Ok(axum::Json(ApplyResult {
        restrictions: Vec::new(),
        applied,
        dry_run: false,
        warnings,
    }))
}

/// Loops for the tools of a server, approved as they are.
pub(super) async fn loops(daemon: Shared, Segment(id): Segment) -> Answer<ImportResult> {
    if !daemon.backends.servers().contains_key(&id) {
        return Err(unknown(&id));
    }
    let tools = daemon.backends.tools(&id).await.map_err(|error| {
        let problem = Problem::new(Code::LoopFailed, error.to_string());
        Fail::from(problem.with_hint(format!("realmctl backend show {id}")))
    })?;
    let mut taken = BTreeSet::new();
    let mut documents = Vec::new();
    for tool in tools {
        let Some(loop_id) = loop_id(&id, &tool.name, &mut taken) else {
            continue;
        };
        let document = manifest_of(&id, loop_id, tool).to_json();
        documents.push(Imported {
            id: document["id"].as_str().unwrap_or_default().to_owned(),
            format: "mcp".to_owned(),
            text: yaml::write(&document),
            document,
            notes: Vec::new(),
        });
    }
    Ok(axum::Json(ImportResult { documents }))
}

fn unknown(id: &str) -> Fail {
    let problem = Problem::new(Code::NotFound, format!("there is no backend `{id}`"));
    problem.with_hint("realmctl backend ls").into()
}

/// The loops of this realm that call tools of a server.
async fn uses(daemon: &Shared, server: &str) -> Result<Vec<(Manifest, Mcp)>, Fail> {
    let server = server.to_owned();
    let look = move |node: &realm_node::Node| -> Vec<(Manifest, Mcp)> {
        let loops = node.registry().iter();
        let uses = loops.filter_map(|known| match &known.manifest.body {
            LoopBody::Tool(Tool::Mcp(mcp)) if mcp.server == server => {
                Some(((*known.manifest).clone(), mcp.clone()))
            }
            _ => None,
        });
        uses.collect()
    };
    Ok(daemon.handle.read(look).await?)
}

/// The tools that a server has, and those that loops call and it has no more.
fn tools_of(tools: Vec<ToolDefinition>, uses: Vec<(Manifest, Mcp)>) -> Vec<ToolView> {
    let mut by_tool: BTreeMap<String, Vec<(String, Option<Digest>)>> = BTreeMap::new();
    for (manifest, mcp) in uses {
        let calling = by_tool.entry(mcp.tool).or_default();
        calling.push((manifest.id.to_string(), mcp.digest));
    }
    let mut views: Vec<ToolView> = tools
        .into_iter()
        .map(|tool| {
            let calling = by_tool.remove(&tool.name).unwrap_or_default();
            let digest = tool.digest();
            ToolView {
                state: state(&calling, digest),
                name: tool.name,
                description: tool.description,
                input_schema: tool.input_schema,
                output_schema: tool.output_schema,
                digest: digest.to_string(),
                loops: calling.into_iter().map(|(id, _)| id).collect(),
            }
        })
        .collect();
    views.extend(by_tool.into_iter().map(|(name, calling)| ToolView {
        name,
        description: Some("The server has no such tool.".to_owned()),
        input_schema: Value::Null,
        output_schema: None,
        digest: String::new(),
        state: ToolState::Changed,
        loops: calling.into_iter().map(|(id, _)| id).collect(),
    }));
    views
}

fn state(calling: &[(String, Option<Digest>)], digest: Digest) -> ToolState {
    let mut approved = calling.iter().map(|(_, approved)| *approved);
    if calling.is_empty() {
        ToolState::Unused
    } else if approved.clone().all(|approved| approved == Some(digest)) {
        ToolState::Approved
    } else if approved.any(|approved| approved.is_some_and(|approved| approved != digest)) {
        ToolState::Changed
    } else {
        ToolState::Unapproved
    }
}

/// `SERVER/TOOL` in the letters that loops have; none where another tool has it already.
fn loop_id(server: &str, tool: &str, taken: &mut BTreeSet<String>) -> Option<LoopId> {
    let letters = tool.chars().map(|letter| match letter {
        'a'..='z' | '0'..='9' | '-' | '.' => letter,
        'A'..='Z' => letter.to_ascii_lowercase(),
        _ => '-',
    });
    let server = server.replace('_', "-");
    let id: LoopId = format!("{server}/{}", letters.collect::<String>())
        .parse()
        .ok()?;
    taken.insert(id.to_string()).then_some(id)
}

fn manifest_of(server: &str, id: LoopId, tool: ToolDefinition) -> Manifest {
    let body = LoopBody::Tool(Tool::Mcp(Mcp {
        server: server.to_owned(),
        digest: Some(tool.digest()),
        tool: tool.name,
    }));
    Manifest {
        id,
        version: semver::Version::new(1, 0, 0),
        aliases: Vec::new(),
        capabilities: BTreeSet::new(),
        description: tool.description,
        input_schema: tool.input_schema,
        output_schema: tool.output_schema.unwrap_or_else(|| json!({})),
        effects: None,
        limits: LoopLimits::of(&body),
        budget: realm_protocol::budget::Budget::default(),
        retry: None,
        approval: None,
        asks: None,
        body,
        bid: None,
        state: None,
        needs: Vec::new(),
        metadata: Map::new(),
        origin: realm_executor::Origin::default(),
    }
}

fn views(daemon: &Shared) -> Vec<BackendView> {
    let (configured, models) = (daemon.config(), daemon.backends.models());
    let backends = configured.config.backends.iter();
    let backends = backends.map(|(id, backend)| view(id, backend, models.get(id)));
    let servers = daemon.backends.servers();
    let servers = servers.iter().map(|(id, server)| {
        let key = configured.config.mcp.get(id);
        let key = key.and_then(|configured| configured.key.as_ref());
        server_view(id, server, key.map(ToString::to_string))
    });
    let socket = configured.config.containers.socket.as_ref();
    let engine = socket.map(|socket| BackendView {
        url: Some(format!("unix://{}", socket.display())),
        ..blank(CONTAINERS, ENGINE)
    });
    std::iter::once(blank(MOCK, MOCK))
        .chain(backends)
        .chain(servers)
        .chain(engine)
        .collect()
}

/// What has nothing but an id and a format.
fn blank(id: &str, format: &str) -> BackendView {
    BackendView {
        id: id.to_owned(),
        format: format.to_owned(),
        url: None,
        argv: None,
        model: None,
        key: None,
        max_tokens: None,
        price: None,
        fault: None,
        tools: Vec::new(),
        images: Vec::new(),
    }
}

fn view(id: &str, backend: &BackendConfig, model: Option<&Model>) -> BackendView {
    BackendView {
        url: Some(backend.url.clone()),
        model: backend.model.clone(),
        key: backend.key.as_ref().map(ToString::to_string),
        max_tokens: Some(backend.max_tokens),
        price: backend.price.as_ref().map(ToString::to_string),
        fault: model
            .and_then(|model| model.fault(id))
            .map(|fault| fault.to_string()),
        ..blank(id, backend.format.name())
    }
}

fn server_view(id: &str, server: &Server, key: Option<String>) -> BackendView {
    let (argv, url) = match server {
        Server::Stdio { argv, .. } => (Some(Value::from(argv.clone()).to_string()), None),
        Server::Http { url, .. } => (None, Some(url.clone())),
    };
    BackendView {
        url,
        argv,
        key,
        fault: server.fault(id).map(|fault| fault.to_string()),
        ..blank(id, "mcp")
    }
}
