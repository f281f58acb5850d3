//! One announcer, many bidders, and what lies between them.

use std::collections::BTreeMap;

use realm_broadcast::{
    Announcer, Bidder, CloseError, Closed,
    announcer::{self, Message, Plan, Refusal},
    bidder, close_pages,
    log::{Conclusion, End, Entry},
};
use realm_protocol::{
    Digest, FailureCode, Now, Place, Tick, Timestamp,
    cbor::{self, Blob},
    limits,
};

use super::{
    plans::{self, EPOCH},
    random::Random,
    realms::{Agenda, Conduct, Realm, ToBidder, signed},
};

/// What goes wrong, in a thousand.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// An announcer dies between two of its outputs.
    pub(super) announcer_dies: u64,
    /// A bidder dies when it is spoken to.
    pub(super) bidder_dies: u64,
    /// Work ends otherwise than well.
    pub(super) work_fails: u64,
    /// The longest that a message takes, milliseconds.
    pub(super) delay_ms: u64,
}

/// What is under way to somebody.
pub(super) enum Event {
    ToAnnouncer(announcer::Input),
    ToBidder(usize, ToBidder),
    /// Work of a bidder ends, if it is still the same process.
    Works(usize, u64, Digest, Result<bidder::Work, FailureCode>),
    AnnouncerUp,
    BidderUp(usize),
    /// Nothing but that time passes.
    Turn,
}

/// What was seen from outside.
#[derive(Default)]
pub(super) struct Seen {
    /// Slot, epoch and holder of everybody who was sent the input, and how long the log was then.
    pub(super) informed: Vec<(u64, u64, Place, usize)>,
    /// Slot and epoch of all work that began, with the bidder.
    pub(super) begun: Vec<(u64, u64, usize)>,
    pub(super) finished: Vec<Conclusion>,
    pub(super) refused: Vec<Refusal>,
    pub(super) asked: Vec<(u64, u64)>,
    /// Leases that expired while their holder still worked.
    pub(super) overrun: Vec<(u64, u64)>,
    pub(super) overloaded: bool,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) log: Vec<Entry>,
    pub(super) seen: Seen,
    pub(super) now: u64,
    pub(super) faults: Faults,
    pub(super) random: Random,
    announcer: Option<Announcer>,
    /// Tick zero of the announcer's process.
    started: u64,
    pub(super) bidders: Vec<Realm>,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    /// After so many more outputs the announcer dies, once.
    pub(super) dies_after: Option<u64>,
    /// What a person says when asked.
    pub(super) person: Option<bool>,
    /// Why what results are made is not what the contract says.
    pub(super) mismatch: Option<String>,
}

impl World {
    pub(super) fn new(seed: u64, plan: Plan, agendas: &[Agenda], faults: Faults) -> Self {
        let bidders = (0..)
            .zip(agendas)
            .map(|(number, agenda)| Realm::new(number, *agenda));
        let mut world = Self {
            plan,
            log: Vec::new(),
            seen: Seen::default(),
            now: 0,
            faults,
            random: Random::new(seed),
            announcer: None,
            started: 0,
            bidders: bidders.collect(),
            events: BTreeMap::new(),
            sequence: 0,
            dies_after: None,
            person: None,
            mismatch: None,
        };
        world.announcer = Some(Announcer::start(world.plan.clone(), world.clock(0)).unwrap());
        world.drain_announcer();
        world
    }

    /// Lets time pass until nothing is left to happen.
    pub(super) fn run(&mut self) {
        let mut turns = 0_u64;
        while self.step() {
            turns += 1;
            assert!(turns < 2_000_000, "the world does not come to rest");
        }
    }

    /// Lets time pass up to a moment.
    pub(super) fn run_until(&mut self, until: u64) {
        self.schedule_at(until, Event::Turn);
        while self.now < until && self.step() {}
    }

    pub(super) fn cancel(&mut self) {
        self.tell_announcer(announcer::Input::Cancel {
            waits_ms: limits::WITHDRAW_MS,
        });
    }

    pub(super) fn announcer(&self) -> &Announcer {
        self.announcer.as_ref().unwrap()
    }

    pub(super) fn kill_announcer(&mut self, for_ms: u64) {
        self.announcer = None;
        self.schedule(for_ms, Event::AnnouncerUp);
    }

    pub(super) fn kill_bidder(&mut self, number: usize, for_ms: Option<u64>) {
        let realm = &mut self.bidders[number];
        realm.running = None;
        realm.life += 1;
        realm.working.clear();
        if let Some(for_ms) = for_ms {
            self.schedule(for_ms, Event::BidderUp(number));
        }
    }

