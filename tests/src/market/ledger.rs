//! What the announcer of a broadcast has written down, step by step: RANK-1 to RANK-6, AWARD-1,
//! AWARD-2, LEASE-1, LEASE-6, AGG-11 and TRANSCRIPT-2 to TRANSCRIPT-7, checked anew.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use realm_broadcast::{
    announcer::recompute,
    log::{Conclusion, Counted, End, Ended, Ending, Entry},
};
use realm_crypto::verify;
use realm_protocol::{
    Digest, RealmId, Timestamp,
    broadcast::{Announcement, Bid, ConfirmAnswer, Effects},
    cbor::{self, Blob},
    journal::{Direction, Event, Run},
    json, limits,
};
use serde_json::Value;

use super::{
    ranking::{ranked, root},
    results::{Outcome, suffice},
};
use crate::{HostId, World};

/// What an announcer has written down of one broadcast.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) host: HostId,
    pub(super) run: Run,
    pub(super) announcement: Announcement,
    pub(super) entries: Vec<Entry>,
    /// The same as bytes.
    pub(super) written: Vec<Blob>,
    /// The bids that it has looked at while it took any, in order; those that count and those that
    /// do not.
    pub(super) taken: Vec<Digest>,
    /// Event and what it says of each.
    pub(super) told: Vec<String>,
    /// Where it was when the announcer's process died, each time.
    pub(super) restarts: Vec<&'static str>,
    counted: OnceCell<Vec<CountedBid>>,
    ranking: OnceCell<Vec<Digest>>,
}

/// A bid that counts, and when it came to.
type CountedBid = (Digest, Bid, Timestamp);

/// Where a slot stands.
#[derive(Clone, Debug, Default)]
struct Slot {
    epoch: u64,
    bid: Option<Digest>,
    /// What it waits for: nobody, a confirmation, a lease, an outcome, a person.
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    Awarded,
    Reserved,
    Leased,
    Asking,
    Over,
}

impl Ledger {
    /// Reads the traces of all broadcasts that this host has announced.
    pub(super) fn read_all(world: &World, host: HostId) -> Vec<Self> {
        let disk = &world.hosts[host.0].disk;
        let runs = disk.runs.values();
        let own = runs.filter(|run| run.direction == Direction::Local);
        own.filter_map(|run| Self::read(world, host, run)).collect()
    }

    /// Reads the broadcast of this host whose input has this string, the first of several.
    pub(super) fn find(world: &World, host: HostId, seeks: &str) -> Option<Self> {
        let all = Self::read_all(world, host).into_iter();
        all.filter(|it| it.asks(seeks)).min_by_key(|it| it.run.id)
    }

    /// Reads the trace of a run; none if it announces nothing itself, or what it announced was lost.
    fn read(world: &World, host: HostId, run: &Run) -> Option<Self> {
        let disk = &world.hosts[host.0].disk;
        let events = disk.events.range((run.id, 0)..=(run.id, u64::MAX));
        let events: Vec<(&Event, Value)> = events
            .map(|(_, event)| {
                let payload = serde_json::from_slice(&event.payload);
                (event, payload.expect("the payload of an event"))
            })
            .collect();
        let written: Vec<Blob> = events
            .iter()
            .filter_map(|(_, payload)| Blob::from_base64(payload["entry"].as_str()?))
            .collect();
        let entries: Vec<Entry> = written
            .iter()
            .map(|entry| cbor::decode(entry).expect("an entry"))
            .collect();
        let open = events
            .iter()
            .take_while(|(event, _)| event.kind != "broadcast.closed");
        let bids = open.filter(|(event, _)| {
            matches!(event.kind.as_str(), "broadcast.bid" | "broadcast.refused")
        });
        let taken = bids.filter_map(|(_, payload)| payload["bid"].as_str()?.parse().ok());
        let told = events.iter().map(|(event, payload)| {
            let says = ["why", "end", "answer", "cause", "ending"];
            let says = says.iter().find_map(|name| payload[*name].as_str());
            format!("{} {}", event.kind, says.unwrap_or_default())
        });
        let Some(Entry::Planned(planned)) = entries.first() else {
            return None;
        };
        Some(Self {
            host,
            run: run.clone(),
            announcement: planned.rounds[0].peek().expect("our own announcement"),
            taken: taken.collect(),
            told: told.collect(),
            restarts: restarts(&events),
            entries,
            written,
            counted: OnceCell::new(),
            ranking: OnceCell::new(),
        })
    }

