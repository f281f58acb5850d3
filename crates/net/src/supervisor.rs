//! The task that owns the swarm, and what happens when it panics.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU8,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _};
use libp2p::{
    Multiaddr, Swarm,
    core::transport::{self, ListenerId},
    identity::Keypair,
    swarm::{self, SwarmEvent},
};
use realm_protocol::{NodeId, limits::ADDRESSES};
use tokio::{
    select,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    Counted, DialError, DialId, DownReason, Event, Limits, LinkId, ListenError, Turned,
    behaviour::Links,
    deadline::Deadline,
    transport::{TransportError, build},
};

/// First and longest wait before the swarm is started again after a panic.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Streams a peer may negotiate at once: its one lane, and one more to be refused by name.
const NEGOTIATING: usize = 2;

/// What the owner asks of the swarm's task.
#[derive(Debug)]
pub(crate) enum Command {
    /// Dial a node.
    Dial(DialId, NodeId, Vec<Multiaddr>),
    /// Dial a node at addresses that others claim.
    DialLearned(DialId, NodeId, Vec<Multiaddr>),
    /// Keep a link.
    Admit(LinkId, Counted),
    /// Close a link.
    Close(LinkId),
    /// Panic, as a bug in a dependency might.
    #[cfg(test)]
    Panic,
}

/// Owns the swarm and restarts it.
pub(crate) struct Supervisor {
    pub(crate) keypair: Keypair,
    pub(crate) node: NodeId,
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) stop: oneshot::Receiver<()>,
    pub(crate) addresses: watch::Sender<Vec<Multiaddr>>,
    pub(crate) turned: Turned,
    /// What the owner believes to be up and under way, should everything be lost at once.
    pub(crate) promised: Promised,
}

/// Links and dials whose end the owner has not been told.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    links: BTreeSet<LinkId>,
    dials: BTreeSet<DialId>,
}

impl Promised {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Up { link, dialed, .. } => {
                self.links.insert(*link);
                if let Some(dial) = dialed {
                    self.dials.remove(dial);
                }
            }
            Event::Down { link, .. } => {
                self.links.remove(link);
            }
            Event::DialFailed { dial, .. } => {
                self.dials.remove(dial);
            }
            Event::Listening(_) | Event::ListenFailed { .. } | Event::Restarted { .. } => {}
        }
    }

    /// Gives the events that end everything.
    fn break_all(&mut self) -> Vec<Event> {
        let links = std::mem::take(&mut self.links);
        let dials = std::mem::take(&mut self.dials);
        let downs = links.into_iter().map(|link| Event::Down {
            link,
            reason: DownReason::Restarted,
        });
        let failures = dials.into_iter().map(|dial| Event::DialFailed {
            dial,
            error: DialError::Stopping,
        });
        downs.chain(failures).collect()
    }
}

impl Supervisor {
    /// Runs the swarm until it is stopped or nobody listens to its events any more.
    pub(crate) async fn run(mut self, first: Swarm<Links>) {
        let mut swarm = Some(first);
        let mut backoff = BACKOFF.0;
        for times in 1.. {
            if let Some(swarm) = swarm.take()
                && AssertUnwindSafe(self.serve(swarm))
                    .catch_unwind()
                    .await
                    .is_ok()
            {
                return;
            }
            tracing::error!(times, "the network task panicked; starting it again");
            if !self.mourn(times).await || !self.rest(backoff).await {
                return;
            }
            backoff = backoff.saturating_mul(2).min(BACKOFF.1);
            swarm = self.build().ok();
        }
    }

    /// Makes a swarm. Fails only if the key cannot sign.
    pub(crate) fn build(&self) -> Result<Swarm<Links>, TransportError> {
        let transport = build(&self.keypair, &self.limits)?;
        let links = Links::new(self.node, Arc::clone(&self.limits), self.turned.clone());
        let all_addresses = u8::try_from(ADDRESSES)
            .ok()
            .and_then(NonZeroU8::new)
            .unwrap_or(NonZeroU8::MAX);
        let config = swarm::Config::with_tokio_executor()
            .with_dial_concurrency_factor(all_addresses)
            .with_idle_connection_timeout(self.limits.admission)
            .with_max_negotiating_inbound_streams(NEGOTIATING);
        let peer = self.keypair.public().to_peer_id();
        Ok(Swarm::new(transport, links, peer, config))
    }

