//! How soon a long run goes on after its daemon was killed.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use realm_client::{
    Client,
    api::{InvokeRequest, RunStatus, WaitsOn},
};
use serde_json::{Value, json};

use crate::{realms::Ground, resources::rss_kb, row::Row};

/// Calls whose ends are written down, in ten steps, and then a wait in which the daemon is killed.
const CALLS: usize = 100_000;
const STEPS: usize = 10;
/// Kills; the row tells the median and, as its `p99_us`, the longest.
const KILLS: usize = 5;
/// Between two looks at the run.
const PAUSE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(600);

/// Each call is of a composite, whose end is written down because what it calls could have effects.
fn loops() -> String {
    let step = "  - {loopId: unit, forEach: {items: '$.input.items', concurrency: 256}}\n";
    let steps = step.repeat(STEPS);
    format!(
        "id: unit\nversion: 1.0.0\nkind: composite\ninputSchema: {{}}\noutputSchema: {{}}\n\
         composite: {{steps: [{{loopId: echo}}]}}\n---\nid: work\nversion: 1.0.0\n\
         kind: composite\ninputSchema: {{}}\noutputSchema: {{}}\nlimits: {{timeout: 24h}}\n\
         composite:\n  steps:\n{steps}  - {{wait: 12h}}\n"
    )
}

/// From the start of the process until the run stands where it stood; `rss_kb` is what the daemon
/// holds then.
pub(crate) async fn run(ground: &Ground) -> Result<Row> {
    let home = ground.found("resume", "").await?;
    let mut daemon = ground.start("resume", &home).await?;
    daemon.apply(&loops()).await?;
    let items: Vec<Value> = (0..CALLS / STEPS).map(|n| json!({ "n": n })).collect();
    let request = InvokeRequest {
        address: "work".to_owned(),
        input: json!({ "items": items }),
        version: None,
        timeout_ms: None,
        idempotency_key: None,
        detach: true,
        store: false,
        stream: false,
        budget: None,
        backend: None,
    };
    let run = daemon.client.invoke(&request).await?.run_id;
    waits(&daemon.client, &run).await?;
    let mut took = BTreeSet::new();
    for _ in 0..KILLS {
        daemon.program.kill().await?;
        let begun = Instant::now();
        daemon = ground.start("resume", &home).await?;
        waits(&daemon.client, &run).await?;
        took.insert(begun.elapsed());
    }
    let median = took.iter().nth(KILLS / 2).copied().unwrap_or_default();
    Ok(Row {
        job: "resume".to_owned(),
        in_flight: 1,
        p50_us: Some(median.as_secs_f64() * 1e6),
        p99_us: took.last().map(|longest| longest.as_secs_f64() * 1e6),
        rss_kb: Some(rss_kb(daemon.pid()?)?),
        ..Row::default()
    })
}

/// Until the run waits for its time.
async fn waits(client: &Client, run: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let explained = client.explain(run).await?;
        ensure!(explained.run.status == RunStatus::Running, "{explained:?}");
        if explained.waits.iter().any(|wait| wait.on == WaitsOn::Time) {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{explained:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
