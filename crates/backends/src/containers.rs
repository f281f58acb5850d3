//! Containers: a program in each, by way of an engine that speaks Docker's API on a Unix socket.
//!
//! A container lives as long as its call. Whoever lets go of a call lets go of a [`Held`], and the
//! container is killed and removed; those that a daemon left behind when it died are removed by
//! the next one, which knows them by their labels.

mod engine;
mod held;
mod runtime;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use bollard::container::LogOutput;
use futures::StreamExt as _;
use realm_executor::{BackendError, BackendReply, ContainerError, ContainerRequest};
use realm_protocol::json;
use tokio::io::AsyncWriteExt as _;

use crate::{
    http::within,
    kept::{ERROR_BYTES, Kept},
    words::Printed,
};
use engine::Engine;
pub use engine::EngineView;
use held::Held;

/// Which engine runs containers, what the owner lets them do, and whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRules {
    /// The engine's socket.
    pub socket: PathBuf,
    /// Networks of the engine that containers may join.
    pub networks: Vec<String>,
    /// Registries that images may be fetched from.
    pub registries: Vec<String>,
    /// Whether containers run though programs can break out of what starts them.
    pub old_runtime: bool,
    /// The realm, whose containers no other realm removes.
    pub realm: String,
    /// This start of the daemon: containers of an earlier one are nobody's.
    pub life: String,
}

/// The engine of one daemon; none unless told.
#[derive(Debug, Default)]
pub(crate) struct Containers(RwLock<Option<Arc<Engine>>>);

impl Containers {
    /// Runs containers by these rules from now on; calls under way end as they began.
    pub(crate) fn set(&self, rules: Option<ContainerRules>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().map(|engine| engine.rules()) != rules.as_ref() {
            *held = rules.map(|rules| Arc::new(Engine::new(rules)));
        }
    }

    fn engine(&self) -> Result<Arc<Engine>, BackendError> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let engine = held.clone();
        engine.ok_or(BackendError::Container(ContainerError::Off))
    }

    /// What can be told of the engine, and of an image, without running anything.
    pub(crate) async fn look(&self, image: Option<&str>) -> Result<EngineView, BackendError> {
        Ok(self.engine()?.look(image).await?)
    }

    /// Removes what earlier daemons of this realm have left behind.
    pub(crate) async fn sweep(&self) -> Result<(), BackendError> {
        let engine = self.engine()?;
        engine.sweep(&engine.connect().await?).await?;
        Ok(())
    }

    /// Waits until every container that nobody wants any more is gone.
    pub(crate) async fn cleared(&self) {
        if let Ok(engine) = self.engine() {
            engine.removals().cleared().await;
        }
    }

    /// Runs a program to its end. Its container is killed and removed when it has ended, when its time is
    /// over, and when the future is dropped.
    pub(crate) async fn run(
        &self,
        wanted: &ContainerRequest,
        printed: Printed<'_>,
    ) -> Result<BackendReply, BackendError> {
        let engine = self.engine()?;
        within(wanted.timeout_ms, async {
            let held = engine.create(wanted).await?;
            converse(&engine, &held, wanted, printed).await
        })
        .await
    }
}

/// Starts a container, writes the input, reads what comes, and waits for the end.
async fn converse(
    engine: &Engine,
    held: &Held,
    wanted: &ContainerRequest,
    mut printed: Printed<'_>,
) -> Result<BackendReply, BackendError> {
    let limits = wanted.container.limits;
    let mut attached = held.attach().await.map_err(|error| engine.lost(&error))?;
    held.start()
        .await
        .map_err(|error| engine::not_started(&error))?;
    let input = json::to_bytes(&wanted.input);
    let feed = async {
        // A program that does not read its input is free not to.
        let _ = attached.input.write_all(&input).await;
        let _ = attached.input.shutdown().await;
        Ok(())
    };
    let read = async {
        let (mut stderr, mut bytes) = (Kept::default(), 0_usize);
        let limit = usize::try_from(limits.output).unwrap_or(usize::MAX);
        while let Some(part) = attached.output.next().await {
            match part.map_err(|error| engine.lost(&error))? {
                LogOutput::StdOut { message } => {
                    bytes = bytes.saturating_add(message.len());
                    if bytes > limit {
                        return Err(BackendError::TooLarge { limit });
                    }
                    printed.take(&message).await?;
                }
                LogOutput::StdErr { message } => stderr.roll(&message, ERROR_BYTES),
                LogOutput::StdIn { .. } | LogOutput::Console { .. } => {}
            }
        }
        Ok(stderr)
    };
    let ((), stderr) = tokio::try_join!(feed, read)?;
    let end = held.ended().await.map_err(|error| engine.lost(&error))?;
    if end.out_of_memory {
        let limit = limits.memory;
        return Err(ContainerError::OutOfMemory { limit }.into());
    }
    match end.code {
        Some(0) => printed.reply().await,
        code => Err(BackendError::Exit {
            code,
            stderr: stderr.line(),
        }),
    }
}
