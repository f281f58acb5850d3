//! Broadcasts and won slots outlive the process: what is written down of them, and how they go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use realm_broadcast::{
    Announcer, FanOut, Left, Pass,
    announcer::{Plan, Round},
    bidder::{Day, Held},
    log::{Conclusion, Ended, Ending, Entry, Finished, Planned, Unused},
    slot_key,
};
use realm_protocol::{
    BroadcastId, Digest, RunId,
    broadcast::Deliver,
    budget::Spend,
    cbor::{self, Blob, CborError},
    journal::{Run, Table},
    json::Object,
};

use super::{Announced, Late, trusting::families};
use crate::{
    Node, UnderWay,
    durable::BrokenOff,
    serve::leased_run,
    state::{self, StoredBroadcast, StoredFan, StoredOver, StoredPass, key_row},
};

/// Where an agent's day lies in the realm's standing, before the agent's name.
pub(crate) const DAYS: &[u8] = b"day/";

/// What was written down of a broadcast under way; what of it does not read as well.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) stored: Option<Result<StoredBroadcast, CborError>>,
    pub(crate) entries: Vec<Result<Entry, CborError>>,
}

/// A broadcast that the end of the process broke off, and its run.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(super) broadcast: BroadcastId,
    stored: StoredBroadcast,
    entries: Vec<Result<Entry, CborError>>,
    run: UnderWay,
}

impl Node {
    /// Writes down what a restart needs of a broadcast beside its announcer's entries.
    pub(super) fn keep_broadcast(&mut self, broadcast: BroadcastId) {
        let Some(own) = self.market.own(broadcast) else {
            return;
        };
        let plan = own.announcer.plan();
        let rounds = plan.rounds.iter();
        let stored = StoredBroadcast {
            run: own.run.id,
            revision: own.contract.digest,
            input: plan.input.clone(),
            fans: rounds.map(|round| self.stored_fan(&round.fan)).collect(),
            aggregator: own.aggregator.clone(),
            frame: own.frame,
            person: own.person.clone(),
            depth: Some(own.depth),
            over: self.market.late.get(&broadcast).map(Late::stored),
        };
        let key = broadcast.as_bytes();
        self.put(Table::Broadcasts, key, state::write(&stored));
    }

    fn stored_fan(&self, fan: &FanOut) -> StoredFan {
        let passes = fan.passes.iter().filter_map(|pass| {
            Some(StoredPass {
                to: self.scope_of(&pass.to)?,
                down: pass.left.down,
                up: pass.left.up,
                window_ms: pass.window_ms,
            })
        });
        StoredFan {
            passes: passes.collect(),
            unreached: fan.unreached,
        }
    }

    fn fan(&self, stored: &StoredFan) -> FanOut {
        let passes = stored.passes.iter().filter_map(|pass| {
            Some(Pass {
                to: self.side_of(&pass.to)?,
                left: Left {
                    down: pass.down,
                    up: pass.up,
                },
                window_ms: pass.window_ms,
            })
        });
        FanOut {
            passes: passes.collect(),
            unreached: stored.unreached,
        }
    }

    /// Writes down an entry of an announcer's. Gives its bytes as the trace may hold them: where the
    /// owner has things taken out of traces, without outputs; their digests are signed.
    pub(super) fn keep_entry(&mut self, broadcast: BroadcastId, entry: &Entry) -> Blob {
        let bytes = Blob::from(cbor::encode(entry));
        if let Some(own) = self.market.own_mut(broadcast) {
            let row = entry_row(broadcast, own.entries);
            own.entries = own.entries.saturating_add(1);
            let value = state::write_encoded(bytes.clone());
            self.put(Table::Broadcasts, &row, value);
        }
        match self.out.redacts() {
            true => cbor::encode(&without_output(entry)).into(),
            false => bytes,
        }
    }

    /// A broadcast has ended: its trace tells the rest.
    pub(super) fn forget_broadcast(&mut self, broadcast: BroadcastId, entries: u64) {
        self.delete(Table::Broadcasts, broadcast.as_bytes());
        for number in 0..entries {
            self.delete(Table::Broadcasts, &entry_row(broadcast, number));
        }
    }

    /// Tells the broadcasts that can go on from the runs that were interrupted. After a backup was
    /// restored none does.
    pub(crate) fn find_broadcasts(
        &mut self,
        kept: BTreeMap<BroadcastId, Kept>,
        under_way: Vec<UnderWay>,
        restored: bool,
    ) -> (Vec<Unfinished>, Vec<UnderWay>) {
        let (mut unfinished, mut interrupted) = (Vec::new(), under_way);
        for (broadcast, kept) in kept {
            let stored = kept.stored.and_then(Result::ok).filter(|_| !restored);
            let run = stored.as_ref().map(|stored| stored.run);
            let at = interrupted.iter().position(|it| Some(it.run.id) == run);
            let over = stored.as_ref().and_then(|stored| stored.over.clone());
            let run = match at {
                Some(at) => Some(interrupted.swap_remove(at)),
                None => over.map(StoredOver::under_way),
            };
            match (stored, run) {
                (Some(stored), Some(run)) => unfinished.push(Unfinished {
                    broadcast,
                    stored,
                    entries: kept.entries,
                    run,
                }),
                _ => self.forget_broadcast(broadcast, kept.entries.len() as u64),
            }
        }
        (unfinished, interrupted)
    }

