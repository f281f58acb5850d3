//! What is measured, by name.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    arguments::Options,
    crowd::Crowd,
    fair,
    far::Far,
    governance,
    load::{Call, Load, measure},
    machinery, market, memory, nats,
    process::Program,
    raw,
    realms::{Ground, Way},
    report::Report,
    resources::Processes,
    resume, steps, streaming, tools,
    whole::{self, Whole},
};

/// What a job sets up and measures.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// Raw libp2p streams with this many relays.
    Raw(usize),
    /// Calls of a loop without effects, this many relays away.
    None(usize),
    /// Calls of a loop with effects, this many relays away.
    Once(usize),
    /// From a client's process over a daemon's socket to a child process, one relay away.
    Whole,
    /// Two hosts 40 ms apart: the first call of a fresh caller, and later ones.
    Far,
    /// Memory of a realm with 1,000 idle links.
    IdleLinks,
    /// Memory with 10,000 calls in flight.
    InFlight,
    /// Calls one relay away while the relay has this many children.
    Children(usize),
    /// NATS request-reply, leaf, hub, leaf.
    Nats,
    /// Calls of `echo` over a daemon's socket, inside one realm.
    Local,
    /// Steps of a durable machine.
    Machine,
    /// Steps of loom-runner's own counter.
    Loom,
    /// A run of 100,000 entries, broken off by `kill -9` and gone on with.
    Resume,
    /// A broadcast to so many realms in this program, without cryptography.
    Broadcast(usize),
    /// The same by whole nodes, with all that they sign, seal and check.
    BroadcastNodes(usize),
    /// A broadcast to twenty daemons.
    BroadcastDaemons,
    /// A price check across three organisations.
    PriceCheck,
    /// Policy decisions, worked out and remembered.
    Decisions,
    /// Calls between two nodes in this program, and such by a chain of four grants.
    Governed,
    /// Calls of a tool of an MCP server, by `rmcp` alone.
    Rmcp,
    /// The same as calls of a loop.
    Mcp,
    /// Calls of a prompt that the mock answers, inside one realm.
    Model,
    /// Words that a model writes, shown here and one realm away.
    Streams,
    /// Memory of a daemon with 1,000 streams.
    StreamMemory,
    /// NATS publishing to a stream that syncs each message.
    NatsAlways,
}

/// All jobs, those that are compared side by side.
const JOBS: [(&str, Job); 34] = [
    ("raw-0", Job::Raw(0)),
    ("raw-1", Job::Raw(1)),
    ("raw-2", Job::Raw(2)),
    ("nats-1", Job::Nats),
    ("realm-none-1", Job::None(1)),
    ("realm-once-1", Job::Once(1)),
    ("nats-js-always", Job::NatsAlways),
    ("realm-none-0", Job::None(0)),
    ("realm-none-2", Job::None(2)),
    ("realm-once-0", Job::Once(0)),
    ("realm-once-2", Job::Once(2)),
    ("realm-whole-1", Job::Whole),
    ("local-echo", Job::Local),
    ("mcp-rmcp", Job::Rmcp),
    ("mcp-stdio", Job::Mcp),
    ("model-mock", Job::Model),
    ("streams", Job::Streams),
    ("streams-1000", Job::StreamMemory),
    ("machine-steps", Job::Machine),
    ("loom-steps", Job::Loom),
    ("resume", Job::Resume),
    ("broadcast-1000", Job::Broadcast(1_000)),
    ("broadcast-5000", Job::Broadcast(5_000)),
    ("broadcast-nodes-1000", Job::BroadcastNodes(1_000)),
    ("broadcast-nodes-5000", Job::BroadcastNodes(5_000)),
    ("broadcast-20", Job::BroadcastDaemons),
    ("price-check", Job::PriceCheck),
    ("policy", Job::Decisions),
    ("call-nodes", Job::Governed),
    ("far", Job::Far),
    ("idle-links", Job::IdleLinks),
    ("in-flight", Job::InFlight),
    ("children-10", Job::Children(10)),
    ("children-1000", Job::Children(1_000)),
];

