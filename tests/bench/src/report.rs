//! What is printed: the rows as they come, and whether the bars are reached.

use std::process::ExitCode;

use crate::{far::EACH_WAY, row::Row, streaming::STREAMS};

/// Rows so far.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<Row>,
    left_out: Vec<String>,
    json: bool,
}

/// What a figure must reach.
#[derive(Clone, Copy, Debug)]
enum Bar {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
}

/// One line that must hold.
#[derive(Debug)]
struct Line {
    what: &'static str,
    figure: Option<f64>,
    bar: Bar,
    unit: &'static str,
}

impl Report {
    /// Begins, and prints the heading.
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!("{}", Row::heading());
        }
        Self {
            rows: Vec::new(),
            left_out: Vec::new(),
            json,
        }
    }

    /// Prints a row, and keeps it.
    pub(crate) fn add(&mut self, row: Row) {
        if self.json {
            println!("{}", row.json());
        } else {
            println!("{}", row.line());
        }
        self.rows.push(row);
    }

    /// Says on standard error that a job is left out, and why.
    pub(crate) fn left_out(&mut self, job: &str, why: &str) {
        eprintln!("LEFT OUT: {job}: {why}");
        self.left_out.push(job.to_owned());
    }

    /// Prints what must be reached, as far as it was measured.
    pub(crate) fn judge(&self, report_only: bool) -> ExitCode {
        let mut missed = false;
        let mut text = String::new();
        for line in self.lines() {
            let Some(figure) = line.figure else { continue };
            let (bar, reached) = match line.bar {
                Bar::Most(most) => (format!("<= {most}"), figure <= most),
                Bar::Least(least) => (format!(">= {least}"), figure >= least),
            };
            missed |= !reached;
            let word = if reached { "ok" } else { "MISSED" };
            text += &format!(
                "{:<58} {figure:>9.2}{} {bar:>9}  {word}\n",
                line.what, line.unit
            );
        }
        for job in &self.left_out {
            text += &format!("{job}: left out, so nothing is compared with it\n");
        }
        if self.json {
            eprint!("{text}");
        } else if !text.is_empty() {
            print!("\nmust reach\n{text}");
        }
        ExitCode::from(u8::from(missed && !report_only))
    }

    fn lines(&self) -> Vec<Line> {
        let p50 = |job, in_flight| self.row(job, in_flight).and_then(|row| row.p50_us);
        let calls = |job, in_flight| self.row(job, in_flight).and_then(|row| row.calls_per_s);
        let bytes = |job, in_flight| self.row(job, in_flight).and_then(|row| row.link_bytes);
        let cpu = |job, in_flight| self.row(job, in_flight).and_then(|row| row.cpu_us_per_call);
        let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
        let round_trip_ms = 2.0 * EACH_WAY.as_secs_f64() * 1_000.0;
        vec![
            Line {
                what: "none, p50 at 1 in flight, times NATS",
                figure: ratio(p50("realm-none-1", 1), p50("nats-1", 1)),
                bar: Bar::Most(1.0),
                unit: "x",
            },
            Line {
                what: "none, calls/s at 64 in flight, times NATS",
                figure: ratio(calls("realm-none-1", 64), calls("nats-1", 64)),
                bar: Bar::Least(1.2),
                unit: "x",
            },
            Line {
                what: "once, p50 at 1 in flight, times NATS",
                figure: ratio(p50("realm-once-1", 1), p50("nats-1", 1)),
                bar: Bar::Most(2.0),
                unit: "x",
            },
            Line {
                what: "once, calls/s at 64 in flight, times NATS",
                figure: ratio(calls("realm-once-1", 64), calls("nats-1", 64)),
                bar: Bar::Least(0.45),
                unit: "x",
            },
            Line {
                what: "a tool of an MCP server, p50 at 1 in flight, times rmcp",
                figure: ratio(p50("mcp-stdio", 1), p50("mcp-rmcp", 1)),
                bar: Bar::Most(1.5),
                unit: "x",
            },
            Line {
                what: "a prompt that the mock answers, p50 at 1 in flight, ms",
                figure: p50("model-mock", 1).map(|us| us / 1_000.0),
                bar: Bar::Most(2.0),
                unit: " ",
            },
            Line {
                what: "a word shown one realm away, p50 more than here, ms",
                figure: p50("stream-1", 1)
                    .and_then(|away| Some((away - p50("stream-0", 1)?) / 1_000.0)),
                bar: Bar::Most(1.0),
                unit: " ",
            },
            Line {
                what: "memory of a daemon with 1,000 streams, MiB",
                figure: self
                    .row("streams-1000", STREAMS)
                    .and_then(|row| Some(row.rss_kb? as f64 / 1_024.0)),
                bar: Bar::Most(300.0),
                unit: " ",
            },
            Line {
                what: "40 ms apart, first call, p99, ms",
                figure: self
                    .row("far-first", 1)
                    .and_then(|row| Some(row.p99_us? / 1_000.0)),
                bar: Bar::Most(2.0 * round_trip_ms + 10.0),
                unit: " ",
            },
            Line {
                what: "40 ms apart, later calls at 1 in flight, p99, ms",
                figure: self
                    .row("far-later", 1)
                    .and_then(|row| Some(row.p99_us? / 1_000.0)),
                bar: Bar::Most(round_trip_ms + 5.0),
                unit: " ",
            },
            Line {
                what: "memory of an idle link, kB",
                figure: self
                    .growth("idle-links")
                    .map(|(links, kb)| kb * 1.024 / links),
                bar: Bar::Most(48.0),
                unit: " ",
            },
            Line {
                what: "memory of 10,000 calls in flight above idle, MiB",
                figure: self.growth("in-flight").map(|(_, kb)| kb / 1_024.0),
                bar: Bar::Most(64.0),
                unit: " ",
            },
            Line {
                what: "calls/s at 64 in flight, 1,000 children times 10",
                figure: ratio(calls("children-1000", 64), calls("children-10", 64)),
                bar: Bar::Least(0.8),
                unit: "x",
            },
            Line {
                what: "a run of 100,000 calls goes on after kill -9, ms",
                figure: p50("resume", 1).map(|us| us / 1_000.0),
                bar: Bar::Most(1_000.0),
                unit: " ",
            },
            Line {
                what: "a broadcast to 1,000 realms, without cryptography, ms",
                figure: p50("broadcast-1000", 1_000).map(|us| us / 1_000.0),
                bar: Bar::Most(50.0),
                unit: " ",
            },
            Line {
                what: "a broadcast to 5,000 realms, without cryptography, ms",
                figure: p50("broadcast-5000", 5_000).map(|us| us / 1_000.0),
                bar: Bar::Most(400.0),
                unit: " ",
            },
            Line {
                what: "the announcer's CPU a bid to sign, check, seal, open, us",
                figure: cpu("broadcast-nodes-1000-crypto", 1_000),
                bar: Bar::Most(150.0),
                unit: " ",
            },
            Line {
                what: "the same of 5,000, us",
                figure: cpu("broadcast-nodes-5000-crypto", 5_000),
                bar: Bar::Most(150.0),
                unit: " ",
            },
            Line {
                what: "the announcer's CPU for 1,000 bids beside that, ms",
                figure: cpu("broadcast-nodes-1000-rest", 1_000),
                bar: Bar::Most(50.0),
                unit: " ",
            },
            Line {
                what: "the same for 5,000 bids, ms",
                figure: cpu("broadcast-nodes-5000-rest", 5_000).map(|us| us * 5.0),
                bar: Bar::Most(400.0),
                unit: " ",
            },
            Line {
                what: "announcement bytes on a link, 5,000 realms times 1,000",
                figure: ratio(
                    bytes("broadcast-nodes-5000", 5_000),
                    bytes("broadcast-nodes-1000", 1_000),
                ),
                bar: Bar::Most(1.1),
                unit: "x",
            },
            Line {
                what: "a broadcast to 20 daemons, announce to aggregate, ms",
                figure: p50("broadcast-20", 1).map(|us| us / 1_000.0),
                bar: Bar::Most(30.0),
                unit: " ",
            },
            Line {
                what: "a price check across three organisations, ms",
                figure: p50("price-check", 1).map(|us| us / 1_000.0),
                bar: Bar::Most(50.0),
                unit: " ",
            },
        ]
    }

    /// How much more of something there was between the first row of a job and its last, and how
    /// much more memory that took, KiB.
    fn growth(&self, job: &str) -> Option<(f64, f64)> {
        let mut rows = self.rows.iter().filter(|row| row.job == job);
        let (first, last) = (rows.next()?, rows.next_back()?);
        let more = last.in_flight.checked_sub(first.in_flight)?;
        Some((more as f64, last.rss_kb? as f64 - first.rss_kb? as f64))
    }

    fn row(&self, job: &str, in_flight: usize) -> Option<&Row> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.job == job && row.in_flight == in_flight)
    }
}
