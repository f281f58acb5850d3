//! What processes used, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// The processes of a job: this one, where the caller lives, and others.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    /// Ids of the other processes.
    pub(crate) others: Vec<u32>,
    /// Those of them, or this one, that are daemons: their memory counts.
    pub(crate) daemons: Vec<u32>,
}

impl Processes {
    /// User and system time of all of them and of the children they have waited for.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let own = cpu(std::process::id(), false)?;
        let others = self.others.iter().map(|pid| cpu(*pid, true));
        others.fold(Ok(own), |sum, one| Ok(sum? + one?))
    }

    /// Resident memory of the daemons, KiB.
    pub(crate) fn rss_kb(&self) -> Result<u64> {
        self.daemons.iter().map(|pid| rss_kb(*pid)).sum()
    }
}

/// User and system time of a process.
fn cpu(pid: u32, with_children: bool) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("{path}: has it ended?"))?;
    // The name in brackets may hold anything; what follows the last bracket begins at field 3.
    let (_, fields) = text
        .rsplit_once(')')
        .context("a stat file without a name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let last = if with_children { 17 } else { 15 };
    let ticks: u64 = fields
        .get(14 - 3..=last - 3)
        .context("a short stat file")?
        .iter()
        .map(|field| field.parse::<u64>())
        .sum::<Result<_, _>>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second))
}

/// Resident memory of a process, KiB.
pub(crate) fn rss_kb(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("{path}: has it ended?"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmRSS")?.parse()?)
}

/// What this thread has used of a processor, so that whatever else runs does not count.
pub(crate) fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap_or_default()
}
