//! Bidders that mean harm. A puppet's node is as every other; but its bids and its tally are written
//! here, and so is what it makes of an award.

use std::collections::BTreeMap;

use realm_crypto::SigningKey;
use realm_protocol::{
    BroadcastId, CallId, Digest, FailureCode, Header, Kind, LoopId, Place, Timestamp,
    broadcast::{
        Announce, Announcement, Award, Bid, Confirm, ConfirmAnswer, Deliver, Lease, LeaseEnd,
        Outcome, PlacedBid, Price, Tally, WorkProgress,
    },
    budget::Spend,
    cbor::{self, Blob, Wire},
    records::{Record, Signed},
};
use realm_router::distance;

use super::letter::Letter;
use crate::{HostId, World};

/// A bidder that means harm.
#[derive(Debug)]
pub(super) struct Puppet {
    pub(super) host: HostId,
    /// Its bids that have won: by broadcast, slot and epoch.
    won: BTreeMap<(BroadcastId, u64, u64), Digest>,
    /// Its signed bids of earlier broadcasts, to be shown again.
    old: Vec<Signed<Bid>>,
    /// What it will send, and when.
    due: Vec<(u64, Draft)>,
}

/// A message to be sealed and sent.
#[derive(Clone, Debug)]
struct Draft {
    kind: Kind,
    call: CallId,
    to: Place,
    content: Vec<u8>,
}

/// The tricks of all puppets so far.
#[derive(Debug)]
pub(super) struct Tricks {
    /// How often each was played.
    pub(super) played: BTreeMap<&'static str, u64>,
    turns: BTreeMap<&'static str, u64>,
    seed: u64,
}

impl Tricks {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            played: BTreeMap::new(),
            turns: BTreeMap::new(),
            seed,
        }
    }

    pub(super) fn play(&mut self, name: &'static str) {
        *self.played.entry(name).or_default() += 1;
    }

    /// Each way of doing something has its turn, so that a few seeds try all of them.
    pub(super) fn turn(&mut self, what: &'static str, ways: u64) -> u64 {
        let turn = self.turns.entry(what).or_insert(self.seed.wrapping_mul(5));
        *turn = turn.wrapping_add(1);
        *turn % ways
    }
}

