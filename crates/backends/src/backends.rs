//! One door to every backend.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use realm_executor::{BackendError, BackendReply, BackendRequest, MOCK, Manifest};
use realm_protocol::CallId;
use serde_json::{Value, json};

use crate::{
    Attached, Parts, Progress,
    containers::{ContainerRules, Containers, EngineView},
    http::{EVENTS, HttpAgents, Post},
    mcp::{Mcp, Servers, ToolDefinition, ToolUse, Ways},
    mock,
    models::{self, Model},
    opened::Opened,
    process::{self, ProcessRules, Program},
    sandbox::Launcher,
    secret::{self, NamedSecrets, Secrets},
    words::Printed,
};

/// Header in which an HTTP agent finds the key of its work, the same in every attempt.
pub const KEY_HEADER: &str = "idempotency-key";
/// Header in which an HTTP agent finds that events are welcome.
const ACCEPT: &str = "accept";
/// Header in which an HTTP agent finds who asks it.
const AUTHORIZATION: &str = "authorization";
/// Variable in which a process finds the key of its work, the same in every attempt.
pub const KEY_VARIABLE: &str = "REALM_IDEMPOTENCY_KEY";

/// All backends of one daemon. Making it does nothing; HTTP clients are built when first used.
#[derive(Debug, Default)]
pub struct Backends {
    http: Arc<HttpAgents>,
    attached: Attached,
    models: RwLock<Arc<Models>>,
    mcp: Mcp,
    containers: Containers,
    launcher: Launcher,
    rules: RwLock<Arc<ProcessRules>>,
    opened: RwLock<Arc<Opened>>,
    secrets: RwLock<Arc<NamedSecrets>>,
}

/// Model backends by id.
pub type Models = BTreeMap<String, Model>;

impl Backends {
    /// Makes the backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes backends whose child processes are confined by way of a launcher.
    pub fn launched_by(launcher: Launcher) -> Self {
        Self {
            launcher,
            ..Self::default()
        }
    }

    /// Has these models from now on; calls under way end as they began.
    pub fn set_models(&self, models: Models) {
        let mut held = self.models.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(models);
    }

