//! A manifest as a document in our own form: what `import` prints and what is stored.

mod broadcast;
mod commands;
mod container;
mod route;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use realm_protocol::{LoopId, budget::Budget, limits};

use broadcast::broadcast_json;
use commands::put_commands;
use container::put_container;
use route::route_json;

use crate::{
    ApprovalRule, Body, Call, Composite, Escalation, LoopLimits, Machine, Manifest, ModelTool,
    Prompt, Retry, Sandbox, SandboxLevel, StateUse, Step, Tool, Work,
    load::{self, Problem},
};

impl Manifest {
    /// Writes the manifest in our own form; defaults are left out.
    pub fn to_json(&self) -> Value {
        let mut document = Map::new();
        put(&mut document, "id", self.id.as_str());
        put(&mut document, "version", self.version.to_string());
        put(&mut document, "kind", self.kind().name());
        let aliases: Vec<Value> = self.aliases.iter().map(|id| id.as_str().into()).collect();
        put_some(
            &mut document,
            "aliases",
            (!aliases.is_empty()).then_some(aliases),
        );
        let capabilities = self.capabilities.iter();
        let capabilities: Vec<Value> = capabilities.map(|name| name.as_str().into()).collect();
        put_some(
            &mut document,
            "capabilities",
            (!capabilities.is_empty()).then_some(capabilities),
        );
        put_some(&mut document, "description", self.description.as_deref());
        // The contract of commands follows from them.
        if !matches!(self.body, Body::Tool(Tool::Commands(_))) {
            put(&mut document, "inputSchema", self.input_schema.clone());
            put(&mut document, "outputSchema", self.output_schema.clone());
        }
        put_some(
            &mut document,
            "effects",
            self.effects.map(super::Effects::name),
        );
        match &self.body {
            Body::Prompt(prompt) => put_prompt(&mut document, prompt),
            Body::Composite(composite) => {
                put(&mut document, "composite", composite_json(composite));
            }
            Body::Machine(machine) => put(&mut document, "machine", machine_json(machine)),
            Body::Tool(tool) => put(&mut document, "tool", tool_json(tool)),
            Body::Broadcast(broadcast) => {
                put(&mut document, "broadcast", broadcast_json(broadcast));
            }
            Body::Route(route) => put(&mut document, "route", route_json(route)),
        }
        put_some(&mut document, "budget", budget_json(&self.budget));
        put_some(&mut document, "retry", self.retry.as_ref().map(retry_json));
        let approval = self.approval.as_ref().map(approval_json);
        put_some(&mut document, "approval", approval);
        let asks = self.asks.as_ref().map(approval_json);
        put_some(&mut document, "asks", asks);
        let bid = self.bid.as_ref().map(|bid| bid.written().clone());
        put_some(&mut document, "bid", bid);
        put_some(&mut document, "state", self.state.as_ref().map(state_json));
        let needs: Vec<String> = self.needs.iter().map(ToString::to_string).collect();
        put_some(&mut document, "needs", (!needs.is_empty()).then_some(needs));
        let limits = limits_json(self.limits, &self.body);
        put_some(
            &mut document,
            "limits",
            (!limits.is_empty()).then_some(limits),
        );
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone());
        put_some(&mut document, "metadata", metadata);
        Value::Object(document)
    }

    /// Reads a manifest in our own form.
    ///
    /// # Errors
    /// Every problem the document has, without lines and columns.
    pub fn from_json(document: &Value) -> Result<Self, Vec<Problem>> {
        load::from_value(document)
    }
}

fn state_json(state: &StateUse) -> Value {
    let StateUse { agent, keys } = state;
    let mut document = Map::new();
    put_some(&mut document, "agent", agent.as_ref().map(LoopId::as_str));
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    put(&mut document, "keys", keys);
    Value::Object(document)
}

fn put(document: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    document.insert(key.to_owned(), value.into());
}

fn put_some(document: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(document, key, value);
    }
}

