//! Durable steps: a machine that counts, beside loom-runner's own counter.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use realm_client::api::InvokeRequest;
use serde_json::json;
use tokio::process::Command;

use crate::{
    realms::{Daemon, Ground},
    resources::rss_kb,
    row::Row,
};

/// Steps of one run.
const STEPS: u64 = 100_000;
/// The machine, and the loop of its steps.
const LOOPS: &str = "id: step\nversion: 1.0.0\nkind: tool\ninputSchema: {}\noutputSchema: {}\n\
    tool: {implementation: 'builtin:count'}\n---\nid: count\nversion: 1.0.0\nkind: machine\n\
    inputSchema: {}\noutputSchema: {}\nlimits: {timeout: 1h}\nmachine: {loopId: step}\n";

/// One run of a machine; `calls_per_s` are its steps, `rss_kb` the most that the daemon held.
pub(crate) async fn machine(ground: &Ground) -> Result<Row> {
    let daemon = ground.daemon("counter", "").await?;
    daemon.apply(LOOPS).await?;
    // The first run warms up.
    count(&daemon, STEPS / 10).await?;
    let took = count(&daemon, STEPS).await?;
    let mut row = row("machine-steps", took);
    row.rss_kb = Some(rss_kb(daemon.pid()?)?);
    Ok(row)
}

async fn count(daemon: &Daemon, to: u64) -> Result<f64> {
    let request = InvokeRequest {
        address: "count".to_owned(),
        input: json!({ "to": to }),
        version: None,
        timeout_ms: Some(600_000),
        idempotency_key: None,
        detach: false,
        store: false,
        stream: false,
        budget: None,
        backend: None,
    };
    let begun = std::time::Instant::now();
    let ended = daemon.client.invoke(&request).await?;
    let took = begun.elapsed();
    ensure!(ended.output == Some(json!({ "n": to })), "{ended:?}");
    Ok(took.as_secs_f64())
}

/// The same in loom-runner; none where it is not installed.
pub(crate) async fn loom(scratch: &Path) -> Result<Option<Row>> {
    let python = python(scratch);
    if !python.exists() {
        return Ok(None);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/loom_steps.py");
    let output = Command::new(python)
        .arg(script)
        .arg(STEPS.to_string())
        .arg(scratch)
        .stderr(Stdio::inherit())
        .output()
        .await?;
    ensure!(output.status.success(), "loom-runner failed");
    let text = String::from_utf8(output.stdout)?;
    let took: f64 = text.trim().parse().context("no time")?;
    Ok(Some(row("loom-steps", took)))
}

/// How loom-runner is installed where it is missing.
pub(crate) fn installation(scratch: &Path) -> String {
    let folder = folder(scratch);
    let folder = folder.display();
    format!(
        "loom-runner is not installed: python3 -m venv {folder} && {folder}/bin/pip install \
         loom-runner==0.1.3"
    )
}

fn folder(scratch: &Path) -> PathBuf {
    scratch.join("loom")
}

fn python(scratch: &Path) -> PathBuf {
    folder(scratch).join("bin/python")
}

fn row(job: &str, took: f64) -> Row {
    Row {
        job: job.to_owned(),
        in_flight: 1,
        p50_us: Some(took / STEPS as f64 * 1e6),
        calls_per_s: Some(STEPS as f64 / took),
        ..Row::default()
    }
}
