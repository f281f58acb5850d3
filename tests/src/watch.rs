//! What is watched while it happens.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use realm_node::Response;
use realm_policy::{Action, Principal, Resource, Used};
use realm_protocol::{
    BroadcastId, CallId, Digest, Header, Kind, MessageId, RunId, Timestamp,
    journal::{Change, Direction, Entry, Event, Run, Status, Table},
};
use realm_router::distance;
use serde_json::Value;

use crate::{
    Host, HostId,
    canary::Canaries,
    grants::Grants,
    world::{Asked, Message},
};

/// How much later than its deadline a call may be answered, milliseconds, beside two turns of the
/// disk: it looks for the key before a run begins, and writes how it ended.
const SLACK_MS: u64 = 250;

/// What has been seen, and which invariants it broke.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    broken: Vec<String>,
    /// Where each call was first heard of: at its caller.
    origins: BTreeMap<CallId, HostId>,
    /// Calls of a host's own that it may lease to itself.
    own: BTreeSet<(HostId, CallId)>,
    /// The broadcasts that leased work is of, by the call of its run.
    leased: BTreeMap<CallId, CallId>,
    /// The messages that each call was sent in.
    messages: BTreeMap<CallId, BTreeSet<MessageId>>,
    /// The runs that each call was begun in.
    begun: BTreeMap<CallId, BTreeSet<RunId>>,
    /// Calls of which a crash took something.
    lost: BTreeSet<CallId>,
    /// Calls of which a crash took something from a trace.
    lost_events: BTreeSet<CallId>,
    pub(crate) canaries: Canaries,
    pub(crate) grants: Grants,
    /// Whether a node was told that its disk has failed, which it logs as an error.
    pub(crate) a_disk_failed: bool,
}

impl Watch {
    pub(crate) fn broken(&mut self, what: String) {
        if self.broken.len() < 20 {
            self.broken.push(what);
        }
    }

