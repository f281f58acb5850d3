//! What a daemon does beside its loop: forgetting what is old, and reading the configuration again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use realm_backends::Backends;
use realm_executor::Limit;
use realm_net::Multiaddr;
use realm_node::{Node, Note, Request};
use realm_protocol::{Now, Timestamp, limits};
use realm_store::{RetainError, Store};
use tokio::{
    signal::unix::Signal,
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::look_again,
    clock::Clock,
    config::{self, Config, Configured, Origin, Settings},
    containers::ContainerOwner,
    daemon::Daemon,
    handle::Handle,
    home::Home,
    logging::LogLevel,
    notices::Channels,
    people::{Member, People, Renewals, SignIns},
    secrets::{self, SecretReader},
    start::tariffs,
};

/// Time between looks for what is old.
const RETENTION: Duration = Duration::from_secs(60 * 60);
/// Runs or records removed in one write.
const BATCH: usize = 500;
/// Time between looks at those for whom something runs, and looks at once.
const MEMBERS: Duration = Duration::from_secs(20);
const LOOKS: usize = 8;
/// How far the clocks may part between two looks, milliseconds.
const JUMP_MS: u64 = 2 * 60 * 1_000;

/// Forgets runs past their retention and records that expired, now and every hour.
pub(crate) async fn forget_what_is_old(
    store: Store,
    clock: Clock,
    (configured, handle): (watch::Receiver<Arc<Configured>>, Handle),
    stop: CancellationToken,
) {
    let mut ticks = interval(RETENTION);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = clock.now();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = clock.now();
        if !agree(last, now) {
            tracing::warn!("the clock jumped; nothing is forgotten until it runs evenly");
            last = now;
            continue;
        }
        last = now;
        let kept = configured.borrow().config.store.retention_ms;
        let Ok(less) = handle.read(|node: &Node| node.limit(Limit::Kept)).await else {
            return;
        };
        let kept = less.map_or(kept, |less| less.min(kept));
        let store = store.clone();
        let removed = tokio::task::spawn_blocking(move || remove(&store, now.wall, kept)).await;
        match removed {
            Ok(Ok((0, 0))) => {}
            Ok(Ok((runs, records))) => {
                tracing::info!(runs, records, "what was old is removed");
                let (runs, kept_ms) = (runs as u64, kept);
                let note = Request::Note(Note::Removed { runs, kept_ms });
                if runs > 0 && handle.ask(note).await.is_err() {
                    return;
                }
            }
            Ok(Err(RetainError::Stopped)) => return,
            Ok(Err(error)) => tracing::error!(%error, "what is old was not removed"),
            Err(error) => tracing::error!(%error, "what is old was not removed"),
        }
    }
}

/// Reads again what those may do for whom something runs, so that it goes on no longer than they may: at the start
/// for what goes on from before it, and then often enough that what is known stays fresh.
pub(crate) async fn look_after_members(daemon: Arc<Daemon>, stop: CancellationToken) {
    let mut ticks = interval(MEMBERS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut people = daemon.people.clone();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            // Other groups, or another directory.
            Ok(()) = people.changed() => {}
        }
        let Ok(names) = daemon.handle.read(Node::members_at_work).await else {
            return;
        };
        let mut looks = JoinSet::new();
        for member in names.iter().filter_map(|name| Member::named(name)) {
            let daemon = Arc::clone(&daemon);
            looks.spawn(async move { look_again(&daemon, &member).await });
            while looks.len() >= LOOKS && looks.join_next().await.is_some() {}
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = looks.join_all() => {}
        }
    }
}

/// Whether both clocks went on by the same time. What is removed by a clock that stands too far
/// ahead would be gone for good.
fn agree(earlier: Now, later: Now) -> bool {
    let expected = earlier.wall.plus(later.tick.since(earlier.tick));
    expected.as_millis().abs_diff(later.wall.as_millis()) <= JUMP_MS
}

/// Removes runs that ended before they are kept for, and records that expired; gives how many.
fn remove(store: &Store, now: Timestamp, kept: u64) -> Result<(usize, usize), RetainError> {
    let runs = drain(|| store.retain(now.minus(kept), BATCH))?;
    let records = drain(|| store.sweep(now, BATCH))?;
    if let Some(cut) = store.audit_cut(limits::AUDIT_ENTRIES)? {
        drain(|| store.cut_audit(cut))?;
    }
    Ok((runs, records))
}

