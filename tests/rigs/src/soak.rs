//! Twenty daemons for a long time under a modest load, some of them coming and going.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    audit,
    daemon::Programs,
    dice::Dice,
    ledger::Ledger,
    load::{Callers, Shape, persist, request},
    network::{self, Network, Plan},
    pace::{ms, now, pause},
    sample::{Sample, median},
};

/// Four trees of five: a root, two children, and a grandchild under each.
const REALMS: [Plan; 20] = [
    Plan::new("mercy", None),
    Plan::new("cardiology", Some(0)),
    Plan::new("billing", Some(0)),
    Plan::new("imaging", Some(1)),
    Plan::new("claims", Some(2)),
    Plan::new("lab", None),
    Plan::new("genomics", Some(5)),
    Plan::new("pathology", Some(5)),
    Plan::new("sequencing", Some(6)),
    Plan::new("archive", Some(7)),
    Plan::new("registry", None),
    Plan::new("consent", Some(10)),
    Plan::new("records", Some(10)),
    Plan::new("intake", Some(11)),
    Plan::new("audit", Some(12)),
    Plan::new("pharmacy", None),
    Plan::new("stock", Some(15)),
    Plan::new("trials", Some(15)),
    Plan::new("dispensary", Some(16)),
    Plan::new("safety", Some(17)),
];
/// Every root knows every other.
const PEERINGS: [(usize, usize); 6] = [(0, 5), (0, 10), (0, 15), (5, 10), (5, 15), (10, 15)];
/// Who comes and goes: of each tree a child with the grandchild below it, and one root.
const CHURN: [usize; 9] = [2, 4, 7, 9, 12, 14, 17, 19, 15];
/// Longest wait until a daemon that came back reaches its neighbours.
const RECOVERY: Duration = Duration::from_secs(60);
/// Growth of resident memory that is none, per cent.
const GROWTH: f64 = 5.0;
/// Samples on each side of the comparison.
const SIDE: usize = 5;
/// Samples of a whole run, as many as a person reads.
const SAMPLES: u32 = 100;
/// What a call may leave on all disks together, KiB.
const KIB_A_CALL: u64 = 12;
/// How much larger than what is in them files may be: engines grow them in steps.
const SLACK: u64 = 2;

/// What the soak takes.
#[derive(Args, Debug)]
pub(crate) struct Soak {
    /// How long.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The same seed draws the same calls and victims.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Calls a second, about.
    #[arg(long, default_value_t = 15)]
    rate: u64,
    /// Seconds between two comings and goings.
    #[arg(long, default_value_t = 15)]
    churn: u64,
    /// The engine of the stores.
    #[arg(long, default_value = "redb")]
    engine: String,
    /// The daemon.
    #[arg(long)]
    realmd: PathBuf,
    /// Leave homes and logs where they are.
    #[arg(long)]
    keep: bool,
}

struct Run {
    network: Network,
    dice: Dice,
    ledger: Arc<Ledger>,
    scratch: PathBuf,
    /// Of each daemon, its samples; of those that come and go, since they came last.
    samples: Vec<Vec<Sample>>,
    /// Of all homes together, KiB, at each sample, with the calls asked until then.
    disk: Vec<(u64, u64)>,
    struck: u64,
}

/// Runs it; gives whether nothing was found.
pub(crate) async fn soak(args: Soak) -> anyhow::Result<bool> {
    let dir = TempDir::with_prefix("realm-soak-")?;
    let programs = Programs::new(&args.realmd, &args.engine)?;
    let scratch = dir.path().to_owned();
    let home = |label: &str| home(&scratch, label);
    let network = Network::build(&programs, &scratch, &home, &REALMS, &PEERINGS).await?;
    eprintln!("20 daemons run; load for {} minutes", args.minutes);
    let mut run = Run {
        network,
        dice: Dice::new(args.seed),
        ledger: Arc::default(),
        scratch: scratch.clone(),
        samples: vec![Vec::new(); REALMS.len()],
        disk: Vec::new(),
        struck: 0,
    };
    let outcome = run.whole(&args).await;
    drop(run);
    if args.keep || !matches!(outcome, Ok(true)) {
        eprintln!("homes and logs: {}", dir.keep().display());
    }
    outcome
}

fn home(scratch: &Path, label: &str) -> PathBuf {
    scratch.join(format!("home-{label}"))
}

impl Run {
    async fn whole(&mut self, args: &Soak) -> anyhow::Result<bool> {
        let length = Duration::from_secs(args.minutes * 60);
        let callers = 6;
        // Half of the longest rest is the rest on average; calls themselves are short.
        let shape = Shape {
            callers,
            rest_ms: 2_000 * callers as u64 / args.rate.max(1),
            work_ms: 8,
        };
        let places = Arc::clone(&self.network.places);
        let (seed, run) = (self.dice.below(u64::MAX), format!("{:x}", args.seed));
        let effects = network::effects(&self.scratch);
        let ledger = Arc::clone(&self.ledger);
        let callers = Callers::begin(shape, places, seed, &run, effects, ledger);
        let begun = now();
        let mut sampled = begun;
        let mut struck = begun;
        while begun.elapsed() < length {
            let next = (sampled + length / SAMPLES).min(struck + Duration::from_secs(args.churn));
            pause(next.saturating_duration_since(now())).await;
            if sampled.elapsed() >= length / SAMPLES {
                sampled = now();
                self.sample();
            }
            if struck.elapsed() >= Duration::from_secs(args.churn) {
                struck = now();
                // At the end everybody stays, so that everybody can be looked at.
                if begun.elapsed() < length.mul_f64(0.95) {
                    self.churn().await?;
                }
            }
        }
        callers.end().await;
        self.sample();
        let verdict = self.verdict(args, begun).await?;
        Ok(verdict)
    }

