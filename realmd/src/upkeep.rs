//! What a daemon does beside its loop: forgetting old runs, and reading the configuration again.

use std::{sync::Arc, time::Duration};

use realm_net::Multiaddr;
use realm_store::{RetainError, Store};
use tokio::{
    signal::unix::Signal,
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{self, Config, Configured},
    handle::Handle,
    home::Home,
    logging::LogLevel,
};

/// Time between looks for old runs.
const RETENTION: Duration = Duration::from_secs(60 * 60);
/// Runs removed in one write.
const BATCH: usize = 500;

/// Forgets runs past their retention, now and every hour.
pub(crate) async fn forget_old_runs(
    store: Store,
    configured: watch::Receiver<Arc<Configured>>,
    stop: CancellationToken,
) {
    let mut ticks = interval(RETENTION);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let kept = configured.borrow().config.store.retention_ms;
        let store = store.clone();
        let before = Clock::wall().minus(kept);
        let removed = tokio::task::spawn_blocking(move || remove(&store, before)).await;
        match removed {
            Ok(Ok(0)) => {}
            Ok(Ok(runs)) => tracing::info!(runs, "old runs removed"),
            Ok(Err(RetainError::Stopped)) => return,
            Ok(Err(error)) => tracing::error!(%error, "old runs were not removed"),
            Err(error) => tracing::error!(%error, "old runs were not removed"),
        }
    }
}

fn remove(store: &Store, before: realm_protocol::Timestamp) -> Result<usize, RetainError> {
    let mut all = 0;
    loop {
        match store.retain(before, BATCH)? {
            0 => return Ok(all),
            removed => all += removed,
        }
    }
}

/// What a new configuration is applied to.
pub(crate) struct Reload {
    /// Where the file is.
    pub(crate) home: Home,
    /// Variables that lie over it.
    pub(crate) environment: Vec<(String, String)>,
    /// The configuration in force.
    pub(crate) configured: watch::Sender<Arc<Configured>>,
    /// The log.
    pub(crate) level: LogLevel,
    /// The loop, for advertised addresses.
    pub(crate) handle: Handle,
}

impl Reload {
    /// Reads the configuration again at every SIGHUP; a bad file keeps the old one.
    pub(crate) async fn run(self, mut signal: Signal, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                received = signal.recv() => {
                    if received.is_none() {
                        return;
                    }
                }
            }
            self.reload().await;
        }
    }

    async fn reload(&self) {
        let read = match config::load(&self.home.config(), &self.environment) {
            Ok(read) => read,
            Err(error) => {
                let failure = crate::failure::Failure::from(error);
                tracing::error!(%failure, "the configuration stays as it was");
                return;
            }
        };
        let old = Arc::clone(&self.configured.borrow());
        let mut merged = (*old).clone();
        merged.config.log.level.clone_from(&read.config.log.level);
        merged.config.store.retention_ms = read.config.store.retention_ms;
        merged.config.advertise.clone_from(&read.config.advertise);
        for key in ["log.level", "store.retention", "advertise"] {
            if let Some(setting) = read.settings.get(key) {
                merged.settings.insert(key, setting.clone());
            }
        }
        if merged.config != read.config {
            tracing::warn!("some changes of the configuration need a restart");
        }
        self.apply(&merged.config).await;
        self.configured.send_replace(Arc::new(merged));
        tracing::info!("the configuration was read again");
    }

    async fn apply(&self, config: &Config) {
        self.level.set(&config.log.level);
        let advertised: Vec<Multiaddr> = config.advertise.clone();
        if self.handle.advertise(advertised).await.is_err() {
            tracing::debug!("the realm is stopping");
        }
    }
}
