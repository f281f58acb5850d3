//! Random composites of every kind of step, over loops here and in other realms.

use serde_json::{Map, Value, json};

use crate::Loops;

/// Draws a number below a bound.
type Draw<'a> = &'a mut dyn FnMut(u64) -> u64;

/// Composites for the virtual world. Every call gets an input of its own, so that work done twice
/// is seen.
#[derive(Debug)]
pub struct Flows;

impl Flows {
    /// The loops of one realm: tools, `inner`, which stays in the realm, and `flow`, which calls
    /// the same loops of `others` too.
    pub fn loops(others: &[String], draw: Draw<'_>) -> Vec<Value> {
        let mut loops = Self::tools(draw(800));
        let inner = composite("inner", 2 + draw(2), &mut |tag| step(tag, &[], false, draw));
        let flow = composite("flow", 3 + draw(4), &mut |tag| {
            step(tag, others, true, draw)
        });
        loops.extend([inner, flow]);
        loops
    }

    /// What the steps call: tools with all effects, reliable and not, quick and slow, and a machine
    /// of three steps.
    pub fn tools(ms: u64) -> Vec<Value> {
        let tool = |id: &str, program: &str| {
            let mut tool = Loops::once(id, ms);
            tool["tool"]["config"]["argv"] = json!([program, ms.to_string()]);
            tool
        };
        let machine = json!({
            "id": "turns", "version": "1.0.0", "kind": "machine",
            "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
            "machine": {"loopId": "turn"},
        });
        vec![
            tool("spend", "work"),
            Loops::idempotent("see", ms),
            tool("flaky", "flaky"),
            tool("slips", "slip"),
            tool("breaks", "fail"),
            tool("turn", "step"),
            Loops::once("dawdle", 5_000 + 5 * ms),
            machine,
        ]
    }

    /// An input for `flow`; no two numbers may be the same, and none above 900.
    pub fn input(number: usize, draw: Draw<'_>) -> Value {
        let first = 1_000 * (number + 1);
        let items: Vec<usize> = (first..first + draw(5) as usize).collect();
        json!({"n": number, "from": "caller", "list": items, "odds": draw(10)})
    }
}

/// The last step makes sure that nothing of it is without effects.
fn composite(id: &str, steps: u64, step: &mut dyn FnMut(&str) -> Value) -> Value {
    let mut steps: Vec<Value> = (0..steps)
        .map(|index| step(&format!("{id} {index}")))
        .collect();
    steps.push(json!({"loopId": "see"}));
    json!({
        "id": id, "version": "1.0.0", "kind": "composite",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": steps},
    })
}

/// One step; `whole` if it may hold others, and call composites.
fn step(tag: &str, others: &[String], whole: bool, draw: Draw<'_>) -> Value {
    let mut step = match draw(if whole { 10 } else { 7 }) {
        0..6 => call(tag, others, whole, draw),
        6 if !whole => json!({"wait": format!("{}ms", 1 + draw(20_000))}),
        6..8 => {
            let branches = (0..2 + draw(2)).map(|number| {
                let tag = format!("{tag}.{number}");
                call(&tag, others, whole, draw)
            });
            json!({"parallel": branches.collect::<Vec<_>>()})
        }
        8 => json!({"wait": format!("{}ms", 1 + draw(20_000))}),
        _ => {
            let mut step = call(tag, others, whole, draw);
            let on_failure = ["stop", "keep"][usize::from(draw(2) == 0)];
            step["forEach"] = json!({
                "items": "$.input.list", "concurrency": 1 + draw(3), "onFailure": on_failure,
            });
            step["inputMapping"]["n"] = json!("$.item");
            step
        }
    };
    if draw(4) == 0 {
        step["when"] = json!("input.odds > 4");
    }
    step
}

fn call(tag: &str, others: &[String], whole: bool, draw: Draw<'_>) -> Value {
    let kinds = match whole {
        true => [
            "spend", "see", "echo", "flaky", "slips", "breaks", "turns", "dawdle", "inner",
        ]
        .as_slice(),
        false => ["spend", "see", "echo", "flaky", "slips", "turns", "dawdle"].as_slice(),
    };
    let mut loop_id = kinds[draw(kinds.len() as u64) as usize].to_owned();
    if !others.is_empty() && draw(3) == 0 {
        let other = &others[draw(others.len() as u64) as usize];
        loop_id = format!("{loop_id}@{other}");
    }
    let mut call = Map::new();
    call.insert("loopId".to_owned(), json!(loop_id));
    let tag = format!("literal:{tag}");
    let mapping = json!({
        "n": "$.input.n", "from": "$.input.from", "list": "$.input.list", "odds": "$.input.odds",
        "tag": tag,
    });
    call.insert("inputMapping".to_owned(), mapping);
    if loop_id.starts_with("inner") {
        // What is called below says where it was called from.
        call["inputMapping"]["from"] = json!(tag);
    }
    if draw(3) == 0 {
        let retry = json!({
            "attempts": 2 + draw(2), "delay": format!("{}ms", 1 + draw(3_000)),
            "on": ["transient", "business", "unknown"],
        });
        call.insert("retry".to_owned(), retry);
    }
    if draw(5) == 0 {
        call.insert(
            "timeout".to_owned(),
            json!(format!("{}ms", 1 + draw(5_000))),
        );
    }
    if draw(5) == 0 {
        call.insert("fallback".to_owned(), json!({"loopId": "see"}));
    }
    Value::Object(call)
}