    fn sample(&mut self) {
        let mut disk = 0;
        for (daemon, samples) in self.network.daemons.iter().zip(&mut self.samples) {
            let home = home(&self.scratch, daemon.label());
            if let Some(sample) = daemon.pid().and_then(|pid| Sample::take(pid, &home)) {
                disk += sample.disk_kib;
                samples.push(sample);
            }
        }
        self.disk.push((disk, self.ledger.asked()));
    }

    /// Stops or kills somebody, and after a moment starts it again.
    async fn churn(&mut self) -> anyhow::Result<()> {
        let at = *self.dice.pick(&CHURN).context("somebody comes and goes")?;
        let daemon = self.network.daemons.get_mut(at).context("a daemon")?;
        let window = self.ledger.begin_trouble();
        match self.dice.below(2) {
            0 => daemon.kill().await?,
            _ => daemon.stop().await?,
        }
        pause(ms(self.dice.below(3_000))).await;
        daemon.start().await?;
        if let Some(samples) = self.samples.get_mut(at) {
            samples.clear();
        }
        self.struck += 1;
        for other in self.network.neighbours(at) {
            let places = &self.network.places;
            let (from, to) = places.get(at).zip(places.get(other)).context("a link")?;
            for (from, to) in [(from, to), (to, from)] {
                let echo = request(format!("echo@{}", to.name), json!({"text": "here?"}), None);
                let reached = persist(from, &echo, RECOVERY).await;
                reached.map_err(|failure| {
                    anyhow::anyhow!("{} does not reach {}: {failure}", from.name, to.name)
                })?;
            }
        }
        self.ledger.end_trouble(window);
        Ok(())
    }

    async fn verdict(&mut self, args: &Soak, begun: Instant) -> anyhow::Result<bool> {
        let stable = |at: &usize| !CHURN.contains(at);
        let settled = usize::try_from(SAMPLES / 10).unwrap_or_default();
        println!(
            "{:<12} {:>9} {:>9} {:>7} {:>5} {:>5} {:>9} {:>8}",
            "realm", "rss KiB", "at end", "growth", "fds", "end", "disk KiB", "cpu ms"
        );
        let mut growths: Vec<(usize, f64)> = Vec::new();
        let mut are_flat = true;
        let mut cpu_ms = 0;
        for (at, samples) in self.samples.iter().enumerate() {
            let label = REALMS.get(at).map_or("", |plan| plan.label);
            let last = samples.last().copied().unwrap_or_default();
            let begin = samples.iter().skip(settled).take(SIDE);
            let end = samples.iter().rev().take(SIDE);
            let rss = [
                median(begin.clone().map(|sample| sample.rss_kib)),
                median(end.clone().map(|sample| sample.rss_kib)),
            ];
            let fds = [
                median(begin.map(|sample| sample.descriptors)),
                median(end.map(|sample| sample.descriptors)),
            ];
            if !stable(&at) {
                println!(
                    "{label:<12} {:>9} {:>9} {:>7} {:>5} {:>5} {:>9} {:>8}",
                    "-", last.rss_kib, "churns", "-", last.descriptors, last.disk_kib, last.cpu_ms
                );
                continue;
            }
            let growth = (rss[1] as f64 / rss[0].max(1) as f64 - 1.0) * 100.0;
            growths.push((at, growth));
            are_flat &= fds[1] <= fds[0] + 2;
            cpu_ms += last.cpu_ms;
            println!(
                "{label:<12} {:>9} {:>9} {growth:>6.1}% {:>5} {:>5} {:>9} {:>8}",
                rss[0], rss[1], fds[0], fds[1], last.disk_kib, last.cpu_ms
            );
        }
        let rss_growth = growths
            .iter()
            .map(|(_, growth)| *growth)
            .fold(f64::MIN, f64::max);
        let (before, after) = (self.disk.get(settled), self.disk.last());
        let (before, after) = (
            before.copied().unwrap_or_default(),
            after.copied().unwrap_or_default(),
        );
        let calls = after.1.saturating_sub(before.1);
        let bound = SLACK * before.0 + calls * KIB_A_CALL;
        let is_disk_bounded = after.0 <= bound;
        let a_call = after.0.saturating_sub(before.0) as f64 / calls.max(1) as f64;
        println!(
            "all homes: {} KiB settled, {} KiB at the end, {a_call:.1} KiB a call, bound {bound} KiB",
            before.0, after.0
        );
        let effects = audit::effects(&network::effects(&self.scratch));
        let places = &self.network.places;
        let mut found = audit::compare(&self.ledger.calls(), places, &effects).await?;
        found.wrong.extend(self.ledger.all_wrong());
        for daemon in &mut self.network.daemons {
            daemon.stop().await?;
            found.corrupt.extend(daemon.damage().await?);
        }
        found.print();
        println!("{}", self.ledger.summary());
        let spent = begun.elapsed().as_millis().max(1) as f64;
        println!(
            "{} comings and goings; daemons that stayed used {:.1} % of a core; {found}",
            self.struck,
            cpu_ms as f64 / spent * 100.0
        );
        let unexpected = self.ledger.unexpected();
        let word =
            |holds: bool, good: &'static str, bad: &'static str| if holds { good } else { bad };
        println!(
            "minutes={} daemons={} calls={} failed_unexpectedly={unexpected} rss_growth={rss_growth:.1}% fds={} disk={}",
            args.minutes,
            REALMS.len(),
            self.ledger.asked(),
            word(are_flat, "flat", "growing"),
            word(is_disk_bounded, "ok", "over"),
        );
        let holds = unexpected == 0 && rss_growth <= GROWTH && are_flat && is_disk_bounded;
        Ok(holds && found.is_clean())
    }
}
