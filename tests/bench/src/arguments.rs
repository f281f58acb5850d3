//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};

/// What `--help` prints.
const USAGE: &str = "\
Measures realms beside raw libp2p and NATS, in one run.

usage: scripts/bench [--job PATTERN] [--seconds N] [-o table|json] [--report-only] [--list]

  --job PATTERN   only jobs whose name matches; `*` stands for anything, `,` separates
  --in-flight N   only this many calls in flight, instead of 1, 64 and 256; `,` separates
  --seconds N     how long each row is measured, 3 unless told
  -o json         one JSON object a row instead of the table
  --report-only   exit 0 even when a bar is missed
  --list          print the names of the jobs

instead, as the first word:
  --profile JOB   where the time of one job goes, by program and function
  --callers JOB   the same with call graphs; builds everything again";

/// What this process is to be.
#[derive(Debug)]
pub(crate) enum Role {
    /// Measures.
    Measure(Options),
    /// A raw libp2p node: echoes, or relays to the next.
    RawNode {
        /// The next node's address with its id.
        next: Option<String>,
    },
    /// A server of the Model Context Protocol, whose tool gives its arguments back.
    McpServer,
    /// Answers NATS requests with what they hold.
    NatsEcho {
        /// The server.
        url: String,
    },
}

/// What is measured, and how.
#[derive(Debug)]
pub(crate) struct Options {
    /// Patterns of job names; none for all.
    pub(crate) jobs: Vec<String>,
    /// Calls in flight, one row each.
    pub(crate) in_flight: Vec<usize>,
    /// How long each row is measured.
    pub(crate) time: Duration,
    /// Whether rows are JSON.
    pub(crate) json: bool,
    /// Whether a missed bar is only told.
    pub(crate) report_only: bool,
    /// Whether the jobs are only named.
    pub(crate) list: bool,
    /// The daemon measured.
    pub(crate) realmd: PathBuf,
    /// Where homes are made.
    pub(crate) scratch: PathBuf,
}

impl Role {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// What is wrong with them; the usage for `--help`.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Self> {
        let mut words = words.peekable();
        Ok(match words.peek().map(String::as_str) {
            Some("mcp-server") => Self::McpServer,
            Some("raw-node") => Self::RawNode { next: words.nth(1) },
            Some("nats-echo") => Self::NatsEcho {
                url: words.nth(1).context("nats-echo needs a URL")?,
            },
            _ => Self::Measure(Options::read(words)?),
        })
    }
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let target = PathBuf::from("target");
        let mut options = Self {
            jobs: Vec::new(),
            in_flight: vec![1, 64, 256],
            time: Duration::from_secs(3),
            json: false,
            report_only: false,
            list: false,
            realmd: target.join("release/realmd"),
            scratch: target,
        };
        while let Some(word) = words.next() {
            let mut value = || {
                let value = words.next();
                value.with_context(|| format!("{word} needs a value; see scripts/bench --help"))
            };
            match word.as_str() {
                "--job" => options.jobs = value()?.split(',').map(str::to_owned).collect(),
                "--in-flight" => {
                    let numbers = value()?;
                    let numbers = numbers.split(',').map(str::parse);
                    options.in_flight = numbers.collect::<Result<_, _>>()?;
                }
                "--seconds" => options.time = Duration::try_from_secs_f64(value()?.parse()?)?,
                "-o" | "--output" => {
                    options.json = match value()?.as_str() {
                        "json" => true,
                        "table" => false,
                        other => bail!("`{other}` is no output; there are table and json"),
                    }
                }
                "--report-only" => options.report_only = true,
                "--list" => options.list = true,
                "--realmd" => options.realmd = value()?.into(),
                "--scratch" => options.scratch = value()?.into(),
                "--help" | "-h" => bail!("{USAGE}"),
                other => bail!("`{other}` is not known here\n\n{USAGE}"),
            }
        }
        Ok(options)
    }
}
