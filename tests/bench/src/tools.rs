//! A tool of an MCP server on standard input and output: called by `rmcp` alone, and as a loop of a realm.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use realm_backends::{Backends, Server, Servers};
use realm_executor::Sandbox;
use realm_node::{ApplyAsked, Request, Response};
use rmcp::{
    ErrorData, Peer, RoleClient, RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::{RequestContext, RunningService},
    transport::{async_rw::AsyncRwTransport, io::stdio_pipes},
};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{
    load::Call,
    realms::{Caller, Ground, payload},
};

/// The server's id, and its one tool.
const SERVER: &str = "box";
const TOOL: &str = "echo";

/// A server whose one tool gives its arguments back.
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object"});
        let schema = schema.as_object().cloned().unwrap_or_default();
        let tool = Tool::new(TOOL, "Gives its arguments back.", Arc::new(schema));
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let given = Value::Object(asked.arguments.unwrap_or_default());
        let mut told = CallToolResult::success(vec![ContentBlock::text("given back")]);
        told.structured_content = Some(given);
        Ok(told.into())
    }
}

/// Serves until nobody writes any more.
pub(crate) async fn serve() -> Result<()> {
    Echo.serve(stdio_pipes()).await?.waiting().await?;
    Ok(())
}

/// Calls by `rmcp` alone.
#[derive(Clone)]
pub(crate) struct Alone {
    peer: Peer<RoleClient>,
    arguments: Arc<JsonObject>,
}

/// What has to live for as long as the calls.
pub(crate) struct Connected {
    _service: RunningService<RoleClient, ()>,
    process: Child,
}

impl Connected {
    pub(crate) fn pid(&self) -> Result<u32> {
        self.process.id().context("the server has ended")
    }
}

/// Starts a server and speaks with it.
pub(crate) async fn alone() -> Result<(Connected, Alone)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("mcp-server").kill_on_drop(true);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped());
    let mut process = command.spawn()?;
    let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
    let (stdin, stdout) = stdin.zip(stdout).context("no pipes")?;
    let service = ().serve(AsyncRwTransport::new_client(stdout, stdin)).await?;
    let calls = Alone {
        peer: service.peer().clone(),
        arguments: Arc::new(payload().as_object().cloned().unwrap_or_default()),
    };
    let connected = Connected {
        _service: service,
        process,
    };
    Ok((connected, calls))
}

impl Call for Alone {
    async fn call(&self) -> Result<()> {
        let mut asked = CallToolRequestParams::new(TOOL);
        asked.arguments = Some((*self.arguments).clone());
        match self.peer.call_tool_once(asked).await? {
            CallToolResponse::Complete(told) if told.structured_content.is_some() => Ok(()),
            other => bail!("{other:?}"),
        }
    }
}

/// A realm inside this program with a loop for the tool.
pub(crate) async fn realm(ground: &Ground) -> Result<Caller> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("an odd path")?;
    let section = format!("\n[mcp.{SERVER}]\nargv = [\"{program}\", \"mcp-server\"]\n");
    let home = ground.found("tools", &section).await?;
    let caller = Caller::start("tools", &home).await?;
    let definition = json!({
        "id": TOOL_LOOP, "version": "1.0.0", "kind": "tool", "effects": "none",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "tool": {"implementation": "mcp", "config": {
            "server": SERVER, "tool": TOOL, "digest": digest(program).await?,
        }},
    });
    let loaded = realm_executor::Manifest::from_json(&definition);
    let Ok(manifest) = loaded else {
        bail!("{loaded:?}")
    };
    let asked = ApplyAsked {
        manifests: vec![manifest],
        dry_run: false,
        force: false,
        prune: false,
        stage: false,
        why: None,
        by: "bench".to_owned(),
    };
    match caller.ask(Request::Apply(asked)).await? {
        Response::Applied(_) => Ok(caller),
        other => bail!("{other:?}"),
    }
}

/// The loop that calls the tool.
pub(crate) const TOOL_LOOP: &str = "given-back";

async fn digest(program: &str) -> Result<String> {
    let backends = Backends::new();
    let server = Server::Stdio {
        argv: vec![program.to_owned(), "mcp-server".to_owned()],
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        cwd: Path::new(".").to_str().map(str::to_owned),
        sandbox: Sandbox::default(),
    };
    backends.set_servers(Servers::from([(SERVER.to_owned(), server)]));
    let tools = backends.tools(SERVER).await?;
    let tool = tools.first().context("no tool")?;
    Ok(tool.digest().to_string())
}
