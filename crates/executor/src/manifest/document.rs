//! A manifest as a document in our own form: what `import` prints and what is stored.

use serde_json::{Map, Value, json};

use crate::{
    Body, Composite, LoopLimits, Manifest, Prompt, Step, Tool,
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
        put_some(&mut document, "description", self.description.as_deref());
        put(&mut document, "inputSchema", self.input_schema.clone());
        put(&mut document, "outputSchema", self.output_schema.clone());
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
            Body::Tool(tool) => put(&mut document, "tool", tool_json(tool)),
        }
        put_some(&mut document, "bid", self.bid.clone());
        let limits = limits_json(self.limits);
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
    put(document, "prompt", body);
    let mut backend = Map::new();
    put(&mut backend, "id", prompt.backend.as_str());
    put_some(&mut backend, "model", prompt.model.as_deref());
    put(document, "backend", backend);
}

fn composite_json(composite: &Composite) -> Value {
    let steps: Vec<Value> = composite.steps.iter().map(step_json).collect();
    json!({ "steps": steps })
}

fn step_json(step: &Step) -> Value {
    let mut document = Map::new();
    put(&mut document, "loopId", step.loop_id.to_string());
    put_some(&mut document, "loopVersion", step.loop_version.as_deref());
    let mapping = step.input_mapping.as_ref().map(|mapping| {
        let text = mapping
            .iter()
            .map(|(field, reference)| (field.clone(), reference.to_string().into()));
        text.collect::<Map<String, Value>>()
    });
    put_some(&mut document, "inputMapping", mapping);
    put_some(
        &mut document,
        "outputBinding",
        step.output_binding.as_deref(),
    );
    Value::Object(document)
}

fn tool_json(tool: &Tool) -> Value {
    let mut config = Map::new();
    match tool {
        Tool::Echo => {}
        Tool::Http(http) => {
            put(&mut config, "url", http.url.as_str());
            put_some(
                &mut config,
                "headers",
                (!http.headers.is_empty()).then(|| json!(http.headers)),
            );
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
            put_some(&mut config, "cwd", process.cwd.as_deref());
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

fn limits_json(limits: LoopLimits) -> Map<String, Value> {
    let LoopLimits {
        timeout_ms,
        concurrency,
    } = limits;
    let default = LoopLimits::default();
    let mut document = Map::new();
    if timeout_ms != default.timeout_ms {
        put(&mut document, "timeout", format!("{timeout_ms}ms"));
    }
    if concurrency != default.concurrency {
        put(&mut document, "concurrency", concurrency);
    }
    document
}
