//! Bringing a realm up, and down again.

mod banner;
mod dev;
mod embedded;
mod error;
mod listen;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use realm_backends::{Backends, Launcher};
use realm_client::Exit;
use realm_crypto::StoreKey;
use realm_executor::Tariff;
use realm_net::Net;
use realm_node::{Founding, Keys, Node};
use realm_policy::Redaction;
use realm_protocol::journal::Table;
use realm_store::Store;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{self, Gate},
    clock::Clock,
    config::{self, Config, Configured, LimitsConfig, TracesConfig},
    containers::ContainerOwner,
    daemon::Daemon,
    driver::{Driver, Ended, Inlets, STOP},
    environment::Environment,
    failure::Failure,
    handle::{self, Handle},
    home::{Home, HomeLock, keys::HomeKeys, passphrase::Unlock, protect, sealed::Seal},
    journal::{self, Durability},
    logging::{self, LogLevel},
    notices::{self, Channels, Notices},
    notify::Notify,
    people::{self, Devices, People, Renewals, SignIns},
    random, recover,
    secrets::{self, SecretReader},
    serve,
    token::Token,
    upkeep::{self, Reload},
};
pub(crate) use dev::run_dev;
pub use embedded::{EmbedError, Embedded};
use error::StartError;

/// This program, though its file may have been replaced since.
const PROGRAM: &str = "/proc/self/exe";
/// Threads that wait for the disk, at most.
const BLOCKING: usize = 16;
/// Longest wait for containers to be gone when a realm stops.
const CLEARED: Duration = Duration::from_secs(10);

/// Runs the realm in this home until it is told to stop.
///
/// # Errors
/// Why it did not start, or why it ended before its time.
pub(crate) fn run(
    dir: &Path,
    environment: &Environment,
    unlock: &Unlock,
    halted: bool,
) -> Result<Exit, Failure> {
    run_with(dir, environment, unlock, (None, halted))
}

/// As [`run`]; `loops` are registered once the realm serves, where everything stands still if `halted`.
fn run_with(
    dir: &Path,
    environment: &Environment,
    unlock: &Unlock,
    (loops, halted): (Option<&'static str>, bool),
) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let configured = config::load(&home.config(), &environment.settings)?;
    let level = logging::start(&configured.config.log);
    let lock = HomeLock::acquire(&home)?;
    lock.remove_stale_socket(&home)?;
    let keys = HomeKeys::read(&home, unlock)?;
    protect::settle(&home, &keys)?;
    // One thread runs the loop and the links: a frame is handled where it was read.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(BLOCKING)
        .thread_name("realmd")
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let starting = Starting {
        home,
        keys,
        configured,
        level,
        environment: environment.settings.clone(),
        credentials: environment.credentials.clone(),
        notify: Notify::new(environment.notify_socket.clone()),
        loops,
        halted,
    };
    let ended = runtime.block_on(starting.run());
    // Blocking reads that nobody waits for any more.
    runtime.shutdown_background();
    drop(lock);
    ended
}

/// The local API over TCP, where that is wanted.
async fn over_tcp(
    home: &Home,
    address: Option<SocketAddr>,
    people: watch::Receiver<Arc<People>>,
    signed_in: (Arc<SignIns>, Clock),
) -> Result<Option<(TcpListener, Gate)>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    let taken = |source| StartError::Http { address, source };
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    let bound = listener.local_addr().map_err(taken)?;
    let token = Token::of_home(home).map_err(StartError::Token)?;
    let file = Token::path(home);
    tracing::info!(address = %bound, token = %file.display(), "the local API listens on TCP too");
    Ok(Some((
        listener,
        Gate::new(bound.port(), token, people, signed_in),
    )))
}

/// A realm that is about to run.
struct Starting {
    home: Home,
    keys: HomeKeys,
    configured: Configured,
    level: LogLevel,
    environment: Vec<(String, String)>,
    credentials: Option<PathBuf>,
    notify: Notify,
    loops: Option<&'static str>,
    halted: bool,
}

