//! Loops for the virtual world.

use realm_executor::{Manifest, Registry, load};
use realm_node::{ApplyAsked, Request, Response};
use serde_json::{Value, json};

use crate::{HostId, World};

/// Loops whose backend the world plays.
#[derive(Debug)]
pub struct Loops;

impl Loops {
    /// A process with effects that count, which takes `ms` milliseconds.
    pub fn once(id: &str, ms: u64) -> Value {
        tool(id, &["work", &ms.to_string()], None)
    }

    /// A process that may run twice, which takes `ms` milliseconds.
    pub fn idempotent(id: &str, ms: u64) -> Value {
        tool(id, &["again", &ms.to_string()], Some("idempotent"))
    }

    /// A process that fails.
    pub fn failing(id: &str) -> Value {
        tool(id, &["fail"], None)
    }

    /// A prompt on the mock model.
    pub fn prompt(id: &str) -> Value {
        json!({
            "id": id, "version": "1.0.0", "kind": "prompt",
            "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
            "prompt": {"template": "Answer {{question}}", "variables": ["question"]},
            "backend": {"id": "mock"},
        })
    }

    /// Work that is announced as the loop of this name.
    pub fn broadcast(id: &str, announced: &str, broadcast: Value) -> Value {
        let mut document = json!({
            "id": id, "version": "1.0.0", "kind": "broadcast",
            "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
            "broadcast": broadcast,
        });
        document["broadcast"]["loopId"] = json!(announced);
        document
    }

    /// Calls loops one after the other, each with the composite's own input.
    pub fn composite(id: &str, steps: &[&str]) -> Value {
        let steps: Vec<Value> = steps.iter().map(|step| json!({"loopId": step})).collect();
        json!({
            "id": id, "version": "1.0.0", "kind": "composite",
            "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
            "composite": {"steps": steps},
        })
    }
}

fn tool(id: &str, argv: &[&str], effects: Option<&str>) -> Value {
    let mut document = json!({
        "id": id, "version": "1.0.0", "kind": "tool",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "tool": {"implementation": "process", "config": {"argv": argv}},
    });
    if let Some(effects) = effects {
        document["effects"] = json!(effects);
    }
    document
}

impl World {
    /// Registers loops at a host.
    pub fn apply(&mut self, id: HostId, loops: &[Value]) {
        let read = |document| Manifest::from_json(document).expect("a manifest");
        self.register(id, loops.iter().map(read).collect());
    }

    /// Registers what a file defines at a host: loops with what they announce, and stacks.
    pub fn load(&mut self, id: HostId, text: &str) {
        let loaded = load("loops.yaml", text, &|_| None).expect("a file of loops");
        let stacks = Registry::default().plan_stacks(&loaded.stacks, &loaded.loops);
        let stacks = stacks.expect("stacks that can work");
        self.register(id, loaded.loops.into_iter().chain(stacks).collect());
    }

    fn register(&mut self, id: HostId, manifests: Vec<Manifest>) {
        let request = Request::Apply(ApplyAsked {
            manifests,
            dry_run: false,
            force: true,
            prune: false,
            stage: false,
            by: "owner".to_owned(),
            why: None,
        });
        match self.ask_and_wait(id, request) {
            Response::Applied(_) => {}
            other => panic!("not applied: {other:?}"),
        }
    }
}
