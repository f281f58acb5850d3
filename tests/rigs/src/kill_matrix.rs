//! A daemon that is killed before, inside and after a tool call of a run, and goes on with the run.
//!
//! The moment of each kill is exact. At it stands a gate: an agent that tells the rig where the run is
//! and then neither works nor answers until the rig lets it. What comes before a gate is durable, since
//! nothing is asked of an agent before that.

mod cell;
mod gate;
mod tool;

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use realm_client::api::{ApplyRequest, SourceFile};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, Programs},
    pace::now,
};
pub(crate) use cell::Effects;
use cell::{Cell, Moment, Room};
use gate::Gates;
pub(crate) use tool::{Work, pass, work};

/// Steps of a run, each with one call of a tool.
const STEPS: u64 = 100;

/// What the matrix takes.
#[derive(Args, Debug)]
pub(crate) struct KillMatrix {
    /// At how many of the 100 steps a daemon is killed, the first and the last among them.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=STEPS))]
    steps: u64,
    /// The engine of the store.
    #[arg(long, default_value = "redb")]
    engine: String,
    /// The daemon.
    #[arg(long)]
    realmd: PathBuf,
    /// Leave the home and the log where they are.
    #[arg(long)]
    keep: bool,
}

/// Kills a daemon in every cell of the matrix; gives whether each run did what it must.
pub(crate) async fn kill_matrix(args: KillMatrix) -> anyhow::Result<bool> {
    let dir = TempDir::with_prefix("realm-matrix-")?;
    let keep = args.keep;
    let outcome = matrix(&args, dir.path()).await;
    if keep || !matches!(outcome, Ok(true)) {
        eprintln!(
            "home, log and what the agents did: {}",
            dir.keep().display()
        );
    }
    outcome
}

async fn matrix(args: &KillMatrix, scratch: &Path) -> anyhow::Result<bool> {
    let begun = now();
    let programs = Programs::new(&args.realmd, &args.engine)?;
    let mut daemon = Daemon::init(&programs, "matrix", &scratch.join("home"), scratch).await?;
    daemon.start().await?;
    let client = daemon.client().await?;
    client.apply(&loops(&programs, scratch)).await?;
    let mut room = Room {
        daemon,
        client,
        gates: Gates::open(&socket(scratch))?,
        scratch: scratch.to_owned(),
    };
    let (mut cells, mut failed) = (0, 0);
    for effects in Effects::ALL {
        for number in 0..args.steps {
            for moment in Moment::ALL {
                let step = nth(number, args.steps);
                let cell = Cell::new(effects, step, moment, number % 2 == 1);
                let problems = cell.run(&mut room).await?;
                cells += 1;
                failed += u64::from(!problems.is_empty());
                for problem in problems {
                    eprintln!("{cell}: {problem}");
                }
            }
        }
    }
    room.daemon.stop().await?;
    let damage = room.daemon.damage().await?;
    ensure!(damage.is_none(), "{}", damage.unwrap_or_default());
    eprintln!("{:.1} s", begun.elapsed().as_secs_f64());
    println!("cells={cells} ok={} failed={failed}", cells - failed);
    Ok(failed == 0)
}

/// The step, from 1, at which the daemon is killed, spread evenly from the first to the last.
fn nth(number: u64, of: u64) -> u64 {
    1 + number * (STEPS - 1) / of.saturating_sub(1).max(1)
}

fn socket(scratch: &Path) -> PathBuf {
    scratch.join("gates")
}

/// For each kind of effect a machine whose step is one call of a tool, with a gate before it and one
/// after it.
fn loops(programs: &Programs, scratch: &Path) -> ApplyRequest {
    let program = |arguments: &[&str]| {
        let rig = programs.rig.display().to_string();
        let socket = socket(scratch).display().to_string();
        let argv: Vec<&str> = [rig.as_str(), "step", socket.as_str()]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        json!({"implementation": "process", "config": {"argv": argv}})
    };
    let folder = scratch.display().to_string();
    let mut documents = vec![json!({
        "id": "gate", "kind": "tool", "effects": "none", "tool": program(&["gate"]),
    })];
    for effects in Effects::ALL.map(Effects::name) {
        let (tool, step) = (format!("work-{effects}"), format!("step-{effects}"));
        let at = |moment: &str| format!("input.step == input.at && input.moment == '{moment}'");
        documents.extend([
            json!({
                "id": tool, "kind": "tool", "effects": effects,
                "tool": program(&["work", "--effects", effects, "--folder", &folder]),
            }),
            json!({"id": step, "kind": "composite", "composite": {"steps": [
                {"loopId": "gate", "when": at("before")},
                {"loopId": tool, "outputBinding": "worked"},
                {"loopId": "gate", "when": at("after"), "inputMapping": {"answer": "$.worked"}},
            ]}}),
            json!({
                "id": format!("matrix-{effects}"), "kind": "machine", "machine": {"loopId": step},
            }),
        ]);
    }
    let files = documents.into_iter().map(|mut document| {
        for (name, value) in [
            ("version", json!("1.0.0")),
            ("inputSchema", json!({})),
            ("outputSchema", json!({})),
            ("limits", json!({"timeout": "10m"})),
        ] {
            document[name] = value;
        }
        let name = document["id"].as_str().unwrap_or_default();
        SourceFile {
            name: scratch.join(format!("{name}.json")).display().to_string(),
            text: document.to_string(),
            referred: false,
        }
    });
    ApplyRequest {
        files: files.collect(),
        dry_run: false,
        force: false,
        prune: false,
        stage: false,
        why: None,
    }
}
