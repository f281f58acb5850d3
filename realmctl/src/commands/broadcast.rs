//! `broadcast`: announces work without an address.

use realm_client::api::{Aggregate, BroadcastRequest, InvokeStatus, Select};

use super::invoke::input;
use crate::{
    cli::{AggregateBy, BroadcastArgs, Format, SelectBy},
    failure::Failure,
    session::Session,
};

/// Levels that a scope without a depth reaches.
const DEPTH: u64 = 8;

/// Announces work, waits for its outcome, and prints the output.
pub(crate) async fn run(session: &Session, args: BroadcastArgs) -> Result<(), Failure> {
    let request = request(args)?;
    let daemon = session.daemon().await?;
    let result = daemon.ask(daemon.client.broadcast(&request)).await?;
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
    let mut request = BroadcastRequest {
        input: input(args.input.as_deref(), &args.members)?,
        loop_id: args.loop_id,
        capabilities: args.capability,
        down: 0,
        up: 0,
        across: 0,
        realms: Vec::new(),
        currency: args.currency,
        max_price_micros: args.max_price.map(|price| price.micros),
        window_ms: args.window.as_millis(),
        execution_ms: args.within.as_millis(),
        select: match args.select {
            SelectBy::First => Select::First,
            SelectBy::Best => Select::Best,
            SelectBy::Random => Select::Random,
            SelectBy::All => Select::All,
        },
        winners: args.winners,
        standbys: args.standbys,
        min_bids: args.min_bids,
        aggregate: match args.aggregate {
            AggregateBy::Select => Aggregate::Select,
            AggregateBy::Merge => Aggregate::Merge,
            AggregateBy::Consensus => Aggregate::Consensus,
            AggregateBy::Vote => Aggregate::Vote,
            AggregateBy::Average => Aggregate::Average,
            AggregateBy::FirstValid => Aggregate::FirstValid,
            AggregateBy::HighestConfidence => Aggregate::HighestConfidence,
            AggregateBy::CollectAll => Aggregate::CollectAll,
        },
        threshold: args.threshold.map(|share| share.micros),
    };
    for scope in &args.scope {
        match scope.as_str() {
            "children" => request.down = request.down.max(1),
            "subtree" => request.down = depth,
            "peers" => (request.up, request.across) = (DEPTH, depth),
            realm => {
                (request.down, request.up, request.across) = (DEPTH, DEPTH, DEPTH);
                request.realms.push(realm.to_owned());
            }
        }
    }
    Ok(request)
}
