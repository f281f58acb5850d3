//! The one loop that owns the node: inputs in, effects out, never waiting for an effect.

mod backends;
mod control;
mod links;
mod streams;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use realm_backends::{Backends, Pure};
use realm_net::{Event, Multiaddr, Net};
use realm_node::{ControlId, Effect, Input, Node};
use realm_protocol::{Tick, journal::JournalSeq};
use realm_store::Store;
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

use crate::{
    addresses,
    clock::Clock,
    handle::{Order, Orders},
    journal::{Durability, Journal, with_causes},
    notices::Notices,
};
use backends::{BackendCalls, Done, Heard};
use control::Asked;
use links::{Inbound, Links};
use streams::Streams;

/// Inputs of one kind handled before the others have their turn.
const TURN: usize = 64;
/// Inputs whose effects are carried out together. More would save little, and realms that talk
/// would wait for each other instead of working at the same time.
const TOGETHER: usize = 16;
/// How long work under way may go on once the realm stops.
const GRACE_MS: u64 = 10_000;

/// What comes from outside the loop.
pub(crate) struct Inlets {
    /// Requests from the local API.
    pub(crate) orders: Orders,
    /// What happens on the network.
    pub(crate) events: mpsc::Receiver<Event>,
    /// How far the journal is durable.
    pub(crate) durability: watch::Receiver<Durability>,
    /// Cancelled when the realm is to stop.
    pub(crate) stop: CancellationToken,
}

/// Why the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to, and everything promised was kept.
    Stopped,
    /// The store failed.
    StoreFailed(Arc<str>),
}

/// The owner of a node and of everything that carries its effects out.
pub(crate) struct Driver {
    node: Node,
    clock: Clock,
    journal: Journal,
    net: Net,
    links: Links,
    backends: BackendCalls,
    asked: Asked,
    streams: Streams,
    notices: Notices,
    advertised: Vec<Multiaddr>,
    listening: watch::Sender<Vec<Multiaddr>>,
    /// Inputs since effects were last carried out.
    handled: usize,
    /// What effects gave back at once.
    returned: VecDeque<Input>,
    /// Answers of work that needs nobody else. They have their turn as all inputs do: a run of a
    /// hundred thousand such steps would leave no time for anything else, and no room.
    worked: VecDeque<Done>,
    durable: JournalSeq,
    failed: Option<Arc<str>>,
    /// When the loop ends even though work is under way.
    deadline: Option<Tick>,
}

/// What woke the loop.
enum Wake {
    Stop,
    Timer,
    Order(Order),
    Durability,
    Heard(Heard),
    /// Whoever looked at a call has gone.
    Left(ControlId),
    Inbound(Inbound),
    Event(Event),
    /// Work that needs nobody else has been done.
    Worked,
    /// Whoever held the other end is gone.
    Gone,
}

impl Driver {
    /// Takes the node and what its effects need. `advertised` addresses stand first in tickets;
    /// `listening` hears of the others.
    pub(crate) fn new(
        node: Node,
        clock: Clock,
        store: Store,
        net: Net,
        backends: Arc<Backends>,
        notices: Notices,
        (advertised, listening): (Vec<Multiaddr>, watch::Sender<Vec<Multiaddr>>),
    ) -> Self {
        Self {
            node,
            clock,
            journal: Journal::new(store),
            net,
            links: Links::new(),
            backends: BackendCalls::new(backends),
            asked: Asked::default(),
            streams: Streams::default(),
            notices,
            advertised,
            listening,
            handled: 0,
            returned: VecDeque::new(),
            worked: VecDeque::new(),
            durable: JournalSeq(0),
            failed: None,
            deadline: None,
        }
    }

    /// Runs until it is stopped or the store fails; then closes the links.
    pub(crate) async fn run(mut self, mut inlets: Inlets) -> Ended {
        self.publish_addresses();
        self.perform();
        while !self.is_over() {
            let wake = self.wait(&mut inlets).await;
            self.take(wake, &inlets);
            self.drain(&mut inlets);
            self.perform();
        }
        if self.failed.is_some() {
            self.asked.store_failed(&self.node);
        } else if tokio::time::timeout(STOP, self.hand_over(&mut inlets.durability))
            .await
            .is_err()
        {
            tracing::error!("the store took too long: the ends of some traces are lost");
        }
        let Self { net, failed, .. } = self;
        net.stop().await;
        failed.map_or(Ended::Stopped, Ended::StoreFailed)
    }

    /// Gives the store what it has not been given yet.
    async fn hand_over(&mut self, durability: &mut watch::Receiver<Durability>) {
        self.journal.flush();
        while !self.journal.is_empty() && durability.changed().await.is_ok() {
            self.journal.flush();
        }
    }

