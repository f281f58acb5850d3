//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{agent, crash, hostile, kill_matrix, soak};

/// Long runs against real daemons. The scripts say how each is built and run.
#[derive(Debug, Parser)]
#[command(name = "rigs")]
enum Rig {
    /// Run one call of the loops under test.
    #[command(hide = true)]
    Agent {
        /// Where effects are written down.
        effects: PathBuf,
    },
    /// Run one call of the kill matrix.
    #[command(hide = true)]
    Step {
        /// Where agents are held.
        gates: PathBuf,
        /// What it does.
        #[command(subcommand)]
        call: Step,
    },
    /// Kill daemons under load, or let their disks fail.
    Crash(crash::Crash),
    /// Cut the power of a daemon's machine under load.
    PowerLoss(crash::Rounds),
    /// Attack a daemon from outside, while an honest realm calls it.
    Hostile(hostile::Hostile),
    /// Kill a daemon before, inside and after the tool calls of a run.
    KillMatrix(kill_matrix::KillMatrix),
    /// Run twenty daemons for a long time under a modest load.
    Soak(soak::Soak),
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Stand at a gate.
    Gate,
    /// Work.
    Work(kill_matrix::Work),
}

/// Runs a rig; 0 if it found nothing wrong, 1 if it did or could not tell.
pub fn main() -> ExitCode {
    match run(Rig::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(rig: Rig) -> anyhow::Result<bool> {
    match &rig {
        Rig::Agent { effects } => return agent::run(effects).map(|()| true),
        Rig::Step { gates, call } => {
            return match call {
                Step::Gate => kill_matrix::pass(gates),
                Step::Work(work) => kill_matrix::work(work, gates),
            }
            .map(|()| true);
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match rig {
            Rig::Agent { .. } | Rig::Step { .. } => Ok(true),
            Rig::Crash(crash) => crash::crash(crash).await,
            Rig::Hostile(attack) => hostile::hostile(attack).await,
            Rig::KillMatrix(matrix) => kill_matrix::kill_matrix(matrix).await,
            Rig::Soak(soak) => soak::soak(soak).await,
            Rig::PowerLoss(rounds) => crash::power_loss(rounds).await,
        }
    })
}