fn put_prompt(document: &mut Map<String, Value>, prompt: &Prompt) {
    let mut body = Map::new();
    put(&mut body, "template", prompt.template.as_str());
    put_some(&mut body, "systemPrompt", prompt.system.as_deref());
    put(&mut body, "variables", prompt.variables.clone());
    put_some(&mut body, "maxTokens", prompt.max_tokens);
    put_some(
        &mut body,
        "temperature",
        prompt.temperature.clone().map(Value::Number),
    );
    let tools: Vec<Value> = prompt.tools.iter().map(model_tool_json).collect();
    put_some(&mut body, "tools", (!tools.is_empty()).then_some(tools));
    let turns = (prompt.max_turns != limits::MODEL_TURNS).then_some(prompt.max_turns);
    put_some(&mut body, "maxTurns", turns);
    put(document, "prompt", body);
    let mut backend = Map::new();
    put(&mut backend, "id", prompt.backend.as_str());
    put_some(&mut backend, "model", prompt.model.as_deref());
    put(document, "backend", backend);
}

fn model_tool_json(tool: &ModelTool) -> Value {
    let mut document = Map::new();
    put(&mut document, "name", tool.name.as_str());
    put_some(&mut document, "description", tool.description.as_deref());
    put_some(&mut document, "inputSchema", tool.input_schema.clone());
    put_call(&mut document, &tool.call);
    Value::Object(document)
}

fn composite_json(composite: &Composite) -> Value {
    let steps: Vec<Value> = composite.steps.iter().map(step_json).collect();
    json!({ "steps": steps })
}

fn step_json(step: &Step) -> Value {
    let mut document = Map::new();
    match &step.work {
        Work::Call(call) => put_call(&mut document, call),
        Work::Parallel(steps) => {
            let steps: Vec<Value> = steps.iter().map(step_json).collect();
            put(&mut document, "parallel", steps);
        }
        Work::Wait { for_ms } => put(&mut document, "wait", millis(*for_ms)),
    }
    let when = step.when.as_ref().map(ToString::to_string);
    put_some(&mut document, "when", when);
    let binding = step.output_binding.as_deref();
    put_some(&mut document, "outputBinding", binding);
    Value::Object(document)
}

fn machine_json(machine: &Machine) -> Value {
    let mut document = Map::new();
    put_call(&mut document, &machine.step);
    if machine.max_steps != limits::MACHINE_STEPS {
        put(&mut document, "maxSteps", machine.max_steps);
    }
    Value::Object(document)
}

fn put_call(document: &mut Map<String, Value>, call: &Call) {
    let Call {
        loop_id,
        loop_version,
        digest,
        input_mapping,
        for_each,
        retry,
        timeout_ms,
        fallback,
        budget,
        approval,
        origin: _,
    } = call;
    put(document, "loopId", loop_id.to_string());
    put_some(document, "loopVersion", loop_version.as_deref());
    put_some(document, "digest", digest.map(|digest| digest.to_string()));
    let mapping = input_mapping.as_ref().map(|mapping| {
        let text = mapping
            .iter()
            .map(|(field, reference)| (field.clone(), reference.to_string().into()));
        text.collect::<Map<String, Value>>()
    });
    put_some(document, "inputMapping", mapping);
    let for_each = for_each.as_ref().map(|each| {
        let on_failure = if each.keep_failures { "keep" } else { "stop" };
        json!({
            "items": each.items.to_string(),
            "concurrency": each.concurrency,
            "onFailure": on_failure,
        })
    });
    put_some(document, "forEach", for_each);
    put_some(document, "retry", retry.as_ref().map(retry_json));
    put_some(document, "timeout", timeout_ms.map(millis));
    let fallback = fallback.as_ref().map(|fallback| {
        let mut document = Map::new();
        put(&mut document, "loopId", fallback.loop_id.to_string());
        let version = fallback.loop_version.as_deref();
        put_some(&mut document, "loopVersion", version);
        document
    });
    put_some(document, "fallback", fallback);
    put_some(document, "budget", budget_json(budget));
    let approval = approval.as_ref().map(approval_json);
    put_some(document, "approval", approval);
}

fn approval_json(approval: &ApprovalRule) -> Value {
    let ApprovalRule {
        role,
        count,
        distinct_from_requester,
        expires_ms,
        escalate,
        when,
        above,
        forward,
    } = approval;
    let mut document = Map::new();
    put(&mut document, "role", role.as_str());
    put(&mut document, "count", *count);
    put(
        &mut document,
        "distinctFromRequester",
        *distinct_from_requester,
    );
    put(&mut document, "expires", millis(*expires_ms));
    let escalate = escalate.map(
        |Escalation { after_ms, role }| json!({"after": millis(after_ms), "role": role.as_str()}),
    );
    put_some(&mut document, "escalate", escalate);
    put_some(
        &mut document,
        "when",
        when.as_ref().map(ToString::to_string),
    );
    let above = above.as_ref().and_then(budget_json);
    put_some(&mut document, "above", above);
    put_some(&mut document, "forward", forward.then_some(true));
    Value::Object(document)
}

