//! Work without an address, in our own form.

use realm_protocol::{
    LoopId,
    broadcast::{BidLimits, EarlyClose, MILLION, Rule, Selection, Strategy, Waiting, Weights},
    limits,
};
use serde_json::{Map, Number, Value};

use super::{millis, put, put_some};
use crate::{
    Audience, Broadcast,
    manifest::broadcast::{SELECTIONS, STRATEGIES, WAITS},
};

pub(super) fn broadcast_json(broadcast: &Broadcast) -> Value {
    let Broadcast {
        loop_id,
        capabilities,
        scope,
        depth,
        wider,
        window_ms,
        within_ms,
        limits,
        rule,
        at_once,
        aggregation,
        aggregator,
        sub_loops,
    } = broadcast;
    let mut document = Map::new();
    put_some(
        &mut document,
        "loopId",
        loop_id.as_ref().map(LoopId::as_str),
    );
    let capabilities: Vec<Value> = capabilities.iter().map(|id| id.as_str().into()).collect();
    put_some(
        &mut document,
        "capabilities",
        (!capabilities.is_empty()).then_some(capabilities),
    );
    put_scope(&mut document, scope, *depth);
    let wider = wider.as_ref().map(|wider| {
        let mut document = Map::new();
        put_scope(&mut document, &wider.scope, wider.depth);
        document
    });
    put_some(&mut document, "wider", wider);
    put(&mut document, "window", millis(*window_ms));
    put(&mut document, "within", millis(*within_ms));
    put_limits(&mut document, limits);
    put_rule(&mut document, rule, limits);
    put_some(&mut document, "atOnce", *at_once);
    let named = |names: &[(&'static str, Strategy)]| {
        names
            .iter()
            .find(|(_, known)| *known == aggregation.strategy)
            .map(|(name, _)| *name)
    };
    put_some(&mut document, "aggregate", named(&STRATEGIES));
    let waits = WAITS
        .iter()
        .find(|(_, known)| *known == aggregation.waiting);
    let waits = waits.filter(|(_, known)| *known != Waiting::All);
    put_some(&mut document, "wait", waits.map(|(name, _)| *name));
    put_some(&mut document, "quorum", aggregation.quorum.map(fraction));
    put_some(
        &mut document,
        "threshold",
        aggregation.threshold.map(fraction),
    );
    let least = aggregation.min_results;
    put_some(&mut document, "minResults", (least != 1).then_some(least));
    put_some(
        &mut document,
        "minResultConfidence",
        aggregation.confidence.map(fraction),
    );
    let field = &aggregation.field;
    put_some(
        &mut document,
        "field",
        (!field.is_empty()).then(|| field.join(".")),
    );
    let aggregator = aggregator.as_ref().map(ToString::to_string);
    put_some(&mut document, "aggregator", aggregator);
    put_some(&mut document, "subLoops", (!sub_loops).then_some(false));
    Value::Object(document)
}

fn put_scope(document: &mut Map<String, Value>, scope: &[Audience], depth: u64) {
    let scope: Vec<Value> = scope
        .iter()
        .map(|audience| audience.to_string().into())
        .collect();
    put(document, "scope", scope);
    put_some(
        document,
        "depth",
        (depth != Broadcast::DEPTH).then_some(depth),
    );
}

fn put_limits(document: &mut Map<String, Value>, limits: &BidLimits) {
    let BidLimits {
        currency,
        price,
        time_ms,
        confidence,
    } = limits;
    let price = price.and_then(|price| price_text(currency.as_deref(), price));
    put_some(document, "maxPrice", price);
    put_some(document, "maxTime", time_ms.map(millis));
    put_some(document, "minConfidence", confidence.map(fraction));
}

fn put_rule(document: &mut Map<String, Value>, rule: &Rule, ceilings: &BidLimits) {
    let Rule {
        selection,
        weights,
        awards,
        standbys,
        min_bids,
        max_bids,
        early,
        per_realm,
    } = rule;
    let select = SELECTIONS.iter().find(|(_, known)| known == selection);
    let select = select.filter(|(_, known)| *known != Selection::Best);
    put_some(document, "select", select.map(|(name, _)| *name));
    put_some(document, "weights", weights.as_ref().map(weights_json));
    put(document, "winners", *awards);
    put(document, "standbys", *standbys);
    put(document, "minBids", *min_bids);
    let most = limits::BIDS as u64;
    put_some(
        document,
        "maxBids",
        (*max_bids != most).then_some(*max_bids),
    );
    put_some(document, "perRealm", *per_realm);
    let early = early.as_ref().map(|early| early_json(early, ceilings));
    put_some(document, "enough", early);
}

fn weights_json(weights: &Weights) -> Map<String, Value> {
    let Weights {
        price,
        time,
        confidence,
        trust,
    } = *weights;
    let all = [
        ("price", price),
        ("time", time),
        ("confidence", confidence),
        ("trust", trust),
    ];
    let given = all.into_iter().filter(|(_, weight)| *weight > 0);
    given
        .map(|(name, weight)| (name.to_owned(), weight.into()))
        .collect()
}

fn early_json(early: &EarlyClose, ceilings: &BidLimits) -> Map<String, Value> {
    let mut document = Map::new();
    put(&mut document, "bids", early.enough);
    let currency = ceilings.currency.as_deref();
    let price = early.price.and_then(|price| price_text(currency, price));
    put_some(&mut document, "price", price);
    put_some(&mut document, "time", early.time_ms.map(millis));
    put_some(&mut document, "confidence", early.confidence.map(fraction));
    document
}

fn price_text(currency: Option<&str>, price: u64) -> Option<String> {
    currency.map(|currency| format!("{currency} {}", decimal(price)))
}

/// Millionths as a decimal number without trailing zeroes.
fn decimal(millionths: u64) -> String {
    let (whole, rest) = (millionths / MILLION, millionths % MILLION);
    let places = format!("{rest:06}");
    match places.trim_end_matches('0') {
        "" => whole.to_string(),
        places => format!("{whole}.{places}"),
    }
}

/// Millionths as a number.
fn fraction(millionths: u64) -> Value {
    let number: Option<Number> = decimal(millionths).parse().ok();
    number.map_or(Value::Null, Value::Number)
}
