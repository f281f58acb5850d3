//! Daemons under load that are struck at random moments: killed, their disks failing, their power
//! cut.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    audit::{self, Verdict},
    daemon::{Daemon, Programs},
    dice::Dice,
    disk::Disk,
    ledger::Ledger,
    load::{Callers, Shape, persist, request},
    network::{self, Network, Plan},
    pace::{ms, now, pause},
};

/// A tree of three and a peer.
const REALMS: [Plan; 4] = [
    Plan::new("mercy", None),
    Plan::new("cardiology", Some(0)),
    Plan::new("billing", Some(0)),
    Plan::new("lab", None),
];
const PEERINGS: [(usize, usize); 1] = [(0, 3)];
/// Longest wait until a daemon that runs again reaches its neighbours.
const RECOVERY: Duration = Duration::from_secs(60);
/// Longest time of load before a strike, milliseconds.
const CALM_MS: u64 = 120;
/// A killed daemon's store is checked as the kill left it, before the daemon mends it, once in so
/// many rounds.
const CHECKED: u64 = 10;
/// Writes and flushes of a disk after which its power goes at the latest.
const MOST_OPERATIONS: u64 = 60;
/// Acknowledged calls that are asked for again in a round, and at the end.
const AGAIN: [u64; 2] = [2, 40];

/// What both rigs take.
#[derive(Args, Debug)]
pub(crate) struct Rounds {
    /// How often somebody is struck.
    #[arg(long, default_value_t = 50)]
    rounds: u64,
    /// The same seed draws the same moments and victims.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// One of the next writes or syncs fails, or it and all later ones do.
    Eio,
    /// It fills.
    Enospc,
}

/// What the crash test takes.
#[derive(Args, Debug)]
pub(crate) struct Crash {
    #[command(flatten)]
    rounds: Rounds,
    /// Let disks fail instead of killing.
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// The library that makes disks fail.
    #[arg(long, required_if_eq_any([("fault", "eio"), ("fault", "enospc")]))]
    faults: Option<PathBuf>,
}

/// What strikes.
enum Strike {
    /// `kill -9`.
    Kill,
    /// A disk that fails, by way of a library.
    Fault(Fault, PathBuf),
    /// A power cut of the first realm's machine.
    Power(Disk),
}

struct Run {
    rounds: Rounds,
    strike: Strike,
    dice: Dice,
    network: Network,
    ledger: Arc<Ledger>,
    scratch: PathBuf,
    verdict: Verdict,
    /// Acknowledged calls that were there when a round began.
    seen: usize,
}

/// Kills, or lets disks fail; gives whether nothing was found.
pub(crate) async fn crash(args: Crash) -> anyhow::Result<bool> {
    let dir = TempDir::with_prefix("realm-crash-")?;
    let strike = match args.fault.zip(args.faults) {
        Some((fault, library)) => Strike::Fault(fault, library.canonicalize()?),
        None => Strike::Kill,
    };
    strikes(args.rounds, dir, strike).await
}

/// Cuts the power; gives whether nothing was found.
pub(crate) async fn power_loss(rounds: Rounds) -> anyhow::Result<bool> {
    let dir = TempDir::with_prefix("realm-power-")?;
    let disk = Disk::make(dir.path(), rounds.seed).await?;
    strikes(rounds, dir, Strike::Power(disk)).await
}

async fn strikes(rounds: Rounds, dir: TempDir, strike: Strike) -> anyhow::Result<bool> {
    let programs = Programs::new(&rounds.realmd, &rounds.engine)?;
    let scratch = dir.path().to_owned();
    let home = |label: &str| match &strike {
        Strike::Power(disk) if label == "lab" => disk.folder().join("home-lab"),
        _ => scratch.join(format!("home-{label}")),
    };
    let (realms, peerings) = match strike {
        // The struck realm stands first.
        Strike::Power(..) => (&[REALMS[3], REALMS[0]][..], &[(0, 1)]),
        _ => (&REALMS[..], &PEERINGS),
    };
    let network = Network::build(&programs, &scratch, &home, realms, peerings).await?;
    let keep = rounds.keep;
    let mut run = Run {
        dice: Dice::new(rounds.seed),
        rounds,
        strike,
        network,
        ledger: Arc::default(),
        scratch,
        verdict: Verdict::default(),
        seen: 0,
    };
    let outcome = run.whole().await;
    if keep || !matches!(outcome, Ok(true)) {
        run.leave_homes().await;
        drop(run);
        eprintln!("homes and logs: {}", dir.keep().display());
    }
    outcome
}

