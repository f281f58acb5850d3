//! Work without an address.

use axum::http::StatusCode;
use realm_client::{
    api::{
        self, Aggregate, BroadcastRequest, BroadcastResult, CallError, InvokeStatus, Select,
        SlotResult, WaitFor,
    },
    catalogue::Code,
};
use realm_node::{BroadcastAsked, Broadcasted, Node, Request, Response, Wider};
use realm_protocol::{
    LoopId, RealmName,
    broadcast::{
        Aggregation, BidLimits, EarlyClose, Levels, Reach, Rule, Selection, Strategy, Waiting,
        Weights,
    },
    journal::Run,
    limits,
};

use super::{
    Shared,
    extract::{Body, invalid},
    invoke::{read_budget, unexpected},
    people::Asker,
    problem::Fail,
    views::short,
};
use crate::handle::Begun;

pub(super) async fn broadcast(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<BroadcastRequest>,
) -> Result<(StatusCode, axum::Json<BroadcastResult>), Fail> {
    let (loop_id, detach) = (request.loop_id.clone(), request.detach);
    let asked = asker.asks(Request::Broadcast(Box::new(asked(request)?)));
    if detach {
        let begun = move |_: &Node, begun| match begun {
            Begun::Running(run) => Ok::<_, Fail>((StatusCode::ACCEPTED, running(&run))),
            Begun::Ended(answer) => Ok((StatusCode::OK, ended(loop_id, *answer)?)),
        };
        let (status, result) = daemon.handle.begin_and(asked, begun).await??;
        return Ok((status, axum::Json(result)));
    }
    let answer = daemon.handle.ask(asked).await?;
    Ok((StatusCode::OK, axum::Json(ended(loop_id, answer)?)))
}

fn ended(loop_id: String, answer: Response) -> Result<BroadcastResult, Fail> {
    match answer {
        Response::Broadcasted(ended) => Ok(result(loop_id, *ended)),
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// A broadcast that has begun.
fn running(run: &Run) -> BroadcastResult {
    BroadcastResult {
        run_id: run.id.to_string(),
        broadcast_id: run.call.to_string(),
        loop_id: run.loop_id.clone(),
        status: InvokeStatus::Running,
        output: None,
        error: None,
        bids: 0,
        slots: Vec::new(),
        duration_ms: 0,
    }
}

fn asked(request: BroadcastRequest) -> Result<BroadcastAsked, Fail> {
    let aggregator = request.aggregator.as_deref().map(parsed).transpose()?;
    if aggregator.is_some() != (request.aggregate == Aggregate::Loop) {
        return Err(invalid(
            "`aggregator` names the loop of `aggregate: loop`, and only there",
        ));
    }
    if request.at_once == Some(0) {
        return Err(invalid(
            "`atOnce` is at least 1: as many winners work at a time",
        ));
    }
    for (what, given) in [
        ("awardMs", request.award_ms),
        ("personMs", request.person_ms),
    ] {
        if given.is_some_and(|given| given > request.execution_ms) {
            let within = request.execution_ms;
            return Err(invalid(&format!(
                "`{what}` is at most `executionMs`, {within}: nothing is waited for once the work must be over"
            )));
        }
    }
    let capabilities = request.capabilities.iter().map(|name| parsed(name));
    Ok(BroadcastAsked {
        loop_id: parsed(&request.loop_id)?,
        capabilities: capabilities.collect::<Result<_, Fail>>()?,
        reach: Reach {
            down: request.down,
            up: request.up,
            across: request.across,
            realms: Vec::new(),
            besides: request.besides.map(levels),
        },
        realms: realms(&request.realms)?,
        wider: request.wider.as_ref().map(wider).transpose()?,
        limits: BidLimits {
            currency: request.currency.clone(),
            price: request.max_price_micros,
            time_ms: request.max_time_ms,
            confidence: request.min_confidence,
        },
        budget: read_budget(request.budget.clone())?,
        window_ms: request.window_ms,
        award_ms: request.award_ms.unwrap_or(request.execution_ms),
        execution_ms: request.execution_ms,
        person_ms: request.person_ms,
        sub_loops: request.sub_loops.unwrap_or(true),
        rule: rule(&request),
        at_once: request.at_once,
        aggregation: aggregation(&request),
        aggregator,
        input: request.input,
    })
}

fn parsed(name: &str) -> Result<LoopId, Fail> {
    let parsed = name.parse();
    parsed.map_err(|error| invalid(&format!("`{}`: {error}", short(name))))
}

fn realms(names: &[String]) -> Result<Vec<RealmName>, Fail> {
    let realms = names.iter().map(|name| {
        let name = name.strip_prefix('@').unwrap_or(name);
        let parsed = name.parse();
        parsed.map_err(|error| invalid(&format!("`{}`: {error}", short(name))))
    });
    realms.collect()
}

fn levels(asked: api::Levels) -> Levels {
    Levels {
        down: asked.down,
        up: asked.up,
        across: asked.across,
    }
}

fn wider(asked: &api::Wider) -> Result<Wider, Fail> {
    Ok(Wider {
        reach: Reach {
            down: asked.down,
            up: asked.up,
            across: asked.across,
            realms: Vec::new(),
            besides: asked.besides.map(levels),
        },
        realms: realms(&asked.realms)?,
    })
}

fn rule(request: &BroadcastRequest) -> Rule {
    Rule {
        selection: match request.select {
            Select::First => Selection::First,
            Select::Best => Selection::Best,
            Select::Random => Selection::Random,
            Select::All => Selection::All,
            Select::Weighted => Selection::Weighted,
        },
        weights: request.weights.map(|weights| Weights {
            price: weights.price,
            time: weights.time,
            confidence: weights.confidence,
            trust: weights.trust,
        }),
        awards: request.winners,
        standbys: request.standbys,
        min_bids: request.min_bids,
        max_bids: request.max_bids.unwrap_or(limits::BIDS as u64),
        early: request.enough.map(|enough| EarlyClose {
            enough: enough.bids,
            price: enough.price_micros,
            time_ms: enough.time_ms,
            confidence: enough.confidence,
        }),
        per_realm: request.per_realm,
    }
}

fn aggregation(request: &BroadcastRequest) -> Aggregation {
    Aggregation {
        strategy: match request.aggregate {
            Aggregate::Select => Strategy::Select,
            Aggregate::Merge => Strategy::Merge,
            Aggregate::Consensus => Strategy::Consensus,
            Aggregate::Quorum => Strategy::Quorum,
            Aggregate::Vote => Strategy::Vote,
            Aggregate::Average => Strategy::Average,
            Aggregate::WeightedAverage => Strategy::WeightedAverage,
            Aggregate::Sum => Strategy::Sum,
            Aggregate::Rank => Strategy::Rank,
            Aggregate::FirstValid => Strategy::FirstValid,
            Aggregate::HighestConfidence => Strategy::HighestConfidence,
            Aggregate::CollectAll => Strategy::CollectAll,
            Aggregate::Loop => Strategy::Loop,
        },
        waiting: match request.wait {
            WaitFor::All => Waiting::All,
            WaitFor::Quorum => Waiting::Quorum,
            WaitFor::Majority => Waiting::Majority,
            WaitFor::Any => Waiting::Any,
        },
        quorum: request.quorum,
        threshold: request.threshold,
        min_results: request.min_results.unwrap_or(1),
        confidence: request.min_result_confidence,
        field: request.field.clone(),
    }
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
