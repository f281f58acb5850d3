//! Bidders: their disks, their processes, and how they behave.

use std::collections::BTreeMap;

use realm_broadcast::{
    Bidder, announcer,
    bidder::{self, Agent, Figure, Heard, Held, Quote, Terms, Work},
};
use realm_protocol::{
    Digest, FailureCode, RunId,
    broadcast::{Announcement, Bid, Close, Confirm, Deliver, Outcome, Price, Tally},
    cbor::{self, Blob},
    records::{Record, Signed},
};
use serde_json::Value;

use super::{
    plans,
    world::{Event, World},
};

/// How a bidder bids and works.
#[derive(Clone, Copy)]
pub(super) struct Agenda {
    pub(super) price: u64,
    pub(super) work_ms: u64,
    pub(super) conduct: Conduct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    Honest,
    /// Its work fails.
    Fails,
    /// It works for ever.
    Stalls,
    /// It charges more than it bid.
    Overcharges,
    /// Its output breaks the schema.
    Mismatches,
    /// It dies as soon as it works, and stays dead.
    Dies,
}

#[derive(Clone)]
pub(super) enum ToBidder {
    Announce(Signed<Announcement>, u64),
    Input(bidder::Input),
}

/// A bidder and its disk.
pub(super) struct Realm {
    pub(super) agenda: Agenda,
    pub(super) running: Option<Bidder>,
    /// Which process it is by now.
    pub(super) life: u64,
    pub(super) disk: Vec<Held>,
    /// What it works on: slot and epoch by bid.
    pub(super) working: BTreeMap<Digest, (u64, u64)>,
    pub(super) bids: BTreeMap<Digest, Bid>,
    pub(super) awarded: Vec<Digest>,
    pub(super) close: Vec<Close>,
}

impl Realm {
    pub(super) fn new(number: usize, agenda: Agenda) -> Self {
        Self {
            agenda,
            running: Some(Bidder::new(plans::bidder(number), 1, 20_000)),
            life: 0,
            disk: Vec::new(),
            working: BTreeMap::new(),
            bids: BTreeMap::new(),
            awarded: Vec::new(),
            close: Vec::new(),
        }
    }
}

impl World {
    pub(super) fn tell_bidder(&mut self, number: usize, message: ToBidder) {
        if self.random.chance(self.faults.bidder_dies) {
            let back = self.random.chance(700);
            let down = self.random.between(1, 8_000);
            self.kill_bidder(number, back.then_some(down));
        }
        let now = self.clock(0);
        let realm = &mut self.bidders[number];
        let Some(bidder) = &mut realm.running else {
            return;
        };
        match message {
            ToBidder::Announce(announcement, window_ms) => {
                let heard = Heard {
                    announcement,
                    window_ms,
                    agents: vec![agent(realm.agenda.price)],
                };
                bidder.announced(heard, &|_, _| None, now);
            }
            ToBidder::Input(input) => {
                if let bidder::Input::Award { award, .. } = &input {
                    realm.awarded.push(award.bid);
                }
                if let bidder::Input::Worked { bid, .. } = &input {
                    realm.working.remove(bid);
                }
                bidder.handle(input, now);
            }
        }
        self.drain_bidder(number);
    }

    pub(super) fn drain_bidder(&mut self, number: usize) {
        let running = |world: &mut Self| world.bidders[number].running.as_mut()?.poll_output();
        while let Some(output) = running(self) {
            self.perform_bidder(number, output);
        }
        let busy = self.bidders[number].running.as_ref().map(Bidder::load);
        self.seen.overloaded |= busy.is_some_and(|load| load > 1_000_000);
    }