impl Run {
    async fn whole(&mut self) -> anyhow::Result<bool> {
        let begun = now();
        if matches!(self.strike, Strike::Fault(..)) {
            for at in 0..self.network.daemons.len() {
                self.daemon(at)?.stop().await?;
                self.start(at).await?;
            }
        }
        let shape = Shape {
            callers: 8,
            rest_ms: 10,
            work_ms: 8,
        };
        let places = Arc::clone(&self.network.places);
        let seed = self.dice.below(u64::MAX);
        let run = format!("{:x}", self.rounds.seed);
        let effects = network::effects(&self.scratch);
        let ledger = Arc::clone(&self.ledger);
        let callers = Callers::begin(shape, places, seed, &run, effects, ledger);
        let mut slowest = Duration::ZERO;
        let rounds = self.rounds.rounds;
        for round in 1..=rounds {
            let recovery = self.round(round).await;
            let recovery = recovery.with_context(|| format!("round {round}"))?;
            slowest = slowest.max(recovery);
            if round % 100 == 0 {
                let spent = begun.elapsed().as_secs();
                eprintln!("{round} rounds in {spent} s; {}", self.verdict);
            }
        }
        callers.end().await;
        let loaded = begun.elapsed();
        self.last_look().await?;
        println!("{}", self.ledger.summary());
        if let Strike::Power(disk) = &self.strike {
            println!(
                "disk flushed {} times, writes lost or torn {}",
                disk.flushes(),
                disk.lost()
            );
        }
        println!(
            "{:.2} s a round, slowest recovery {:.2} s, last look {:.1} s; engine {}, seed {}",
            loaded.as_secs_f64() / rounds.max(1) as f64,
            slowest.as_secs_f64(),
            (begun.elapsed() - loaded).as_secs_f64(),
            self.rounds.engine,
            self.rounds.seed,
        );
        self.verdict.print();
        println!("rounds={rounds} {}", self.verdict);
        Ok(self.verdict.is_clean())
    }

    fn daemon(&mut self, at: usize) -> anyhow::Result<&mut Daemon> {
        let daemon = self.network.daemons.get_mut(at);
        daemon.context("a daemon of the network")
    }

    /// Strikes, starts again, and waits until the realms serve; gives how long that took.
    async fn round(&mut self, round: u64) -> anyhow::Result<Duration> {
        pause(ms(self.dice.below(CALM_MS))).await;
        let victims = self.victims();
        for &at in &victims {
            self.strike(at).await?;
        }
        if matches!(self.strike, Strike::Power(..)) || round.is_multiple_of(CHECKED) {
            for &at in &victims {
                let damage = self.daemon(at)?.damage().await?;
                self.verdict.corrupt.extend(damage);
            }
        }
        let down = now();
        for &at in &victims {
            self.start(at).await?;
        }
        for &at in &victims {
            self.reach(at).await?;
        }
        let recovery = down.elapsed();
        let before = self.ledger.acknowledged(self.seen);
        self.seen = self.ledger.count();
        for _ in 0..AGAIN[0] {
            if let Some(call) = self.dice.pick(&before) {
                let found = audit::ask_again(call, &self.network.places).await?;
                self.verdict.add(found);
            }
        }
        Ok(recovery)
    }

    /// Mostly one, sometimes two, sometimes everybody; where power is cut, the first.
    fn victims(&self) -> Vec<usize> {
        if matches!(self.strike, Strike::Power(..)) {
            return vec![0];
        }
        let realms = self.network.daemons.len() as u64;
        let first = self.dice.below(realms);
        let struck = match self.dice.below(10) {
            0..7 => 1,
            7..9 => 2,
            _ => realms,
        };
        (first..first + struck)
            .filter_map(|at| usize::try_from(at % realms).ok())
            .collect()
    }

