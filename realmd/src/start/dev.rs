//! A temporary realm for trying things out.

use std::path::PathBuf;

use realm_client::Exit;
use realm_executor::Registry;
use realm_node::{ApplyAsked, Request, Response};
use realm_store::EngineKind;

use super::run_with;
use crate::{
    clock::Clock,
    definitions,
    environment::Environment,
    failure::Failure,
    handle::{Handle, OWNER},
    home::passphrase::Unlock,
    init::{self, Founding, InitError},
    random,
};

/// The loop that the realm begins with.
const HELLO: &str = include_str!("hello.yaml");

/// Runs a realm in a temporary home, which is deleted at the end.
///
/// # Errors
/// As [`super::run`].
pub(crate) fn run_dev(environment: &Environment, halted: bool) -> Result<Exit, Failure> {
    let suffix = random::suffix().map_err(InitError::from)?;
    let home = Temporary(std::env::temp_dir().join(format!("realm-dev-{suffix}")));
    let loopback = "/ip4/127.0.0.1/tcp/0".parse();
    let founding = Founding {
        name: "dev"
            .parse()
            .map_err(|_| InitError::Exists(home.0.clone()))?,
        home: home.0.clone(),
        listen: loopback.into_iter().collect(),
        recovery: None,
        engine: EngineKind::default(),
        passphrase: None,
    };
    init::init(&founding, Clock::wall())?;
    // What people try out runs on their machine; a variable of theirs goes before.
    let mut environment = environment.clone();
    let open = ("REALMD_LOOPS__ALLOW_PRIVATE", "127.0.0.1:*");
    environment
        .settings
        .insert(0, (open.0.to_owned(), open.1.to_owned()));
    run_with(
        &home.0,
        &environment,
        &Unlock::default(),
        (Some(HELLO), halted),
    )
}

/// A folder that is deleted with this value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was not deleted: {error}", self.0.display());
        }
    }
}

/// Registers the demonstration loops.
pub(super) async fn register(handle: &Handle, text: &str) {
    let file = realm_client::api::SourceFile {
        name: "-".to_owned(),
        text: text.to_owned(),
        referred: false,
    };
    let loaded = match definitions::load_all(&[file])
        .and_then(|loaded| loaded.plan(&Registry::default(), None))
    {
        Ok(planned) => planned.loops,
        Err(problems) => {
            tracing::error!(?problems, "the demonstration loops do not load");
            return;
        }
    };
    let manifests = loaded.into_iter().map(|(manifest, _)| manifest).collect();
    let asked = ApplyAsked {
        manifests,
        dry_run: false,
        force: false,
        prune: false,
        stage: false,
        by: OWNER.to_owned(),
        why: None,
    };
    match handle.ask(Request::Apply(asked)).await {
        Ok(Response::Applied(_)) | Err(_) => {}
        Ok(answer) => tracing::error!(?answer, "the demonstration loops were not registered"),
    }
}
