//! The node: one owner of one realm's state.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use realm_executor::{Executor, Registry};
use realm_protocol::{
    CallId, Now, RealmId, RunId, Scope, Tick, Timestamp,
    journal::{Change, Table},
};
use realm_router::{LinkId, Routes, Waiting};

use crate::{
    Config, ControlId, Counters, DialId, Effect, Founding, Input, Keys, LookId, Recovered, Refusal,
    Response,
    approvals::Approvals,
    audit::AuditLog,
    custody::Custodian,
    deliver::Pending,
    grants::Grants,
    halt::Halts,
    hold::Holds,
    identity::Identity,
    intake::Intake,
    kin::Kin,
    known::KnownContracts,
    links::{Dialled, Link, Redials},
    loops::LoopHistories,
    market::{Market, Unheard},
    outbound::{OutCall, accepted::AcceptedCalls},
    outbox::Outbox,
    people::{Members, Pseudonyms},
    pins::Definitions,
    prompts::Prompts,
    rates::Rates,
    receipts::Receipts,
    resolve::Resolving,
    rules::Rules,
    seen::Seen,
    serve::Serving,
    sessions::Sessions,
    state::Target,
    streams::Paces,
    timers::{Timer, Timers},
    traces::Traces,
    trust::TrustBase,
    witness::Witness,
};

/// One realm: its identity, kin, policy, loops, links and work under way.
///
/// Give it inputs with [`Node::handle`], the time with [`Node::handle_timeout`], and carry out
/// what [`Node::poll_effect`] gives until it gives nothing. It never blocks, never fails, and
/// never panics on bytes.
#[derive(Debug)]
pub struct Node {
    pub(crate) config: Config,
    pub(crate) me: Identity,
    pub(crate) kin: Kin,
    pub(crate) trust: TrustBase,
    pub(crate) known: KnownContracts,
    pub(crate) definitions: Definitions,
    pub(crate) rules: Rules,
    pub(crate) registry: Registry,
    pub(crate) loop_histories: LoopHistories,
    pub(crate) executor: Executor,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// Bytes of answers that found the queues of links full.
    pub(crate) unsent_bytes: usize,
    pub(crate) dials: BTreeMap<DialId, Dialled>,
    pub(crate) redials: Redials,
    /// Why parent or peers turned this realm away when last they did.
    pub(crate) turned_away: BTreeMap<Target, String>,
    pub(crate) routes: Routes,
    /// In boxes: a map of many leaves nearly half of its places empty.
    pub(crate) calls: BTreeMap<CallId, Box<OutCall>>,
    pub(crate) waiting: Waiting<Pending>,
    /// Messages in sessions that were just sent, should their receivers not know the sessions.
    pub(crate) unheard: Waiting<Unheard>,
    pub(crate) paces: Paces,
    /// What peers without a link may still send.
    pub(crate) intakes: BTreeMap<RealmId, Intake>,
    pub(crate) prompts: Prompts,
    pub(crate) approvals: Approvals,
    /// What directories say of people.
    pub(crate) members: Members,
    /// What people are called elsewhere.
    pub(crate) pseudonyms: Pseudonyms,
    /// Calls that other realms have accepted.
    pub(crate) accepted: AcceptedCalls,
    pub(crate) resolving: Resolving,
    pub(crate) serving: Serving,
    pub(crate) rates: Rates,
    pub(crate) limits_set: crate::restrict::limits::LimitsSet,
    pub(crate) sessions: Sessions,
    pub(crate) seen: Seen,
    /// When a backup was put in the place of what was here, if ever.
    pub(crate) restored: Option<Timestamp>,
    pub(crate) halts: Halts,
    pub(crate) holds: Holds,
    pub(crate) market: Market,
    pub(crate) custody: Custodian,
    pub(crate) receipts: Receipts,
    pub(crate) traces: Traces,
    /// Heads of others' audit logs.
    pub(crate) witness: Witness,
    pub(crate) grants: Grants,
    pub(crate) out: Outbox,
    pub(crate) timers: Timers,
    pub(crate) counters: Counters,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) now: Now,
    /// When this process began.
    pub(crate) begun: Tick,
    /// Wall clock and tick when the clocks were last compared.
    pub(crate) clock_check: Now,
    pub(crate) clock_jumps: u64,
    /// How much later than others this realm renews its certificate, milliseconds.
    pub(crate) renewal_jitter_ms: u64,
    /// Places that have been sent this realm's chain since it last changed.
    pub(crate) introduced: BTreeSet<Scope>,
    pub(crate) stopping: bool,
    next_dial: u64,
    last_look: u64,
}

