//! One connection with a server, from its start to its end.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use realm_executor::{BackendError, BackendReply, ToldSchema};
use realm_protocol::{Digest, limits};
use rmcp::{
    ClientHandler, RoleClient, ServiceError, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, ClientConfig, ClientRequest, Implementation,
        JsonObject, ListToolsRequest, PaginatedRequestParams, PingRequest, ServerResult,
    },
    service::{ClientInitializeError, NotificationContext, RunningService},
    transport::{
        async_rw::AsyncRwTransport,
        streamable_http_client::{
            StreamableHttpClientTransport, StreamableHttpClientTransportConfig, StreamableHttpError,
        },
    },
};
use tokio::time::Instant;

use super::{Server, ToolDefinition, Ways, answer, line::Lines};
use crate::{
    address, http,
    process::{self, Program, Talking},
    resolver::NotAllowed,
    secret::Secrets,
};

/// How long what a server said of its tools holds, unless it says that they have changed.
const FRESH: Duration = Duration::from_secs(60);

/// Why most connections are of no use any more.
const BROKE: &str = "the connection broke";
/// Time in which a server that has left a call without an answer says that it is there.
const PING: Duration = Duration::from_secs(5);

/// A connection.
pub(super) struct Link {
    id: String,
    service: RunningService<RoleClient, Client>,
    /// The process, where it is one.
    process: Option<Talking>,
    /// Whether the server sent a line longer than allowed.
    exceeded: Arc<AtomicBool>,
    /// Why the connection is of no use any more, if that was found.
    broken: OnceLock<&'static str>,
    /// Whether it is being asked if it is there.
    pinged: AtomicBool,
    told: RwLock<Option<Told>>,
    /// What it was told in secret, and may say in an error.
    secrets: Secrets,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish()
    }
}

/// The tools as the server last told them.
struct Told {
    at: Instant,
    /// How often they had changed by then.
    changes: u64,
    tools: BTreeMap<String, Arc<Known>>,
}

/// A tool.
pub(super) struct Known {
    pub(super) definition: ToolDefinition,
    pub(super) digest: Digest,
    pub(super) input: ToldSchema,
    pub(super) output: Option<ToldSchema>,
}

impl Known {
    pub(super) fn new(definition: ToolDefinition) -> Self {
        Self {
            digest: definition.digest(),
            input: ToldSchema::new(definition.input_schema.clone()),
            output: definition.output_schema.clone().map(ToldSchema::new),
            definition,
        }
    }
}

/// This side of the protocol. It offers nothing: what a server asks for is refused.
#[derive(Debug, Default)]
struct Client {
    changes: AtomicU64,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.client_info = Implementation::new("realm", env!("CARGO_PKG_VERSION"));
        info
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }
}

impl Link {
    /// Starts or reaches a server and agrees with it on the protocol.
    pub(super) async fn start(
        ways: &Ways,
        id: &str,
        server: &Server,
    ) -> Result<Self, BackendError> {
        if let Some(fault) = server.fault(id) {
            return Err(fault);
        }
        let told = server.secrets();
        match server {
            Server::Stdio {
                argv,
                env,
                secrets,
                cwd,
                sandbox,
            } => {
                let mut env = env.clone();
                for (name, secret) in secrets {
                    if let Ok(secret) = secret {
                        env.insert(name.clone(), secret.expose().to_owned());
                    }
                }
                let (process, stdout, stdin) = process::talk(
                    &ways.launcher,
                    &Program {
                        argv,
                        env: &env,
                        cwd: cwd.as_deref(),
                        sandbox,
                    },
                )?;
                let exceeded = Arc::new(AtomicBool::new(false));
                let lines = Lines::new(stdout, limits::BACKEND_BYTES, Arc::clone(&exceeded));
                let transport = AsyncRwTransport::new_client(lines, stdin)
                    .with_max_line_length(limits::BACKEND_BYTES);
                let served = Client::default().serve(transport).await;
                match served {
                    Ok(service) => Ok(Self::new(id, service, Some(process), exceeded, told)),
                    Err(_) if exceeded.load(Ordering::Relaxed) => Err(too_large()),
                    Err(error) => {
                        let ended = process.ended().await;
                        let reason = ended.unwrap_or_else(|| innermost(&error));
                        Err(broken(id, told.masked(&reason), false))
                    }
                }
            }
            Server::Http {
                url,
                key,
                allow_private,
            } => {
                let target = address::target(url, allow_private)?;
                let client = ways.http.client(&target)?.clone();
                let mut config = StreamableHttpClientTransportConfig::with_uri(target.url.as_str());
                config.max_sse_event_size = limits::BACKEND_BYTES;
                if let Some(Ok(key)) = key {
                    config = config.auth_header(key.expose());
                }
                let transport = StreamableHttpClientTransport::with_client(client, config);
                let served = Client::default().serve(transport).await;
                let service = served.map_err(|error| {
                    let typed = not_allowed(&error).or_else(|| refused(id, &error));
                    typed.unwrap_or_else(|| broken(id, told.masked(&innermost(&error)), false))
                })?;
                Ok(Self::new(id, service, None, Arc::default(), told))
            }
        }
    }