    pub(crate) fn take_broken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.broken)
    }

    pub(crate) fn has_lost(&self, call: CallId) -> bool {
        self.lost.contains(&call)
    }

    pub(crate) fn has_lost_events(&self, call: CallId) -> bool {
        self.lost_events.contains(&call)
    }

    pub(crate) fn lost(&mut self, entries: Vec<Entry>) {
        for change in entries.into_iter().flat_map(|entry| entry.changes) {
            match change {
                Change::Run(run) => {
                    self.lost.insert(run.call);
                    // Its message is forgotten with it, and may come again.
                    let beginning = run.direction == Direction::In && run.status == Status::Running;
                    let call = self.leased.get(&run.call).unwrap_or(&run.call);
                    if let Some(begun) = self.begun.get_mut(call).filter(|_| beginning) {
                        begun.remove(&run.id);
                    }
                }
                Change::Event(event) => {
                    self.lost_events.insert(event.call);
                }
                _ => {}
            }
        }
    }

    /// A call that its caller has an Out-run of promises nothing; one that a run here causes rests
    /// on the run's own beginning.
    pub(crate) fn recorded(&mut self, id: HostId, hosts: &[Host], entry: &Entry, now: Timestamp) {
        for change in &entry.changes {
            if let Change::Event(event) = change
                && event.kind == "call.leased"
            {
                let payload: Value = serde_json::from_slice(&event.payload).expect("JSON");
                let broadcast = payload["broadcast"].as_str().expect("a broadcast");
                let broadcast: BroadcastId = broadcast.parse().expect("a broadcast");
                let call = CallId::new(*broadcast.as_bytes());
                self.leased.insert(event.call, call);
            }
        }
        for change in &entry.changes {
            match change {
                Change::Run(run) => {
                    self.origins.entry(run.call).or_insert(id);
                    if run.direction == Direction::Local {
                        self.own.insert((id, run.call));
                    }
                    let begins = run.direction == Direction::In && run.status == Status::Running;
                    // One that is known goes on, after a pause.
                    if begins && !hosts[id.0].disk.runs.contains_key(&run.id) {
                        self.begun(id, hosts, run, now);
                    }
                }
                Change::Event(event) => {
                    let new = !self.origins.contains_key(&event.call);
                    self.origins.entry(event.call).or_insert(id);
                    if new && self.messages.contains_key(&event.call) {
                        self.broken(format!("host {} asks before its run is durable", id.0));
                    }
                }
                Change::Put(Table::Replay, key, _) | Change::PutUntil(Table::Replay, key, _, _)
                    if hosts[id.0].disk.holds(Table::Replay, key) =>
                {
                    self.broken(format!("host {} takes a message twice", id.0));
                }
                _ => {}
            }
        }
    }

    /// Nothing runs that the callee's policies do not permit whoever really called.
    fn begun(&mut self, id: HostId, hosts: &[Host], run: &Run, now: Timestamp) {
        // Leased work is asked for by the messages of its broadcast.
        let call = self.leased.get(&run.call).copied().unwrap_or(run.call);
        if self.own.contains(&(id, call)) {
            return;
        }
        let caller = self.origins.get(&call).filter(|origin| **origin != id);
        let Some(caller) = caller.copied() else {
            return self.broken(format!(
                "host {} runs {}, which nobody called",
                id.0, run.loop_id
            ));
        };
        let begun = self.begun.entry(call).or_default();
        if !begun.insert(run.id) {
            return;
        }
        let begun = begun.len();
        let sent = self.messages.get(&call).map_or(0, BTreeSet::len);
        if begun > sent {
            let loop_id = &run.loop_id;
            let what = format!(
                "host {} runs {loop_id} {begun} times for {sent} messages",
                id.0
            );
            return self.broken(what);
        }
        let host = &hosts[id.0];
        let loop_id = run.loop_id.parse().expect("a loop id");
        let resource = Resource::Loop {
            owner: &host.scope,
            id: &loop_id,
        };
        let caller_scope = &hosts[caller.0].scope;
        let granted =
            self.grants
                .is_granted(hosts[caller.0].realm, (id, host.realm), &loop_id, now);
        let request = realm_policy::Request {
            // How many there were is the story's to say.
            approved: realm_protocol::limits::APPROVERS,
            granted,
            ..realm_policy::Request::new(Action::Invoke, caller_scope.into(), resource, now)
        };
        if !granted && !self.grants.may((caller, id), &run.loop_id, now) {
            let (there, here) = (caller.0, id.0);
            self.broken(format!(
                "host {here} runs {} for host {there}, which no owner has permitted",
                run.loop_id
            ));
        }
        let permitted = host.node.as_ref().map(|node| node.policy_decide(&request));
        if !permitted.is_some_and(|decision| decision.is_permitted()) {
            let (there, here) = (caller.0, id.0);
            self.broken(format!(
                "host {here} runs {} for host {there} without a permit",
                run.loop_id
            ));
        }
    }

    pub(crate) fn responded(&mut self, host: &Host, asked: Asked, now: u64, response: &Response) {
        let took = now.saturating_sub(asked.at);
        let slack = SLACK_MS + 2 * host.slowest_ms;
        if asked.within.is_some_and(|within| took > within + slack) {
            let name = &host.name;
            self.broken(format!("{name} answers after {took} ms: {response:?}"));
        }
        let (table, what) = match response {
            Response::Invited(_) => (Table::Tickets, "a ticket"),
            Response::Joined(joined) if joined.peer => (Table::Peers, "a peering"),
            Response::Joined(_) => (Table::Standing, "a parent"),
            _ => return,
        };
        if host.disk.count(table) == 0 {
            let name = &host.name;
            self.broken(format!("{name} promises {what} that is not durable"));
        }
    }

    pub(crate) fn sent(
        &mut self,
        hosts: &[Host],
        (from, to): (HostId, HostId),
        bytes: &Bytes,
        message: Option<&Message>,
    ) {
        if let Some(number) = self.canaries.seen(bytes, None) {
            self.broken(format!("canary {number} in a frame to host {}", to.0));
        }
        if bytes.get(1) != Some(&0) {
            return;
        }
        let Some(Message { header, .. }) = message else {
            return self.broken(format!("host {} sends what does not decode", from.0));
        };
        self.came_closer(hosts, (from, to), header);
        let own = header.source.scope() == hosts[from.0].scope;
        if own && matches!(header.kind, Kind::Call | Kind::Lease) {
            let messages = self.messages.entry(header.call).or_default();
            messages.insert(header.id);
        }
        if own && header.kind.begins_work() {
            self.moves(&hosts[from.0], header.kind.name());
        }
        if own && header.kind == Kind::Result {
            self.answered(&hosts[from.0], header);
        }
    }

    /// Nothing happens outside before it is durable that it will.
    pub(crate) fn acts(&mut self, host: &Host, call: CallId, key: CallId) {
        // Another attempt has an id of its own, and the key of the first.
        let asks = |event: &Event| event.call == call || work_key(event.run, event.call) == key;
        let mut events = host.disk.events.values().rev();
        if !events.any(asks) {
            let name = &host.name;
            self.broken(format!("{name} acts before its intent is durable"));
        }
    }

    /// Nothing is used that policy keeps from every loop.
    pub(crate) fn uses(&mut self, host: &Host, argv: &[String], now: Timestamp) {
        let any = "any".parse().expect("a loop id");
        let name = format!("process:{}", argv.first().expect("a program"));
        let request = realm_policy::Request::new(
            Action::Use,
            Principal::Loop {
                owner: &host.scope,
                id: &any,
            },
            Resource::Used {
                owner: &host.scope,
                kind: Used::Tool,
                name: &name,
            },
            now,
        );
        let decided = host.node.as_ref().map(|node| node.policy_decide(&request));
        if !decided.is_some_and(|decision| decision.is_permitted()) {
            self.broken(format!("{} uses {name} without a permit", host.name));
        }
    }

    /// Nothing happens outside once a realm has taken a halt, but for what goes on by name.
    pub(crate) fn moves(&mut self, host: &Host, what: &str) {
        let halts = host.node.as_ref().map(realm_node::Node::halts);
        let halts = halts.unwrap_or_default();
        if !halts.above.is_empty() && what != "asks a process" {
            let name = &host.name;
            self.broken(format!("{name} is halted from above: {what}"));
        }
        let halt = halts.all;
        if halt.is_some_and(|halt| halt.loops.is_empty() && halt.runs.is_empty()) {
            let name = &host.name;
            self.broken(format!("{name} is halted: {what}"));
        }
    }

    /// The distance in the tree shrinks at every hop.
    fn came_closer(&mut self, hosts: &[Host], (from, to): (HostId, HostId), header: &Header) {
        let there = header.destination.scope();
        let before = distance(&hosts[from.0].scope, &there);
        let after = distance(&hosts[to.0].scope, &there);
        if after >= before {
            let kind = header.kind.name();
            self.broken(format!(
                "a {kind} goes from {before} to {after} hops from its destination"
            ));
        }
    }

    /// An answer leaves only after what it rests on is durable, unless it has no effects.
    fn answered(&mut self, host: &Host, header: &Header) {
        let of_call = |run: &&Run| run.call == header.call && run.direction == Direction::In;
        let runs = host.disk.runs.values().filter(of_call);
        if runs.clone().any(|run| run.status == Status::Completed) {
            return;
        }
        let queued = host.disk.queued().flat_map(|entry| &entry.changes);
        let queued = queued.filter_map(|change| match change {
            Change::Run(run) => Some(run),
            _ => None,
        });
        // Two calls under one key have one run that answers both, under the id of one of them.
        let answered_elsewhere = |run: &&Run| {
            host.disk.runs.values().any(|other| {
                let same = other.loop_id == run.loop_id && other.input == run.input;
                same && other.direction == Direction::In && other.status == Status::Completed
            })
        };
        let promised = runs.chain(queued.filter(of_call));
        let broken = promised
            .into_iter()
            .find(|run| has_effects(&run.loop_id) && !answered_elsewhere(run));
        if let Some(loop_id) = broken.map(|run| run.loop_id.clone()) {
            let name = &host.name;
            self.broken(format!("{name} answers for {loop_id} before it is durable"));
        }
    }
}

/// The key under which a frame asks for work.
pub(crate) fn work_key(run: RunId, call: CallId) -> CallId {
    let digest = Digest::of(&[b"realm/1/work", run.as_bytes(), call.as_bytes()]);
    let bytes = digest.as_bytes().first_chunk();
    CallId::new(*bytes.expect("a digest is longer"))
}

/// Whether a loop of the tests' has effects: only the one that comes with every realm has none.
pub(crate) fn has_effects(loop_id: &str) -> bool {
    loop_id != "echo"
}