impl Node {
    /// Takes up a realm where its store left it. `seed` must be fresh from the operating system.
    pub fn new(
        config: Config,
        keys: Keys,
        founding: Founding,
        recovered: Recovered,
        seed: [u8; 32],
        now: Now,
    ) -> Self {
        let me = Identity::new(keys, founding, config.custody.ask);
        let receipts = Receipts::new(me.signer());
        let traces = Traces::new(me.signer());
        let mut executor = Executor::new(realm_executor::Limits::default());
        executor.set_tariffs(config.tariffs.clone());
        executor.breakers_mut().set_bounds(config.breakers);
        let mut registry = Registry::default();
        registry.keep_prompts(config.prompt_bytes);
        let mut node = Self {
            routes: Routes::new(me.scope()),
            me,
            kin: Kin::default(),
            trust: TrustBase::new(config.chains),
            known: KnownContracts::default(),
            definitions: Definitions::default(),
            rules: Rules::new(),
            registry,
            loop_histories: LoopHistories::default(),
            executor,
            links: BTreeMap::new(),
            unsent_bytes: 0,
            dials: BTreeMap::new(),
            redials: Redials::default(),
            turned_away: BTreeMap::new(),
            calls: BTreeMap::new(),
            waiting: Waiting::new(config.max_calls),
            unheard: Waiting::new(realm_protocol::limits::SESSIONS),
            accepted: AcceptedCalls::default(),
            resolving: Resolving::new(),
            serving: Serving::default(),
            rates: Rates::new(config.rates.clone()),
            limits_set: crate::restrict::limits::LimitsSet::new(),
            sessions: Sessions::new(config.sessions),
            seen: Seen::default(),
            restored: None,
            halts: Halts::default(),
            holds: Holds::default(),
            market: Market::default(),
            paces: Paces::default(),
            intakes: BTreeMap::new(),
            prompts: Prompts::default(),
            approvals: Approvals::default(),
            members: Members::default(),
            pseudonyms: Pseudonyms::default(),
            custody: Custodian::default(),
            receipts,
            traces,
            witness: Witness::default(),
            grants: Grants::default(),
            out: Outbox::new(
                recovered.last,
                config.redaction.clone(),
                AuditLog::new(&seed),
            ),
            timers: Timers::default(),
            counters: Counters::default(),
            rng: ChaCha20Rng::from_seed(seed),
            now,
            begun: now.tick,
            clock_check: now,
            clock_jumps: 0,
            renewal_jitter_ms: u64::from(u16::from_be_bytes([seed[0], seed[1]])) * 1_000 / 4,
            introduced: BTreeSet::new(),
            stopping: false,
            next_dial: 0,
            last_look: 0,
            config,
        };
        node.recover(recovered);
        node
    }

