//! What a broadcast costs besides its cryptography: announcer, bidders and the realms that pass
//! announcements on, every message encoded and read, nothing signed or sealed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use realm_broadcast::{
    Announcer, Bidder, FanOut, Left, Neighbour, Pass, Side, Tallying,
    announcer::{self, Message, Plan, Round},
    bidder::{self, Agent, Figure, Heard, Quote, Terms, Work},
    close_pages, fan_out,
    log::{Conclusion, Ending},
};
use realm_protocol::{
    BroadcastId, Digest, Label, Now, Place, RealmId, RealmPath, RunId, Scope, Tick, Timestamp,
    broadcast::{
        Aggregation, Announce, Announcement, Award, Bid, BidLimits, Close, Confirm, Deliver,
        Effects, Lease, OutcomeAck, Reach, Rule, Selection, Strategy, Tally, Waiting,
    },
    cbor::{self, Blob, Wire},
    records::{Record, Signed},
};

use crate::{resources::thread_cpu, row::Row};

const WINDOW_MS: u64 = 10_000;
/// Broadcasts that are measured; the row tells the median.
const TIMES: usize = 9;

/// A realm that passes on what it hears, and bids.
struct Realm {
    place: Place,
    bidder: Bidder,
    children: Vec<usize>,
    tallying: Option<Tallying>,
}

struct Broadcast {
    announcer: Announcer,
    announcement: Signed<Announcement>,
    realms: Vec<Realm>,
    bids: usize,
    ended: Option<Conclusion>,
    written: usize,
}

/// One broadcast to so many realms, the best four of which work; all of it on this thread.
pub(crate) fn run(job: &str, realms: usize) -> Result<Row> {
    let mut took: Vec<Duration> = Vec::new();
    for number in 0..=TIMES {
        let mut broadcast = Broadcast::new(realms, number as u8)?;
        let begun = thread_cpu();
        broadcast.run()?;
        took.push(thread_cpu().saturating_sub(begun));
        let ended = broadcast.ended.context("it does not end")?;
        ensure!(ended.ending == Ending::Output, "{ended:?}");
        ensure!(broadcast.bids == realms, "{} bids", broadcast.bids);
        ensure!(broadcast.written > realms, "{} bytes", broadcast.written);
    }
    took.remove(0);
    took.sort();
    let us = |at: usize| took.get(at).map(|took| took.as_secs_f64() * 1e6);
    Ok(Row {
        job: job.to_owned(),
        in_flight: realms,
        p50_us: us(TIMES / 2),
        p99_us: us(TIMES - 1),
        cpu_us_per_call: us(TIMES / 2).map(|us| us / realms as f64),
        ..Row::default()
    })
}

fn now() -> Now {
    Now {
        wall: Timestamp::from_millis(1_767_225_600_000),
        tick: Tick::from_millis(1_000),
    }
}

/// What a message is once it has been on a wire.
fn sent<T: Wire>(message: &T) -> Result<T> {
    Ok(cbor::decode(&cbor::encode(message))?)
}

/// As long as if it were signed.
fn signed<T: Record>(record: &T) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    signed.signatures.push([0; 64]);
    signed
}