impl Puppet {
    pub(super) fn new(host: HostId) -> Self {
        Self {
            host,
            won: BTreeMap::new(),
            old: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Does what it has heard and waited for give it to do.
    pub(super) fn act(&mut self, world: &mut World, tricks: &mut Tricks) {
        let heard = world.post.heard.remove(&self.host).unwrap_or_default();
        for message in heard {
            let content = match world.is_up(self.host) {
                true => world.open_at(self.host, &message.envelope),
                false => None,
            };
            if let Some(content) = content {
                self.hear(world, tricks, &message.header, &content);
            }
        }
        let now = world.elapsed_ms();
        let due = std::mem::take(&mut self.due);
        for (at, draft) in due {
            match at <= now {
                true => self.send(world, &draft),
                false => self.due.push((at, draft)),
            }
        }
    }

    fn hear(&mut self, world: &mut World, tricks: &mut Tricks, header: &Header, content: &[u8]) {
        let from = &header.source;
        match header.kind {
            Kind::Announce => {
                if let Ok(announce) = cbor::decode::<Announce>(content) {
                    self.bid(world, tricks, from, &announce);
                }
            }
            Kind::Award => {
                if let Ok(award) = cbor::decode::<Award>(content) {
                    self.confirm(world, tricks, header, &award);
                }
            }
            Kind::Lease => {
                if let Ok(lease) = cbor::decode::<Lease>(content) {
                    self.work(world, tricks, header, &lease);
                }
            }
            _ => {}
        }
    }

    fn honest(&self, world: &World, announcement: &Announcement, digest: Digest) -> Bid {
        let asked = &announcement.limits;
        let price = asked.currency.clone().map(|currency| Price {
            currency,
            micros: 1,
        });
        Bid {
            broadcast: announcement.broadcast,
            announcement: digest,
            bidder: world.hosts[self.host.0].place(),
            agent: announcement.loop_id.clone(),
            contract: announcement.contract,
            price,
            time_ms: 1,
            confidence: 1_000_000,
            load: 0,
            created: world.now(self.host).wall,
            expires_ms: 60_000,
        }
    }

    /// Bids, in one or two of many ways, and tallies as it likes.
    fn bid(&mut self, world: &mut World, tricks: &mut Tricks, from: &Place, announce: &Announce) {
        let Ok(announcement) = announce.announcement.peek() else {
            return;
        };
        let digest = announce.announcement.digest();
        let bid = self.honest(world, &announcement, digest);
        let key = world.hosts[self.host.0].node_key();
        let to = announcement.announcer.clone();
        let call = CallId::new(*announcement.broadcast.as_bytes());
        let mut sent: Vec<(u64, Signed<Bid>)> = Vec::new();
        for _ in 0..1 + world.random(3) {
            let trick = tricks.turn("bid", 21);
            let (name, bids): (_, Vec<(u64, Signed<Bid>)>) = match trick {
                0..3 => ("a fair bid", vec![(0, sign(&key, &bid))]),
                3 => ("two bids of one agent", {
                    let other = Bid {
                        time_ms: 2,
                        ..bid.clone()
                    };
                    vec![(0, sign(&key, &bid)), (0, sign(&key, &other))]
                }),
                4 => ("the same bid twice", {
                    vec![(0, sign(&key, &bid)), (0, sign(&key, &bid))]
                }),
                5 => ("a bid that another has signed", {
                    let other = SigningKey::from_seed(&[7; 32]);
                    vec![(0, sign(&other, &bid))]
                }),
                6 => ("a bid in another's name", {
                    let other = world.random(world.hosts.len() as u64) as usize;
                    let other = &world.hosts[other];
                    let bidder = other.place();
                    vec![(
                        0,
                        sign(
                            &key,
                            &Bid {
                                bidder,
                                ..bid.clone()
                            },
                        ),
                    )]
                }),
                7 => ("a bid for nothing announced", {
                    let announcement = Digest::of(&[b"nothing"]);
                    vec![(
                        0,
                        sign(
                            &key,
                            &Bid {
                                announcement,
                                ..bid.clone()
                            },
                        ),
                    )]
                }),
                8 => ("a flood of agents", {
                    let agents = (0..20 + world.random(60)).map(|number| {
                        let agent: LoopId = format!("a{number}").parse().expect("a loop id");
                        (
                            0,
                            sign(
                                &key,
                                &Bid {
                                    agent,
                                    ..bid.clone()
                                },
                            ),
                        )
                    });
                    agents.collect()
                }),
                9 => ("a bid beyond all bounds", {
                    let bids = [
                        Bid {
                            confidence: 1_000_001,
                            ..bid.clone()
                        },
                        Bid {
                            load: u64::MAX,
                            ..bid.clone()
                        },
                        Bid {
                            expires_ms: 0,
                            ..bid.clone()
                        },
                        Bid {
                            expires_ms: 60_001,
                            ..bid.clone()
                        },
                    ];
                    let one = world.random(4) as usize;
                    vec![(0, sign(&key, &bids[one]))]
                }),
                10 => ("a bid beyond the limits", {
                    let price = |currency: &str, micros| {
                        Some(Price {
                            currency: currency.to_owned(),
                            micros,
                        })
                    };
                    let bids = [
                        Bid {
                            price: price("EUR", u64::MAX),
                            ..bid.clone()
                        },
                        Bid {
                            price: price("XXX", 1),
                            ..bid.clone()
                        },
                        Bid {
                            time_ms: u64::MAX,
                            ..bid.clone()
                        },
                        Bid {
                            confidence: 0,
                            ..bid.clone()
                        },
                    ];
                    let one = world.random(4) as usize;
                    vec![(0, sign(&key, &bids[one]))]
                }),
                11 => ("a late bid", {
                    let late = announcement.window_ms + world.random(2_000);
                    vec![(late, sign(&key, &bid))]
                }),
                12 => ("a bid of another broadcast", {
                    self.old
                        .last()
                        .map(|old| (0, old.clone()))
                        .into_iter()
                        .collect()
                }),
                13 => ("no bid", vec![]),
                14 => ("a bid sent to another realm", {
                    let other = world.random(world.hosts.len() as u64) as usize;
                    let other = world.hosts[other].place();
                    let placed = PlacedBid {
                        bid: sign(&key, &bid),
                        session: None,
                    };
                    self.post(world, 0, Kind::Bid, call, &other, &placed);
                    vec![]
                }),
                15 | 16 => ("a bid that holds for a moment", {
                    let expires_ms = 1 + world.random(500);
                    let short = Bid {
                        expires_ms,
                        ..bid.clone()
                    };
                    vec![(0, sign(&key, &short))]
                }),
                _ => ("a fair bid", vec![(0, sign(&key, &bid))]),
            };
            tricks.play(name);
            sent.extend(bids);
        }
        for (after, bid) in &sent {
            let placed = PlacedBid {
                bid: bid.clone(),
                session: None,
            };
            self.post(world, *after, Kind::Bid, call, &to, &placed);
        }
        self.old.extend(sent.pop().map(|(_, bid)| bid));
        let tally = Tally {
            broadcast: announcement.broadcast,
            round: announcement.round,
            asked: 1,
            bids: world.random(4),
            unreached: 0,
            suppressed: None,
        };
        match world.random(5) {
            0 => tricks.play("no tally"),
            _ => {
                let after = 1 + world.random(80);
                self.post(world, after, Kind::Tally, call, from, &tally);
            }
        }
    }

    /// Answers an award, or does not.
    fn confirm(&mut self, world: &mut World, tricks: &mut Tricks, header: &Header, award: &Award) {
        let key = world.hosts[self.host.0].node_key();
        let slot = (award.broadcast, award.slot, award.epoch);
        self.won.insert(slot, award.bid);
        let with = |answer| Confirm {
            broadcast: award.broadcast,
            slot: award.slot,
            epoch: award.epoch,
            bid: award.bid,
            answer,
        };
        let yes = with(ConfirmAnswer::Reserved);
        let (name, confirms) = match tricks.turn("confirm", 12) {
            0 => ("silence about an award", vec![]),
            1 => ("busy", vec![with(ConfirmAnswer::Busy)]),
            2 => ("yes and no", vec![yes, with(ConfirmAnswer::Busy)]),
            3 => ("a confirmation of another epoch", {
                vec![Confirm {
                    epoch: award.epoch + 1,
                    ..yes
                }]
            }),
            4 => ("a confirmation of another slot", {
                vec![Confirm {
                    slot: award.slot + 1,
                    ..yes
                }]
            }),
            5 => ("a confirmation of another bid", {
                vec![Confirm {
                    bid: Digest::of(&[b"other"]),
                    ..yes
                }]
            }),
            6 => ("a late confirmation", vec![]),
            7 => ("an outcome before the confirmation", vec![yes]),
            _ => ("a confirmation", vec![yes]),
        };
        tricks.play(name);
        if name == "an outcome before the confirmation" {
            let end = [LeaseEnd::NotBegun, LeaseEnd::Failed][world.random(2) as usize];
            let outcome = sign(&key, &said(award, end, world.now(self.host).wall));
            let output = None;
            let deliver = Deliver { outcome, output };
            let to = &header.source;
            self.post(world, 0, Kind::Failure, header.call, to, &deliver);
        }
        for confirm in &confirms {
            let signed = sign(&key, confirm);
            self.post(
                world,
                0,
                Kind::Confirm,
                header.call,
                &header.source,
                &signed,
            );
        }
        if name == "a late confirmation" {
            let (after, signed) = (award.confirm_ms + world.random(3_000), sign(&key, &yes));
            self.post(
                world,
                after,
                Kind::Confirm,
                header.call,
                &header.source,
                &signed,
            );
        }
    }

    /// Works, after its manner, on what it has leased.
    fn work(&mut self, world: &mut World, tricks: &mut Tricks, header: &Header, lease: &Lease) {
        let won = self.won.get(&(lease.broadcast, lease.slot, lease.epoch));
        let (Some(input), Some(bid)) = (&lease.input, won.copied()) else {
            return;
        };
        let text = String::from_utf8_lossy(input).into_owned();
        let judged = [
            "",
            r#","verdict":"no","score":1e9"#,
            r#","verdict":["yes"],"score":"1","tags":{}"#,
        ][world.random(3) as usize];
        let output = Blob::from(format!("{{\"done\":{text}{judged}}}").into_bytes());
        let sure = [None, None, Some(300_000), Some(1_000_001)][world.random(4) as usize];
        let done = Outcome {
            broadcast: lease.broadcast,
            slot: lease.slot,
            epoch: lease.epoch,
            bid,
            end: LeaseEnd::Done,
            output: Some(Digest::of(&[&output])),
            failure: None,
            confidence: sure,
            charged: None,
            run: None,
            created: world.now(self.host).wall,
            spent: (world.random(2) == 0).then(|| Spend {
                tokens: u64::MAX,
                ..Spend::default()
            }),
            below: None,
        };
        let failed = Outcome {
            end: LeaseEnd::Failed,
            output: None,
            failure: Some(FailureCode::LoopFailed),
            ..done.clone()
        };
        let not_begun = Outcome {
            end: LeaseEnd::NotBegun,
            ..failed.clone()
        };
        let soon = world.random(2_000);
        let after_lease = lease.lease_ms + world.random(12_000);
        type Given = Vec<(u64, Outcome, Option<Blob>)>;
        let (name, given): (_, Given) = match tricks.turn("work", 15) {
            0 => ("confirms and dies", vec![]),
            1 => ("works", vec![(soon, done, Some(output))]),
            2 => ("answers twice", {
                let second = Blob::from(format!("{{\"again\":{text}}}").into_bytes());
                let other = Outcome {
                    output: Some(Digest::of(&[&second])),
                    ..done.clone()
                };
                vec![(soon, done, Some(output)), (soon, other, Some(second))]
            }),
            3 => (
                "answers after its lease",
                vec![(after_lease, done, Some(output))],
            ),
            4 => ("breaks the output schema", {
                let list = Blob::from(b"[1]".to_vec());
                let output = Some(Digest::of(&[&list]));
                vec![(soon, Outcome { output, ..done }, Some(list))]
            }),
            5 => ("charges more than its bid", {
                let charged = Some(Price {
                    currency: "EUR".to_owned(),
                    micros: 2,
                });
                vec![(soon, Outcome { charged, ..done }, Some(output))]
            }),
            6 => ("charges in another currency", {
                let charged = Some(Price {
                    currency: "XXX".to_owned(),
                    micros: 1,
                });
                vec![(soon, Outcome { charged, ..done }, Some(output))]
            }),
            7 => ("gives another output than it signs", {
                let other = Blob::from(br#"{"forged":1}"#.to_vec());
                vec![(soon, done, Some(other))]
            }),
            8 => ("gives no output", vec![(soon, done, None)]),
            9 => ("fails and then works", {
                vec![(soon, failed, None), (soon + 50, done, Some(output))]
            }),
            10 => ("answers for another epoch", {
                let other = Outcome {
                    epoch: lease.epoch + 1,
                    ..done
                };
                vec![(soon, other, Some(output))]
            }),
            11 => ("answers for another slot", {
                let other = Outcome {
                    slot: lease.slot + 1,
                    ..done
                };
                vec![(soon, other, Some(output))]
            }),
            12 => ("says it has not begun", vec![(soon, not_begun, None)]),
            13 => ("works, and says it has not begun", {
                vec![(soon, not_begun, None), (soon, done, Some(output))]
            }),
            _ => ("holds its lease for long", {
                for number in 1..8 {
                    let progress = WorkProgress {
                        broadcast: lease.broadcast,
                        slot: lease.slot,
                        epoch: lease.epoch,
                        number,
                        done: 0,
                        offshoots: None,
                    };
                    let after = number * lease.lease_ms / 2;
                    let to = &header.source;
                    self.post(world, after, Kind::Progress, header.call, to, &progress);
                }
                vec![]
            }),
        };
        tricks.play(name);
        let key = world.hosts[self.host.0].node_key();
        for (after, outcome, output) in given {
            let kind = match outcome.end {
                LeaseEnd::Done => Kind::Result,
                _ => Kind::Failure,
            };
            let outcome = sign(&key, &outcome);
            let deliver = Deliver { outcome, output };
            for again in 0..1 + world.random(2) {
                let after = after + again * 300;
                self.post(world, after, kind, header.call, &header.source, &deliver);
            }
        }
    }

    fn post<T: Wire>(
        &mut self,
        world: &World,
        after: u64,
        kind: Kind,
        call: CallId,
        to: &Place,
        content: &T,
    ) {
        let draft = Draft {
            kind,
            call,
            to: to.clone(),
            content: cbor::encode(content),
        };
        self.due.push((world.elapsed_ms() + after, draft));
    }

    /// Seals a message and sends it to the neighbour that is nearest to its destination.
    fn send(&self, world: &mut World, draft: &Draft) {
        let (me, here) = (self.host, world.hosts[self.host.0].place());
        let there = draft.to.scope();
        let links = world.hosts[me.0].links.iter();
        let next = links.min_by_key(|(_, end)| distance(&world.hosts[end.host.0].scope, &there));
        let Some((link, next)) = next.map(|(link, end)| (*link, end.host)) else {
            return;
        };
        if distance(&world.hosts[next.0].scope, &there) >= distance(&here.scope(), &there) {
            return;
        }
        let letter = Letter {
            kind: draft.kind,
            call: draft.call,
            to: &draft.to,
            content: &draft.content,
        };
        let Some(frame) = world.letter(me, next, &letter) else {
            return;
        };
        world.post.puppet_sends = true;
        world.send(me, link, frame);
        world.post.puppet_sends = false;
    }
}

/// What a winner says of work that it has no input of.
fn said(award: &Award, end: LeaseEnd, created: Timestamp) -> Outcome {
    Outcome {
        broadcast: award.broadcast,
        slot: award.slot,
        epoch: award.epoch,
        bid: award.bid,
        end,
        output: None,
        failure: Some(FailureCode::LoopFailed),
        confidence: None,
        charged: None,
        run: None,
        created,
        spent: None,
        below: None,
    }
}

fn sign<T: Record>(key: &SigningKey, record: &T) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    key.sign(&mut signed);
    signed
}