    /// Takes up broadcasts where the end of a process broke them off; gives those that can go on.
    /// Nobody waits for their answers any more, but for their runs.
    pub(crate) fn resume_broadcasts(&mut self, unfinished: Vec<Unfinished>) -> Vec<BroadcastId> {
        let mut resumed = Vec::new();
        for unfinished in unfinished {
            let broadcast = unfinished.broadcast;
            let entries = unfinished.entries.len() as u64;
            if let Some(over) = &unfinished.stored.over {
                let ends = over.ends;
                if !self.resume_late(unfinished, ends) {
                    self.forget_broadcast(broadcast, entries);
                }
                continue;
            }
            let (run, person) = (unfinished.run.run.clone(), unfinished.stored.person.clone());
            match self.resumed(unfinished) {
                Ok(own) => {
                    self.market.announced.insert(broadcast, own);
                    let told = Object::new().with("reason", "the daemon was restarted");
                    self.note_broadcast(broadcast, "run.restarted", told);
                    resumed.push(broadcast);
                }
                Err(reason) => {
                    self.forget_broadcast(broadcast, entries);
                    let why = format!("it cannot go on after a restart: {reason}");
                    let run = Run {
                        output: Some(why.into_bytes().into()),
                        ..run
                    };
                    self.end_broken_off(run, person);
                }
            }
        }
        resumed
    }

    /// Goes on with broadcasts that were taken up.
    pub(crate) fn go_on_broadcasting(&mut self, broadcasts: &[BroadcastId]) {
        for broadcast in broadcasts {
            self.carry_out_announcer(*broadcast);
        }
        self.set_market_timer();
    }

    /// Takes back what runs asked for that are gone since a restart.
    pub(crate) fn cancel_orphaned_broadcasts(&mut self) {
        let own = self.market.announced.values();
        let parents: BTreeSet<RunId> = own.filter_map(|own| own.run.parent).collect();
        for run in parents {
            if !self.serving.has(run) {
                self.cancel_unasked_broadcasts(run);
            }
        }
    }

    /// A run here has ended: what it asked for before a restart, and never again, is taken back.
    pub(crate) fn cancel_unasked_broadcasts(&mut self, run: RunId) {
        let own = self.market.announced.iter();
        let unasked = own.filter(|(_, own)| own.run.parent == Some(run) && own.asker.is_none());
        let unasked: Vec<BroadcastId> = unasked.map(|(broadcast, _)| *broadcast).collect();
        for broadcast in unasked {
            self.cancel_unasked(broadcast);
        }
    }

    pub(super) fn resumed(&self, unfinished: Unfinished) -> Result<Announced, String> {
        let Unfinished {
            stored,
            entries,
            run: UnderWay { run, events },
            ..
        } = unfinished;
        let entries: Result<Vec<Entry>, CborError> = entries.into_iter().collect();
        let entries = entries.map_err(|error| format!("what it wrote down: {error}"))?;
        let Some(Entry::Planned(planned)) = entries.first().cloned() else {
            return Err("its plan was not written down".to_owned());
        };
        let contract = self.registry.by_digest(&stored.revision).cloned();
        let contract = contract.ok_or_else(|| {
            format!(
                "the revision of `{}` that it announced is no longer here",
                run.loop_id
            )
        })?;
        let count = entries.len() as u64;
        let families = families(&entries);
        let holders = entries.iter().filter_map(|entry| match entry {
            Entry::Leased(it) => Some((it.slot, it.holder.clone())),
            _ => None,
        });
        let holders = holders.collect();
        let began = entries.iter().filter_map(|entry| match entry {
            Entry::Leased(it) if it.answers == 0 => Some((it.slot, it.at)),
            _ => None,
        });
        let began = began.collect();
        let announced = planned.rounds.first().and_then(|it| it.peek().ok());
        let announced = announced.ok_or_else(|| "its announcement does not read".to_owned())?;
        let plan = self.plan_of(&planned, &stored);
        let announcer =
            Announcer::resume(plan, entries, self.now).map_err(|error| error.to_string())?;
        Ok(Announced {
            announcer,
            asker: None,
            frame: stored.frame,
            rounds: planned.rounds,
            holders,
            began,
            aggregator: stored.aggregator,
            aggregated: Spend::default(),
            depth: stored.depth.unwrap_or(announced.depth),
            contract,
            loop_id: announced.loop_id,
            person: stored.person,
            run,
            entries: count,
            proven: BTreeSet::new(),
            families,
            offered: BTreeMap::new(),
            events,
            leaving: None,
            close: Arc::default(),
            undecided: Vec::new(),
            refused: 0,
        })
    }

