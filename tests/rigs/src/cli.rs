//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{agent, crash, hostile, soak};

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
    /// Kill daemons under load, or let their disks fail.
    Crash(crash::Crash),
    /// Cut the power of a daemon's machine under load.
    PowerLoss(crash::Rounds),
    /// Attack a daemon from outside, while an honest realm calls it.
    Hostile(hostile::Hostile),
    /// Run twenty daemons for a long time under a modest load.
    Soak(soak::Soak),
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
    if let Rig::Agent { effects } = rig {
        agent::run(&effects)?;
        return Ok(true);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match rig {
            Rig::Agent { .. } => Ok(true),
            Rig::Crash(crash) => crash::crash(crash).await,
            Rig::Hostile(attack) => hostile::hostile(attack).await,
            Rig::Soak(soak) => soak::soak(soak).await,
            Rig::PowerLoss(rounds) => crash::power_loss(rounds).await,
        }
    })
}