    /// Takes something that happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.now = now;
        self.out.log().set_time(now.wall);
        self.notice_clock();
        match input {
            Input::Control(id, request) => self.handle_control(id, None, request),
            Input::LinkUp { link, node, dial } => self.handle_link_up(link, node, dial),
            Input::LinkDown(link) => self.handle_link_down(link),
            Input::DialFailed(dial, detail) => self.handle_dial_failed(dial, detail),
            Input::Received(link, bytes) => self.handle_frame(link, &bytes),
            Input::Unsent(link, bytes) => self.handle_unsent(link, &bytes),
            Input::Gone(control) => self.asker_gone(control),
            Input::BackendPart(call, of, text) => {
                self.executor.part(call, of, text, &self.registry, now);
            }
            Input::BackendDone(call, result) => {
                self.executor
                    .backend_done(call, result, &self.registry, now);
            }
            Input::BackendSaid(call, progress) => {
                let whole = self
                    .executor
                    .backend_said(call, &progress, &self.registry, now);
                if let Some(run) = whole {
                    self.work_progressed(run, &progress);
                }
            }
            Input::Looked(look, value) if self.custody.is_looking(look) => {
                self.hand_over_read(look, value.as_deref());
            }
            Input::Looked(look, value) if self.approvals.is_looking(look) => {
                self.approval_read(look, value.as_deref());
            }
            Input::Looked(look, value) => self.handle_looked(look, value.as_deref()),
            Input::Grown(look, growth) => self.handle_grown(look, growth),
            Input::RunRead(look, found) => self.handle_run_read(look, found),
            Input::Persisted(seq) => {
                self.out.persisted(seq);
                self.announcements_left(seq);
            }
            Input::StoreFailed => self.handle_store_failed(),
            Input::Addresses(addresses) => self.config.addresses = addresses,
            Input::Tariffs(tariffs) => self.executor.set_tariffs(tariffs),
            Input::Secrets(secrets) => self.config.secrets = secrets,
            Input::Rates(rates) => self.set_rates(rates),
            Input::HearNames(roots) => self.config.hear_names = roots,
        }
        self.follow_up();
    }

    /// The next effect to carry out, in order; none when there is nothing to do for now.
    ///
    /// Inputs handled since the last time make one turn: what they change is one entry of the
    /// journal, and the messages they cause share a signature.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.out.next(self.me.signer())
    }

    /// When [`Node::handle_timeout`] wants to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Tick> {
        [
            self.timers.next(),
            self.executor.poll_timeout(),
            self.waiting.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.out.log().set_time(now.wall);
        self.notice_clock();
        while let Some(timer) = self.timers.take_due(now.tick) {
            match timer {
                Timer::Beat(link) => self.beat(link),
                Timer::Records(link) => self.tell_owed(link),
                Timer::Admission(link) => self.cut_stranger(link),
                Timer::Unsent(link) => self.send_unsent(link),
                Timer::Redial(target) => self.redial(&target),
                Timer::Resolve(scope) => self.send_question(&scope),
                Timer::Attempt(call) => self.attempt_is_over(call),
                Timer::Accept(run) => self.accept(run),
                Timer::Stream(run) => self.show_elsewhere(run),
                Timer::Turn(turn) => self.turn_has_come(turn),
                Timer::Patience(run) => self.patience_is_over(run),
                Timer::Approvals => self.approvals_are_due(),
                Timer::Market => self.market_is_due(),
                Timer::Hold => self.release_holds(),
                Timer::Upkeep => self.upkeep(),
                Timer::Custody(child) => self.hand_over(&child),
                Timer::Offers => self.erase_offers(),
            }
        }
        for (_, pending) in self.waiting.expired(now.tick) {
            self.nobody_answered(pending);
        }
        self.executor.handle_timeout(&self.registry, now);
        self.follow_up();
    }

    /// Refuses new work and ends what is under way: callers hear `Overloaded` or their result.
    pub fn shut_down(&mut self, now: Now) {
        self.now = now;
        self.out.log().set_time(now.wall);
        self.out.log().want_head();
        if !self.stopping {
            self.stopping = true;
            self.executor.stand_still(now);
            self.close_line();
            self.say_goodbye();
        }
        self.follow_up();
    }

    /// Whether nothing is under way but what goes on after a restart, everything promised has
    /// been released, and no answer waits for room on its link.
    pub fn is_idle(&self) -> bool {
        let served = !self.serving.is_looking() && self.executor.is_at_rest();
        let ending = self.calls.values().any(|out| !out.outlives());
        !ending && served && self.out.is_idle() && self.unsent_bytes == 0
    }

    /// Acts on what was learned of others' keys, and carries the executor's actions over.
    fn follow_up(&mut self) {
        self.heed_histories();
        self.drain_executor();
    }

    fn handle_store_failed(&mut self) {
        self.out.fail();
        tracing::error!("the store has failed: nothing is promised any more");
    }

    pub(crate) fn wall(&self) -> Timestamp {
        self.now.wall
    }

    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.out.change(Change::Put(table, key.to_vec(), value));
    }

    /// Writes a record that the store forgets by itself after `until`.
    pub(crate) fn put_until(&mut self, table: Table, key: &[u8], value: Vec<u8>, until: Timestamp) {
        self.out
            .change(Change::PutUntil(table, key.to_vec(), value, until));
    }

    pub(crate) fn delete(&mut self, table: Table, key: &[u8]) {
        self.out.change(Change::Delete(table, key.to_vec()));
    }

    /// Answers a request of the local API once everything it rests on is durable.
    pub(crate) fn respond(&mut self, id: ControlId, response: Response) {
        self.out.promise(Effect::Respond(id, response));
    }

    pub(crate) fn refuse(&mut self, id: ControlId, refusal: Refusal) {
        self.out
            .emit(Effect::Respond(id, Response::Refused(refusal)));
    }

    pub(crate) fn next_dial(&mut self) -> DialId {
        self.next_dial = self.next_dial.saturating_add(1);
        DialId(self.next_dial)
    }

    pub(crate) fn next_look(&mut self) -> LookId {
        self.last_look = self.last_look.saturating_add(1);
        LookId(self.last_look)
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn random_word(&mut self) -> u64 {
        self.rng.next_u64()
    }

    pub(crate) fn new_run(&mut self) -> RunId {
        let random = self.random();
        RunId::at(self.now.wall, random)
    }

    pub(crate) fn new_call(&mut self) -> CallId {
        let random = self.random();
        CallId::at(self.now.wall, random)
    }
}
