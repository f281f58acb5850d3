//! Load: callers that ask, and ask again under the same key until they are answered.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use realm_client::{
    ClientError,
    api::{InvokeRequest, InvokeResult, InvokeStatus},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    dice::Dice,
    ledger::{Answer, Call, Effects, Ledger},
    network::Place,
    pace::{ms, now, pause},
};

/// How long a caller goes on asking.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long one attempt may take, milliseconds.
const ATTEMPT_MS: u64 = 10_000;
/// Failures after which asking again can help.
const TRANSIENT: [&str; 9] = [
    "NoRoute",
    "Offline",
    "Expired",
    "Overloaded",
    "BadCertificate",
    "UnknownKey",
    "Timeout",
    "Halted",
    "StoreFailed",
];

/// What a load is made of.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Callers at once.
    pub(crate) callers: usize,
    /// Longest rest of a caller between two calls, milliseconds.
    pub(crate) rest_ms: u64,
    /// Longest time an agent works before its effect, and again after it, milliseconds.
    pub(crate) work_ms: u64,
}

/// What the callers share.
#[derive(Debug)]
pub(crate) struct Load {
    shape: Shape,
    places: Arc<Vec<Place>>,
    dice: Dice,
    run: String,
    /// Where agents write down their effects.
    effects: PathBuf,
    ledger: Arc<Ledger>,
    next: AtomicU64,
    is_over: AtomicBool,
}

/// Callers at work.
#[derive(Debug)]
pub(crate) struct Callers {
    load: Arc<Load>,
    tasks: JoinSet<()>,
}

impl Callers {
    /// Lets callers begin. Keys begin with `run`; agents write down their effects in the file `effects`.
    pub(crate) fn begin(
        shape: Shape,
        places: Arc<Vec<Place>>,
        seed: u64,
        run: &str,
        effects: PathBuf,
        ledger: Arc<Ledger>,
    ) -> Self {
        let load = Arc::new(Load {
            shape,
            places,
            dice: Dice::new(seed),
            run: run.to_owned(),
            effects,
            ledger,
            next: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..load.shape.callers {
            let load = Arc::clone(&load);
            tasks.spawn(async move {
                while !load.is_over.load(Ordering::Relaxed) {
                    call(&load).await;
                    pause(ms(load.dice.below(load.shape.rest_ms + 1))).await;
                }
            });
        }
        Self { load, tasks }
    }

    /// Lets every caller end the call it is at, and waits for them.
    pub(crate) async fn end(mut self) {
        self.load.is_over.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn call(load: &Load) {
    let dice = &load.dice;
    let realms = load.places.len() as u64;
    let position = |number: u64| usize::try_from(number).unwrap_or_default();
    let (caller, callee) = (position(dice.below(realms)), position(dice.below(realms)));
    let effects = match dice.below(10) {
        0..3 => Effects::None,
        3..6 => Effects::Idempotent,
        _ => Effects::Once,
    };
    let Some((from, to)) = load.places.get(caller).zip(load.places.get(callee)) else {
        return;
    };
    if !is_open(&from.name, &to.name) {
        return;
    }
    let number = load.next.fetch_add(1, Ordering::Relaxed);
    let key = format!("{}-{number}", load.run);
    let work = || dice.below(load.shape.work_ms + 1);
    // Half of the calls without effects take no process at all.
    let is_echo = effects == Effects::None && number.is_multiple_of(2);
    let input = if is_echo {
        json!({"text": key})
    } else {
        json!({"key": key, "before": work(), "after": work()})
    };
    let loop_id = if is_echo { "echo" } else { effects.loop_id() };
    let address = match caller == callee {
        true => loop_id.to_owned(),
        false => format!("{loop_id}@{}", to.name),
    };
    let has_key = effects != Effects::None;
    let request = request(address, input, has_key.then(|| key.clone()));
    let at = has_key.then(|| {
        load.ledger.ask(Call {
            key: key.clone(),
            effects,
            caller,
            callee,
            answer: None,
        })
    });
    load.ledger.ask_any();
    let began = now();
    match persist(from, &request, PATIENCE).await {
        Ok(result) => note(load, at, &key, result),
        Err(failure) => load.ledger.failed(&failure, began),
    }
}

/// Whether a realm may call another: within a tree all may, and from outside a root and its
/// children are called.
fn is_open(from: &str, to: &str) -> bool {
    let root = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    root(from) == root(to) || to.matches('/').count() < 2
}

/// Makes a request for a loop.
pub(crate) fn request(address: String, input: Value, key: Option<String>) -> InvokeRequest {
    InvokeRequest {
        address,
        input,
        version: None,
        timeout_ms: Some(ATTEMPT_MS),
        idempotency_key: key,
        detach: false,
        store: false,
        stream: false,
        budget: None,
        backend: None,
    }
}

fn note(load: &Load, at: Option<usize>, key: &str, result: InvokeResult) {
    let output = result.output.unwrap_or_default();
    let named = output["key"].as_str().or(output["text"].as_str());
    if named.is_some_and(|named| named != key) {
        load.ledger
            .wrong(format!("{key} was answered with {output}"));
    }
    let written = std::fs::metadata(&load.effects);
    let written = written.map_or(0, |file| file.len());
    match at {
        None => load.ledger.answered_without_effect(),
        Some(at) => load.ledger.acknowledge(
            at,
            Answer {
                run_id: result.run_id,
                call_id: result.call_id,
                output,
                replayed: result.replayed == Some(true),
                written,
            },
        ),
    }
}

/// Asks until there is an answer, or a failure that asking again does not change; gives its name.
pub(crate) async fn persist(
    from: &Place,
    request: &InvokeRequest,
    patience: Duration,
) -> Result<InvokeResult, String> {
    let begun = now();
    loop {
        let failure = match attempt(from, request).await {
            Ok(result) => return Ok(result),
            Err(Failed::Final(name)) => return Err(name),
            Err(Failed::Transient(name)) => name,
        };
        if begun.elapsed() > patience {
            return Err(format!("{failure} for {} s", patience.as_secs()));
        }
        pause(ms(20)).await;
    }
}

enum Failed {
    Transient(String),
    Final(String),
}

async fn attempt(from: &Place, request: &InvokeRequest) -> Result<InvokeResult, Failed> {
    match from.client.invoke(request).await {
        Ok(result) if result.status == InvokeStatus::Ok => Ok(result),
        Ok(result) => {
            let (name, message) = result
                .error
                .map(|error| (error.name, error.message))
                .unwrap_or_default();
            let failure = format!("{name} ({message})");
            Err(match TRANSIENT.contains(&name.as_str()) {
                true => Failed::Transient(failure),
                false => Failed::Final(failure),
            })
        }
        Err(ClientError::Problem(problem)) => Err(Failed::Transient(problem.code)),
        Err(error) => Err(Failed::Transient(error.to_string())),
    }
}