impl Starting {
    async fn run(self) -> Result<Exit, Failure> {
        let clock = Clock::start();
        let realm = self.keys.realm_id().to_string();
        let containers = ContainerOwner::begin(realm).map_err(StartError::Randomness)?;
        let signals = Signals::new().map_err(StartError::Signals)?;
        let mut config = node_config(&self.configured.config);
        config.halted = self.halted;
        let seal = Seal::of(&self.keys);
        let opened = open(
            &self.home,
            (&self.configured.config, config),
            self.keys,
            clock,
        )?;
        let (net, mut events) = opened.net;
        let first = listen::first(&net, &mut events, &self.configured.config.listen).await?;
        let socket = serve::bind(&self.home.socket()).map_err(|source| StartError::Socket {
            path: self.home.socket(),
            source,
        })?;
        let secrets = SecretReader::new(&self.home, self.credentials, Some(seal));
        let (handle, orders) = handle::channel();
        let (renewals, writer) = Renewals::written_by(handle.clone(), clock);
        let known = People::of(&self.configured.config, &secrets, &renewals);
        let (people, known) = watch::channel(Arc::new(known));
        let sign_ins = Arc::new(SignIns::default());
        if let Some(oidc) = &self.configured.config.oidc {
            let rows = opened.store.records(Table::SignIns);
            let rows = rows.map_err(StartError::Recover)?.into_iter();
            renewals.recover(rows.map(|(_, row)| row), (oidc, &sign_ins), clock.now());
        }
        let channels = Channels::of(&self.configured.config, &secrets);
        let (channels, told) = watch::channel(Arc::new(channels));
        let http = over_tcp(
            &self.home,
            self.configured.config.http,
            known.clone(),
            (Arc::clone(&sign_ins), clock),
        )
        .await?;
        banner::print(&self.home, &self.configured.config, &opened.node, &first);
        let (listening, listened) = watch::channel(first);
        let (configured, in_force) = watch::channel(Arc::new(self.configured));
        let advertised = in_force.borrow().config.advertise.clone();
        let turned = net.turned();
        let launcher = Launcher::new(PROGRAM).closing(self.home.dir());
        let backends = Arc::new(Backends::launched_by(launcher));
        backends.set_models(secrets.models(&in_force.borrow().config));
        backends.set_servers(secrets.servers(&in_force.borrow().config));
        backends.set_secrets(secrets.named(&in_force.borrow().config));
        backends.set_rules(secrets::process_rules(&in_force.borrow().config));
        backends.set_opened(secrets::opened(&in_force.borrow().config));
        backends.set_containers(containers.rules(&in_force.borrow().config));
        let (notices, waiting) = Notices::queue();
        let driver = Driver::new(
            opened.node,
            clock,
            opened.store.clone(),
            net,
            Arc::clone(&backends),
            notices.clone(),
            (advertised, listening),
        );
        let sessions = TaskTracker::new();
        let stop = CancellationToken::new();
        let closed = CancellationToken::new();
        let daemon = Arc::new(Daemon {
            handle: handle.clone(),
            store: opened.store.clone(),
            durability: opened.durability.clone(),
            listening: listened,
            turned,
            configured: in_force.clone(),
            people: known.clone(),
            sign_ins: Arc::clone(&sign_ins),
            renewals: Arc::clone(&renewals),
            devices: Devices::default(),
            backends: Arc::clone(&backends),
            home: self.home.clone(),
            clock,
            environment: self.environment.clone(),
            answers: api::Answers::default(),
            sessions: sessions.clone(),
            started: clock.now().wall,
            stop: closed.clone(),
        });
        let inlets = Inlets {
            orders,
            events,
            durability: opened.durability,
            stop: stop.clone(),
        };
        let Signals { end, hangup } = signals;
        let mut tasks = Tasks::new(closed, sessions);
        if let Some((listener, gate)) = http {
            tasks.http(listener, gate, Arc::clone(&daemon));
        }
        tasks.members(Arc::clone(&daemon));
        tasks.renewals(writer);
        tasks.api(serve::Socket::new(socket, known), daemon);
        if in_force.borrow().config.containers.socket.is_some() {
            tasks.sweep(Arc::clone(&backends));
        }
        tasks.retention(opened.store.clone(), clock, (in_force, handle.clone()));
        tasks.notices(notices::Sender {
            notices,
            waiting,
            channels: told,
            backends: Arc::clone(&backends),
            handle: handle.clone(),
        });
        let reload = Reload {
            home: self.home.clone(),
            environment: self.environment,
            configured,
            secrets,
            containers,
            backends: Arc::clone(&backends),
            renewals,
            people,
            sign_ins,
            channels,
            level: self.level,
            handle: handle.clone(),
        };
        tasks.reload(reload, hangup);
        tasks.end(end, stop, self.notify.clone());
        tasks.welcome(handle, self.notify, self.loops);
        let ended = AssertUnwindSafe(driver.run(inlets)).catch_unwind().await;
        tasks.close().await;
        if timeout(CLEARED, backends.cleared()).await.is_err() {
            tracing::warn!("containers are left for the next start to remove");
        }
        close_store(opened.store).await;
        // Gone already if somebody tidied up; whoever starts next removes it otherwise.
        let _ = std::fs::remove_file(self.home.socket());
        match ended {
            Ok(Ended::Stopped) => {
                tracing::info!("stopped");
                Ok(Exit::Ok)
            }
            Ok(Ended::StoreFailed(error)) => Err(StartError::StoreFailed(error).into()),
            Err(_) => {
                tracing::error!("the loop that owns the realm panicked");
                Err(StartError::Panicked.into())
            }
        }
    }
}

