//! Many children in this program, each a node with a net of its own and no store: what is
//! measured is the realm they are children of.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use realm_client::ticket;
use realm_crypto::{SigningKey, commit_to, incept};
use realm_net::{Counted, Event, Net, Outbox};
use realm_node::{
    Config, ControlId, DialId, Effect, Founding, Input, JoinAsked, Keys, LinkId, Node, Recovered,
    Request, Response,
};
use realm_protocol::{
    Now, Tick, Timestamp, limits,
    records::{NodeCert, Signed, Ticket, scopes},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::sleep_until,
};

use crate::realms::{Daemon, PAYLOAD};

/// Frames of one member waiting to be handled.
const FRAMES: usize = 256;
/// Members that join at once.
const JOINING: usize = 16;

/// The children; gone when dropped.
#[derive(Debug)]
pub(crate) struct Crowd {
    members: JoinSet<()>,
    swallowing: Arc<AtomicBool>,
    swallowed: Arc<AtomicUsize>,
}

impl Crowd {
    /// Has this many children of a realm join, named by their numbers from `first` on.
    pub(crate) async fn join(parent: &Daemon, first: usize, children: usize) -> Result<Self> {
        let mut crowd = Self {
            members: JoinSet::new(),
            swallowing: Arc::default(),
            swallowed: Arc::default(),
        };
        let mut joining = JoinSet::new();
        for number in first..first + children {
            let ticket = parent.invite(&format!("child-{number}")).await?;
            let ticket = ticket::decode(&ticket)?;
            let member = Member::new(number, &crowd)?;
            let (sender, joined) = oneshot::channel();
            crowd.members.spawn(member.run(ticket, sender));
            joining.spawn(joined);
            if joining.len() >= JOINING {
                joining.join_next().await.context("nobody joins")????;
            }
        }
        while let Some(joined) = joining.join_next().await {
            joined???;
        }
        Ok(crowd)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Has the children take every further frame that may hold a payload and do nothing with it,
    /// so that calls to them stay in flight.
    pub(crate) fn swallow(&self) {
        self.swallowing.store(true, Ordering::Relaxed);
    }

    /// Frames that were taken and not answered.
    pub(crate) fn swallowed(&self) -> usize {
        self.swallowed.load(Ordering::Relaxed)
    }
}

/// One child.
struct Member {
    node: Node,
    net: Net,
    events: mpsc::Receiver<Event>,
    started: Instant,
    outboxes: BTreeMap<LinkId, Outbox>,
    readers: JoinSet<()>,
    sender: mpsc::Sender<(LinkId, Option<bytes::Bytes>)>,
    frames: mpsc::Receiver<(LinkId, Option<bytes::Bytes>)>,
    back: Vec<Input>,
    joined: Option<oneshot::Sender<Result<()>>>,
    swallowing: Arc<AtomicBool>,
    swallowed: Arc<AtomicUsize>,
}

impl Member {
    fn new(number: usize, crowd: &Crowd) -> Result<Self> {
        let started = Instant::now();
        let now = now(started);
        let seed = |purpose: u8| {
            let mut seed = [purpose; 32];
            seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
            seed[8..16].copy_from_slice(&now.wall.as_millis().to_be_bytes());
            seed
        };
        let realm = SigningKey::from_seed(&seed(1));
        let node = SigningKey::from_seed(&seed(2));
        let next = commit_to(&SigningKey::from_seed(&seed(3)).public());
        let (id, inception) = incept(&realm, next, now.wall);
        let mut node_cert = Signed::unsigned(&NodeCert {
            serial: 1,
            realm: id,
            node: node.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: now.wall.minus(limits::CLOCK_SKEW_MS),
            not_after: now.wall.plus(limits::NODE_CERT_MS),
            epoch: 0,
        });
        realm.sign(&mut node_cert);
        let (net, events) = realm_net::start(realm_net::Config {
            seed: node.seed(),
            listen: Vec::new(),
            limits: realm_net::Limits::default(),
        })?;
        let config = Config {
            name: format!("member-{number}").parse()?,
            addresses: Vec::new(),
            max_calls: limits::CALLS,
            max_calls_per_peer: limits::CALLS,
            call_timeout_ms: limits::CALL_MS,
            child_rate: 250_000,
            peer_bytes: limits::PEER_BYTES,
            sessions: true,
            chains: limits::CHAINS,
            announce_rate: limits::ANNOUNCE_RATE,
            custody: realm_node::CustodyTerms::default(),
            halted: false,
            halted_from_above: realm_node::HaltedFromAbove::default(),
            redaction: realm_policy::Redaction::default(),
            budgets: realm_node::Budgets::default(),
            breakers: realm_executor::BreakerBounds::default(),
            tariffs: std::collections::BTreeMap::new(),
            secrets: realm_executor::SecretLoops::default(),
            prompt_bytes: realm_protocol::limits::PROMPT_BYTES,
            rates: Vec::new(),
            hear_names: std::collections::BTreeSet::new(),
        };
        let keys = Keys {
            realm: Some(realm),
            node,
        };
        let founding = Founding {
            inception,
            successions: Vec::new(),
            node_cert,
        };
        let (sender, frames) = mpsc::channel(FRAMES);
        Ok(Self {
            node: Node::new(config, keys, founding, Recovered::default(), seed(4), now),
            net,
            events,
            started,
            outboxes: BTreeMap::new(),
            readers: JoinSet::new(),
            sender,
            frames,
            back: Vec::new(),
            joined: None,
            swallowing: Arc::clone(&crowd.swallowing),
            swallowed: Arc::clone(&crowd.swallowed),
        })
    }

