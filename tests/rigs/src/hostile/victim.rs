//! What is seen of the daemon under attack: its counters, its memory, and what an honest realm
//! notices.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use realm_client::{Client, api::InvokeStatus};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::{load::request, pace::now};

/// The daemon.
#[derive(Clone, Debug)]
pub(crate) struct Victim {
    /// Its process.
    pub(crate) pid: u32,
    /// Its local API.
    pub(crate) socket: PathBuf,
}

/// Counters of a daemon, by name and labels.
pub(crate) type Counts = BTreeMap<String, u64>;

impl Victim {
    /// Reads all counters.
    pub(crate) async fn counts(&self) -> anyhow::Result<Counts> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        let asked = b"GET /metrics HTTP/1.1\r\nHost: realm\r\nConnection: close\r\n\r\n";
        stream.write_all(asked).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let samples = answer
            .lines()
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                let is_sample = name.starts_with("realm_");
                Some((name.to_owned(), value.parse().ok()?)).filter(|_| is_sample)
            })
            .collect::<Counts>();
        anyhow::ensure!(!samples.is_empty(), "no metrics: {answer}");
        Ok(samples)
    }

    /// Resident memory, KiB.
    pub(crate) fn rss_kib(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("the daemon has ended")?;
        Ok(resident.parse()?)
    }
}

/// An honest realm that calls the victim, one call after the other.
#[derive(Clone, Debug)]
pub(crate) struct Honest {
    /// Where it is asked to call.
    pub(crate) client: Client,
    /// What it calls.
    pub(crate) address: String,
}

/// What an honest realm has noticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noticed {
    /// How long each call took.
    pub(crate) times: Vec<Duration>,
    /// Calls that failed, and why.
    pub(crate) failed: Vec<String>,
}

impl Honest {
    /// Calls so many times.
    pub(crate) async fn call(&self, calls: usize) -> Noticed {
        let mut noticed = Noticed::default();
        for _ in 0..calls {
            let request = request(self.address.clone(), json!({"text": "honest"}), None);
            let begun = now();
            match self.client.invoke(&request).await {
                Ok(result) if result.status == InvokeStatus::Ok => {
                    noticed.times.push(begun.elapsed());
                }
                Ok(result) => noticed.failed.push(format!("{:?}", result.error)),
                Err(error) => noticed.failed.push(error.to_string()),
            }
        }
        noticed
    }
}

/// The time that 99 of 100 take no longer than; zero of none.
pub(crate) fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}