    fn new(
        id: &str,
        service: RunningService<RoleClient, Client>,
        process: Option<Talking>,
        exceeded: Arc<AtomicBool>,
        secrets: Secrets,
    ) -> Self {
        Self {
            id: id.to_owned(),
            service,
            process,
            exceeded,
            broken: OnceLock::new(),
            pinged: AtomicBool::new(false),
            told: RwLock::default(),
            secrets,
        }
    }

    /// Whether calls can be made.
    pub(super) fn is_up(&self) -> bool {
        self.broken.get().is_none()
            && !self.service.is_closed()
            && !self.service.is_transport_closed()
    }

    /// Asks a server that has left a call without an answer whether it is there, once at a time; whatever it says will
    /// do. One that is not is given up: the next call starts it anew.
    pub(super) async fn look(&self) {
        if self.pinged.swap(true, Ordering::Relaxed) {
            return;
        }
        let ping = ClientRequest::PingRequest(PingRequest::default());
        let said = tokio::time::timeout(PING, self.service.send_request(ping)).await;
        if said.is_err() {
            let _ = self
                .broken
                .set("it answered neither a call nor a ping, in 5 s");
        }
        self.pinged.store(false, Ordering::Relaxed);
    }

    /// Why it is not up any more.
    pub(super) fn end(&self) -> String {
        let ended = self.process.as_ref().and_then(Talking::end);
        match ended {
            Some(ended) => self.secrets.masked(&ended),
            None => self.broken.get().copied().unwrap_or(BROKE).to_owned(),
        }
    }

    /// A tool, as the server told it at most a minute ago and has not changed since by its own word.
    pub(super) async fn tool(&self, name: &str) -> Result<Arc<Known>, BackendError> {
        if self.is_stale() {
            self.tell().await?;
        }
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        let known = told.as_ref().and_then(|told| told.tools.get(name));
        known.cloned().ok_or_else(|| BackendError::NoTool {
            id: self.id.clone(),
            tool: name.to_owned(),
        })
    }

    fn is_stale(&self) -> bool {
        let changes = self.changes();
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        told.as_ref()
            .is_none_or(|told| told.changes != changes || told.at.elapsed() > FRESH)
    }

    /// How often the server has said that its tools have changed.
    fn changes(&self) -> u64 {
        self.service.service().changes.load(Ordering::Relaxed)
    }

    /// Asks for the tools.
    pub(super) async fn tell(&self) -> Result<Vec<ToolDefinition>, BackendError> {
        // What changes while they are told is asked for again.
        let changes = self.changes();
        let at = Instant::now();
        let definitions = self.pages().await?;
        let mut held = self.told.write().unwrap_or_else(PoisonError::into_inner);
        let earlier = held.take().map(|told| told.tools).unwrap_or_default();
        let mut tools = BTreeMap::new();
        for definition in &definitions {
            let name = &definition.name;
            let same = earlier.get(name);
            let same = same.filter(|known| known.definition == *definition);
            let known = same.cloned();
            let known = known.unwrap_or_else(|| Arc::new(Known::new(definition.clone())));
            if tools.insert(name.clone(), known).is_some() {
                let reason = format!("it has two tools of the name `{name}`");
                return Err(broken(&self.id, reason, false));
            }
        }
        *held = Some(Told { at, changes, tools });
        Ok(definitions)
    }