    async fn run(mut self, ticket: Ticket, joined: oneshot::Sender<Result<()>>) {
        self.joined = Some(joined);
        let asked = JoinAsked {
            ticket,
            petname: None,
            allow: vec!["*".to_owned()],
        };
        self.handle(Input::Control(ControlId(1), Request::Join(asked)));
        loop {
            let due = self.node.poll_timeout();
            let timer = async {
                match due {
                    Some(due) => {
                        let due = std::time::Duration::from_millis(due.as_millis());
                        sleep_until((self.started + due).into()).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = timer => {
                    self.node.handle_timeout(now(self.started));
                    self.perform();
                }
                frame = self.frames.recv() => match frame {
                    Some((link, Some(frame))) => self.take(link, frame),
                    Some((link, None)) => {
                        self.outboxes.remove(&link);
                        self.handle(Input::LinkDown(link));
                    }
                    None => return,
                },
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
            }
        }
    }

    fn take(&mut self, link: LinkId, frame: bytes::Bytes) {
        if frame.len() > PAYLOAD && self.swallowing.load(Ordering::Relaxed) {
            self.swallowed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.handle(Input::Received(link, frame.into()));
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Up {
                link,
                node,
                dialed,
                outbox,
                mut inbox,
                ..
            } => {
                let link = LinkId(link.0);
                self.outboxes.insert(link, outbox);
                let sender = self.sender.clone();
                self.readers.spawn(async move {
                    while let Some(frame) = inbox.recv().await {
                        if sender.send((link, Some(frame))).await.is_err() {
                            return;
                        }
                    }
                    let _ = sender.send((link, None)).await;
                });
                let dial = dialed.map(|dial| DialId(dial.0));
                self.handle(Input::LinkUp { link, node, dial });
            }
            Event::DialFailed { dial, error } => {
                self.handle(Input::DialFailed(DialId(dial.0), error.to_string()));
            }
            _ => {}
        }
    }

    fn handle(&mut self, input: Input) {
        self.node.handle(input, now(self.started));
        self.perform();
    }

    fn perform(&mut self) {
        loop {
            while let Some(effect) = self.node.poll_effect() {
                self.carry_out(effect);
            }
            let Some(input) = self.back.pop() else { return };
            self.node.handle(input, now(self.started));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(link, frame) => {
                if let Some(outbox) = self.outboxes.get(&link) {
                    // What does not fit is lost, as on any link.
                    let _ = outbox.try_send(frame.into());
                }
            }
            Effect::Dial {
                dial,
                node,
                addresses,
            } => {
                let addresses = addresses
                    .iter()
                    .filter_map(|text| text.parse().ok())
                    .collect();
                let id = realm_net::DialId(dial.0);
                if let Err(error) = self.net.dial(id, node, addresses) {
                    self.back.push(Input::DialFailed(dial, error.to_string()));
                }
            }
            Effect::Admit(link) => {
                let _ = self.net.admit(realm_net::LinkId(link.0), Counted::Known);
            }
            Effect::Close(link) => {
                let _ = self.net.close(realm_net::LinkId(link.0));
            }
            Effect::ReadRun(id, _, _) => self.back.push(Input::RunRead(id, None)),
            Effect::Grow(id, _, _) => self.back.push(Input::Grown(id, None)),
            Effect::Look(id, _, _) => self.back.push(Input::Looked(id, None)),
            Effect::Record(seq, _, _) => self.back.push(Input::Persisted(seq)),
            Effect::Part(..) => {}
            Effect::Respond(_, response) => {
                let result = match response {
                    Response::Joined(_) => Ok(()),
                    other => (|| bail!("a member did not join: {other:?}"))(),
                };
                if let Some(joined) = self.joined.take() {
                    let _ = joined.send(result);
                }
            }
            Effect::CallBackend(..) | Effect::CancelBackend(_) => {}
        }
    }
}

fn now(started: Instant) -> Now {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        wall: Timestamp::from_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        tick: Tick::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)),
    }
}