fn place(number: usize, path: RealmPath) -> Place {
    let mut realm = [7; 32];
    realm[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Place {
        root: RealmId::new([7; 32]),
        path,
        realm: Some(RealmId::new(realm)),
        node: Some(realm_protocol::NodeId::new(realm)),
    }
}

impl Broadcast {
    fn new(realms: usize, number: u8) -> Result<Self> {
        let label = |number: usize| -> Result<Label> { Ok(format!("m{number}").parse()?) };
        let wide = (1..).find(|wide| wide * wide + wide >= realms).unwrap_or(1);
        let me = place(0, RealmPath::default());
        let mut all: Vec<Realm> = Vec::new();
        for number in 1..=realms {
            let parent = (number > wide).then(|| (number - wide - 1) % wide);
            let above = match parent {
                Some(parent) => all[parent].place.path.clone(),
                None => RealmPath::default(),
            };
            let place = place(number, above.child(&label(number)?)?);
            if let Some(parent) = parent {
                all[parent].children.push(number - 1);
            }
            all.push(Realm {
                bidder: Bidder::new(place.clone(), 64, 30_000),
                place,
                children: Vec::new(),
                tallying: None,
            });
        }
        let secret = [number; 32];
        let commitment = Digest::of(&[&secret]);
        let announcement = Announcement {
            broadcast: BroadcastId::of(me.realm.unwrap_or(me.root), commitment),
            round: 1,
            announcer: me,
            loop_id: "see".parse()?,
            contract: Digest::of(&[b"contract"]),
            input_schema: Digest::of(&[b"in"]),
            output_schema: Digest::of(&[b"out"]),
            effects: Effects::Idempotent,
            capabilities: Vec::new(),
            limits: BidLimits {
                currency: Some("EUR".to_owned()),
                price: Some(1_000_000),
                time_ms: None,
                confidence: None,
            },
            reach: Reach {
                down: 2,
                up: 0,
                across: 0,
                realms: Vec::new(),
                besides: None,
            },
            window_ms: WINDOW_MS,
            award_ms: 10_000,
            execution_ms: 60_000,
            rule: Rule {
                selection: Selection::Best,
                weights: None,
                awards: 4,
                standbys: 4,
                min_bids: 1,
                max_bids: realms as u64 + 1,
                early: None,
                per_realm: None,
            },
            aggregation: Aggregation {
                strategy: Strategy::CollectAll,
                waiting: Waiting::All,
                quorum: None,
                threshold: None,
                min_results: 4,
                confidence: None,
                field: Vec::new(),
            },
            commitment,
            created: now().wall,
            depth: 0,
            work: None,
        };
        let announcement_signed = signed(&announcement);
        let passes = (1..=wide.min(realms)).map(|number| {
            Ok(Pass {
                to: Side::Child(label(number)?),
                left: Left { down: 1, up: 0 },
                window_ms: WINDOW_MS,
            })
        });
        let plan = Plan {
            rounds: vec![Round {
                announcement: announcement_signed.clone(),
                fan: FanOut {
                    passes: passes.collect::<Result<_>>()?,
                    unreached: 0,
                },
            }],
            secret,
            input: Blob::from(br#"{"n":1}"#.to_vec()),
            confirm_ms: 5_000,
            lease_ms: 10_000,
            at_once: 4,
            person_ms: 60_000,
            budget: None,
        };
        Ok(Self {
            announcer: Announcer::start(plan, now())?,
            announcement: announcement_signed,
            realms: all,
            bids: 0,
            ended: None,
            written: 0,
        })
    }

    fn run(&mut self) -> Result<()> {
        while let Some(output) = self.announcer.poll_output() {
            self.carry_out(output)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, output: announcer::Output) -> Result<()> {
        match output {
            announcer::Output::Write(entry) => self.written += cbor::encode(&*entry).len(),
            announcer::Output::Announce { pass, .. } => {
                let Side::Child(label) = &pass.to else {
                    return Ok(());
                };
                let number: usize = label.as_str().trim_start_matches('m').parse()?;
                let announce = Announce {
                    announcement: self.announcement.clone(),
                    window_ms: pass.window_ms,
                    down: pass.left.down,
                    up: pass.left.up,
                    chain: None,
                };
                self.hear(number - 1, &sent(&announce)?)?;
                let tally = self.realms[number - 1].tallying.take().context("a tally")?;
                let tally: Tally = sent(&tally.tally())?;
                let from = pass.to;
                self.announcer
                    .handle(announcer::Input::Tally { from, tally }, now());
            }
            announcer::Output::Send { to, message } => self.tell(&to, message)?,
            announcer::Output::Close {
                verdict,
                winners,
                to,
            } => {
                let verdict_signed = signed(&*verdict);
                let ranking = self.announcer.ranking();
                let pages = close_pages(&verdict_signed, &verdict, ranking, &winners);
                let encoded: Vec<Vec<u8>> = pages.iter().map(cbor::encode).collect();
                for _ in &to {
                    for page in &encoded {
                        let page: Close = cbor::decode(page)?;
                        self.written += page.digests.len();
                    }
                }
            }
            announcer::Output::Finished(conclusion) => self.ended = Some(*conclusion),
            other => anyhow::bail!("nobody asked for {other:?}"),
        }
        Ok(())
    }

    /// A realm hears an announcement, passes it on, and bids.
    fn hear(&mut self, number: usize, announce: &Announce) -> Result<()> {
        let announcement = announce.announcement.peek()?;
        realm_broadcast::check_announcement(&announcement)?;
        let realm = &self.realms[number];
        let scope: Scope = realm.place.scope();
        let neighbours: Vec<Neighbour> = realm
            .children
            .iter()
            .filter_map(|child| self.realms[*child].place.path.last_label())
            .map(|label| Neighbour {
                side: Side::Child(label),
                can: None,
                reachable: true,
            })
            .collect();
        let left = Left {
            down: announce.down,
            up: announce.up,
        };
        let window_ms = announce.window_ms;
        let from = &Side::Parent;
        let fan = fan_out(&announcement, &scope, from, left, window_ms, &neighbours);
        let due = now().tick.plus(window_ms);
        let mut tallying = Tallying::new(&announcement, &scope, true, &fan, due);
        for (pass, child) in fan.passes.iter().zip(self.realms[number].children.clone()) {
            let passed = Announce {
                announcement: announce.announcement.clone(),
                window_ms: pass.window_ms,
                down: pass.left.down,
                up: pass.left.up,
                chain: None,
            };
            self.hear(child, &sent(&passed)?)?;
            let tally = self.realms[child].tallying.take().context("a tally")?;
            tallying.hear(&pass.to, &sent(&tally.tally())?);
        }
        let price = 100 * (1 + number as u64 * 7 % 5_000);
        let quote = Quote {
            when: None,
            price: Some(("EUR".to_owned(), Figure::Fixed(price))),
            time: Figure::Fixed(1_000),
            confidence: Figure::Fixed(900_000),
        };
        let heard = Heard {
            announcement: announce.announcement.clone(),
            window_ms,
            agents: vec![Agent {
                agent: announcement.loop_id.clone(),
                contract: announcement.contract,
                terms: Terms::Quote(quote),
                budget: None,
            }],
        };
        self.realms[number]
            .bidder
            .announced(heard, &|_, _| None, now());
        self.realms[number].tallying = Some(tallying);
        self.work(number)
    }

    fn tell(&mut self, to: &Place, message: Message) -> Result<()> {
        let number = self.realms.iter().position(|it| it.place.realm == to.realm);
        let number = number.context("a bidder")?;
        let from = place(0, RealmPath::default());
        let input = match message {
            Message::Award(award) => bidder::Input::Award {
                from,
                award: sent::<Award>(&award)?,
                admission: bidder::Admission::Granted,
            },
            Message::Lease(lease) => bidder::Input::Lease {
                from,
                lease: sent::<Lease>(&lease)?,
            },
            Message::Withdraw(withdraw) => bidder::Input::Withdraw {
                from,
                withdraw: sent(&withdraw)?,
            },
            Message::Ack(ack) => bidder::Input::Ack {
                from,
                ack: sent::<OutcomeAck>(&ack)?,
            },
        };
        self.realms[number].bidder.handle(input, now());
        self.work(number)
    }

    /// Carries out what a bidder wants.
    fn work(&mut self, number: usize) -> Result<()> {
        while let Some(output) = self.realms[number].bidder.poll_output() {
            let from = self.realms[number].place.clone();
            let input = match output {
                bidder::Output::Write(held) => {
                    self.written += cbor::encode(&*held).len();
                    continue;
                }
                bidder::Output::Bid { bid, .. } => {
                    self.bids += 1;
                    announcer::Input::Bid {
                        from,
                        bid: sent::<Signed<Bid>>(&signed(&*bid))?,
                        trust: 500_000,
                        permitted: true,
                    }
                }
                bidder::Output::Decided { bids, .. } => {
                    if let Some(tallying) = &mut self.realms[number].tallying {
                        tallying.count_own(bids);
                    }
                    continue;
                }
                bidder::Output::Confirm { confirm, .. } => announcer::Input::Confirm {
                    from,
                    confirm: sent::<Signed<Confirm>>(&signed(&confirm))?,
                },
                bidder::Output::Work(assigned) => {
                    let bid = assigned.bid;
                    let output = Blob::from(format!("{{\"seen\":{number}}}").into_bytes());
                    let work = Work {
                        output,
                        confidence: None,
                        charged: None,
                        run: RunId::new([1; 16]),
                    };
                    let result = Ok(work);
                    let worked = bidder::Input::Worked {
                        bid,
                        result,
                        spent: None,
                        below: None,
                    };
                    self.realms[number].bidder.handle(worked, now());
                    continue;
                }
                bidder::Output::Reserve(day) => {
                    self.written += cbor::encode(&day).len();
                    continue;
                }
                bidder::Output::Deliver {
                    outcome, output, ..
                } => announcer::Input::Delivered {
                    from,
                    delivered: sent::<Deliver>(&Deliver {
                        outcome: signed(&*outcome),
                        output,
                    })?,
                    matches: true,
                },
                other => anyhow::bail!("nobody asked for {other:?}"),
            };
            self.announcer.handle(input, now());
        }
        Ok(())
    }
}