    fn plan_of(&self, planned: &Planned, stored: &StoredBroadcast) -> Plan {
        let rounds = planned.rounds.iter().zip(&stored.fans);
        let rounds = rounds.map(|(announcement, fan)| Round {
            announcement: announcement.clone(),
            fan: self.fan(fan),
        });
        Plan {
            rounds: rounds.collect(),
            secret: planned.secret,
            input: stored.input.clone(),
            confirm_ms: planned.confirm_ms,
            lease_ms: planned.lease_ms,
            at_once: planned.at_once,
            person_ms: planned.person_ms,
            budget: planned.budget,
        }
    }

    /// Writes down what an agent's confirmed bids of a day come to, until that is over.
    pub(super) fn keep_day(&mut self, day: &Day) {
        let key = [DAYS, day.agent.as_str().as_bytes()].concat();
        self.put_until(Table::Standing, &key, state::write(day), day.ends());
    }

    /// Goes on with the days of this realm's agents.
    pub(crate) fn recover_days(&mut self, days: Vec<Day>) {
        for day in days {
            self.bidder().take_up(day);
        }
    }

    /// Writes down what a slot that was won has come to; forgets it once its announcer has the
    /// outcome.
    pub(super) fn keep_slot(&mut self, held: &Held) {
        let bid = held.bid();
        match stage_of(held) {
            Some(stage) => self.put(Table::Slots, &slot_row(bid, stage), state::write(held)),
            None => self.forget_slot(bid),
        }
    }

    fn forget_slot(&mut self, bid: Digest) {
        for stage in STAGES {
            self.delete(Table::Slots, &slot_row(bid, stage));
        }
    }

    /// Reads the slots that were won before a restart.
    pub(crate) fn recover_slots(
        &mut self,
        rows: Vec<(Vec<u8>, Result<Held, CborError>)>,
        restored: bool,
    ) -> Vec<Held> {
        let mut held = Vec::new();
        for (key, row) in rows {
            match row {
                Ok(row) if !restored => held.push(row),
                Ok(_) => self.delete(Table::Slots, &key),
                Err(error) => {
                    tracing::error!(%error, "a stored slot does not read");
                    self.delete(Table::Slots, &key);
                }
            }
        }
        held
    }

    /// Goes on with the slots that were won before a restart: what was not given yet is given up,
    /// because nobody knows whether its lease still holds.
    pub(crate) fn resume_slots(&mut self, held: Vec<Held>) {
        if !held.is_empty() {
            let now = self.now;
            self.bidder().resume(held, now);
            self.carry_out_bidder();
            self.set_market_timer();
        }
    }

    /// A run whose lease a restart has ended is over.
    pub(crate) fn end_leased(&mut self, broken_off: BrokenOff) {
        let calls = broken_off.frames.keys().copied().collect();
        self.cannot_go_on(broken_off.run, calls, "its lease ended with the process");
    }
}

impl BrokenOff {
    /// Whether its key's row is one of these.
    pub(crate) fn is_of(&self, rows: &BTreeSet<Vec<u8>>) -> bool {
        let key = self.stored.key.as_deref();
        key.is_some_and(|key| rows.contains(key))
    }
}

/// The keys' rows of runs whose leases end with the process: these are as they were in every build, other than the
/// calls of leased work.
pub(crate) fn leased_rows(held: &[Held]) -> BTreeSet<Vec<u8>> {
    let reserved = held.iter().filter_map(|held| match held {
        Held::Reserved(it) => {
            let work = slot_key(it.broadcast, it.work, it.slot);
            Some(key_row(it.announcer.realm?, &leased_run(work, it.bid)))
        }
        _ => None,
    });
    reserved.collect()
}

/// The stages of a slot that are written down, in order.
const STAGES: [u8; 3] = [1, 2, 3];

/// Which record of a slot's this is; none where nothing more is to be remembered.
const fn stage_of(held: &Held) -> Option<u8> {
    match held {
        Held::Reserved(_) => Some(1),
        Held::Begun(_) => Some(2),
        Held::Given(_) => Some(3),
        Held::Acked(_) => None,
    }
}

/// The key of what a slot has come to: the bid, then the stage.
fn slot_row(bid: Digest, stage: u8) -> Vec<u8> {
    [bid.as_bytes().as_slice(), &[stage]].concat()
}

/// The key of an entry's row: the broadcast, then the number.
fn entry_row(broadcast: BroadcastId, number: u64) -> Vec<u8> {
    [broadcast.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn without_output(entry: &Entry) -> Entry {
    let bare = |delivered: &Deliver| Deliver {
        output: None,
        ..delivered.clone()
    };
    match entry {
        Entry::Ended(it) => Entry::Ended(Ended {
            delivered: it.delivered.as_ref().map(bare),
            ..it.clone()
        }),
        Entry::Unused(it) => Entry::Unused(Unused {
            delivered: bare(&it.delivered),
            ..it.clone()
        }),
        Entry::Finished(it) => Entry::Finished(Finished {
            conclusion: Conclusion {
                output: None,
                // Why an output is not what the contract says has parts of it.
                reason: match it.conclusion.ending {
                    Ending::Mismatched => None,
                    _ => it.conclusion.reason.clone(),
                },
                ..it.conclusion.clone()
            },
            ..it.clone()
        }),
        other => other.clone(),
    }
}
