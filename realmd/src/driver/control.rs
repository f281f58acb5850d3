//! Requests from the local API that wait for the node.

use std::collections::{BTreeMap, VecDeque};

use realm_node::{ControlId, Input, Node, Refusal, Response};
use realm_protocol::journal::{Change, Direction, Entry, JournalSeq, Run, Status};

use tokio::sync::oneshot;

use super::Driver;
use crate::handle::{Begun, Order, Reply};

/// Who waits for which answer. Bounded by the connections of the local API, and by the node.
#[derive(Default)]
pub(crate) struct Asked {
    next: u64,
    waiting: BTreeMap<ControlId, Waiting>,
    /// The detached call that is being given to the node right now.
    beginning: Option<ControlId>,
    /// Detached calls whose run is recorded and not yet durable, in journal order.
    recorded: VecDeque<(JournalSeq, Box<Run>, Reply<Begun>)>,
    /// The last entry of the journal.
    last: JournalSeq,
    /// Who waits until an entry is durable, in journal order.
    settling: VecDeque<(JournalSeq, oneshot::Sender<()>)>,
}

enum Waiting {
    /// For the answer.
    Answer(Reply<Response>),
    /// For the run to begin.
    Beginning(Reply<Begun>),
}

impl Asked {
    fn add(&mut self, waiting: Waiting) -> ControlId {
        self.next = self.next.saturating_add(1);
        let id = ControlId(self.next);
        self.waiting.insert(id, waiting);
        id
    }

    /// Passes an answer on, unless a detached call has its answer.
    pub(crate) fn respond(&mut self, id: ControlId, response: Response, node: &Node) {
        match self.waiting.remove(&id) {
            Some(Waiting::Answer(reply)) => reply(node, response),
            Some(Waiting::Beginning(reply)) => match response {
                // It has waited for its turn.
                Response::Begun(run) => reply(node, Begun::Running(run)),
                response => reply(node, Begun::Ended(Box::new(response))),
            },
            None => {}
        }
    }

    /// Looks for the run of the detached call that is being given to the node.
    pub(crate) fn recorded(&mut self, seq: JournalSeq, entry: &Entry) {
        self.last = seq;
        let Some(id) = self.beginning else { return };
        let begun = entry.changes.iter().find_map(|change| match change {
            Change::Run(run) if run.status == Status::Running && run.direction != Direction::In => {
                Some(run)
            }
            _ => None,
        });
        let Some(run) = begun else { return };
        self.beginning = None;
        if let Some(Waiting::Beginning(reply)) = self.waiting.remove(&id) {
            self.recorded.push_back((seq, Box::new(run.clone()), reply));
        }
    }

    /// Answers the detached calls whose runs are durable, and who waits for no more than that.
    pub(crate) fn durable(&mut self, durable: JournalSeq, node: &Node) {
        while self
            .recorded
            .front()
            .is_some_and(|(seq, ..)| *seq <= durable)
        {
            if let Some((_, run, reply)) = self.recorded.pop_front() {
                reply(node, Begun::Running(run));
            }
        }
        while self
            .settling
            .front()
            .is_some_and(|(seq, _)| *seq <= durable)
        {
            if let Some((_, reply)) = self.settling.pop_front() {
                // Whoever asked may have gone.
                let _ = reply.send(());
            }
        }
    }

    /// Tells everybody who still waits that the store failed.
    pub(crate) fn store_failed(&mut self, node: &Node) {
        let refused = || Response::Refused(Refusal::StoreFailed);
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            match waiting {
                Waiting::Answer(reply) => reply(node, refused()),
                Waiting::Beginning(reply) => reply(node, Begun::Ended(Box::new(refused()))),
            }
        }
        for (_, _, reply) in std::mem::take(&mut self.recorded) {
            reply(node, Begun::Ended(Box::new(refused())));
        }
    }
}

impl Driver {
    pub(super) fn handle_order(&mut self, order: Order) {
        match order {
            Order::Ask(request, reply) => {
                let id = self.asked.add(Waiting::Answer(reply));
                self.handle(Input::Control(id, request));
            }
            Order::Stream(request, shown, reply) => {
                let id = self.asked.add(Waiting::Answer(reply));
                self.streams.open(id, shown);
                self.handle(Input::Control(id, request));
            }
            Order::Begin(request, reply) => {
                // Its run is told from others by being alone in its entry.
                self.perform();
                let id = self.asked.add(Waiting::Beginning(reply));
                self.asked.beginning = Some(id);
                self.handle(Input::Control(id, request));
                self.perform();
                self.journal.flush();
                self.asked.beginning = None;
            }
            Order::Settle(reply) => {
                self.perform();
                self.journal.flush();
                self.asked.settling.push_back((self.asked.last, reply));
                self.asked.durable(self.durable, &self.node);
            }
            Order::Read(look) => look(&self.node),
            Order::Advertise(addresses) => {
                self.advertised = addresses;
                self.publish_addresses();
            }
            Order::Tariffs(tariffs) => self.handle(Input::Tariffs(tariffs)),
            Order::Secrets(secrets) => self.handle(Input::Secrets(secrets)),
            Order::Rates(rates) => self.handle(Input::Rates(rates)),
            Order::HearNames(roots) => self.handle(Input::HearNames(roots)),
        }
    }
}
