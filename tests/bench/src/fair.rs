//! Broadcasts among daemons on loopback: twenty children whose agents answer at once, and a price
//! check across three organisations whose agents are child processes.

use std::time::Instant;

use anyhow::{Result, ensure};
use realm_client::api::{BroadcastRequest, InviteKind, JoinRequest, TicketRequest};
use serde_json::{Value, json};

use crate::{
    load::Times,
    realms::{Daemon, Ground},
    row::Row,
};

/// Daemons that bid.
const BIDDERS: usize = 20;
/// Broadcasts that are measured, after a few that are not: links come up meanwhile.
const TIMES: usize = 60;
const WARM_UP: usize = 5;
/// As many across peers: a link between them carries 50 messages a second, and 200 at once.
const TIMES_OF_PEERS: usize = 20;

/// What is announced, and how it is done.
fn agent(implementation: &str, bid: &str) -> String {
    format!(
        "id: see\nversion: 1.0.0\nkind: tool\ndescription: Looks.\ninputSchema: {{type: object}}\n\
         outputSchema: {{type: object}}\neffects: idempotent\ntool: {{{implementation}}}\n{bid}"
    )
}

const ECHO: &str = "implementation: 'builtin:echo'";

/// A root announces to twenty children, of which the best four work; announce to aggregate.
pub(crate) async fn twenty(ground: &Ground) -> Result<Row> {
    let root = ground.daemon("root", "").await?;
    root.apply(&agent(ECHO, "")).await?;
    let mut children = Vec::new();
    for number in 0..BIDDERS {
        let child = ground.daemon(&format!("bidder-{number}"), "").await?;
        child.join(root.invite(&child.name).await?).await?;
        let bid = format!(
            "bid: {{price: EUR 0.{:02}, time: 1s, confidence: 0.9}}\n",
            10 + number
        );
        child.apply(&agent(ECHO, &bid)).await?;
        children.push(child);
    }
    let asked = json!({
        "loop": "see", "input": {"n": 1}, "down": 1, "currency": "EUR",
        "maxPriceMicros": 1_000_000, "windowMs": 2_000, "executionMs": 60_000,
        "winners": 4, "standbys": 4, "minBids": BIDDERS, "aggregate": "collectAll",
    });
    measure("broadcast-20", &root, asked, (BIDDERS, TIMES)).await
}

/// A shop asks two suppliers, organisations of their own, whose agents are child processes.
pub(crate) async fn price_check(ground: &Ground) -> Result<Row> {
    let shop = ground.daemon("shop", "").await?;
    shop.apply(&agent(ECHO, "")).await?;
    let program = std::env::current_exe()?;
    let process = format!(
        "implementation: process, config: {{argv: ['{}', agent]}}",
        program.display()
    );
    let mut suppliers = Vec::new();
    for (name, price) in [("north", 2), ("south", 3)] {
        let supplier = ground.daemon(name, "").await?;
        let bid = format!("bid: {{price: EUR 0.0{price}, time: 1s, confidence: 0.9}}\n");
        supplier.apply(&agent(&process, &bid)).await?;
        let asked = TicketRequest {
            kind: InviteKind::Peer,
            label: None,
            allow: Vec::new(),
            uses: Some(1),
            ttl_ms: None,
            petname: None,
        };
        let ticket = shop.client.invite(&asked).await?.ticket;
        let joining = JoinRequest {
            ticket,
            petname: None,
            allow: vec!["see".to_owned()],
        };
        supplier.client.join(&joining).await?;
        supplier.permit("shop", "bid", "see").await?;
        shop.permit(name, "award", "see").await?;
        suppliers.push(supplier);
    }
    let asked = json!({
        "loop": "see", "input": {"n": 1}, "up": 1, "across": 1, "currency": "EUR",
        "maxPriceMicros": 100_000, "windowMs": 2_000, "executionMs": 60_000,
        "winners": 1, "standbys": 1, "minBids": 2,
    });
    measure("price-check", &shop, asked, (2, TIMES_OF_PEERS)).await
}

async fn measure(
    job: &str,
    announcer: &Daemon,
    asked: Value,
    (bids, measured): (usize, usize),
) -> Result<Row> {
    let asked: BroadcastRequest = serde_json::from_value(asked)?;
    let mut times = Vec::new();
    let begun = Instant::now();
    for number in 0..WARM_UP + measured {
        let at = Instant::now();
        let told = announcer.client.broadcast(&asked).await?;
        let took = at.elapsed();
        if number < WARM_UP {
            continue;
        }
        ensure!(told.output.is_some(), "{told:?}");
        ensure!(usize::try_from(told.bids)? == bids, "{told:?}");
        times.push(u64::try_from(took.as_nanos())?);
    }
    Ok(Times::new(times, begun.elapsed()).row(job, 1, None))
}
