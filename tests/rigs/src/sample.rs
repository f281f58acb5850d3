//! What a process uses, as the kernel counts it.

use std::{fs, path::Path};

/// One look at one daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Resident memory, KiB.
    pub(crate) rss_kib: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
    /// What its home takes on the disk, KiB.
    pub(crate) disk_kib: u64,
    /// Processor time since it started, milliseconds.
    pub(crate) cpu_ms: u64,
}

impl Sample {
    /// Looks at a process and its home; none if the process has ended.
    pub(crate) fn take(pid: u32, home: &Path) -> Option<Self> {
        let process = Path::new("/proc").join(pid.to_string());
        let status = fs::read_to_string(process.join("status")).ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        // User and system time are fields 14 and 15 of all, in hundredths of a second.
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Some(Self {
            rss_kib: resident.split_whitespace().next()?.parse().ok()?,
            descriptors: fs::read_dir(process.join("fd")).ok()?.count() as u64,
            disk_kib: bytes(home).div_ceil(1024),
            cpu_ms: ticks * 10,
        })
    }
}

fn bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// The middle one of some numbers; zero of none.
pub(crate) fn median(numbers: impl IntoIterator<Item = u64>) -> u64 {
    let mut numbers: Vec<u64> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
