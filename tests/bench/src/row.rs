//! One row of the result.

use serde_json::{Value, json};

/// What one job at one number of calls in flight came to. What a job does not measure is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// The job.
    pub(crate) job: String,
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// Median time of a call, microseconds.
    pub(crate) p50_us: Option<f64>,
    /// Time that 99 of 100 calls do not pass, microseconds.
    pub(crate) p99_us: Option<f64>,
    /// Calls a second.
    pub(crate) calls_per_s: Option<f64>,
    /// User and system time of all processes of the job for one call, microseconds.
    pub(crate) cpu_us_per_call: Option<f64>,
    /// Resident memory of the job's daemons together, KiB.
    pub(crate) rss_kb: Option<u64>,
    /// What goes over each link of the job for one call, bytes.
    pub(crate) link_bytes: Option<f64>,
}

impl Row {
    /// The row as one JSON object.
    pub(crate) fn json(&self) -> Value {
        let tenths = |figure: Option<f64>| figure.map(|figure| (figure * 10.0).round() / 10.0);
        json!({
            "job": self.job,
            "in_flight": self.in_flight,
            "p50_us": tenths(self.p50_us),
            "p99_us": tenths(self.p99_us),
            "calls_per_s": tenths(self.calls_per_s),
            "cpu_us_per_call": tenths(self.cpu_us_per_call),
            "rss_kb": self.rss_kb,
            "link_bytes": tenths(self.link_bytes),
        })
    }

    /// The heading of the table.
    pub(crate) fn heading() -> String {
        format!(
            "{:<27} {:>9} {:>10} {:>10} {:>11} {:>12} {:>9} {:>10}",
            "job",
            "in_flight",
            "p50_us",
            "p99_us",
            "calls_per_s",
            "cpu_us/call",
            "rss_kb",
            "link_bytes"
        )
    }

    /// The row as a line of the table.
    pub(crate) fn line(&self) -> String {
        let figure = |figure: Option<f64>| figure.map_or("-".to_owned(), |it| format!("{it:.0}"));
        format!(
            "{:<27} {:>9} {:>10} {:>10} {:>11} {:>12} {:>9} {:>10}",
            self.job,
            self.in_flight,
            figure(self.p50_us),
            figure(self.p99_us),
            figure(self.calls_per_s),
            figure(self.cpu_us_per_call),
            self.rss_kb.map_or("-".to_owned(), |kb| kb.to_string()),
            figure(self.link_bytes)
        )
    }
}