    /// Whether a string stands in its input.
    pub(super) fn asks(&self, seeks: &str) -> bool {
        let input = self.run.input.as_deref().unwrap_or_default();
        String::from_utf8_lossy(input).contains(seeks)
    }

    pub(super) fn conclusion(&self) -> Option<&Conclusion> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Finished(finished) => Some(&finished.conclusion),
            _ => None,
        })
    }

    /// When its time for bids was over, also where it closed later because its process was down.
    pub(super) fn window_over(&self) -> Option<Timestamp> {
        let announced = self.entries.iter().filter_map(|entry| match entry {
            Entry::Announced(it) => Some(it.at.plus(self.announcement.window_ms)),
            _ => None,
        });
        announced.max()
    }

    /// When it took no more bids.
    pub(super) fn closed(&self) -> Option<Timestamp> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::BidsClosed(closed) => Some(closed.at),
            _ => None,
        })
    }

    /// The bids that count, in the order in which they came to.
    pub(super) fn counted(&self) -> &[CountedBid] {
        self.counted.get_or_init(|| {
            let counted = self.entries.iter().filter_map(|entry| match entry {
                Entry::Counted(Counted { bid, at, .. }) => Some((bid, *at)),
                _ => None,
            });
            let counted: Vec<CountedBid> = counted
                .map(|(signed, at)| {
                    let bid = signed.peek().expect("a bid that counts reads");
                    (signed.digest(), bid, at)
                })
                .collect();
            // Of one agent's bids the last.
            let whose = |bid: &Bid| (bid.bidder.realm, bid.agent.clone());
            let last = counted.iter().enumerate();
            let last: BTreeMap<_, usize> = last.map(|(at, (_, bid, _))| (whose(bid), at)).collect();
            let mut counted: Vec<_> = counted.into_iter().enumerate().collect();
            counted.retain(|(at, (_, bid, _))| last[&whose(bid)] == *at);
            counted.into_iter().map(|(_, bid)| bid).collect()
        })
    }

    /// The rounds that were announced, but for these.
    pub(super) fn unheard_rounds(
        &self,
        heard: &[(Digest, Announcement)],
    ) -> Vec<(Digest, Announcement)> {
        let Some(Entry::Planned(planned)) = self.entries.first() else {
            return Vec::new();
        };
        let rounds = planned.rounds.iter();
        let rounds = rounds.map(|round| (round.digest(), round.peek().expect("a round reads")));
        rounds
            .filter(|(digest, _)| heard.iter().all(|(it, _)| it != digest))
            .collect()
    }

    /// The bids that count, in rank order.
    pub(super) fn ranking(&self) -> &[Digest] {
        self.ranking.get_or_init(|| {
            let Some(Entry::Planned(planned)) = self.entries.first() else {
                return Vec::new();
            };
            let bids = self.counted().iter();
            let bids: Vec<(Digest, Bid)> = bids
                .map(|(digest, bid, _)| (*digest, bid.clone()))
                .collect();
            let digests: Vec<Digest> = bids.iter().map(|(digest, _)| *digest).collect();
            ranked(&self.announcement, &planned.secret, root(&digests), &bids)
        })
    }

    /// Everything in it that no rule leads to.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        match recompute(&self.entries) {
            Err(wrong) => broken.push(format!("the audit says: {wrong}")),
            Ok(recomputed) => {
                let order = recomputed.ranking.ranked.iter();
                let order: Vec<Digest> = order.map(|ranked| ranked.candidate.bid).collect();
                if order != self.ranking() {
                    broken.push("the audit ranks otherwise".to_owned());
                }
                if recomputed.conclusion.as_ref() != self.conclusion() {
                    broken.push("the audit ends otherwise".to_owned());
                }
            }
        }
        broken.extend(self.steps().err());
        broken.extend(self.overspent());
        broken
    }

    fn steps(&self) -> Result<(), String> {
        let order = self.ranking();
        let counted = self.counted();
        let rule = &self.announcement.rule;
        let eligible = order.iter().take((rule.awards + rule.standbys) as usize);
        let eligible: Vec<(Digest, &Bid, Timestamp)> = eligible
            .filter_map(|digest| counted.iter().find(|(it, ..)| it == digest))
            .map(|(digest, bid, at)| (*digest, bid, *at))
            .collect();
        let mut slots: BTreeMap<u64, Slot> = BTreeMap::new();
        let (mut had, mut closed, mut cancelled, mut finished) =
            (BTreeSet::new(), None, false, false);
        // Slots that were leased when the broadcast was cancelled, and slots whose holders said how
        // they ended.
        let (mut withdrawn, mut spoke): (BTreeSet<u64>, BTreeSet<u64>) = Default::default();
        for (number, entry) in self.entries.iter().enumerate() {
            let enough = || self.has_enough(&self.entries[..number]);
            if cancelled && matches!(entry, Entry::Awarded(_) | Entry::Leased(_)) {
                return Err(format!("after the cancel: {entry:?}"));
            }
            if finished && !matches!(entry, Entry::Unused(_) | Entry::Proved(_)) {
                return Err(format!("after the end: {entry:?}"));
            }
            match entry {
                Entry::Planned(_) | Entry::Announced(_) | Entry::Proved(_) | Entry::Unused(_) => {}
                Entry::Counted(_) if closed.is_some() => {
                    return Err("a bid counts after the bidding".to_owned());
                }
                Entry::Counted(_) => {}
                Entry::BidsClosed(it) if closed.is_none() => closed = Some(it.at),
                Entry::BidsClosed(_) => return Err("the bidding ends twice".to_owned()),
                Entry::Awarded(it) => {
                    let next = eligible.iter().find(|(digest, bid, at)| {
                        !had.contains(digest) && it.at.since(*at) < bid.expires_ms
                    });
                    let slot = slots.entry(it.slot).or_default();
                    let in_time = closed
                        .is_some_and(|closed| it.at.since(closed) <= self.announcement.award_ms);
                    let is_next = next.is_some_and(|(digest, ..)| *digest == it.bid);
                    let in_order = slot.stage == Stage::Open && it.epoch == slot.epoch + 1;
                    let bounded = it.slot < rule.awards && it.epoch <= limits::EPOCHS;
                    if !(is_next && in_order && bounded && in_time) {
                        return Err(format!("not the award that is due: {it:?}"));
                    }
                    had.insert(it.bid);
                    *slot = Slot {
                        epoch: it.epoch,
                        bid: Some(it.bid),
                        stage: Stage::Awarded,
                    };
                }
                Entry::Answered(it) => {
                    let slot = slots.entry(it.slot).or_default();
                    let answer = match &it.confirm {
                        None => None,
                        Some(signed) => {
                            let confirm = signed.peek().map_err(|error| error.to_string())?;
                            let bidder = counted.iter().find(|(bid, ..)| Some(*bid) == slot.bid);
                            let node = bidder.and_then(|(_, bid, _)| bid.bidder.node);
                            let signed = node
                                .is_some_and(|node| verify(signed, &[*node.as_bytes()]).is_ok());
                            if !signed || Some(confirm.bid) != slot.bid {
                                return Err(format!("another's answer: {it:?}"));
                            }
                            Some(confirm.answer)
                        }
                    };
                    if (slot.epoch, slot.stage) != (it.epoch, Stage::Awarded) {
                        return Err(format!("an answer to nothing: {it:?}"));
                    }
                    slot.stage = match answer {
                        Some(ConfirmAnswer::Reserved) => Stage::Reserved,
                        _ => Stage::Open,
                    };
                }
                Entry::Leased(it) => {
                    let slot = slots.entry(it.slot).or_default();
                    let stage = match it.answers {
                        0 => Stage::Reserved,
                        _ => Stage::Leased,
                    };
                    let bid = counted.iter().find(|(bid, ..)| Some(*bid) == slot.bid);
                    let is_holder = bid.is_some_and(|(_, bid, _)| bid.bidder == it.holder);
                    if (slot.epoch, slot.stage) != (it.epoch, stage) || !is_holder {
                        return Err(format!("a lease that nobody confirmed: {it:?}"));
                    }
                    slot.stage = Stage::Leased;
                }
                Entry::Ended(it) => {
                    let slot = slots.entry(it.slot).or_default();
                    let lies =
                        matches!(slot.stage, Stage::Leased | Stage::Asking | Stage::Reserved);
                    if slot.epoch != it.epoch || !lies {
                        return Err(format!("an end of nothing: {it:?}"));
                    }
                    if it.end == End::Withdrawn && !cancelled && !enough() {
                        return Err(format!("taken back while it is waited for: {it:?}"));
                    }
                    slot.stage = match cancelled {
                        true => Stage::Over,
                        false => self.after(it),
                    };
                    match it.delivered {
                        Some(_) => spoke.insert(it.slot),
                        None => spoke.remove(&it.slot),
                    };
                }
                Entry::Decided(it) => {
                    let slot = slots.entry(it.slot).or_default();
                    if (slot.epoch, slot.stage) != (it.epoch, Stage::Asking) {
                        return Err(format!("nobody asked: {it:?}"));
                    }
                    slot.stage = match it.again {
                        true => Stage::Open,
                        false => Stage::Over,
                    };
                }
                Entry::Cancelled(_) => {
                    cancelled = true;
                    let leased = slots.iter().filter(|(_, slot)| slot.stage == Stage::Leased);
                    withdrawn = leased.map(|(number, _)| *number).collect();
                }
                Entry::Finished(it) => {
                    finished = true;
                    let waits = slots
                        .values()
                        .any(|slot| !matches!(slot.stage, Stage::Open | Stage::Over));
                    if waits {
                        return Err(format!("it ends while slots are held: {slots:?}"));
                    }
                    let open = (0..self.winners()).any(|number| {
                        let slot = slots.get(&number).cloned().unwrap_or_default();
                        slot.stage == Stage::Open && slot.epoch < limits::EPOCHS
                    });
                    let holds = eligible.iter().any(|(digest, bid, at)| {
                        !had.contains(digest) && it.at.since(*at) < bid.expires_ms
                    });
                    let (awards_ms, work_ms) =
                        (self.announcement.award_ms, self.announcement.execution_ms);
                    let in_time =
                        closed.is_some_and(|closed| it.at.since(closed) < awards_ms.min(work_ms));
                    // What a budget bears, the audit says.
                    let owes = open && holds && in_time && !self.is_bounded();
                    if owes && !cancelled && !enough() {
                        return Err(format!("it ends while a bid could be awarded: {slots:?}"));
                    }
                    if (it.conclusion.ending == Ending::Cancelled) != cancelled {
                        return Err(format!("it ends as {:?}", it.conclusion.ending));
                    }
                    let said = [&it.conclusion.confirmed, &it.conclusion.silent];
                    let right = [
                        withdrawn
                            .intersection(&spoke)
                            .copied()
                            .collect::<Vec<u64>>(),
                        withdrawn.difference(&spoke).copied().collect::<Vec<u64>>(),
                    ];
                    if said != [&right[0], &right[1]] {
                        return Err(format!("confirmed and silent: {said:?}, not {right:?}"));
                    }
                }
            }
        }
        match finished {
            true => Ok(()),
            false => Err(format!("it never ends: {:?}", self.told)),
        }
    }

    /// How many bids win a slot.
    fn winners(&self) -> u64 {
        let (rule, counted) = (&self.announcement.rule, self.counted().len() as u64);
        match counted < rule.min_bids {
            true => 0,
            false => counted.min(rule.awards),
        }
    }

    /// Whether these entries have as many results as are waited for.
    fn has_enough(&self, entries: &[Entry]) -> bool {
        let outcomes = self.outcomes_among(entries, 0..self.winners());
        suffice(&self.announcement.aggregation, &outcomes)
    }

    /// Whether its awards have a budget.
    fn is_bounded(&self) -> bool {
        matches!(self.entries.first(), Some(Entry::Planned(it)) if it.budget.is_some())
    }

    /// What becomes of a slot whose lease has ended so.
    fn after(&self, it: &Ended) -> Stage {
        let may_repeat = self.announcement.effects != Effects::Once;
        match it.end {
            End::Result | End::Withdrawn => Stage::Over,
            End::NotBegun => Stage::Open,
            _ if may_repeat => Stage::Open,
            _ => Stage::Asking,
        }
    }

    /// Everybody who has had a lease, with slot, epoch and the number that it answers.
    pub(super) fn leases(&self) -> BTreeSet<(u64, u64, u64, Option<RealmId>)> {
        let leases = self.entries.iter().filter_map(|entry| match entry {
            Entry::Leased(it) => Some((it.slot, it.epoch, it.answers, it.holder.realm)),
            _ => None,
        });
        leases.collect()
    }

    /// Everybody whose lease it has written down, and its own realm.
    pub(super) fn informed(&self) -> BTreeSet<RealmId> {
        let holders = self.leases().into_iter().filter_map(|(.., holder)| holder);
        holders.chain(self.announcement.announcer.realm).collect()
    }

    /// Slots and epochs that a person has given out again.
    pub(super) fn given_again(&self) -> BTreeSet<(u64, u64)> {
        let decided = self.entries.iter().filter_map(|entry| match entry {
            Entry::Decided(it) if it.again => Some((it.slot, it.epoch)),
            _ => None,
        });
        decided.collect()
    }

    /// What each slot of the conclusion came to.
    pub(super) fn outcomes(&self, conclusion: &Conclusion) -> Vec<Outcome> {
        let slots = conclusion.citations.iter().map(|cited| cited.slot);
        self.outcomes_among(&self.entries, slots)
    }

    /// What these entries say that slots came to.
    fn outcomes_among(&self, entries: &[Entry], slots: impl Iterator<Item = u64>) -> Vec<Outcome> {
        let counted = self.counted();
        let results = entries.iter().filter_map(|entry| match entry {
            Entry::Ended(it) if it.end == End::Result => Some((it.slot, it.delivered.as_ref()?)),
            _ => None,
        });
        let results = results.enumerate().map(|(arrival, (slot, delivered))| {
            let outcome = delivered.outcome.peek().expect("an outcome that reads");
            let bid = counted.iter().find(|(bid, ..)| *bid == outcome.bid);
            let (_, bid, _) = bid.expect("a result of a bid that counts");
            let output = delivered.output.as_deref().expect("a result has an output");
            let output = json::parse(output).expect("a result is JSON");
            let confidence = outcome.confidence.unwrap_or(bid.confidence);
            (slot, (output, confidence, arrival))
        });
        let mut results: BTreeMap<u64, (Value, u64, usize)> = results.collect();
        slots
            .map(|slot| Outcome {
                slot,
                result: results.remove(&slot),
            })
            .collect()
    }

    /// Every award: slot, epoch and bid.
    pub(super) fn awards(&self) -> BTreeSet<(u64, u64, Digest)> {
        let awards = self.entries.iter().filter_map(|entry| match entry {
            Entry::Awarded(it) => Some((it.slot, it.epoch, it.bid)),
            _ => None,
        });
        awards.collect()
    }
}

/// Where a broadcast with these events was each time that its announcer's process died.
fn restarts(events: &[(&Event, Value)]) -> Vec<&'static str> {
    let mut phase = "before it is announced";
    let (mut at_work, mut restarts) = (BTreeSet::new(), Vec::new());
    for (event, payload) in events {
        let slot = || (payload["slot"].as_u64(), payload["epoch"].as_u64());
        match event.kind.as_str() {
            "broadcast.announced" => phase = "while bids come",
            "broadcast.closed" => phase = "before anybody works",
            "broadcast.leased" => {
                at_work.insert(slot());
                phase = "while somebody works";
            }
            "broadcast.ended" => {
                at_work.remove(&slot());
                if at_work.is_empty() {
                    phase = "once the work is done";
                }
            }
            "run.restarted" => restarts.push(phase),
            _ => {}
        }
    }
    restarts
}
