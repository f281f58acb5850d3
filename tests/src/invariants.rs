//! What must hold after every run.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    CallId, GrantId, RunId,
    journal::{Direction, Event, Run, Status, Table},
};
use serde_json::Value;

use crate::{HostId, World, audit, errors, grants, receipts, watch::has_effects};

/// Lets what is under way come to its end, and panics with everything that does not hold.
///
/// # Panics
/// If an invariant is broken.
pub fn check(world: &mut World) {
    let broken = broken(world);
    assert!(broken.is_empty(), "broken: {broken:#?}");
}

/// Lets what is under way come to its end, and gives everything that does not hold.
pub fn broken(world: &mut World) -> Vec<String> {
    world.run_for(200);
    let mut broken = world.watch.take_broken();
    if world.unanswered() > 0 {
        broken.push(format!("{} requests have no answer", world.unanswered()));
    }
    let failed = world.watch.a_disk_failed;
    for error in errors::take() {
        if !(failed && error.contains("the store has failed")) {
            broken.push(format!("logged: {error}"));
        }
    }
    for id in (0..world.hosts.len()).map(HostId) {
        at_rest(world, id, &mut broken);
        halves_agree(world, id, &mut broken);
        audit::broken(world, id, &mut broken);
        if let Some(number) = world
            .watch
            .canaries
            .seen(&world.hosts[id.0].disk.bytes(), Some(id))
        {
            broken.push(format!("canary {number} on the disk of host {}", id.0));
        }
    }
    messages_agree(world, &mut broken);
    receipts::broken(world, &mut broken);
    grants_are_not_overused(world, &mut broken);
    for (effect, times) in &world.effects {
        if *times > 1 {
            broken.push(format!("{times} times: {effect}"));
        }
    }
    for ((host, key), work) in &world.work {
        if work.times > 1 {
            broken.push(format!("{} times at host {}: {key}", work.times, host.0));
        }
    }
    broken
}

/// Nothing is left over, and nothing has outgrown its bound.
fn at_rest(world: &World, id: HostId, broken: &mut Vec<String>) {
    let host = &world.hosts[id.0];
    let Some(node) = &host.node else { return };
    for load in node.load() {
        if load.held > load.bound {
            broken.push(format!("{}: {load:?}", host.name));
        }
        if load.at_rest && load.held > 0 {
            broken.push(format!("{} has not come to rest: {load:?}", host.name));
        }
    }
    if host.disk.broken {
        return;
    }
    let running = |run: &&Run| run.status == Status::Running;
    if let Some(run) = host.disk.runs.values().find(running) {
        broken.push(format!("{} never ended a run: {run:?}", host.name));
    }
    let paused = host.disk.runs.values();
    for run in paused.filter(|run| run.status == Status::Paused) {
        let mut events = host.disk.events.values();
        if !events.any(|event| {
            event.run == run.id && matches!(event.kind.as_str(), "run.paused" | "halt.stopped")
        }) {
            broken.push(format!("{} pauses without a word: {run:?}", host.name));
        }
    }
    let mut paused = host.disk.runs.values();
    if !paused.any(|run| run.status == Status::Paused) {
        let mut rows = host.disk.keys(Table::Standing);
        if rows.any(|key| key.starts_with(b"accepted/")) {
            broken.push(format!("{} waits for a call that is over", host.name));
        }
    }
    for key in host.disk.keys(Table::Frames) {
        let run = key.first_chunk().map(|run| RunId::new(*run));
        let run = run.and_then(|run| host.disk.runs.get(&run));
        if run.is_none_or(|run| run.status != Status::Paused) {
            broken.push(format!(
                "{} keeps a frame of what is over: {run:?}",
                host.name
            ));
        }
    }
}

/// Where one half of a trace says that a call was completed, the other half has the same output.
fn halves_agree(world: &World, id: HostId, broken: &mut Vec<String>) {
    let runs = world.hosts[id.0].disk.runs.values();
    let out = runs.filter(|run| run.direction == Direction::Out && run.status == Status::Completed);
    for half in out {
        let excused = !has_effects(&half.loop_id) && may_have_lost(world, half.call);
        if !excused && !has_other_half(world, half) {
            broken.push(format!(
                "host {} completed a call that nobody ran: {half:?}",
                id.0
            ));
        }
    }
}

/// What one half of a trace says it took, the other sent: the same message, by the digest of its
/// header, both ways.
fn messages_agree(world: &World, broken: &mut Vec<String>) {
    let hosts = world.hosts.iter();
    let events = hosts.flat_map(|host| host.disk.events.values());
    let kinds = [
        "call.sent",
        "call.received",
        "call.answered",
        "call.returned",
    ];
    let messages: Vec<(&Event, Value)> = events
        .filter(|event| kinds.contains(&event.kind.as_str()))
        .map(|event| (event, serde_json::from_slice(&event.payload).expect("JSON")))
        .collect();
    let known: BTreeSet<(&str, &str)> = messages
        .iter()
        .filter_map(|(event, payload)| Some((event.kind.as_str(), named(payload)?)))
        .collect();
    for (event, payload) in &messages {
        let other = match event.kind.as_str() {
            "call.received" => "call.sent",
            "call.returned" if payload["replayed"] == false => "call.answered",
            _ => continue,
        };
        let lost = world.watch.has_lost_events(event.call) || world.watch.a_disk_failed;
        let header = named(payload).unwrap_or_default();
        if !lost && !known.contains(&(other, header)) {
            let (kind, call) = (&event.kind, event.call);
            broken.push(format!("{kind} of {call} without its {other}: {header}"));
        }
    }
}

/// What both halves name an answer by: its header, or the header of the call that a late one answers.
fn named(payload: &Value) -> Option<&str> {
    let late = payload["answers"].as_str();
    late.or_else(|| payload["header"].as_str())
}

/// No more calls begin by a grant than it is for.
fn grants_are_not_overused(world: &World, broken: &mut Vec<String>) {
    let mut used: BTreeMap<GrantId, u64> = BTreeMap::new();
    for link in grants::uses(world).flatten() {
        let id = link["id"].as_str().expect("an id");
        *used.entry(id.parse().expect("an id")).or_default() += 1;
    }
    for (grant, most) in world.watch.grants.bounds() {
        let times = used.get(&grant).copied().unwrap_or_default();
        if times > most {
            broken.push(format!(
                "{times} calls by grant {grant}, which is for {most}"
            ));
        }
    }
}

fn may_have_lost(world: &World, call: CallId) -> bool {
    world.watch.has_lost(call) || world.watch.a_disk_failed
}

/// The other half has the same call, or, where a key was used again, the same input.
fn has_other_half(world: &World, half: &Run) -> bool {
    let mut runs = world
        .hosts
        .iter()
        .flat_map(|host| host.disk.runs.values())
        .filter(|run| run.direction == Direction::In);
    runs.any(|run| {
        run.status == Status::Completed
            && (run.output == half.output || run.erased.is_some())
            // The caller may know the loop by an alias.
            && (run.call == half.call || run.loop_id == half.loop_id && run.input == half.input)
    })
}
