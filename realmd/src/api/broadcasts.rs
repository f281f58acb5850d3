//! Work without an address.

use realm_client::{
    api::{
        Aggregate, BroadcastRequest, BroadcastResult, CallError, InvokeStatus, Select, SlotResult,
    },
    catalogue::Code,
};
use realm_node::{BroadcastAsked, Broadcasted, Request, Response};
use realm_protocol::{
    RealmName,
    broadcast::{Aggregation, BidLimits, Reach, Rule, Selection, Strategy, Waiting},
    limits,
};

use super::{
    Answer, Shared,
    extract::{Body, invalid},
    invoke::unexpected,
    problem::Fail,
    views::short,
};

pub(super) async fn broadcast(
    daemon: Shared,
    Body(request): Body<BroadcastRequest>,
) -> Answer<BroadcastResult> {
    let loop_id = request.loop_id.clone();
    let asked = asked(request)?;
    match daemon
        .handle
        .ask(Request::Broadcast(Box::new(asked)))
        .await?
    {
        Response::Broadcasted(ended) => Ok(axum::Json(result(loop_id, *ended))),
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

fn asked(request: BroadcastRequest) -> Result<BroadcastAsked, Fail> {
    let loop_id = request.loop_id.parse();
    let loop_id =
        loop_id.map_err(|error| invalid(&format!("`{}`: {error}", short(&request.loop_id))))?;
    let capabilities: Result<_, Fail> = request
        .capabilities
        .iter()
        .map(|name| {
            let parsed = name.parse();
            parsed.map_err(|error| invalid(&format!("`{}`: {error}", short(name))))
        })
        .collect();
    let realms: Result<Vec<RealmName>, Fail> = request
        .realms
        .iter()
        .map(|name| {
            let name = name.strip_prefix('@').unwrap_or(name);
            name.parse()
                .map_err(|error| invalid(&format!("`{}`: {error}", short(name))))
        })
        .collect();
    Ok(BroadcastAsked {
        loop_id,
        capabilities: capabilities?,
        input: request.input,
        reach: Reach {
            down: request.down,
            up: request.up,
            across: request.across,
            realms: Vec::new(),
        },
        realms: realms?,
        limits: BidLimits {
            currency: request.currency,
            price: request.max_price_micros,
            time_ms: None,
            confidence: None,
        },
        window_ms: request.window_ms,
        award_ms: request.execution_ms,
        execution_ms: request.execution_ms,
        rule: Rule {
            selection: match request.select {
                Select::First => Selection::First,
                Select::Best => Selection::Best,
                Select::Random => Selection::Random,
                Select::All => Selection::All,
            },
            weights: None,
            awards: request.winners,
            standbys: request.standbys,
            min_bids: request.min_bids,
            max_bids: limits::BIDS as u64,
            early: None,
            per_realm: None,
        },
        aggregation: Aggregation {
            strategy: match request.aggregate {
                Aggregate::Select => Strategy::Select,
                Aggregate::Merge => Strategy::Merge,
                Aggregate::Consensus => Strategy::Consensus,
                Aggregate::Vote => Strategy::Vote,
                Aggregate::Average => Strategy::Average,
                Aggregate::FirstValid => Strategy::FirstValid,
                Aggregate::HighestConfidence => Strategy::HighestConfidence,
                Aggregate::CollectAll => Strategy::CollectAll,
            },
            waiting: Waiting::All,
            quorum: None,
            threshold: request.threshold,
            min_results: 1,
            confidence: None,
            field: Vec::new(),
        },
    })
}

fn result(loop_id: String, ended: Broadcasted) -> BroadcastResult {
    let slots = ended.slots.into_iter().map(|slot| SlotResult {
        slot: slot.slot,
        realm_id: slot.realm.to_string(),
        bid: slot.bid.to_string(),
        outcome: slot.outcome.map(|outcome| outcome.to_string()),
        part: slot.part.to_owned(),
        failure: slot.failure.map(|failure| failure.name().to_owned()),
    });
    let error = ended.output.is_none().then(|| CallError {
        code: Code::of_failure_name(ended.ending)
            .unwrap_or(Code::NotAggregated)
            .to_string(),
        name: ended.ending.to_owned(),
        message: ended
            .reason
            .unwrap_or_else(|| "the broadcast has no output".to_owned()),
        details: Vec::new(),
        realm: None,
        reference: None,
        retry_after_ms: None,
        help: Some(format!("realmctl trace show {}", ended.run)),
    });
    BroadcastResult {
        run_id: ended.run.to_string(),
        broadcast_id: ended.broadcast.to_string(),
        loop_id,
        status: match error {
            Some(_) => InvokeStatus::Error,
            None => InvokeStatus::Ok,
        },
        output: ended.output,
        error,
        bids: ended.bids,
        slots: slots.collect(),
        duration_ms: ended.duration_ms,
    }
}