    /// What a bidder makes of the close that it got; none if it got none.
    pub(super) fn judged(&self, number: usize) -> Option<Result<(), CloseError>> {
        let realm = &self.bidders[number];
        let announcement = self.plan.rounds[0].announcement.peek().unwrap();
        if realm.close.is_empty() {
            return None;
        }
        let closed = match Closed::join(&realm.close) {
            Ok(closed) => closed,
            Err(error) => return Some(Err(error)),
        };
        let (digest, bid) = realm
            .bids
            .iter()
            .find(|(it, _)| closed.digests.contains(it))?;
        let had = realm.awarded.contains(digest) || realm.agenda.conduct == Conduct::Dies;
        Some(closed.stands(&announcement, bid, *digest, had).map(|_| ()))
    }

    pub(super) fn bidders(&self) -> usize {
        self.bidders.len()
    }

    /// When the outcome was written down.
    pub(super) fn finished_at(&self) -> u64 {
        let finished = self.log.iter().find_map(|entry| match entry {
            Entry::Finished(it) => Some(it.at),
            _ => None,
        });
        finished.unwrap().as_millis() - EPOCH
    }

    pub(super) fn clock(&self, started: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(EPOCH + self.now),
            tick: Tick::from_millis(self.now - started),
        }
    }

    pub(super) fn schedule(&mut self, after: u64, event: Event) {
        self.schedule_at(self.now + after, event);
    }

    fn schedule_at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    /// Puts a message under way: it may be lost, doubled or late.
    pub(super) fn send(&mut self, event: impl Fn() -> Event) {
        if self.random.chance(self.faults.lost) {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.faults.doubled));
        for _ in 0..copies {
            let delay = self.random.between(1, self.faults.delay_ms.max(1));
            self.schedule(delay, event());
        }
    }

    /// Does what comes next: a message, or a timer.
    fn step(&mut self) -> bool {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let timer = self.next_timer();
        let at = match (event, timer) {
            (Some(event), Some(timer)) => event.min(timer),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return false,
        };
        self.now = self.now.max(at);
        if timer.is_some_and(|timer| timer <= self.now) {
            self.time_out();
        } else if let Some((_, event)) = self.events.pop_first() {
            self.happen(event);
        }
        true
    }

    fn next_timer(&self) -> Option<u64> {
        let announcer = self.announcer.as_ref().and_then(Announcer::poll_timeout);
        let announcer = announcer.map(|tick| self.started + tick.as_millis());
        let bidders = self
            .bidders
            .iter()
            .filter_map(|it| it.running.as_ref()?.poll_timeout());
        announcer
            .into_iter()
            .chain(bidders.map(Tick::as_millis))
            .min()
    }

    fn time_out(&mut self) {
        let (announcers, bidders) = (self.clock(self.started), self.clock(0));
        if let Some(announcer) = &mut self.announcer
            && announcer
                .poll_timeout()
                .is_some_and(|at| at <= announcers.tick)
        {
            announcer.handle_timeout(announcers);
            self.drain_announcer();
        }
        for number in 0..self.bidders.len() {
            if let Some(bidder) = &mut self.bidders[number].running
                && bidder.poll_timeout().is_some_and(|at| at <= bidders.tick)
            {
                bidder.handle_timeout(bidders);
                self.drain_bidder(number);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToAnnouncer(input) => self.tell_announcer(input),
            Event::ToBidder(number, message) => self.tell_bidder(number, message),
            Event::Works(number, life, bid, result) => {
                if self.bidders[number].life == life {
                    let input = bidder::Input::Worked {
                        bid,
                        result,
                        spent: None,
                        below: None,
                    };
                    self.tell_bidder(number, ToBidder::Input(input));
                }
            }
            Event::AnnouncerUp => {
                self.started = self.now;
                let log = self.log.clone();
                let now = self.clock(self.started);
                let plan = self.plan.clone();
                // Whoever has written nothing down has promised nothing, and begins anew.
                let announcer = match log.is_empty() {
                    true => Announcer::start(plan, now),
                    false => Announcer::resume(plan, log, now),
                };
                self.announcer = Some(announcer.unwrap());
                self.drain_announcer();
            }
            Event::BidderUp(number) => {
                let now = self.clock(0);
                let realm = &mut self.bidders[number];
                let mut bidder = Bidder::new(plans::bidder(number), 1, 20_000);
                bidder.resume(realm.disk.clone(), now);
                realm.running = Some(bidder);
                self.drain_bidder(number);
            }
            Event::Turn => {}
        }
    }

    fn tell_announcer(&mut self, input: announcer::Input) {
        let now = self.clock(self.started);
        if let Some(announcer) = &mut self.announcer {
            announcer.handle(input, now);
            self.drain_announcer();
        }
    }

    /// Performs what the announcer wants done; it may die anywhere in between.
    fn drain_announcer(&mut self) {
        loop {
            let its_time = self.dies_after == Some(0);
            self.dies_after = self.dies_after.and_then(|left| left.checked_sub(1));
            if its_time || self.random.chance(self.faults.announcer_dies) {
                let down = if its_time { 100 } else { 3_000 };
                let down = self.random.between(1, down);
                self.kill_announcer(down);
                return;
            }
            let Some(output) = self.announcer.as_mut().and_then(Announcer::poll_output) else {
                return;
            };
            self.perform(output);
        }
    }

    fn perform(&mut self, output: announcer::Output) {
        match output {
            announcer::Output::Write(entry) => {
                let entry: Entry = cbor::decode(&cbor::encode(&*entry)).unwrap();
                self.look_at(&entry);
                self.log.push(entry);
            }
            announcer::Output::FanOut { round } => {
                let round = &self.plan.rounds[usize::try_from(round - 1).unwrap()];
                let input = announcer::Input::FannedOut(round.fan.clone());
                self.schedule(1, Event::ToAnnouncer(input));
            }
            announcer::Output::Announce { round, pass } => {
                let number = (0..self.bidders.len()).find(|it| plans::side(*it) == pass.to);
                let round = &self.plan.rounds[usize::try_from(round - 1).unwrap()];
                let announcement = round.announcement.clone();
                let message = ToBidder::Announce(announcement, pass.window_ms);
                self.send(|| Event::ToBidder(number.unwrap(), message.clone()));
            }
            announcer::Output::Refuse { why, .. } => self.seen.refused.push(why),
            announcer::Output::Send { to, message } => self.say(&to, message),
            announcer::Output::Ask { slot, epoch, .. } => {
                self.seen.asked.push((slot, epoch));
                if let Some(again) = self.person {
                    let input = || announcer::Input::Decision { slot, epoch, again };
                    self.schedule(1_000, Event::ToAnnouncer(input()));
                }
            }
            announcer::Output::Aggregate(input) => {
                let output = Blob::from(input.to_string().into_bytes());
                let input = announcer::Input::Aggregated(Ok(output));
                self.schedule(10, Event::ToAnnouncer(input));
            }
            announcer::Output::Check(_) => {
                let input = announcer::Input::Checked(self.mismatch.clone());
                self.schedule(10, Event::ToAnnouncer(input));
            }
            announcer::Output::Close {
                verdict,
                winners,
                to,
            } => {
                let announcer = self.announcer.as_ref().unwrap();
                let signed = signed(&*verdict);
                let pages = close_pages(&signed, &verdict, announcer.ranking(), &winners);
                for realm in to {
                    let number = self.number(&realm);
                    self.bidders[number].close = pages.clone();
                }
            }
            announcer::Output::Finished(conclusion) => self.seen.finished.push(*conclusion),
        }
    }

    /// Notices what only somebody outside can see at the moment an entry is written.
    fn look_at(&mut self, entry: &Entry) {
        if let Entry::Ended(ended) = entry
            && ended.end == End::Expired
        {
            let slot = (ended.slot, ended.epoch);
            let works = |realm: &Realm| realm.working.values().any(|it| *it == slot);
            if self.bidders.iter().any(works) {
                self.seen.overrun.push(slot);
            }
        }
    }

    fn number(&self, place: &Place) -> usize {
        let mut numbers = 0..self.bidders.len();
        numbers
            .find(|number| plans::bidder(*number) == *place)
            .unwrap()
    }

    fn say(&mut self, to: &Place, message: Message) {
        let number = self.number(to);
        let from = plans::announcer();
        let input = match message {
            Message::Award(award) => bidder::Input::Award {
                from,
                award,
                admission: bidder::Admission::Granted,
            },
            Message::Lease(lease) => {
                if lease.input.is_some() {
                    let informed = (lease.slot, lease.epoch, to.clone(), self.log.len());
                    self.seen.informed.push(informed);
                }
                bidder::Input::Lease { from, lease }
            }
            Message::Withdraw(withdraw) => bidder::Input::Withdraw { from, withdraw },
            Message::Ack(ack) => bidder::Input::Ack { from, ack },
        };
        self.send(|| Event::ToBidder(number, ToBidder::Input(input.clone())));
    }
}