    async fn serve(&mut self, mut swarm: Swarm<Links>) {
        let mut listeners = self.listen(&mut swarm).await;
        loop {
            let room = swarm.behaviour().has_room();
            // The swarm advances only when its event has a place to go. Commands are taken even
            // then, so an owner busy giving them cannot lock up with this task.
            let next = async {
                let permit = self.events.reserve().await.ok()?;
                Some((permit, swarm.select_next_some().await))
            };
            select! {
                biased;
                _ = &mut self.stop => break,
                Some(command) = self.commands.recv(), if room => {
                    if let Command::Dial(dial, ..) | Command::DialLearned(dial, ..) = &command {
                        self.promised.dials.insert(*dial);
                    }
                    apply(command, swarm.behaviour_mut());
                }
                next = next => {
                    let Some((permit, event)) = next else { break };
                    if let Some(event) = translate(event, &mut listeners) {
                        self.promised.note(&event);
                        permit.send(event);
                    }
                    self.publish_addresses(&swarm);
                }
            }
        }
        self.shut_down(swarm, listeners).await;
    }

    async fn listen(&mut self, swarm: &mut Swarm<Links>) -> BTreeMap<Order, Listener> {
        let mut listeners = BTreeMap::new();
        for (order, address) in self.listen.clone().into_iter().enumerate() {
            match swarm.listen_on(address.clone()) {
                Ok(id) => {
                    listeners.insert(order, Listener { id, address });
                }
                Err(error) => {
                    let error = listen_error(error);
                    // Without an owner there is nobody to tell; the loop will notice.
                    let _ = self
                        .events
                        .send(Event::ListenFailed { address, error })
                        .await;
                }
            }
        }
        listeners
    }

    fn publish_addresses(&self, swarm: &Swarm<Links>) {
        self.addresses.send_if_modified(|published| {
            let changed = !published.iter().eq(swarm.listeners());
            if changed {
                *published = swarm.listeners().cloned().collect();
            }
            changed
        });
    }

    /// Refuses what is new, closes what is open, and waits for it as long as closing may take.
    async fn shut_down(
        &mut self,
        mut swarm: Swarm<Links>,
        mut listeners: BTreeMap<Order, Listener>,
    ) {
        for listener in listeners.values() {
            swarm.remove_listener(listener.id);
        }
        swarm.behaviour_mut().stop();
        let mut grace = Deadline::after(self.limits.close.saturating_mul(2));
        while !swarm.behaviour().is_empty() {
            select! {
                biased;
                () = grace.wait() => break,
                event = swarm.select_next_some() => {
                    if let Some(event) = translate(event, &mut listeners) {
                        // The owner may be waiting for the stop and not for events.
                        let _ = self.events.try_send(event);
                    }
                }
            }
        }
    }

    /// Tells the owner of everything that was lost; false if there is no owner.
    async fn mourn(&mut self, times: u64) -> bool {
        let mut lost = self.promised.break_all();
        lost.push(Event::Restarted { times });
        for event in lost {
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Waits before the next start; false if it was stopped meanwhile.
    async fn rest(&mut self, time: Duration) -> bool {
        let mut deadline = Deadline::after(time);
        select! {
            biased;
            _ = &mut self.stop => false,
            () = deadline.wait() => true,
        }
    }
}

/// Place of an address in the configuration.
type Order = usize;

/// A listener and the address it was configured with.
struct Listener {
    id: ListenerId,
    address: Multiaddr,
}

fn apply(command: Command, links: &mut Links) {
    match command {
        Command::Dial(dial, node, addresses) => links.dial(dial, node, addresses),
        Command::DialLearned(dial, node, addresses) => links.dial_learned(dial, node, addresses),
        Command::Admit(link, counted) => links.admit(link, counted),
        Command::Close(link) => links.close(link),
        #[cfg(test)]
        Command::Panic => panic!("as asked"),
    }
}

fn translate(event: SwarmEvent<Event>, listeners: &mut BTreeMap<Order, Listener>) -> Option<Event> {
    match event {
        SwarmEvent::Behaviour(event) => Some(event),
        SwarmEvent::NewListenAddr { address, .. } => Some(Event::Listening(address)),
        SwarmEvent::ListenerClosed {
            listener_id,
            reason: Err(error),
            ..
        } => {
            let order = listeners
                .iter()
                .find(|(_, listener)| listener.id == listener_id)
                .map(|(order, _)| *order)?;
            let Listener { address, .. } = listeners.remove(&order)?;
            Some(Event::ListenFailed {
                address,
                error: error.into(),
            })
        }
        SwarmEvent::ListenerError { error, .. } => {
            tracing::warn!(%error, "listener");
            None
        }
        _ => None,
    }
}

fn listen_error(error: transport::TransportError<std::io::Error>) -> ListenError {
    match error {
        transport::TransportError::MultiaddrNotSupported(_) => ListenError::Unsupported,
        transport::TransportError::Other(error) => ListenError::Io(error),
    }
}

#[cfg(test)]
mod tests;
