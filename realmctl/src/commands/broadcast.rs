//! `broadcast`: announces work without an address.

use realm_client::api::{
    Aggregate, BroadcastRequest, BroadcastResult, Enough, InvokeStatus, Levels, Select, WaitFor,
    Weights, Wider,
};

use super::{
    invoke::{self, input},
    watch,
};
use crate::{
    cli::{AggregateBy, BroadcastArgs, Decimal, Format, Good, Scored, SelectBy, WaitBy, Weight},
    failure::Failure,
    session::Session,
};

/// Levels that a scope without a depth reaches.
const DEPTH: u64 = 8;

/// Announces work, waits for its outcome, and prints the output.
pub(crate) async fn run(session: &Session, args: BroadcastArgs) -> Result<(), Failure> {
    let watched = args.watch;
    let session = &session.watching(watched);
    let request = request(args)?;
    let daemon = session.daemon().await?;
    let result = daemon.ask(daemon.client.broadcast(&request)).await?;
    if result.status != InvokeStatus::Running {
        return finish(session, result);
    }
    let followed = match watched {
        true => watch::follow(session, &daemon, &result.run_id).await?,
        false => None,
    };
    match followed {
        Some(ended) => invoke::finish(session, ended),
        None => session.print_text(&format!("{}\n", result.run_id)),
    }
}

fn finish(session: &Session, result: BroadcastResult) -> Result<(), Failure> {
    let whole = !matches!(session.format(), Format::Table | Format::Wide);
    if whole || result.status == InvokeStatus::Ok {
        session.print(&result)?;
    }
    session.say(&format!("{} bids, {} won", result.bids, result.slots.len()));
    match result.error {
        None => Ok(()),
        Some(error) => {
            session.detail(&format!("run {}", result.run_id));
            Err(Failure::Call(Box::new(error)))
        }
    }
}

fn request(args: BroadcastArgs) -> Result<BroadcastRequest, Failure> {
    let depth = args.depth.unwrap_or(DEPTH);
    let micros = |decimal: Option<Decimal>| decimal.map(|it| it.micros);
    let Wider {
        down,
        up,
        across,
        realms,
        besides,
    } = scope(&args.scope, depth);
    // A second round asks again whom the first one asked.
    let wider = (!args.wider.is_empty()).then(|| {
        let scopes: Vec<String> = args.scope.iter().chain(&args.wider).cloned().collect();
        scope(&scopes, depth)
    });
    Ok(BroadcastRequest {
        input: input(args.input.as_deref(), &args.members)?,
        loop_id: args.loop_id,
        capabilities: args.capability,
        down,
        up,
        across,
        realms,
        besides,
        wider,
        currency: args.currency,
        max_price_micros: micros(args.max_price),
        max_time_ms: args.max_time.map(crate::cli::Span::as_millis),
        min_confidence: micros(args.min_confidence),
        window_ms: args.window.as_millis(),
        execution_ms: args.within.as_millis(),
        award_ms: args.award.map(crate::cli::Span::as_millis),
        person_ms: args.person.map(crate::cli::Span::as_millis),
        sub_loops: args.no_sub_loops.then_some(false),
        select: match args.select {
            _ if !args.weigh.is_empty() => Select::Weighted,
            SelectBy::First => Select::First,
            SelectBy::Best => Select::Best,
            SelectBy::Random => Select::Random,
            SelectBy::All => Select::All,
        },
        weights: weights(&args.weigh),
        winners: args.winners,
        standbys: args.standbys,
        at_once: args.at_once,
        min_bids: args.min_bids,
        max_bids: args.max_bids,
        per_realm: args.per_realm,
        enough: args.enough.map(|bids| enough(bids, &args.good)),
        aggregate: match args.aggregate {
            _ if args.aggregator.is_some() => Aggregate::Loop,
            AggregateBy::Select => Aggregate::Select,
            AggregateBy::Merge => Aggregate::Merge,
            AggregateBy::Consensus => Aggregate::Consensus,
            AggregateBy::Quorum => Aggregate::Quorum,
            AggregateBy::Vote => Aggregate::Vote,
            AggregateBy::Average => Aggregate::Average,
            AggregateBy::WeightedAverage => Aggregate::WeightedAverage,
            AggregateBy::Sum => Aggregate::Sum,
            AggregateBy::Rank => Aggregate::Rank,
            AggregateBy::FirstValid => Aggregate::FirstValid,
            AggregateBy::HighestConfidence => Aggregate::HighestConfidence,
            AggregateBy::CollectAll => Aggregate::CollectAll,
        },
        aggregator: args.aggregator,
        wait: match args.wait {
            WaitBy::All => WaitFor::All,
            WaitBy::Quorum => WaitFor::Quorum,
            WaitBy::Majority => WaitFor::Majority,
            WaitBy::Any => WaitFor::Any,
        },
        quorum: micros(args.quorum),
        threshold: micros(args.threshold),
        min_results: args.min_results,
        min_result_confidence: micros(args.min_result_confidence),
        field: args.field.as_deref().map_or_else(Vec::new, members),
        budget: args.budget.into_budget(),
        detach: args.watch || args.detach,
    })
}

/// Who is asked.
fn scope(scopes: &[String], depth: u64) -> Wider {
    let (mut near, mut realms) = (Levels::default(), Vec::new());
    for scope in scopes {
        match scope.as_str() {
            "children" => near.down = near.down.max(1),
            "subtree" => near.down = near.down.max(depth),
            "peers" => (near.up, near.across) = (DEPTH, depth),
            realm => realms.push(realm.to_owned()),
        }
    }
    let besides = Some(near).filter(|near| !realms.is_empty() && *near != Levels::default());
    let all = match realms.is_empty() {
        true => near,
        // Realms that are named are asked however far they are.
        false => Levels {
            down: DEPTH,
            up: DEPTH,
            across: DEPTH,
        },
    };
    Wider {
        down: all.down,
        up: all.up,
        across: all.across,
        realms,
        besides,
    }
}

fn enough(bids: u64, good: &[Good]) -> Enough {
    let mut enough = Enough {
        bids,
        price_micros: None,
        time_ms: None,
        confidence: None,
    };
    for bound in good {
        match *bound {
            Good::Price(micros) => enough.price_micros = Some(micros),
            Good::Time(ms) => enough.time_ms = Some(ms),
            Good::Confidence(share) => enough.confidence = Some(share),
        }
    }
    enough
}

fn weights(weigh: &[Weight]) -> Option<Weights> {
    let of = |what: Scored| {
        let given = weigh.iter().rev().find(|it| it.of == what);
        given.map_or(0, |it| it.weight)
    };
    (!weigh.is_empty()).then(|| Weights {
        price: of(Scored::Price),
        time: of(Scored::Time),
        confidence: of(Scored::Confidence),
        trust: of(Scored::Trust),
    })
}

fn members(way: &str) -> Vec<String> {
    way.split('.').map(str::to_owned).collect()
}
