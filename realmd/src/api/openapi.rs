//! The OpenAPI 3.1 document, from one table of routes and the types of `realm-client`.

mod operation;
mod operations;

use std::collections::BTreeMap;

use realm_client::api::{AgentMessage, PROBLEM_TYPE, Problem, RealmMessage, routes};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, schema::Schema},
};

use super::status::VERSION;
use operation::{Operation, Shape};
use operations::OPERATIONS;

/// Schemas by name.
type Schemas = BTreeMap<String, Value>;

pub(super) async fn serve() -> axum::Json<Value> {
    axum::Json(document())
}

/// Writes the document.
pub(crate) fn document() -> Value {
    let mut schemas = Schemas::new();
    let problem = reference::<Problem>(&mut schemas);
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let described = describe(operation, &problem, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_owned(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Realm, the daemon's local API",
            "version": VERSION,
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// Where an `Idempotency-Key` is heeded.
const TAKES_KEY: [&str; 5] = [
    routes::INVOKE,
    routes::APPLY,
    routes::TICKETS,
    routes::ALLOW,
    routes::DISALLOW,
];

fn describe(operation: &Operation, problem: &Value, schemas: &mut Schemas) -> Value {
    let variables = operation.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let schema = json!({"type": "string"});
        Some(json!({"name": name, "in": "path", "required": true, "schema": schema}))
    });
    let mut parameters: Vec<Value> = variables.collect();
    let query = operation.query.map(|query| query()).unwrap_or_default();
    parameters.extend(
        query
            .iter()
            .filter_map(|one| serde_json::to_value(one).ok()),
    );
    if operation.method == "post" && TAKES_KEY.contains(&operation.path) {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": {"type": "string", "maxLength": 255},
        }));
    }
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": content(operation.answer, schemas)},
            "default": {
                "description": "Not done, and why.",
                "content": {PROBLEM_TYPE: {"schema": problem}},
            },
        },
    });
    if let Shape::Socket = operation.answer
        && let Some(responses) = described["responses"].as_object_mut()
    {
        responses.remove("200");
        let [agent, realm] = [reference::<AgentMessage>, reference::<RealmMessage>];
        let socket = json!({
            "description": "Upgraded to a WebSocket.",
            "x-agent-says": agent(schemas),
            "x-realm-says": realm(schemas),
        });
        responses.insert("101".to_owned(), socket);
    }
    if let (Some(body), Some(described)) = (operation.body, described.as_object_mut()) {
        let body = json!({"required": true, "content": content(body, schemas)});
        described.insert("requestBody".to_owned(), body);
    }
    described
}

fn content(shape: Shape, schemas: &mut Schemas) -> Value {
    match shape {
        Shape::One(schema) => json!({"application/json": {"schema": schema(schemas)}}),
        Shape::Page(schema) => {
            let page = json!({
                "type": "object",
                "required": ["items"],
                "properties": {
                    "items": {"type": "array", "items": schema(schemas)},
                    "next": {"type": "string"},
                },
            });
            json!({"application/json": {"schema": page}})
        }
        Shape::Events(schema) => json!({"text/event-stream": {"schema": schema(schemas)}}),
        Shape::Any => json!({"application/json": {"schema": {"type": "object"}}}),
        Shape::Socket => Value::Null,
        Shape::Text => json!({"text/plain": {"schema": {"type": "string"}}}),
    }
}

/// `get /v1/runs/{id}/trace` is `getRunsIdTrace`.
fn operation_id(operation: &Operation) -> String {
    let parts = operation
        .path
        .split(['/', '.', '-'])
        .filter(|part| !part.is_empty() && *part != "v1");
    let mut id = operation.method.to_owned();
    for part in parts {
        let mut letters = part.trim_matches(['{', '}']).chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.extend(letters);
    }
    id
}

/// Adds a type's schema with all it refers to, and gives the reference to it.
fn reference<T: ToSchema>(schemas: &mut Schemas) -> Value {
    let mut found: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        if let Ok(schema) = serde_json::to_value(schema) {
            schemas.insert(name, schema);
        }
    }
    json!({"$ref": format!("#/components/schemas/{}", T::name())})
}

/// Method and path of every operation.
#[cfg(test)]
pub(super) fn operations() -> Vec<(&'static str, &'static str)> {
    let operations = OPERATIONS.iter();
    operations
        .map(|operation| (operation.method, operation.path))
        .collect()
}