/// Opens the store and the net, and takes the node up where the store left it.
fn open(
    home: &Home,
    (config, node_config): (&Config, realm_node::Config),
    keys: HomeKeys,
    clock: Clock,
) -> Result<Opened, Failure> {
    let (sender, durability) = watch::channel(Durability::default());
    let options = realm_store::Options {
        cache_bytes: config.store.cache_bytes,
        engine: config.store.engine,
        ..realm_store::Options::new(keys.realm_id(), StoreKey::from_bytes(*keys.store))
    };
    let acknowledge = move |ack| journal::acknowledge(ack, &sender);
    let store =
        Store::open(&home.data(), options, acknowledge).map_err(|source| StartError::Store {
            dir: home.data(),
            source,
        })?;
    let recovered = recover::recover(&store).map_err(StartError::Recover)?;
    let HomeKeys {
        realm,
        node,
        store: _,
        wrapping: _,
        identity,
    } = keys;
    let founding = Founding {
        inception: identity.inception,
        successions: identity.successions,
        node_cert: identity.node_cert,
    };
    if realm_node::is_superseded(&founding, &recovered) {
        return Err(StartError::Superseded { dir: home.keys() }.into());
    }
    listen::refuse_taken(&config.listen)?;
    let net = realm_net::start(realm_net::Config {
        seed: node.seed(),
        listen: config.listen.clone(),
        limits: net_limits(&config.limits),
    })
    .map_err(StartError::Net)?;
    let seed = random::seed().map_err(StartError::Randomness)?;
    let keys = Keys { realm, node };
    let node = Node::new(node_config, keys, founding, recovered, *seed, clock.now());
    Ok(Opened {
        node,
        store,
        durability,
        net,
    })
}

/// What a realm runs on.
struct Opened {
    node: Node,
    store: Store,
    durability: watch::Receiver<Durability>,
    net: (Net, mpsc::Receiver<realm_net::Event>),
}

/// The bounds of the net that an operator may set; the others are the net's own.
pub(crate) fn net_limits(limits: &LimitsConfig) -> realm_net::Limits {
    realm_net::Limits {
        pending: limits.pending,
        uncertified: limits.connections,
        strangers: limits.strangers,
        per_node: limits.per_node,
        unadmitted_per_address: limits.unadmitted_per_address,
        handshakes: u32::try_from(limits.handshakes).unwrap_or(u32::MAX),
        memory: Some(limits.max_memory),
        admission: Duration::from_millis(limits.admission_ms),
        ..realm_net::Limits::default()
    }
}

fn node_config(config: &Config) -> realm_node::Config {
    realm_node::Config {
        name: config.name.clone(),
        addresses: Vec::new(),
        max_calls: config.limits.max_calls,
        max_calls_per_peer: config.limits.max_calls_per_peer,
        call_timeout_ms: config.limits.call_timeout_ms,
        child_rate: config.limits.child_rate as u64,
        peer_bytes: config.limits.peer_bytes as u64,
        sessions: true,
        chains: realm_protocol::limits::CHAINS,
        announce_rate: config.limits.announce_rate as u64,
        custody: realm_node::CustodyTerms {
            ask: config.custody.ask,
            keep_for_children: config.custody.keep_for_children,
            keep_ms: config.custody.keep_ms,
        },
        halted: false,
        halted_from_above: match config.halted_from_above {
            true => realm_node::HaltedFromAbove::All,
            false => realm_node::HaltedFromAbove::Tree,
        },
        redaction: redaction(&config.traces),
        budgets: config.budgets,
        breakers: config.breakers,
        tariffs: tariffs(config),
        secrets: config.secret_loops.clone(),
        prompt_bytes: config.prompt_bytes,
        rates: config.rates.clone(),
        hear_names: config.hear_names.clone(),
    }
}