/// Runs the jobs that are asked for.
///
/// # Errors
/// What hinders a job; the rows before it are printed already.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let wanted: Vec<_> = JOBS
        .iter()
        .filter(|(name, _)| is_wanted(options, name))
        .collect();
    ensure!(
        !wanted.is_empty(),
        "no job matches; scripts/bench --list names them"
    );
    if options.list {
        for (name, _) in wanted {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::new(options.json);
    for (name, job) in wanted {
        let mut bench = Bench {
            options,
            name,
            report: &mut report,
        };
        bench
            .run(*job)
            .await
            .with_context(|| format!("job {name}"))?;
    }
    Ok(report.judge(options.report_only))
}

fn is_wanted(options: &Options, name: &str) -> bool {
    options.jobs.is_empty() || options.jobs.iter().any(|pattern| matches(pattern, name))
}

/// Whether a name matches a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| matches(rest, &name[at..]))
        }),
    }
}

/// One job under way.
struct Bench<'a> {
    options: &'a Options,
    name: &'a str,
    report: &'a mut Report,
}

impl Bench<'_> {
    async fn run(&mut self, job: Job) -> Result<()> {
        let ground = Ground::new(&self.options.scratch, &self.options.realmd)?;
        match job {
            Job::Raw(relays) => {
                let chain = raw::Chain::new(ground.dir(), relays).await?;
                let pids = pids(&chain.nodes)?;
                self.rows(&pids, &pids, &chain.head).await
            }
            Job::None(relays) => self.realms(&ground, relays, "echo").await,
            Job::Once(relays) => self.realms(&ground, relays, "echo-once").await,
            Job::Whole => self.whole(&ground).await,
            Job::Local => {
                let daemon = ground.daemon("local", "").await?;
                let pids = [daemon.pid()?];
                self.rows(&pids, &pids, &whole::ClientCall::new(&daemon, "echo"))
                    .await
            }
            Job::Rmcp => {
                let (connected, calls) = tools::alone().await?;
                let pids = [connected.pid()?];
                self.rows(&pids, &pids, &calls).await
            }
            Job::Mcp => {
                let caller = tools::realm(&ground).await?;
                let calls = caller.to(tools::TOOL_LOOP)?;
                calls.call().await?;
                self.rows(&[], &[], &calls).await?;
                drop(calls);
                caller.stop().await
            }
            Job::Model => {
                let daemon = ground.daemon("model", "").await?;
                daemon.apply(streaming::SAY).await?;
                let pids = [daemon.pid()?];
                let found = json!({"category": "general", "confidence": 0.87});
                let calls = whole::ClientCall::new(&daemon, "say").answered(found);
                self.rows(&pids, &pids, &calls).await
            }
            Job::Streams => streaming::hops(&ground, self.report).await,
            Job::StreamMemory => streaming::memory(&ground, self.report).await,
            Job::Machine => {
                let row = steps::machine(&ground).await?;
                self.report.add(row);
                Ok(())
            }
            Job::Resume => {
                let row = resume::run(&ground).await?;
                self.report.add(row);
                Ok(())
            }
            Job::Loom => {
                match steps::loom(&self.options.scratch).await? {
                    Some(row) => self.report.add(row),
                    None => {
                        let why = steps::installation(&self.options.scratch);
                        self.report.left_out(self.name, &why);
                    }
                }
                Ok(())
            }
            Job::Broadcast(realms) => {
                self.report.add(machinery::run(self.name, realms)?);
                Ok(())
            }
            Job::BroadcastNodes(realms) => {
                let rows = market::broadcasts(self.name, realms)?;
                rows.into_iter().for_each(|row| self.report.add(row));
                Ok(())
            }
            Job::BroadcastDaemons => {
                self.report.add(fair::twenty(&ground).await?);
                Ok(())
            }
            Job::PriceCheck => {
                self.report.add(fair::price_check(&ground).await?);
                Ok(())
            }
            Job::Decisions => {
                let rows = governance::decisions(self.name)?;
                rows.into_iter().for_each(|row| self.report.add(row));
                Ok(())
            }
            Job::Governed => {
                let rows = governance::calls(self.name)?;
                rows.into_iter().for_each(|row| self.report.add(row));
                Ok(())
            }
            Job::Far => self.far(&ground).await,
            Job::IdleLinks => memory::idle_links(&ground, self.report).await,
            Job::InFlight => memory::in_flight(&ground, self.report).await,
            Job::Children(children) => {
                let way = Way::new(&ground, 1).await?;
                let root = way.daemons.first().context("no root")?;
                // The caller and the callee are children too.
                let crowd = Crowd::join(root, 0, children - 2).await?;
                let result = self.calls(way, "echo").await;
                drop(crowd);
                result
            }
            Job::Nats => {
                if self.lacks_nats() {
                    return Ok(());
                }
                let (servers, requests) = nats::Servers::answering(ground.dir()).await?;
                let daemons = servers.pids()?;
                let answering = servers.answering.as_ref().context("nobody answers")?;
                let all = [daemons.as_slice(), &[answering.pid()?]].concat();
                self.rows(&all, &daemons, &requests).await
            }
            Job::NatsAlways => {
                if self.lacks_nats() {
                    return Ok(());
                }
                if let Some(why) = nats::cannot_sync(ground.dir())? {
                    let why = format!("it takes nats-server 2.10 or later: {why}");
                    self.report.left_out(self.name, &why);
                    return Ok(());
                }
                let (servers, publishing) = nats::Servers::keeping(ground.dir()).await?;
                let pids = servers.pids()?;
                self.rows(&pids, &pids, &publishing).await
            }
        }
    }

    async fn realms(&mut self, ground: &Ground, relays: usize, loop_id: &str) -> Result<()> {
        let way = Way::new(ground, relays).await?;
        self.calls(way, loop_id).await
    }

    async fn calls(&mut self, way: Way, loop_id: &str) -> Result<()> {
        let pids = way.pids()?;
        let calls = way.caller.to(&format!("{loop_id}@{}", way.callee))?;
        calls.call().await?;
        self.rows(&pids, &pids, &calls).await?;
        drop(calls);
        way.caller.stop().await
    }

    async fn whole(&mut self, ground: &Ground) -> Result<()> {
        let whole = Whole::new(ground).await?;
        let pids = whole.pids()?;
        self.rows(&pids, &pids, &whole.calls()).await
    }

    async fn far(&mut self, ground: &Ground) -> Result<()> {
        let far = Far::new(ground).await?;
        let pids = far.pids()?;
        let first = far.first_calls().await?;
        self.report.add(first.row("far-first", 1, None));
        self.name = "far-later";
        self.rows(&pids, &pids, &far.calls()?).await
    }

    /// One row for each number of calls in flight.
    async fn rows(&mut self, all: &[u32], daemons: &[u32], call: &impl Call) -> Result<()> {
        let processes = Processes {
            others: all.to_vec(),
            daemons: daemons.to_vec(),
        };
        for in_flight in self.options.in_flight.clone() {
            let load = Load {
                in_flight,
                time: self.options.time,
            };
            let row = measure(self.name, load, &processes, call).await?;
            self.report.add(row);
        }
        Ok(())
    }

    /// Says that rows are left out where the peer is not installed.
    fn lacks_nats(&mut self) -> bool {
        let lacks = !nats::is_installed();
        if lacks {
            self.report.left_out(
                self.name,
                "nats-server is not installed: apt-get install nats-server",
            );
        }
        lacks
    }
}

fn pids(programs: &[Program]) -> Result<Vec<u32>> {
    programs.iter().map(Program::pid).collect()
}