/// Repeats until nothing is left.
fn drain(batch: impl Fn() -> Result<usize, RetainError>) -> Result<usize, RetainError> {
    let mut all = 0;
    loop {
        match batch()? {
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
    /// Where the keys of backends are.
    pub(crate) secrets: SecretReader,
    /// Whose containers run.
    pub(crate) containers: ContainerOwner,
    /// The backends.
    pub(crate) backends: Arc<Backends>,
    /// What people of a provider have left: it outlives the configuration.
    pub(crate) renewals: Arc<Renewals>,
    /// Who may do what.
    pub(crate) people: watch::Sender<Arc<People>>,
    /// Who has signed in.
    pub(crate) sign_ins: Arc<SignIns>,
    /// Who is told of what waits for people.
    pub(crate) channels: watch::Sender<Arc<Channels>>,
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
                self.note(Err(failure.to_string())).await;
                return;
            }
        };
        let old = Arc::clone(&self.configured.borrow());
        let mut merged = (*old).clone();
        merged.config.log.level.clone_from(&read.config.log.level);
        merged.config.store.retention_ms = read.config.store.retention_ms;
        merged.config.advertise.clone_from(&read.config.advertise);
        merged.config.backends.clone_from(&read.config.backends);
        merged.config.mcp.clone_from(&read.config.mcp);
        merged.config.prices.clone_from(&read.config.prices);
        merged.config.secrets.clone_from(&read.config.secrets);
        let secret_loops = &read.config.secret_loops;
        merged.config.secret_loops.clone_from(secret_loops);
        merged.config.processes.clone_from(&read.config.processes);
        merged.config.opened.clone_from(&read.config.opened);
        merged.config.containers.clone_from(&read.config.containers);
        merged.config.people.clone_from(&read.config.people);
        merged.config.agents.clone_from(&read.config.agents);
        merged.config.ldap.clone_from(&read.config.ldap);
        merged.config.oidc.clone_from(&read.config.oidc);
        merged.config.groups.clone_from(&read.config.groups);
        merged.config.notify.clone_from(&read.config.notify);
        merged.config.rates.clone_from(&read.config.rates);
        merged.settings.retain(|key, _| !config::reloads(key));
        let read_again = read.settings.iter().filter(|(key, _)| config::reloads(key));
        let read_again = read_again.map(|(key, setting)| (key.clone(), setting.clone()));
        merged.settings.extend(read_again);
        if merged.config != read.config {
            tracing::warn!("some changes of the configuration need a restart");
        }
        self.backends
            .set_models(self.secrets.models(&merged.config));
        self.backends
            .set_servers(self.secrets.servers(&merged.config));
        self.backends
            .set_secrets(self.secrets.named(&merged.config));
        self.backends
            .set_rules(secrets::process_rules(&merged.config));
        self.backends.set_opened(secrets::opened(&merged.config));
        self.backends
            .set_containers(self.containers.rules(&merged.config));
        let people = People::of(&merged.config, &self.secrets, &self.renewals);
        // What directories said was by the groups of before.
        let forgotten = self.handle.ask(Request::ForgetMembers).await;
        self.people.send_replace(Arc::new(people));
        for from in moved(&old.config, &merged.config) {
            self.sign_ins.end_of(from);
            if from == Origin::Oidc {
                self.renewals.end(|_| true);
            }
        }
        self.renewals.write().await;
        if forgotten.is_err() {
            return;
        }
        let channels = Channels::of(&merged.config, &self.secrets);
        self.channels.send_replace(Arc::new(channels));
        self.apply(&merged.config).await;
        self.note(Ok(changed(&old.settings, &merged.settings)))
            .await;
        self.configured.send_replace(Arc::new(merged));
        tracing::info!("the configuration was read again");
    }

    /// Writes down what came of reading it.
    async fn note(&self, read: Result<Vec<String>, String>) {
        let noted = self.handle.ask(Request::Note(Note::Configured(read))).await;
        if noted.is_err() {
            tracing::debug!("the realm is stopping");
        }
    }

    async fn apply(&self, config: &Config) {
        self.level.set(&config.log.level);
        let advertised: Vec<Multiaddr> = config.advertise.clone();
        let handle = &self.handle;
        let told = async {
            handle.tariffs(tariffs(config)).await?;
            handle.secrets(config.secret_loops.clone()).await?;
            handle.rates(config.rates.clone()).await?;
            handle.hear_names(config.hear_names.clone()).await?;
            handle.advertise(advertised).await
        };
        if told.await.is_err() {
            tracing::debug!("the realm is stopping");
        }
    }
}

/// The names of the keys that are others in the second.
fn changed(before: &Settings, after: &Settings) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    // The same value may stand in another line.
    let value = |of: &Settings, name: &str| of.get(name).map(|it| it.value.clone());
    let others = names.into_iter();
    let others = others.filter(|name| value(before, name) != value(after, name));
    others.cloned().collect()
}

/// The places that people come from which are others now, so that a name there may be somebody else's.
fn moved(old: &Config, new: &Config) -> Vec<Origin> {
    let ldap = |config: &Config| {
        config
            .ldap
            .as_ref()
            .map(|it| (it.url.clone(), it.base.clone()))
    };
    let oidc = |config: &Config| {
        let oidc = config.oidc.as_ref();
        oidc.map(|it| (it.issuer.clone(), it.client.clone(), it.name.clone()))
    };
    let mut moved = Vec::new();
    if ldap(old) != ldap(new) {
        moved.push(Origin::Ldap);
    }
    if oidc(old) != oidc(new) {
        moved.push(Origin::Oidc);
    }
    moved
}

#[cfg(test)]
mod tests {
    use realm_protocol::Tick;

    use super::*;

    #[test]
    fn clocks_agree_unless_the_wall_clock_jumped_by_more_than_two_minutes() {
        let at = |wall, tick| Now {
            wall: Timestamp::from_millis(wall),
            tick: Tick::from_millis(tick),
        };
        let hour = 60 * 60 * 1_000;
        let start = at(10 * hour, 0);

        assert!(agree(start, at(11 * hour, hour)));
        assert!(agree(start, at(11 * hour + JUMP_MS, hour)));
        assert!(!agree(start, at(11 * hour + JUMP_MS + 1, hour)));
        assert!(!agree(start, at(9 * hour, hour)));
    }
}