    /// Waits for the next thing to happen. Nothing new is taken while the store does not keep up, but for
    /// what stops work.
    async fn wait(&mut self, inlets: &mut Inlets) -> Wake {
        let Inlets {
            orders,
            events,
            durability,
            stop,
        } = inlets;
        let open = self.journal.keeps_up();
        if let Ok(order) = orders.urgent.try_recv() {
            return Wake::Order(order);
        }
        if open && !self.worked.is_empty() {
            // Whoever else runs on this thread has its turn, too.
            tokio::task::yield_now().await;
            let stops = stop.is_cancelled() && self.deadline.is_none();
            return if stops { Wake::Stop } else { Wake::Worked };
        }
        let due = self.due().into_iter().chain(self.deadline).min();
        let due = due.map(|tick| self.clock.instant(tick).into());
        let timer = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled(), if self.deadline.is_none() => Wake::Stop,
            order = orders.urgent.recv() => order.map_or(Wake::Gone, Wake::Order),
            () = timer => Wake::Timer,
            order = orders.usual.recv(), if open => order.map_or(Wake::Gone, Wake::Order),
            changed = durability.changed() => changed.map_or(Wake::Gone, |()| Wake::Durability),
            heard = self.backends.next() => Wake::Heard(heard),
            id = self.streams.gone() => Wake::Left(id),
            inbound = self.links.next(), if open => Wake::Inbound(inbound),
            event = events.recv(), if open => event.map_or(Wake::Gone, Wake::Event),
        }
    }

    fn take(&mut self, wake: Wake, inlets: &Inlets) {
        match wake {
            Wake::Stop => self.begin_stop(),
            Wake::Timer => self.handle_timeout(),
            Wake::Order(order) => self.handle_order(order),
            Wake::Durability => self.handle_durability(&inlets.durability),
            Wake::Heard(heard) => self.handle_heard(heard),
            Wake::Left(id) => self.handle(Input::Gone(id)),
            Wake::Inbound(inbound) => self.handle_inbound(inbound),
            Wake::Event(event) => self.handle_event(event),
            // Effects are carried out after every turn, and what they gave with them.
            Wake::Worked => {}
            Wake::Gone => {
                tracing::error!("a part of the daemon ended before its time");
                self.begin_stop();
            }
        }
    }

    /// Takes what stops work. It waits for no queue that work waits in, and for no disk.
    fn heed_urgent(&mut self, inlets: &mut Inlets) {
        for _ in 0..TURN {
            let Ok(order) = inlets.orders.urgent.try_recv() else {
                return;
            };
            self.handle_order(order);
        }
    }

    /// Gives every kind of input a turn.
    fn drain(&mut self, inlets: &mut Inlets) {
        self.heed_urgent(inlets);
        if self.due().is_some_and(|due| due <= self.clock.now().tick) {
            self.handle_timeout();
        }
        for _ in 0..TURN {
            let Some(order) = self.open(|| inlets.orders.usual.try_recv().ok()) else {
                break;
            };
            self.handle_order(order);
        }
        self.heed_urgent(inlets);
        if inlets.durability.has_changed().unwrap_or(false) {
            self.handle_durability(&inlets.durability);
        }
        for _ in 0..TURN {
            let Some(heard) = self.backends.try_next() else {
                break;
            };
            self.handle_heard(heard);
        }
        self.heed_urgent(inlets);
        for _ in 0..TURN {
            if !self.journal.keeps_up() {
                break;
            }
            let Some(inbound) = self.links.try_next() else {
                break;
            };
            self.handle_inbound(inbound);
        }
        self.heed_urgent(inlets);
        for _ in 0..TURN {
            let Some(event) = self.open(|| inlets.events.try_recv().ok()) else {
                break;
            };
            self.handle_event(event);
        }
    }

    /// Takes something new only while the store keeps up.
    fn open<T>(&self, next: impl FnOnce() -> Option<T>) -> Option<T> {
        self.journal.keeps_up().then(next).flatten()
    }

    /// When [`Driver::handle_timeout`] has something to do.
    fn due(&self) -> Option<Tick> {
        let node = self.node.poll_timeout();
        node.into_iter().chain(self.journal.due()).min()
    }

    fn handle_timeout(&mut self) {
        self.node.handle_timeout(self.clock.now());
        self.journal.flush_due(self.clock.now().tick);
    }

    fn handle_durability(&mut self, durability: &watch::Receiver<Durability>) {
        let Durability { durable, failed } = durability.borrow().clone();
        if !self.journal.keeps_up() {
            self.journal.flush();
        }
        if durable > self.durable {
            self.durable = durable;
            self.handle(Input::Persisted(durable));
            self.asked.durable(durable, &self.node);
        }
        if let Some(error) = failed {
            self.fail(error);
        }
    }

    /// Takes note that the store failed: nothing is promised any more, and the loop ends.
    fn fail(&mut self, error: Arc<str>) {
        if self.failed.is_none() {
            tracing::error!(%error, "the store failed; the realm stops");
            self.failed = Some(error);
            self.returned.push_back(Input::StoreFailed);
        }
    }

    fn handle_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Done(Done(call, result)) => {
                self.backends.forget(call);
                self.handle(Input::BackendDone(call, result));
            }
            Heard::Wrote((call, of, text)) => self.handle(Input::BackendPart(call, of, text)),
            Heard::Said(call, progress) => self.handle(Input::BackendSaid(call, progress)),
        }
    }

    /// Gives the node an input. What follows is carried out once some more have been handled, or
    /// there are none: the more there is to do, the more is written and signed together.
    fn handle(&mut self, input: Input) {
        self.node.handle(input, self.clock.now());
        self.handled = self.handled.saturating_add(1);
        if self.handled >= TOGETHER {
            self.perform();
        }
    }

    /// Carries out every effect there is, and hands back what they gave at once.
    fn perform(&mut self) {
        self.handled = 0;
        let mut turn = TURN;
        loop {
            while let Some(effect) = self.node.poll_effect() {
                self.carry_out(effect);
            }
            let mut inputs = std::mem::take(&mut self.returned);
            if self.journal.keeps_up() {
                let worked = self.worked.len().min(turn);
                turn -= worked;
                let worked = self.worked.drain(..worked);
                inputs.extend(worked.map(|Done(call, result)| Input::BackendDone(call, result)));
            }
            if inputs.is_empty() {
                return;
            }
            for input in inputs {
                self.node.handle(input, self.clock.now());
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(link, frame) => {
                if let Err(frame) = self.links.send(link, frame) {
                    self.returned.push_back(Input::Unsent(link, frame));
                }
            }
            Effect::Dial {
                dial,
                node,
                addresses,
            } => {
                if let Err(error) = links::dial(&self.net, dial, node, &addresses) {
                    self.returned.push_back(Input::DialFailed(dial, error));
                }
            }
            Effect::Admit(link) => links::admit(&self.net, link),
            Effect::Close(link) => links::close(&self.net, link),
            Effect::CallBackend(call, request) => match realm_backends::pure(request) {
                Ok(Pure { parts, reply }) => {
                    let parts = parts.into_iter();
                    let parts = parts.map(|text| Input::BackendPart(call, 0, text));
                    self.returned.extend(parts);
                    self.worked.push_back(Done(call, Ok(reply)));
                }
                Err(request) => self.backends.start(call, request),
            },
            Effect::CancelBackend(call) => self.backends.cancel(call),
            Effect::Look(id, table, key) => match self.journal.look(table, &key) {
                Ok(found) => self.returned.push_back(Input::Looked(id, found)),
                // To answer that there is nothing could repeat what was done before.
                Err(error) => self.fail(with_causes(&error).into()),
            },
            Effect::Grow(id, from, to) => match self.journal.growth(from, to) {
                Ok(growth) => self.returned.push_back(Input::Grown(id, growth)),
                Err(error) => self.fail(with_causes(&error).into()),
            },
            Effect::ReadRun(id, call, peer) => match self.journal.served_run(call, &peer) {
                Ok(found) => self.returned.push_back(Input::RunRead(id, found)),
                Err(error) => self.fail(with_causes(&error).into()),
            },
            Effect::Part(id, part) => self.streams.show(id, &part),
            Effect::Respond(id, response) => {
                self.streams.close(id);
                self.asked.respond(id, response, &self.node);
            }
            Effect::Record(seq, entry, urgency) => {
                self.asked.recorded(seq, &entry);
                self.notices.heed(&entry);
                self.journal
                    .record(seq, entry, urgency, self.clock.now().tick);
            }
        }
    }

    /// Refuses new work; what is under way may end until the grace is over.
    fn begin_stop(&mut self) {
        if self.deadline.is_some() {
            return;
        }
        let now = self.clock.now();
        self.deadline = Some(now.tick.plus(GRACE_MS));
        self.node.shut_down(now);
    }

    fn is_over(&self) -> bool {
        let idle = || self.node.is_idle();
        let late = |deadline: Tick| deadline <= self.clock.now().tick;
        self.failed.is_some()
            || self
                .deadline
                .is_some_and(|deadline| idle() || late(deadline))
    }

    /// Tells tickets and the API where the realm is reached.
    fn publish_addresses(&mut self) {
        let listening = self.net.addresses();
        let named = addresses::for_tickets(&self.advertised, &listening);
        self.listening.send_replace(listening);
        self.handle(Input::Addresses(named));
    }
}

/// How long a whole stop takes at most: the grace, the links' goodbyes, and the last write.
pub(crate) const STOP: Duration = Duration::from_millis(GRACE_MS + 10_000);