    async fn strike(&mut self, at: usize) -> anyhow::Result<()> {
        let daemon = self.network.daemons.get_mut(at);
        let daemon = daemon.context("a daemon of the network")?;
        match &mut self.strike {
            Strike::Kill => daemon.kill().await,
            Strike::Fault(..) => {
                File::create(armed(&self.scratch, at))?;
                let status = daemon.ended().await?;
                ensure!(
                    status.code().is_some_and(|code| code != 0),
                    "{}: its disk failed, and it ended with {status}\n{}",
                    daemon.label(),
                    daemon.log_end()
                );
                Ok(())
            }
            Strike::Power(disk) => {
                // At a random moment, or in the middle of what belongs together.
                let operation = match self.dice.below(4) {
                    0 => None,
                    _ => Some(1 + self.dice.below(MOST_OPERATIONS)),
                };
                disk.cut(operation).await?;
                daemon.kill().await?;
                disk.unmount().await?;
                disk.power_on().await
            }
        }
    }

    async fn start(&mut self, at: usize) -> anyhow::Result<()> {
        let extra = match &self.strike {
            Strike::Fault(fault, library) => faults(*fault, library, &self.scratch, at, &self.dice),
            Strike::Kill | Strike::Power(..) => Vec::new(),
        };
        self.daemon(at)?.start_with(&extra).await
    }

    /// Waits until calls go through between a realm and its neighbours, both ways.
    async fn reach(&self, at: usize) -> anyhow::Result<()> {
        let places = &self.network.places;
        for other in self.network.neighbours(at) {
            for (from, to) in [(at, other), (other, at)] {
                let pair = places.get(from).zip(places.get(to));
                let (from, to) = pair.context("a link in the network")?;
                let echo = request(format!("echo@{}", to.name), json!({"text": "here?"}), None);
                let reached = persist(from, &echo, RECOVERY).await;
                reached.map_err(|failure| {
                    anyhow::anyhow!("{} does not reach {}: {failure}", from.name, to.name)
                })?;
            }
        }
        Ok(())
    }

    async fn last_look(&mut self) -> anyhow::Result<()> {
        let calls = self.ledger.calls();
        let acknowledged = self.ledger.acknowledged(0);
        for _ in 0..AGAIN[1] {
            if let Some(call) = self.dice.pick(&acknowledged) {
                let found = audit::ask_again(call, &self.network.places).await?;
                self.verdict.add(found);
            }
        }
        let effects = audit::effects(&network::effects(&self.scratch));
        let found = audit::compare(&calls, &self.network.places, &effects).await?;
        self.verdict.add(found);
        self.verdict.wrong.extend(self.ledger.all_wrong());
        for daemon in &mut self.network.daemons {
            daemon.stop().await?;
            self.verdict.corrupt.extend(daemon.damage().await?);
        }
        Ok(())
    }

    /// Ends the daemons, and copies what lies on the disk to where it can be looked at.
    async fn leave_homes(&mut self) {
        for daemon in &mut self.network.daemons {
            daemon.kill().await.ok();
        }
        if let Strike::Power(disk) = &self.strike {
            let mut copy = tokio::process::Command::new("cp");
            copy.arg("-r")
                .arg(disk.folder())
                .arg(self.scratch.join("copied"));
            copy.status().await.ok();
        }
    }
}

fn armed(scratch: &Path, at: usize) -> PathBuf {
    scratch.join(format!("armed-{at}"))
}

/// What the library that fails disks is told. It waits for the file that arms it.
fn faults(
    fault: Fault,
    library: &Path,
    scratch: &Path,
    at: usize,
    dice: &Dice,
) -> Vec<(String, String)> {
    let armed = armed(scratch, at);
    // Left by the strike before.
    std::fs::remove_file(&armed).ok();
    let how = match (fault, dice.below(2)) {
        (Fault::Eio, 0) => ("REALM_FAULT_NTH", 1 + dice.below(60)),
        (Fault::Eio, _) => ("REALM_FAULT_FROM", 1 + dice.below(60)),
        (Fault::Enospc, _) => ("REALM_FAULT_ENOSPC_AFTER", dice.below(150_000)),
    };
    let text = |path: &Path| path.display().to_string();
    [
        ("LD_PRELOAD", text(library)),
        ("REALM_FAULT_PATH", "/data/".to_owned()),
        ("REALM_FAULT_ARM", text(&armed)),
        ("REALM_FAULT_LOG", text(&scratch.join("faults.log"))),
        (how.0, how.1.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
