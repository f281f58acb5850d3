//! The agents of the matrix: one that stands at a gate, and one that works.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::{
    STEPS,
    cell::{Effects, Moment},
    gate,
};

/// What a tool of the matrix takes beside its input.
#[derive(Args, Debug)]
pub(crate) struct Work {
    /// The effects that the tool is declared with.
    #[arg(long, value_enum)]
    effects: Effects,
    /// Where it writes down what it did.
    #[arg(long)]
    folder: PathBuf,
}

/// Stands at the gate, and gives the answer it was handed.
///
/// # Errors
/// It may not go on.
pub(crate) fn pass(socket: &Path) -> anyhow::Result<()> {
    let input: Value = serde_json::from_reader(io::stdin())?;
    gate::stand(socket)?;
    println!("{}", input["answer"]);
    Ok(())
}

/// Does the work of one step: a line of its own in the file of the run, durable before the answer.
/// One that is `idempotent` looks first whether its key is there.
///
/// # Errors
/// The input is no step, the file cannot be written, or it may not go on.
pub(crate) fn work(args: &Work, socket: &Path) -> anyhow::Result<()> {
    let input: Value = serde_json::from_reader(io::stdin())?;
    let step = input["step"].as_u64().context("the input has no step")?;
    let run = input["run"].as_str().context("the input has no run")?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a process finds its key in the environment"
    )]
    let key = std::env::var("REALM_IDEMPOTENCY_KEY")?;
    let gate = |moment: Moment, done: bool| match input["at"] == step
        && input["moment"] == moment.name()
        && input["done"] == done
    {
        true => gate::stand(socket),
        false => Ok(()),
    };
    let answer = match step < STEPS {
        true => {
            let mut next = input.clone();
            next["step"] = json!(step + 1);
            json!({"continue": next})
        }
        false => json!({"complete": {"steps": step}}),
    };
    let path = args.folder.join(run);
    let before = Deeds::read(&path);
    append(&path, &format!("begun {step} {key} null\n"))?;
    gate(Moment::Inside, false)?;
    if args.effects == Effects::Once || !before.is_done(step, &key) {
        append(&path, &format!("did {step} {key} {answer}\n"))?;
    }
    gate(Moment::Inside, true)?;
    println!("{answer}");
    Ok(())
}

/// Durable when it returns. One write, so that lines of agents that run at once do not mix.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// What the agents of a run wrote down of one step.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    /// The key of each call that began.
    pub(crate) begun: Vec<String>,
    /// The key of each effect, and the answer that belongs to it.
    pub(crate) did: Vec<(String, Value)>,
}

/// What the agents of a run wrote down, by step.
#[derive(Debug, Default)]
pub(crate) struct Deeds(pub(crate) BTreeMap<u64, Deed>);

impl Deeds {
    /// Reads the file of a run; nothing was done where there is none.
    pub(crate) fn read(path: &Path) -> Self {
        let mut deeds = Self::default();
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let mut words = line.splitn(4, ' ');
            let mut word = || words.next().unwrap_or_default();
            let (what, step, key, answer) = (word(), word(), word().to_owned(), word());
            let deed = deeds.0.entry(step.parse().unwrap_or(0)).or_default();
            match what {
                "did" => {
                    let answer = serde_json::from_str(answer).unwrap_or_default();
                    deed.did.push((key, answer));
                }
                _ => deed.begun.push(key),
            }
        }
        deeds
    }

    fn is_done(&self, step: u64, key: &str) -> bool {
        let deed = self.0.get(&step);
        deed.is_some_and(|deed| deed.did.iter().any(|(of, _)| of == key))
    }
}