    /// Every page of the list of tools.
    async fn pages(&self) -> Result<Vec<ToolDefinition>, BackendError> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let mut page = PaginatedRequestParams::default();
            page.cursor = cursor;
            // Not by way of the client's memory of lists: a server says how long that would last.
            let request = ClientRequest::ListToolsRequest(ListToolsRequest {
                params: Some(page),
                ..ListToolsRequest::default()
            });
            let listed = match self.service.send_request(request).await {
                Ok(ServerResult::ListToolsResult(listed)) => listed,
                Ok(_) => {
                    return Err(BackendError::BadOutput {
                        reason: "what it gave is no list of tools".to_owned(),
                    });
                }
                Err(error) => return Err(self.tired(self.failed(&error, false)).await),
            };
            let grows = !listed.tools.is_empty();
            all.extend(listed.tools.into_iter().map(ToolDefinition::of));
            if all.len() > limits::SERVER_TOOLS {
                let reason = format!("it has more than {} tools", limits::SERVER_TOOLS);
                return Err(broken(&self.id, reason, false));
            }
            cursor = listed.next_cursor.filter(|_| grows);
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// Calls a tool. Dropping the future tells the server that nobody waits any more.
    pub(super) async fn call(
        &self,
        known: &Known,
        arguments: JsonObject,
    ) -> Result<BackendReply, BackendError> {
        let tool = &known.definition.name;
        let arguments = serde_json::Value::Object(arguments);
        known
            .input
            .check(&arguments)
            .map_err(|faults| BackendError::ToolInput {
                tool: tool.clone(),
                faults,
            })?;
        let mut request = CallToolRequestParams::new(tool.clone());
        if let serde_json::Value::Object(arguments) = arguments {
            request.arguments = Some(arguments);
        }
        match self.service.call_tool_once(request).await {
            Ok(CallToolResponse::Complete(result)) => answer::read(known, result, &self.secrets),
            Ok(_) => Err(BackendError::BadOutput {
                reason: "the tool asks back, or wants to be asked later; neither is done"
                    .to_owned(),
            }),
            Err(ServiceError::McpError(error)) => {
                Err(answer::failed(tool, &error.message, &self.secrets))
            }
            Err(error) => Err(self.tired(self.failed(&error, true)).await),
        }
    }

    /// A failure of the connection, in the words of its deepest cause.
    fn failed(&self, error: &ServiceError, sent: bool) -> BackendError {
        if self.exceeded.load(Ordering::Relaxed) {
            return too_large();
        }
        let said = || self.secrets.masked(&innermost(error));
        match error {
            ServiceError::UnexpectedResponse | ServiceError::McpError(_) => {
                BackendError::BadOutput { reason: said() }
            }
            _ => not_allowed(error)
                .or_else(|| refused(&self.id, error))
                .unwrap_or_else(|| broken(&self.id, said(), sent)),
        }
    }

    /// Gives up the connection where the error says that it is broken; adds why its process ended.
    async fn tired(&self, error: BackendError) -> BackendError {
        match error {
            BackendError::Server {
                id, reason, sent, ..
            } => {
                let _ = self.broken.set(BROKE);
                let ended = match &self.process {
                    Some(process) => process.ended().await,
                    None => None,
                };
                let ended = ended.map(|ended| self.secrets.masked(&ended));
                broken(&id, ended.unwrap_or(reason), sent)
            }
            other => other,
        }
    }
}

/// A server that is of no use.
pub(super) fn broken(id: &str, reason: String, sent: bool) -> BackendError {
    BackendError::Server {
        id: id.to_owned(),
        reason,
        sent,
        retry_after_ms: None,
    }
}

fn too_large() -> BackendError {
    BackendError::TooLarge {
        limit: limits::BACKEND_BYTES,
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = below(innermost) {
        innermost = cause;
    }
    innermost.to_string()
}

/// What lies under an error. Two of the protocol's own hold it without calling it their source.
fn below<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    if let Some(ClientInitializeError::TransportError { error, .. }) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(ServiceError::TransportSend(error)) = error.downcast_ref() {
        return Some(error);
    }
    error.source()
}

/// The refusal of an address, if that is what an error comes from.
fn not_allowed(error: &(dyn Error + 'static)) -> Option<BackendError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(NotAllowed(refused)) = error.downcast_ref() {
            return Some(refused.clone());
        }
        next = below(error);
    }
    None
}

/// A status by which a server at an address has refused, if that is what happened.
fn refused(id: &str, error: &(dyn Error + 'static)) -> Option<BackendError> {
    let mut next = Some(error);
    while let Some(error) = next {
        let (code, retry_after) = match error.downcast_ref() {
            Some(StreamableHttpError::HttpStatus(told)) => (Some(told.status), &told.retry_after),
            Some(StreamableHttpError::AuthRequired(_)) => (Some(401), &None),
            Some(StreamableHttpError::InsufficientScope(_)) => (Some(403), &None),
            Some(StreamableHttpError::Client(error)) => {
                let error: &reqwest::Error = error;
                (error.status().map(|status| status.as_u16()), &None)
            }
            _ => (None, &None),
        };
        if let Some(code) = code {
            return Some(BackendError::Status {
                code,
                said: match code {
                    401 | 403 => format!(
                        "MCP server `{id}` does not let this realm in: `mcp.{id}.key` in realm.toml says where its key is"
                    ),
                    _ => format!("MCP server `{id}`"),
                },
                retry_after_ms: retry_after
                    .as_ref()
                    .and_then(|told| http::pause(told, None)),
            });
        }
        next = below(error);
    }
    None
}
