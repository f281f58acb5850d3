//! One run, one kill, and what became of it.

use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use realm_client::{
    Client, StreamItem,
    api::{
        InvokeRequest, InvokeResult, InvokeStatus, ResumeDecision, ResumeRequest, RunStatus,
        WaitsOn,
    },
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{STEPS, gate::Gates, tool::Deeds};
use crate::daemon::Daemon;

/// Longest wait for a run to come to its gate, and from there to its end.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the tool is declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Effects {
    /// The same key twice is as once.
    Idempotent,
    /// Each call counts.
    Once,
}

impl Effects {
    pub(crate) const ALL: [Self; 2] = [Self::Idempotent, Self::Once];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

/// When the daemon is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The step has begun, its tool has not been called.
    Before,
    /// The tool has been called and has not answered.
    Inside,
    /// The tool's answer has been taken, the next step has not begun.
    After,
}

impl Moment {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::Inside, Self::After];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Inside => "inside",
            Self::After => "after",
        }
    }
}

/// What all cells share.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) daemon: Daemon,
    pub(crate) client: Client,
    pub(crate) gates: Gates,
    pub(crate) scratch: PathBuf,
}

/// One cell of the matrix.
#[derive(Debug)]
pub(crate) struct Cell {
    effects: Effects,
    step: u64,
    moment: Moment,
    /// Inside the call: whether the tool has done its work by then.
    done: bool,
}

/// How a run came to its end.
struct Ended {
    result: InvokeResult,
    asked: u64,
    resumed: &'static str,
}

impl Cell {
    pub(crate) const fn new(effects: Effects, step: u64, moment: Moment, done: bool) -> Self {
        Self {
            effects,
            step,
            moment,
            done,
        }
    }

    fn file(&self) -> String {
        let Self { effects, step, .. } = self;
        format!("{}-{step}-{}", effects.name(), self.moment.name())
    }

    /// Starts a run, kills the daemon at the gate, starts it again, and goes with the run to its end.
    /// Prints the cell's line, and gives what is wrong with it.
    pub(crate) async fn run(&self, room: &mut Room) -> anyhow::Result<Vec<String>> {
        let request = InvokeRequest {
            address: format!("matrix-{}", self.effects.name()),
            input: json!({
                "run": self.file(), "step": 1, "at": self.step, "moment": self.moment.name(),
                "done": self.done,
            }),
            version: None,
            timeout_ms: None,
            idempotency_key: None,
            detach: true,
            store: false,
            stream: false,
            budget: None,
            backend: None,
        };
        let run = room.client.invoke(&request).await?.run_id;
        let held = timeout(PATIENCE, room.gates.held()).await;
        let held = match held {
            Ok(held) => held?,
            Err(_) => bail!("{self}: not at its gate: {}", room.standing(&run).await),
        };
        room.daemon.kill().await?;
        drop(held);
        room.daemon.start().await?;
        let ended = match timeout(PATIENCE, self.go_on(room, &run)).await {
            Ok(ended) => ended.with_context(|| format!("{self}"))?,
            Err(_) => bail!("{self}: not at its end: {}", room.standing(&run).await),
        };
        Ok(self.judge(&ended, &Deeds::read(&room.scratch.join(self.file()))))
    }

    /// Follows the run to its end; lets agents through the gate, and decides where a person is asked.
    async fn go_on(&self, room: &Room, run: &str) -> anyhow::Result<Ended> {
        let mut events = room.client.events(run, None).await?;
        let (mut asked, mut resumed) = (0, "by-itself");
        loop {
            tokio::select! {
                held = room.gates.held() => held?.go_on().await?,
                item = events.next() => match item?.context("the run's events broke off")? {
                    StreamItem::End(result) => {
                        let result = *result;
                        return Ok(Ended { result, asked, resumed });
                    }
                    StreamItem::Event(event) if event.kind == "run.paused" => {
                        asked += 1;
                        resumed = self.decide(room, run).await?;
                    }
                    StreamItem::Event(_) | StreamItem::Part(_) => {}
                },
            }
        }
    }

    /// Says of a call whose outcome nobody knows what its agent wrote down.
    async fn decide(&self, room: &Room, run: &str) -> anyhow::Result<&'static str> {
        let told = room.client.explain(run).await?;
        let person = told.waits.iter().any(|wait| wait.on == WaitsOn::Person);
        ensure!(
            told.run.status == RunStatus::Paused
                && person
                && told.text.contains("waits for a person"),
            "a paused run is explained with {told:?}"
        );
        let deeds = Deeds::read(&room.scratch.join(self.file()));
        let did = deeds.0.get(&self.step).and_then(|deed| deed.did.last());
        let (name, decision) = match did {
            Some((_, answer)) => ("gave", ResumeDecision::Gave(answer.clone())),
            None => ("again", ResumeDecision::Again),
        };
        let decision = Some(decision);
        room.client.resume(run, &ResumeRequest { decision }).await?;
        Ok(name)
    }

    /// Prints the cell's line, and gives what is wrong.
    fn judge(&self, ended: &Ended, deeds: &Deeds) -> Vec<String> {
        let Ended {
            result,
            asked,
            resumed,
        } = ended;
        let mut problems = Vec::new();
        let done = deeds.0.values().filter(|deed| !deed.did.is_empty()).count();
        let twice = deeds.0.values().filter(|deed| deed.did.len() > 1).count();
        let complete = result.output.as_ref() == Some(&json!({"steps": STEPS}));
        if result.status != InvokeStatus::Ok || !complete {
            problems.push(format!("the run ended with {result:?}"));
        }
        if done as u64 != STEPS {
            problems.push(format!("{done} of {STEPS} steps were done"));
        }
        if twice > 0 {
            problems.push(format!("{twice} steps were done twice"));
        }
        for (step, deed) in &deeds.0 {
            let keys: BTreeSet<&String> = deed.begun.iter().collect();
            if keys.len() != 1 {
                problems.push(format!("step {step} was begun under {keys:?}, not one key"));
            }
        }
        let person = self.effects == Effects::Once && self.moment == Moment::Inside;
        let expected = match (person, self.done) {
            (false, _) => (0, "by-itself"),
            (true, true) => (1, "gave"),
            (true, false) => (1, "again"),
        };
        if (*asked, *resumed) != expected {
            problems.push(format!(
                "expected asked={} resumed={}",
                expected.0, expected.1
            ));
        }
        let verdict = if problems.is_empty() { "ok" } else { "failed" };
        println!(
            "{self} restarts=1 asked={asked} resumed={resumed} steps={done} twice={twice} {verdict}"
        );
        problems
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (effects, moment) = (self.effects.name(), self.moment.name());
        write!(f, "effects={effects} step={} moment={moment}", self.step)
    }
}

impl Room {
    /// Where a run stands, for people.
    async fn standing(&self, run: &str) -> Value {
        match self.client.explain(run).await {
            Ok(told) => json!({"status": told.run.status, "text": told.text}),
            Err(error) => json!({"error": error.to_string()}),
        }
    }
}
