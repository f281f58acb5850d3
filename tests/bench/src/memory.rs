//! Memory of realms that are idle, and of realms that are not.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use realm_client::api::InvokeRequest;

use crate::{
    crowd::Crowd, realms::Ground, report::Report, resources::rss_kb, row::Row, whole::request,
};

/// Idle links.
pub(crate) const LINKS: usize = 1_000;
/// Calls in flight.
pub(crate) const CALLS: usize = 10_000;
/// Calls that begin at once.
const BEGINNING: usize = 64;
/// How long memory may take to settle.
const SETTLE: Duration = Duration::from_secs(4);
/// How long all calls may take to be in flight.
const PATIENCE: Duration = Duration::from_secs(60);

/// A realm before and after [`LINKS`] children have joined and fallen silent.
pub(crate) async fn idle_links(ground: &Ground, report: &mut Report) -> Result<()> {
    let root = ground.daemon("root", "").await?;
    let warm_up = Crowd::join(&root, 0, 10).await?;
    tokio::time::sleep(SETTLE).await;
    report.add(resident("idle-links", warm_up.len(), rss_kb(root.pid()?)?));
    let crowd = Crowd::join(&root, 10, LINKS).await?;
    tokio::time::sleep(SETTLE).await;
    let linked = root.linked_children().await?;
    ensure!(linked == LINKS as u64 + 10, "{linked} children are linked");
    report.add(resident(
        "idle-links",
        crowd.len() + warm_up.len(),
        rss_kb(root.pid()?)?,
    ));
    Ok(())
}

/// A caller and its relay, idle and with [`CALLS`] calls that nobody answers yet.
pub(crate) async fn in_flight(ground: &Ground, report: &mut Report) -> Result<()> {
    let root = ground.daemon("root", "").await?;
    let caller = ground.daemon("caller", "").await?;
    caller.join(root.invite("caller").await?).await?;
    let holder = Crowd::join(&root, 0, 1).await?;
    let held = InvokeRequest {
        detach: true,
        ..request("echo@root/child-0")
    };
    let contract = realm_client::api::LoopQuery {
        realm: Some("root/child-0".to_owned()),
        ..Default::default()
    };
    // The contract is known before the first call, so that every call is on its way at once.
    caller.client.loop_detail("echo", &contract).await?;
    holder.swallow();
    tokio::time::sleep(SETTLE).await;
    let resident_kb = || Ok::<_, anyhow::Error>(rss_kb(caller.pid()?)? + rss_kb(root.pid()?)?);
    report.add(resident("in-flight", 0, resident_kb()?));
    stream::iter(0..CALLS)
        .map(|_| caller.client.invoke(&held))
        .buffer_unordered(BEGINNING)
        .try_for_each(|_| futures::future::ok(()))
        .await
        .context("a call did not begin")?;
    let started = Instant::now();
    while holder.swallowed() < CALLS {
        let swallowed = holder.swallowed();
        ensure!(
            started.elapsed() < PATIENCE,
            "only {swallowed} calls arrived"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report.add(resident("in-flight", CALLS, resident_kb()?));
    Ok(())
}

fn resident(job: &str, number: usize, rss_kb: u64) -> Row {
    Row {
        job: job.to_owned(),
        in_flight: number,
        rss_kb: Some(rss_kb),
        ..Row::default()
    }
}