/// What the model backends cost, for the budgets of runs.
pub(crate) fn tariffs(config: &Config) -> BTreeMap<String, Tariff> {
    let backends = config.backends.iter();
    let tariffs = backends.map(|(id, backend)| {
        let tariff = Tariff {
            max_tokens: backend.max_tokens,
            model: backend.model.clone(),
            price: backend.price,
            prices: config.prices.clone(),
        };
        (id.clone(), tariff)
    });
    tariffs.collect()
}

/// The rules were checked when they were read; if they do not hold now, everything is taken out.
fn redaction(config: &TracesConfig) -> Redaction {
    let TracesConfig {
        redact,
        redact_patterns,
    } = config;
    let everything = |_| Redaction::new(&["$"], &[]).unwrap_or_default();
    Redaction::new(redact, redact_patterns).unwrap_or_else(everything)
}

/// The signals a daemon listens to.
struct Signals {
    end: [Signal; 2],
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            end: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
            ],
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// The tasks beside the loop. All of them end with `closed`.
struct Tasks {
    set: JoinSet<()>,
    /// Those that requests have begun.
    sessions: TaskTracker,
    closed: CancellationToken,
}

impl Tasks {
    fn new(closed: CancellationToken, sessions: TaskTracker) -> Self {
        Self {
            set: JoinSet::new(),
            sessions,
            closed,
        }
    }

    fn http(&mut self, listener: TcpListener, gate: Gate, daemon: Arc<Daemon>) {
        let router = api::guarded(daemon, gate);
        self.set
            .spawn(serve::serve(listener, router, self.closed.clone()));
    }

    fn api(&mut self, socket: serve::Socket, daemon: Arc<Daemon>) {
        let router = api::router(daemon);
        self.set
            .spawn(serve::serve(socket, router, self.closed.clone()));
    }

    fn notices(&mut self, sender: notices::Sender) {
        self.set.spawn(sender.run(self.closed.clone()));
    }

    /// Keeps what directories say of people fresh for whom something runs.
    fn members(&mut self, daemon: Arc<Daemon>) {
        self.set
            .spawn(upkeep::look_after_members(daemon, self.closed.clone()));
    }

    /// Writes down what people of a provider have left.
    fn renewals(&mut self, writer: people::Writer) {
        self.set.spawn(writer.run(self.closed.clone()));
    }

    fn retention(
        &mut self,
        store: Store,
        clock: Clock,
        configured: (watch::Receiver<Arc<Configured>>, Handle),
    ) {
        self.set.spawn(upkeep::forget_what_is_old(
            store,
            clock,
            configured,
            self.closed.clone(),
        ));
    }

    fn reload(&mut self, reload: Reload, hangup: Signal) {
        self.set.spawn(reload.run(hangup, self.closed.clone()));
    }

    /// Removes the containers that an earlier daemon left behind.
    fn sweep(&mut self, backends: Arc<Backends>) {
        self.set.spawn(async move {
            if let Err(reason) = backends.sweep().await {
                tracing::warn!(%reason, "no containers run");
            }
        });
    }

    /// Stops the realm at the first signal, and the process at the second.
    fn end(&mut self, signals: [Signal; 2], stop: CancellationToken, notify: Notify) {
        let closed = self.closed.clone();
        self.set.spawn(async move {
            let [mut terminate, mut interrupt] = signals;
            for first in [true, false] {
                tokio::select! {
                    biased;
                    () = closed.cancelled() => return,
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if first {
                    tracing::info!("stopping; a second signal stops at once");
                    notify.stopping();
                    stop.cancel();
                } else {
                    tracing::warn!("stopped at once");
                    std::process::exit(Exit::Interrupted.code().into());
                }
            }
        });
    }

    /// Says that the realm serves, once the loop answers.
    fn welcome(&mut self, handle: Handle, notify: Notify, loops: Option<&'static str>) {
        self.set.spawn(async move {
            if let Some(text) = loops {
                dev::register(&handle, text).await;
            }
            if handle.read(|_| ()).await.is_ok() {
                notify.ready();
            }
        });
    }

    async fn close(mut self) {
        self.closed.cancel();
        self.sessions.close();
        let end = async {
            while self.set.join_next().await.is_some() {}
            self.sessions.wait().await;
        };
        if tokio::time::timeout(STOP, end).await.is_err() {
            tracing::warn!("a task did not end in time");
        }
    }
}

/// Writes what is queued; waits for the disk on a thread that may.
async fn close_store(store: Store) {
    if tokio::task::spawn_blocking(move || store.stop())
        .await
        .is_err()
    {
        tracing::error!("the store did not close");
    }
}
