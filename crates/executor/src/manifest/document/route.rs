//! Loops that hand their work on, in our own form.

use serde_json::{Map, Value};

use super::{millis, put, put_some};
use crate::{Route, Target};

pub(super) fn route_json(route: &Route) -> Value {
    let Route { pattern, targets } = route;
    let mut document = Map::new();
    let pattern = pattern.as_ref().map(ToString::to_string);
    put_some(&mut document, "pattern", pattern);
    let targets: Vec<Value> = targets.iter().map(target_json).collect();
    put(&mut document, "targets", targets);
    Value::Object(document)
}

fn target_json(target: &Target) -> Value {
    let Target {
        call,
        keeps_name,
        priority,
        weight,
    } = target;
    let mut document = Map::new();
    let address = &call.loop_id;
    put_some(
        &mut document,
        "realm",
        address.realm.as_ref().map(ToString::to_string),
    );
    let name = (!keeps_name).then(|| address.loop_id.as_str());
    put_some(&mut document, "loop", name);
    put_some(&mut document, "version", call.loop_version.as_deref());
    put_some(
        &mut document,
        "priority",
        (*priority > 0).then_some(*priority),
    );
    let weight = (*weight != Target::WEIGHT).then_some(*weight);
    put_some(&mut document, "weight", weight);
    put_some(&mut document, "timeout", call.timeout_ms.map(millis));
    Value::Object(document)
}
