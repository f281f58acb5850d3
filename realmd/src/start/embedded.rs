//! A realm inside another program: the loop and all it owns, without socket and signals.

use std::{panic::AssertUnwindSafe, path::Path, sync::Arc};

use futures::FutureExt as _;
use realm_backends::Backends;
use realm_node::{Request, Response};
use thiserror::Error;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{close_store, listen, open};
use crate::{
    clock::Clock,
    config,
    driver::{Driver, Ended, Inlets},
    failure::Failure,
    handle::{self, Handle},
    home::{Home, HomeLock, keys::HomeKeys, passphrase::Unlock, protect, sealed::Seal},
    logging,
    notices::Notices,
    secrets::{self, SecretReader},
};

/// Why an embedded realm does not run.
#[derive(Debug, Error)]
pub enum EmbedError {
    /// It did not start; the text is what the daemon would have printed.
    #[error("{0}")]
    Start(String),
    /// It has ended: the store failed, or the loop panicked.
    #[error("the embedded realm has ended")]
    Ended,
}

/// A realm that runs inside this program, on the tokio runtime that started it. Nobody but this
/// program can ask it for anything; other realms reach it as they reach any realm. It ends at
/// once when it is dropped, and in order by [`Embedded::stop`].
#[derive(Debug)]
pub struct Embedded {
    handle: Handle,
    stop: CancellationToken,
    running: JoinSet<bool>,
    /// Held until the realm has ended.
    _lock: HomeLock,
}

impl Embedded {
    /// Starts the realm in this home, which `realmd init` has made; logs as its configuration
    /// says, unless this program logs already.
    ///
    /// # Errors
    /// [`EmbedError::Start`].
    pub async fn start(home: &Path) -> Result<Self, EmbedError> {
        let begun = Self::begin(home).await;
        begun.map_err(|failure| EmbedError::Start(failure.to_string()))
    }

    /// Asks the realm for something, as its local API would, and waits for the answer.
    ///
    /// # Errors
    /// [`EmbedError::Ended`].
    pub async fn ask(&self, request: Request) -> Result<Response, EmbedError> {
        let asked = self.handle.ask(request).await;
        asked.map_err(|_| EmbedError::Ended)
    }

    /// Lets what is under way end, closes the links and the store.
    ///
    /// # Errors
    /// [`EmbedError::Ended`] if it had not ended in order.
    pub async fn stop(mut self) -> Result<(), EmbedError> {
        self.stop.cancel();
        match self.running.join_next().await {
            Some(Ok(true)) => Ok(()),
            _ => Err(EmbedError::Ended),
        }
    }

    async fn begin(dir: &Path) -> Result<Self, Failure> {
        let home = Home::new(dir);
        home.verify()?;
        let config = config::load(&home.config(), &[])?.config;
        logging::start(&config.log);
        let lock = HomeLock::acquire(&home)?;
        let keys = HomeKeys::read(&home, &Unlock::default())?;
        protect::settle(&home, &keys)?;
        let seal = Seal::of(&keys);
        let clock = Clock::start();
        let opened = open(&home, (&config, super::node_config(&config)), keys, clock)?;
        let (net, mut events) = opened.net;
        let first = listen::first(&net, &mut events, &config.listen).await?;
        let (handle, orders) = handle::channel();
        let stop = CancellationToken::new();
        let inlets = Inlets {
            orders,
            events,
            durability: opened.durability,
            stop: stop.clone(),
        };
        let backends = Arc::new(Backends::new());
        let secrets = SecretReader::new(&home, None, Some(seal));
        backends.set_models(secrets.models(&config));
        backends.set_servers(secrets.servers(&config));
        backends.set_secrets(secrets.named(&config));
        backends.set_rules(secrets::process_rules(&config));
        backends.set_opened(secrets::opened(&config));
        let driver = Driver::new(
            opened.node,
            clock,
            opened.store.clone(),
            net,
            backends,
            Notices::queue().0,
            (config.advertise, watch::Sender::new(first)),
        );
        let mut running = JoinSet::new();
        running.spawn(async move {
            let ended = AssertUnwindSafe(driver.run(inlets)).catch_unwind().await;
            close_store(opened.store).await;
            matches!(ended, Ok(Ended::Stopped))
        });
        Ok(Self {
            handle,
            stop,
            running,
            _lock: lock,
        })
    }
}
