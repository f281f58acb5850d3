//! The LoopStacks site's sketch: `{id, type: llm|mcp|http, …}`.

use std::collections::BTreeSet;

use realm_protocol::limits;
use serde_json::{Map, Value, json};

use super::{
    document::{Reader, rule},
    node::Node,
    object::{self, Object},
};
use crate::{Body, Http, LoopLimits, MOCK, Manifest, Prompt, Tool};

/// What a sketch may leave out.
const VERSION: &str = "0.1.0";

/// Reads a sketch as far as it says something that a loop can do.
pub(super) fn read(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Option<Manifest> {
    let id = reader.id(object);
    let version = object.get("version");
    let version = match version.map(|node| (node.at, node.text().unwrap_or_default())) {
        Some((at, text)) => reader.semver(at, text),
        None => semver::Version::parse(VERSION).ok(),
    };
    let description = object
        .text(reader, "description", rule!("description"))
        .map(str::to_owned);
    let name = object.text(reader, "name", rule!("name"));
    let body = body(reader, object);
    let prompt = matches!(body, Some(Body::Prompt(_)));
    let mut schema = |key, rule, default| match object.get(key) {
        Some(_) => reader.schema(object, key, rule),
        None => Some(default),
    };
    let input = if prompt {
        prompt_input()
    } else {
        json!({"type": "object"})
    };
    let input_schema = schema("inputSchema", rule!("inputSchema"), input);
    let output_schema = schema("outputSchema", rule!("outputSchema"), json!({}));
    let metadata = name.map(|name| ("name".to_owned(), Value::from(name)));
    Some(Manifest {
        id: id?,
        version: version?,
        aliases: Vec::new(),
        capabilities: BTreeSet::new(),
        description,
        input_schema: input_schema?,
        output_schema: output_schema?,
        effects: None,
        limits: LoopLimits::default(),
        retry: None,
        approval: None,
        asks: None,
        body: body?,
        bid: None,
        budget: realm_protocol::budget::Budget::default(),
        state: None,
        needs: Vec::new(),
        metadata: metadata.into_iter().collect::<Map<_, _>>(),
        origin: reader.origin(object.at),
    })
}

fn prompt_input() -> Value {
    json!({"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]})
}

fn body(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Option<Body> {
    let node = object.need(reader, "type", rule!("type"))?;
    match object::text(reader, node, rule!("type"))? {
        "llm" => llm(reader, object).map(Body::Prompt),
        "http" => http(reader, object).map(|http| Body::Tool(Tool::Http(http))),
        "mcp" => {
            let node = object.need(reader, "mcp", rule!("mcp"))?;
            let config = Object::of(reader, node, rule!("mcp"))?;
            reader.mcp(config).map(|mcp| Body::Tool(Tool::Mcp(mcp)))
        }
        other => {
            let problem = reader.new_problem(
                node.at,
                rule!("type"),
                format!("`{other}` is not a type of loop"),
            );
            reader.report(problem.hint("known: llm, http, mcp"));
            None
        }
    }
}

fn llm(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Option<Prompt> {
    let node = object.need(reader, "llm", rule!("llm"))?;
    let mut llm = Object::of(reader, node, rule!("llm"))?;
    let model = llm.text(reader, "model", rule!("llm.model"));
    let system = llm.text(reader, "systemPrompt", rule!("llm.systemPrompt"));
    let tools = llm.get("tools");
    let tools = tools.map_or(Some(Vec::new()), |node| reader.model_tools(node));
    Some(Prompt {
        template: "{{prompt}}".to_owned(),
        system: system.map(str::to_owned),
        variables: vec!["prompt".to_owned()],
        max_tokens: None,
        temperature: None,
        backend: MOCK.to_owned(),
        model: model.map(str::to_owned),
        tools: tools?,
        max_turns: limits::MODEL_TURNS,
    })
}

/// The URL stands in `http` or beside it.
fn http(reader: &mut Reader<'_>, object: &mut Object<'_>) -> Option<Http> {
    match object.get("http") {
        Some(node) => {
            let config = Object::of(reader, node, rule!("http"))?;
            reader.http(config, "url")
        }
        None => {
            let url = object.need_text(reader, "url", rule!("http.url"))?;
            let config = Node::from_value(&json!({"url": url}));
            let config = Object::of(reader, &config, rule!("http"))?;
            reader.http(config, "url")
        }
    }
}