fn budget_json(budget: &Budget) -> Option<Map<String, Value>> {
    let mut document = Map::new();
    put_some(
        &mut document,
        "money",
        budget.money.map(|money| money.to_string()),
    );
    put_some(&mut document, "tokens", budget.tokens);
    put_some(&mut document, "calls", budget.calls);
    (!document.is_empty()).then_some(document)
}

fn put_secrets(config: &mut Map<String, Value>, secrets: &BTreeMap<String, String>) {
    put_some(
        config,
        "secrets",
        (!secrets.is_empty()).then(|| json!(secrets)),
    );
}

fn retry_json(retry: &Retry) -> Value {
    let Retry {
        attempts,
        backoff,
        delay_ms,
        max_delay_ms,
        on,
    } = retry;
    let on: Vec<&str> = on.iter().map(|category| category.name()).collect();
    json!({
        "attempts": attempts,
        "backoff": backoff.name(),
        "delay": millis(*delay_ms),
        "maxDelay": millis(*max_delay_ms),
        "on": on,
    })
}

fn millis(millis: u64) -> String {
    format!("{millis}ms")
}

fn tool_json(tool: &Tool) -> Value {
    let mut config = Map::new();
    match tool {
        Tool::Echo | Tool::Count => {}
        Tool::Http(http) => {
            put(&mut config, "url", http.url.as_str());
            put_some(
                &mut config,
                "headers",
                (!http.headers.is_empty()).then(|| json!(http.headers)),
            );
            put_some(&mut config, "key", http.key.as_deref());
            put_secrets(&mut config, &http.secrets);
            let private = (!http.allow_private.is_empty()).then(|| http.allow_private.clone());
            put_some(&mut config, "allowPrivate", private);
        }
        Tool::Process(process) => {
            put(&mut config, "argv", process.argv.clone());
            put_some(
                &mut config,
                "env",
                (!process.env.is_empty()).then(|| json!(process.env)),
            );
            put_secrets(&mut config, &process.secrets);
            put_some(&mut config, "cwd", process.cwd.as_deref());
            put_sandbox(&mut config, &process.sandbox);
            put_some(&mut config, "lines", process.lines.then_some(true));
        }
        Tool::Commands(commands) => put_commands(&mut config, commands),
        Tool::Container(container) => put_container(&mut config, container),
        Tool::Mcp(mcp) => {
            put(&mut config, "server", mcp.server.as_str());
            put(&mut config, "tool", mcp.tool.as_str());
            let digest = mcp.digest.map(|digest| digest.to_string());
            put_some(&mut config, "digest", digest);
        }
        Tool::Attached(attached) => {
            let agent = attached.agent.as_ref().map(LoopId::as_str);
            put_some(&mut config, "agent", agent);
        }
    }
    let mut document = Map::new();
    put(&mut document, "implementation", tool.implementation());
    put_some(
        &mut document,
        "config",
        (!config.is_empty()).then_some(config),
    );
    Value::Object(document)
}

fn put_sandbox(config: &mut Map<String, Value>, sandbox: &Sandbox) {
    let Sandbox { level, read, write } = sandbox;
    let level = (*level != SandboxLevel::default()).then(|| level.name());
    put_some(config, "sandbox", level);
    put_some(config, "read", (!read.is_empty()).then(|| read.clone()));
    put_some(config, "write", (!write.is_empty()).then(|| write.clone()));
}

fn limits_json(limits: LoopLimits, body: &Body) -> Map<String, Value> {
    let LoopLimits {
        timeout_ms,
        concurrency,
    } = limits;
    let default = LoopLimits::of(body);
    let mut document = Map::new();
    if timeout_ms != default.timeout_ms {
        put(&mut document, "timeout", millis(timeout_ms));
    }
    if concurrency != default.concurrency {
        put(&mut document, "concurrency", concurrency);
    }
    document
}
