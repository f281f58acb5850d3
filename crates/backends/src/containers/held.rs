//! A container as long as somebody wants it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bollard::{
    Docker,
    container::AttachContainerResults,
    errors::Error,
    query_parameters::{
        AttachContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        WaitContainerOptions,
    },
};
use futures::StreamExt as _;
use tokio::{runtime::Handle, sync::watch, task::JoinSet, time::interval};

/// Times that an engine is asked to remove a container.
const TRIES: u32 = 5;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_millis(500);

/// The containers that are being removed. There are at most as many as the daemon has calls.
#[derive(Debug, Default)]
pub(super) struct Removals {
    tasks: Mutex<JoinSet<()>>,
    /// How many are held.
    held: watch::Sender<usize>,
}

impl Removals {
    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, runtime: &Handle, docker: Docker, name: String, known: bool) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(remove(docker, name, known), runtime);
        drop(tasks);
        self.held.send_modify(|held| *held = held.saturating_sub(1));
    }

    /// Waits until none is held and all are gone.
    pub(super) async fn cleared(&self) {
        // It is told by what is waited for: it cannot be gone.
        let _ = self.held.subscribe().wait_for(|held| *held == 0).await;
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }
}

/// Kills and removes a container. One that the engine was about to make may come to be a little later.
async fn remove(docker: Docker, name: String, known: bool) {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    let mut pace = interval(PAUSE);
    for _ in 0..TRIES {
        pace.tick().await;
        match docker.remove_container(&name, Some(options.clone())).await {
            Ok(()) => return,
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) if known => return,
            Err(_) => {}
        }
    }
}

/// A container that is removed when this is dropped.
pub(super) struct Held {
    docker: Docker,
    name: String,
    /// Whether the engine has said that it is there.
    known: AtomicBool,
    removals: Arc<Removals>,
    runtime: Handle,
}

/// How a container ended.
pub(super) struct End {
    pub(super) code: Option<i32>,
    pub(super) out_of_memory: bool,
}

impl Held {
    /// Answers for a container of this name from before it is made.
    pub(super) fn new(docker: Docker, name: String, removals: Arc<Removals>) -> Self {
        removals.held.send_modify(|held| *held += 1);
        Self {
            docker,
            name,
            known: AtomicBool::new(false),
            removals,
            runtime: Handle::current(),
        }
    }

    /// It has been made.
    pub(super) fn is_made(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    pub(super) async fn attach(&self) -> Result<AttachContainerResults, Error> {
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        self.docker
            .attach_container(&self.name, Some(options))
            .await
    }

    pub(super) async fn start(&self) -> Result<(), Error> {
        let options = None::<StartContainerOptions>;
        self.docker.start_container(&self.name, options).await
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) -> Result<End, Error> {
        let mut waits = self
            .docker
            .wait_container(&self.name, None::<WaitContainerOptions>);
        match waits.next().await {
            // A code other than zero is told as an error.
            None | Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => {}
            Some(Err(error)) => return Err(error),
        }
        let seen = self.docker.inspect_container(&self.name, None).await?;
        let state = seen.state.unwrap_or_default();
        Ok(End {
            code: state.exit_code.and_then(|code| i32::try_from(code).ok()),
            out_of_memory: state.oom_killed == Some(true),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let known = self.known.load(Ordering::Relaxed);
        let (docker, name) = (self.docker.clone(), std::mem::take(&mut self.name));
        self.removals.begin(&self.runtime, docker, name, known);
    }
}
