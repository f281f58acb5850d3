//! A closed load: a number of calls always in flight, each timed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::{resources::Processes, row::Row};

/// How much of a row's time the warm-up takes.
const WARM_UP: f64 = 0.15;

/// How a row is loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// How long it is measured.
    pub(crate) time: Duration,
}

/// Something that can be called again and again.
pub(crate) trait Call: Clone + Send + 'static {
    /// Makes one call; it must have been answered rightly.
    fn call(&self) -> impl Future<Output = Result<()>> + Send;
}

/// Times of calls.
#[derive(Debug)]
pub(crate) struct Times {
    /// Each call, nanoseconds, sorted.
    sorted: Vec<u64>,
    /// From the first call's beginning to the last one's end.
    wall: Duration,
}

impl Times {
    /// Takes the times of calls that took `wall` together.
    pub(crate) fn new(mut nanoseconds: Vec<u64>, wall: Duration) -> Self {
        nanoseconds.sort_unstable();
        Self {
            sorted: nanoseconds,
            wall,
        }
    }

    /// The time that this share of the calls does not pass, microseconds.
    pub(crate) fn quantile_us(&self, share: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        let at = (share * last as f64).ceil() as usize;
        self.sorted
            .get(at)
            .map(|nanoseconds| *nanoseconds as f64 / 1_000.0)
    }

    /// A row without memory.
    pub(crate) fn row(&self, job: &str, in_flight: usize, cpu: Option<Duration>) -> Row {
        let calls = self.sorted.len().max(1) as f64;
        Row {
            job: job.to_owned(),
            in_flight,
            p50_us: self.quantile_us(0.50),
            p99_us: self.quantile_us(0.99),
            calls_per_s: Some(self.sorted.len() as f64 / self.wall.as_secs_f64()),
            cpu_us_per_call: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / calls),
            rss_kb: None,
            link_bytes: None,
        }
    }
}

/// Warms up, then measures one row.
///
/// # Errors
/// The first call that failed: a row with failures measures nothing.
pub(crate) async fn measure(
    job: &str,
    load: Load,
    processes: &Processes,
    callee: &impl Call,
) -> Result<Row> {
    let warm_up = Load {
        time: load.time.mul_f64(WARM_UP),
        ..load
    };
    drive(warm_up, callee)
        .await
        .with_context(|| format!("{job}, warming up"))?;
    let before = processes.cpu()?;
    let times = drive(load, callee).await.with_context(|| job.to_owned())?;
    let cpu = processes.cpu()?.saturating_sub(before);
    let row = times.row(job, load.in_flight, Some(cpu));
    Ok(Row {
        rss_kb: Some(processes.rss_kb()?),
        ..row
    })
}

/// Keeps calls in flight until the time or the calls are used up.
async fn drive(load: Load, callee: &impl Call) -> Result<Times> {
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..load.in_flight {
        let callee = callee.clone();
        workers.spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < load.time {
                let at = Instant::now();
                callee.call().await?;
                times.push(u64::try_from(at.elapsed().as_nanos())?);
            }
            anyhow::Ok(times)
        });
    }
    let mut all = Vec::new();
    while let Some(times) = workers.join_next().await {
        all.extend(times??);
    }
    ensure!(!all.is_empty(), "not one call was made");
    Ok(Times::new(all, started.elapsed()))
}