    pub(super) fn perform_bidder(&mut self, number: usize, output: bidder::Output) {
        let from = plans::bidder(number);
        match output {
            bidder::Output::Write(entry) => {
                let entry: Held = cbor::decode(&cbor::encode(&*entry)).unwrap();
                self.bidders[number].disk.push(entry);
            }
            bidder::Output::Bid { bid, .. } => {
                let bid = signed(&*bid);
                let realm = &mut self.bidders[number];
                realm.bids.insert(bid.digest(), bid.peek().unwrap());
                let trust = 100_000 * (number as u64 % 10);
                let input = announcer::Input::Bid {
                    from,
                    bid,
                    trust,
                    permitted: true,
                };
                self.send(|| Event::ToAnnouncer(input.clone()));
            }
            bidder::Output::Decided {
                broadcast,
                round,
                bids,
            } => {
                let tally = Tally {
                    broadcast,
                    round,
                    asked: 1,
                    bids,
                    unreached: 0,
                    suppressed: None,
                };
                let from = plans::side(number);
                let input = announcer::Input::Tally { from, tally };
                self.send(|| Event::ToAnnouncer(input.clone()));
            }
            bidder::Output::Confirm { confirm, .. } => {
                let confirm: Signed<Confirm> = signed(&confirm);
                let input = announcer::Input::Confirm { from, confirm };
                self.send(|| Event::ToAnnouncer(input.clone()));
            }
            bidder::Output::Progress { progress, .. } => {
                let input = announcer::Input::Progress { from, progress };
                self.send(|| Event::ToAnnouncer(input.clone()));
            }
            bidder::Output::Deliver {
                outcome, output, ..
            } => {
                let matches = self.bidders[number].agenda.conduct != Conduct::Mismatches;
                let outcome: Signed<Outcome> = signed(&*outcome);
                let delivered = Deliver { outcome, output };
                let input = announcer::Input::Delivered {
                    from,
                    delivered,
                    matches,
                };
                self.send(|| Event::ToAnnouncer(input.clone()));
            }
            bidder::Output::Work(work) => self.work(number, work.bid),
            bidder::Output::Stop { bid, waits_ms } => {
                self.bidders[number].working.remove(&bid);
                if waits_ms > 0 {
                    let life = self.bidders[number].life;
                    let stopped = Err(FailureCode::Cancelled);
                    self.schedule(0, Event::Works(number, life, bid, stopped));
                }
            }
            bidder::Output::Reserve(_)
            | bidder::Output::Ask { .. }
            | bidder::Output::NoBid { .. } => {}
        }
    }

    pub(super) fn work(&mut self, number: usize, bid: Digest) {
        let begun = self.bidders[number]
            .disk
            .iter()
            .find_map(|entry| match entry {
                Held::Reserved(it) if it.bid == bid => Some((it.slot, it.epoch)),
                _ => None,
            });
        let (slot, epoch) = begun.unwrap();
        self.seen.begun.push((slot, epoch, number));
        let realm = &mut self.bidders[number];
        realm.working.insert(bid, (slot, epoch));
        let Agenda {
            price,
            work_ms,
            conduct,
        } = realm.agenda;
        let life = realm.life;
        let conduct = if self.random.chance(self.faults.work_fails) {
            self.random
                .pick(&[Conduct::Fails, Conduct::Stalls, Conduct::Dies])
        } else {
            conduct
        };
        let charged = match conduct {
            Conduct::Overcharges => price + 1,
            _ => price,
        };
        let output = Value::from(number as u64 % 3);
        let work = Work {
            output: Blob::from(output.to_string().into_bytes()),
            confidence: None,
            charged: Some(euros(charged)),
            run: RunId::new([1; 16]),
        };
        match conduct {
            Conduct::Stalls => {}
            Conduct::Dies => self.kill_bidder(number, None),
            Conduct::Fails => {
                let failed = Err(FailureCode::LoopFailed);
                self.schedule(work_ms, Event::Works(number, life, bid, failed));
            }
            _ => self.schedule(work_ms, Event::Works(number, life, bid, Ok(work))),
        }
    }
}

fn euros(micros: u64) -> Price {
    Price {
        currency: "EUR".to_owned(),
        micros,
    }
}

fn agent(price: u64) -> Agent {
    Agent {
        agent: "price-check".parse().unwrap(),
        contract: Digest::new([1; 32]),
        terms: Terms::Quote(Quote {
            when: None,
            price: Some(("EUR".to_owned(), Figure::Fixed(price))),
            time: Figure::Fixed(price),
            confidence: Figure::Fixed(900_000 - price),
        }),
        budget: None,
    }
}

/// Signatures are for somebody else to make and to check.
pub(super) fn signed<T: Record>(record: &T) -> Signed<T> {
    Signed::unsigned(record)
}