    /// The models that there are.
    pub fn models(&self) -> Arc<Models> {
        let held = self.models.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Has these secrets for loops from now on; calls under way end as they began.
    pub fn set_secrets(&self, secrets: NamedSecrets) {
        let mut held = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(secrets);
    }

    /// Why a loop's calls will fail for want of a secret, if they will.
    pub fn secret_fault(&self, manifest: &Manifest) -> Option<BackendError> {
        let held = self.secrets();
        let mut names = manifest.secrets().into_iter();
        names.find_map(|name| secret::named(&held, name).err())
    }

    fn secrets(&self) -> Arc<NamedSecrets> {
        let held = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Puts secrets beside what is no secret, and gives what is to be masked.
    fn uncover(
        &self,
        names: &BTreeMap<String, String>,
        plain: &mut BTreeMap<String, String>,
    ) -> Result<Secrets, BackendError> {
        let held = self.secrets();
        let mut uncovered = Vec::new();
        for (place, name) in names {
            let secret = secret::named(&held, name)?;
            plain.insert(place.clone(), secret.expose().to_owned());
            uncovered.push(secret);
        }
        Ok(Secrets::new(uncovered))
    }

    /// Has these MCP servers from now on; calls under way end as they began.
    pub fn set_servers(&self, servers: Servers) {
        self.mcp.set(servers);
    }

    /// The MCP servers that there are.
    pub fn servers(&self) -> Servers {
        self.mcp.servers()
    }

    /// The tools of an MCP server as it tells them now; it is started if it does not run.
    ///
    /// # Errors
    /// [`BackendError`] by what went wrong.
    pub async fn tools(&self, server: &str) -> Result<Vec<ToolDefinition>, BackendError> {
        self.mcp.tools(self.ways(), server).await
    }

    /// Lets loops run what these rules say from now on.
    pub fn set_rules(&self, rules: ProcessRules) {
        let mut held = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(rules);
    }

    fn rules(&self) -> Arc<ProcessRules> {
        let held = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Opens these hosts to loops from now on.
    pub fn set_opened(&self, opened: Opened) {
        let mut held = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(opened);
    }

    /// The hosts that are open to loops.
    pub fn opened(&self) -> Arc<Opened> {
        let held = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Runs containers by these rules from now on; without any, none.
    pub fn set_containers(&self, rules: Option<ContainerRules>) {
        self.containers.set(rules);
    }

    /// What can be told of the container engine, and of an image, without running anything.
    ///
    /// # Errors
    /// [`BackendError::Container`] by what would keep it from running.
    pub async fn engine(&self, image: Option<&str>) -> Result<EngineView, BackendError> {
        self.containers.look(image).await
    }

    /// Removes containers that earlier daemons of this realm have left behind.
    ///
    /// # Errors
    /// [`BackendError::Container`] where there is no engine, or it does not.
    pub async fn sweep(&self) -> Result<(), BackendError> {
        self.containers.sweep().await
    }

    /// Waits until every container that nobody wants any more is gone.
    pub async fn cleared(&self) {
        self.containers.cleared().await;
    }

    fn ways(&self) -> Ways {
        Ways {
            http: Arc::clone(&self.http),
            launcher: self.launcher.clone(),
        }
    }

    /// The agents that are attached.
    pub const fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Does a piece of work. Dropping the future stops it.
    ///
    /// # Errors
    /// [`BackendError`] by what went wrong; the request's time is kept here.
    pub async fn call(&self, request: BackendRequest) -> Result<BackendReply, BackendError> {
        self.call_telling(request, None, Progress::default()).await
    }

    /// As [`Backends::call`], for what the owner's configuration asks and not a loop: the rules for loops do not hold.
    ///
    /// # Errors
    /// As [`Backends::call`].
    pub async fn call_for_owner(
        &self,
        request: BackendRequest,
    ) -> Result<BackendReply, BackendError> {
        let unbound = ProcessRules::default();
        self.carry_out(request, None, Progress::default(), (&unbound, None))
            .await
    }

    /// As [`Backends::call`]; what a model or an agent writes goes to `parts` while it does, if the request wants
    /// that, and what an agent says of how it goes to `progress`.
    ///
    /// # Errors
    /// As [`Backends::call`].
    pub async fn call_telling(
        &self,
        request: BackendRequest,
        parts: Option<&Parts>,
        progress: Progress,
    ) -> Result<BackendReply, BackendError> {
        let (rules, opened) = (self.rules(), self.opened());
        let bounds = (&*rules, Some(&*opened));
        self.carry_out(request, parts, progress, bounds).await
    }

    async fn carry_out(
        &self,
        request: BackendRequest,
        parts: Option<&Parts>,
        progress: Progress,
        (rules, opened): (&ProcessRules, Option<&Opened>),
    ) -> Result<BackendReply, BackendError> {
        match request {
            BackendRequest::Attached(work) => self.attached.call(*work, parts, progress).await,
            BackendRequest::Model(request) if request.backend == MOCK => Ok(mock::reply(*request)),
            BackendRequest::Model(request) => {
                let model = self.models().get(&request.backend).cloned();
                let model = model.ok_or_else(|| BackendError::Unconfigured {
                    id: request.backend.clone(),
                })?;
                models::complete(&self.http, &model, &request, parts).await
            }
            BackendRequest::Echo { input } => Ok(BackendReply::json(input)),
            BackendRequest::Count { input } => Ok(BackendReply::json(count(&input))),
            BackendRequest::Http {
                url,
                mut headers,
                bearer,
                secrets,
                key,
                body,
                stream,
                timeout_ms,
                allow_private,
            } => {
                if let Some(opened) = opened {
                    opened.permit(&url, &allow_private)?;
                }
                headers
                    .entry(KEY_HEADER.to_owned())
                    .or_insert_with(|| key.to_string());
                let mut told = self.uncover(&secrets, &mut headers)?;
                if let Some(name) = bearer {
                    let held = self.secrets();
                    let secret = secret::named(&held, &name)?;
                    let shown = format!("Bearer {}", secret.expose());
                    headers.insert(AUTHORIZATION.to_owned(), shown);
                    told.add(secret);
                }
                let parts = parts.filter(|_| stream);
                if parts.is_some() {
                    let accepts = format!("{EVENTS}, application/json");
                    headers.entry(ACCEPT.to_owned()).or_insert(accepts);
                }
                let post = Post {
                    url,
                    headers: &headers,
                    body: &body,
                    timeout_ms,
                    allow_private: &allow_private,
                };
                let answered = self.http.ask(&post, parts, progress).await;
                answered.map_err(|error| told.masked_in(error))
            }
            BackendRequest::Process {
                argv,
                mut env,
                secrets,
                key,
                cwd,
                mut sandbox,
                input,
                lines,
                stream,
                timeout_ms,
            } => {
                let told = self.uncover(&secrets, &mut env)?;
                rules.permit(&argv, &env, &mut sandbox)?;
                let program = Program {
                    argv: &argv,
                    env: &with_key(env, key),
                    cwd: cwd.as_deref(),
                    sandbox: &sandbox,
                };
                let parts = parts.filter(|_| stream);
                let printed = Printed::new(lines, parts, progress);
                let ran = process::run(&self.launcher, &program, &input, printed, timeout_ms).await;
                ran.map_err(|error| told.masked_in(error))
            }
            BackendRequest::Command {
                argv,
                mut env,
                secrets,
                key,
                cwd,
                mut sandbox,
                timeout_ms,
            } => {
                let told = self.uncover(&secrets, &mut env)?;
                rules.permit(&argv, &env, &mut sandbox)?;
                let program = Program {
                    argv: &argv,
                    env: &with_key(env, key),
                    cwd: cwd.as_deref(),
                    sandbox: &sandbox,
                };
                let ran = process::run_command(&self.launcher, &program, timeout_ms).await;
                let ran = ran.map(|reply| told.masked_in_print(reply));
                ran.map_err(|error| told.masked_in(error))
            }
            BackendRequest::Container(request) => {
                let parts = parts.filter(|_| request.stream);
                let printed = Printed::new(request.container.lines, parts, progress);
                self.containers.run(&request, printed).await
            }
            BackendRequest::Mcp {
                server,
                tool,
                digest,
                input,
                timeout_ms,
            } => {
                let wanted = ToolUse {
                    server: &server,
                    tool: &tool,
                    digest,
                    input,
                    timeout_ms,
                };
                self.mcp.call(self.ways(), wanted).await
            }
        }
    }
}

/// An environment in which a program finds the key of its work, unless its manifest says another.
pub(crate) fn with_key(mut env: BTreeMap<String, String>, key: CallId) -> BTreeMap<String, String> {
    env.entry(KEY_VARIABLE.to_owned())
        .or_insert_with(|| key.to_string());
    env
}

/// What needs no IO has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pure {
    /// The words of the answer, if they are wanted while it is written.
    pub parts: Vec<String>,
    /// The answer.
    pub reply: BackendReply,
}

impl From<BackendReply> for Pure {
    fn from(reply: BackendReply) -> Self {
        let parts = Vec::new();
        Self { parts, reply }
    }
}

/// Answers a request that needs no IO, as the mock model and `echo` do; gives any other back.
///
/// # Errors
/// The request itself.
pub fn pure(request: BackendRequest) -> Result<Pure, BackendRequest> {
    match request {
        BackendRequest::Model(request) if request.backend == MOCK => {
            let shown = request.stream;
            let reply = mock::reply(*request);
            let parts = if shown {
                mock::words(&reply)
            } else {
                Vec::new()
            };
            Ok(Pure { parts, reply })
        }
        BackendRequest::Echo { input } => Ok(BackendReply::json(input).into()),
        BackendRequest::Count { input } => Ok(BackendReply::json(count(&input)).into()),
        request @ (BackendRequest::Model(_)
        | BackendRequest::Http { .. }
        | BackendRequest::Process { .. }
        | BackendRequest::Command { .. }
        | BackendRequest::Container(_)
        | BackendRequest::Mcp { .. }
        | BackendRequest::Attached(_)) => Err(request),
    }
}

/// One step of a machine that counts.
fn count(input: &Value) -> Value {
    let number = |name| input.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (next, to) = (number("n").saturating_add(1), number("to"));
    if next >= to {
        json!({"complete": {"n": next}})
    } else {
        json!({"continue": {"n": next, "to": to}})
    }
}
