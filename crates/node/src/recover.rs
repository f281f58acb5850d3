//! Taking up where the store left off.

use std::collections::BTreeMap;

use realm_broadcast::bidder::Held;
use realm_crypto::KemKey;
use realm_policy::Denial;
use realm_protocol::{
    BroadcastId, CallId, RealmId, RunId, Timestamp,
    audit::AuditNote,
    broadcast::Receipt,
    cbor::{CborError, Wire},
    journal::{Direction, Table},
    limits,
    records::{NodeCert, Signed},
};

use crate::{
    Founding, Node, Recovered, UnderWay,
    custody::{TAKEN_BACK, taken_back},
    durable::{BrokenOff, KnownFrames},
    halt::{
        StoredBelow,
        stored::{self as halt, StoredHaltChange, StoredHalts},
    },
    identity::HeldKem,
    market::{CLOSES, DAYS, Kept, leased_rows},
    revocations::over_at,
    seen::SeenId,
    state::{
        self, Issued, ParentRecord, StoredCeiling, StoredHistory, StoredKem, StoredPolicy,
        StoredRevocations, StoredRun, Target, standing,
    },
    timers::Timer,
};

type KeptHalts = (
    Option<Result<StoredHalts, CborError>>,
    Vec<(u64, StoredHaltChange)>,
    Vec<StoredBelow>,
);
type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

impl Node {
    pub(crate) fn recover(&mut self, recovered: Recovered) {
        self.out.log().set_time(self.now.wall);
        self.out.log().recover(self.me.realm(), recovered.audit);
        let signers = recovered.records.iter();
        let signers = signers.filter(|(table, ..)| *table == Table::Signers);
        self.receipts
            .recover(signers.map(|(_, row, _)| row.clone()));
        let rows: Rows = recovered
            .records
            .into_iter()
            .map(|(table, key, value)| ((table, key), value))
            .collect();
        self.witness = id_keys(all(&rows, Table::Witness)).into_iter().collect();
        let grants = id_keys(all(&rows, Table::Grants));
        self.recover_grants(grants.into_iter(), recovered.restored);
        if recovered.restored {
            self.audit(AuditNote::new("realm.restored"));
            self.kin.least = self.wall().as_millis();
            self.note_restored();
        }
        let handed_over = self.recover_histories(&rows);
        self.recover_standing(&rows);
        self.recover_kin(&rows);
        self.recover_policies(&rows);
        self.recover_loops(
            raw(&rows, Table::Loops),
            all(&rows, Table::Revisions),
            all(&rows, Table::LoopChanges),
        );
        self.recover_prompts(all(&rows, Table::Prompts));
        self.recover_states(all(&rows, Table::States));
        self.recover_limits(named_at(&rows, standing::LIMIT));
        self.recover_rates(raw(&rows, Table::Rates));
        self.recover_breakers(named_at(&rows, standing::BREAKER));
        let founded = is_written(&rows, Table::Standing, standing::REALM_RECORD);
        if recovered.restored {
            self.forget_what_a_backup_cannot_know(&rows);
        } else {
            self.recover_memory(&rows);
        }
        self.recover_approvals(all(&rows, Table::Approvals));
        self.recover_pseudonyms(all(&rows, Table::Pseudonyms));
        let stored = calls_at(&rows, standing::CALL);
        let (unfinished, interrupted) =
            self.find_unfinished(stored, recovered.under_way, recovered.restored);
        let kept = kept_market(&rows);
        let (broadcasts, interrupted) = self.find_broadcasts(kept, interrupted, recovered.restored);
        let broken_off = self.end_interrupted(interrupted, &rows, recovered.restored);
        let (halted, changes, told) = kept_halts(&rows);
        self.recover_halts(halted, changes, told);
        let still = broken_off.iter().map(|it| &it.run);
        let still = still.filter(|run| self.is_to_stand_still(run));
        self.set_halted(still.map(|run| run.id).collect());
        self.rotate_kem();
        if self.me.realm_record().is_none() || handed_over && !recovered.restored {
            self.serve_from_here();
        }
        self.routes.set_place(self.me.scope());
        // Only once: an owner who removes them wants everything denied.
        match founded {
            true => self.renew_generated(),
            false => self.write_default_policies(),
        }
        self.rules.set_ancestors(self.me.path().depth());
        self.chain_changed();
        self.recover_taken_back(&rows);
        self.recover_custody(recovered.kept, recovered.restored);
        self.publish_policy();
        if handed_over {
            self.audit(AuditNote::new("key.rotated"));
            // The list travels to everybody who may rely on the old key, and its chain shows the
            // new one.
            self.publish_revocations_anew();
        } else {
            self.publish_revocations();
        }
        self.begin();
        if recovered.restored {
            self.forget_at(&rows, &[standing::ACCEPTED, standing::DELIVERY]);
        } else {
            self.accepted.recover(calls_at(&rows, standing::ACCEPTED));
            self.recover_deliveries(at(&rows, standing::DELIVERY));
        }
        for call in unfinished {
            self.resume(call);
        }
        self.recover_trust(id_keys(all(&rows, Table::Bidders)));
        self.recover_receipts(kept_receipts(&rows));
        self.recover_closes(at(&rows, CLOSES));
        // Whoever announced and works as well hears as the one what it says as the other.
        let broadcasts = self.resume_broadcasts(broadcasts);
        self.recover_days(at(&rows, DAYS));
        let slots = self.recover_slots(kept_slots(&rows), recovered.restored);
        let leases = leased_rows(&slots);
        for run in broken_off {
            match run.is_of(&leases) {
                true => self.end_leased(run),
                false => self.go_on_with(run),
            }
        }
        self.go_on_broadcasting(&broadcasts);
        self.drain_executor();
        // Runs wait again for what they have announced before the end of own work may end any of that.
        self.resume_slots(slots);
        self.drain_executor();
        self.withdraw_orphaned_approvals();
        self.heed_halts();
        self.tell_below();
        self.tell_unsettled();
        self.forget_orphans();
        self.cancel_orphaned_broadcasts();
    }

    /// Writes down that what was done between a backup and now is forgotten.
    fn note_restored(&mut self) {
        self.restored = Some(self.wall());
        let row = state::write(&self.wall());
        self.put(Table::Standing, standing::RESTORED, row);
    }

    fn recover_taken_back(&mut self, rows: &Rows) {
        let marks = keyed_at(rows, TAKEN_BACK).filter_map(|(key, mark)| {
            let number = u64::from_be_bytes(key.try_into().ok()?);
            Some((number, mark))
        });
        for number in self.custody.taken_back.recover(marks) {
            self.delete(Table::Standing, &taken_back(number));
        }
    }

    /// Sets what runs by itself going.
    fn begin(&mut self) {
        self.timers.set(Timer::Upkeep, self.now.tick);
        if self.kin.parent.is_some() {
            self.timers
                .set(Timer::Redial(Target::Parent), self.now.tick);
        }
        let peers: Vec<RealmId> = self.kin.peers.keys().copied().collect();
        for root in peers {
            self.timers
                .set(Timer::Redial(Target::Peer(root)), self.now.tick);
        }
    }

    /// Takes up what is known of keys; says whether this realm's own has changed since.
    fn recover_histories(&mut self, rows: &Rows) -> bool {
        for (realm, history) in histories(rows) {
            self.trust.histories.recover(realm, history);
        }
        let me = self.me.realm();
        let (known, mine) = (self.trust.histories.of(me), self.me.successions());
        if !mine.starts_with(known) {
            self.step_down();
            return false;
        }
        if mine.len() == known.len() {
            return false;
        }
        let history = StoredHistory {
            scope: self.me.scope(),
            successions: mine.to_vec(),
        };
        self.trust.histories.learn(me, history);
        true
    }

    fn recover_standing(&mut self, rows: &Rows) {
        if let Some(cert) = one::<Signed<NodeCert>>(rows, Table::Standing, standing::NODE_CERT) {
            self.me.recover_node_cert(cert);
        }
        if let Some(record) = one(rows, Table::Standing, standing::REALM_RECORD) {
            self.me.set_realm_record(record);
        }
        self.kin.policy = one(rows, Table::Standing, standing::POLICY);
        self.traces.kept = one(rows, Table::Standing, standing::TRACES);
        let revocations = all::<StoredRevocations>(rows, Table::Revocations);
        for (_, stored) in revocations {
            self.trust.recover(stored, self.now.wall);
        }
        self.recover_numbers(rows);
        let restored = one(rows, Table::Standing, standing::RESTORED);
        // A clock that was wrong then is not waited for.
        let restored = restored.map(|at: Timestamp| at.min(self.wall()));
        self.restored = self.restored.or(restored);
        if let Some(parent) = one::<ParentRecord>(rows, Table::Standing, standing::PARENT) {
            let root = parent
                .chain
                .links
                .first()
                .map(|link| link.inception.realm_id());
            if let Some(root) = root {
                self.me
                    .stand_under(root, &parent.chain, parent.child_cert.clone());
            }
            self.kin.parent = Some(parent);
        }
    }

    /// Goes on numbering where it stopped; past whatever the world may have seen, where a record
    /// that would say so does not read.
    fn recover_numbers(&mut self, rows: &Rows) {
        let now = self.wall();
        let me = self.me.realm();
        let serial = one::<u64>(rows, Table::Standing, standing::SERIAL);
        let read = [
            (Table::Standing, standing::SERIAL, serial.is_some()),
            (Table::Standing, standing::POLICY, self.kin.policy.is_some()),
            (
                Table::Standing,
                standing::REALM_RECORD,
                self.me.realm_record().is_some(),
            ),
            (
                Table::Revocations,
                me.as_bytes().as_slice(),
                self.trust.number(me) > 0,
            ),
        ];
        let lost =
            |(table, key, read): &(Table, &[u8], bool)| !read && is_written(rows, *table, key);
        if read.iter().any(lost) {
            self.kin.least = now.as_millis();
        }
        self.kin.serial = serial.unwrap_or_default();
        if self.kin.serial < self.kin.least {
            self.kin.serial = self.kin.least;
            let row = state::write(&self.kin.serial);
            self.put(Table::Standing, standing::SERIAL, row);
        }
        let revoked: Option<Vec<Issued>> = one(rows, Table::Standing, standing::REVOKED);
        let until = |revoked: Issued| (revoked.serial, revoked.not_after);
        self.kin.revoked = revoked.into_iter().flatten().map(until).collect();
        for serial in self.trust.serials(me) {
            self.kin.revoked.entry(serial).or_insert(over_at(now));
        }
    }

    fn recover_kin(&mut self, rows: &Rows) {
        for (label, child) in text_keys(all(rows, Table::Children)) {
            self.routes_know(&label);
            self.kin.children.insert(label, child);
        }
        for (root, peer) in id_keys(all(rows, Table::Peers)) {
            self.routes.know_peer(root);
            self.kin.peers.insert(root, peer);
        }
        self.rules.set_peers(&self.kin.peers);
        for (label, root) in text_keys(all(rows, Table::Petnames)) {
            self.kin.petnames.insert(label, root);
        }
        for (_, ticket) in all::<state::TicketRecord>(rows, Table::Tickets) {
            self.kin.tickets.insert(ticket.ticket.id, ticket);
        }
    }

    fn routes_know(&mut self, label: &realm_protocol::Label) {
        self.routes.know_child(label.clone());
    }

    fn recover_policies(&mut self, rows: &Rows) {
        let documents = raw(rows, Table::Policies).filter_map(|(key, row)| {
            let id = String::from_utf8(key.clone()).ok()?;
            // What does not read compiles no more either.
            let unread = |error: CborError| StoredPolicy {
                cedar: format!("its record does not read: {error}"),
                subtree: false,
                created: Timestamp::default(),
            };
            Some((id, state::read(row).unwrap_or_else(unread)))
        });
        self.rules.keep_documents(documents.collect());
        for (_, ceiling) in all::<StoredCeiling>(rows, Table::Ceilings) {
            if let Ok(record) = ceiling.record.peek()
                && let Err(problems) = self.rules.set_ceiling(ceiling, &record)
            {
                tracing::error!(
                    ?problems,
                    "a stored policy from above does not compile: everything is denied until a better one comes"
                );
            }
        }
        for (key, bytes) in raw(rows, Table::Denials) {
            let denial = serde_json::from_slice::<Denial>(bytes);
            if let (Ok(denial), Ok(reference)) = (denial, String::from_utf8(key.clone())) {
                let at = denial.request.now;
                self.rules.remember_denial(reference, at, denial);
            }
        }
    }

    fn recover_memory(&mut self, rows: &Rows) {
        let clock = one::<Timestamp>(rows, Table::Standing, standing::CLOCK).unwrap_or_default();
        self.note_clock_reached();
        if clock.since(self.now.wall) > limits::CLOCK_SKEW_MS {
            // Ids that had expired by that clock are forgotten, and their messages have not by
            // this one.
            tracing::warn!("the wall clock was set back: sealed messages start anew");
            self.audit_clock(true, clock.since(self.now.wall));
            return self.forget_messages(rows);
        }
        let seen = raw(rows, Table::Replay).filter_map(|(key, value)| SeenId::read(key, value));
        self.seen.load(clock, seen.collect());
        for (_, stored) in all::<StoredKem>(rows, Table::Kem) {
            let Ok(record) = stored.record.peek() else {
                continue;
            };
            self.me.hold_kem(HeldKem {
                key: KemKey::from_secret(stored.secret),
                purpose: record.purpose,
                not_before: record.not_before,
                not_after: record.not_after,
                record: stored.record,
                erased: stored.erased,
            });
        }
        let over = self.me.erase_kem(self.now.wall);
        for id in over {
            self.delete(Table::Kem, id.as_bytes());
        }
    }

    /// A restored realm has no replay memory it can trust: it forgets its KEM keys, so that what
    /// was sealed before is sealed again, and serves under a later epoch.
    fn forget_what_a_backup_cannot_know(&mut self, rows: &Rows) {
        self.forget_messages(rows);
        self.serve_from_here();
    }

    fn forget_at(&mut self, rows: &Rows, prefixes: &[&[u8]]) {
        let keys = raw(rows, Table::Standing).map(|(key, _)| key);
        let keys = keys.filter(|key| prefixes.iter().any(|prefix| key.starts_with(prefix)));
        for key in keys {
            self.delete(Table::Standing, key);
        }
    }

    fn serve_from_here(&mut self) {
        let record = self.me.serve_from_here(self.now.wall, self.kin.least);
        let row = state::write(record);
        self.put(Table::Standing, standing::REALM_RECORD, row);
    }

    /// Without the keys that earlier messages are sealed to, none of them can come again.
    fn forget_messages(&mut self, rows: &Rows) {
        for table in [Table::Kem, Table::Replay] {
            let keys: Vec<Vec<u8>> = raw(rows, table).map(|(key, _)| key.clone()).collect();
            for key in keys {
                self.delete(table, &key);
            }
        }
    }

    /// Writes down how far the wall clock has come, for ids that expire by it.
    pub(crate) fn note_clock_reached(&mut self) {
        let now = state::write(&self.now.wall);
        self.put(Table::Standing, standing::CLOCK, now);
    }

    /// Runs that had not ended when the process did, and cannot go on, are ended with their reason.
    /// Gives the others. After a backup was restored none goes on: what it did since is forgotten.
    fn end_interrupted(
        &mut self,
        under_way: Vec<UnderWay>,
        rows: &Rows,
        restored: bool,
    ) -> Vec<BrokenOff> {
        let mut frames = frames(rows);
        let mut going_on = Vec::new();
        for UnderWay { run, events } in under_way {
            let stored = run.resume.as_deref().map(state::read::<StoredRun>);
            match stored {
                Some(Ok(stored)) if !restored && run.direction != Direction::Out => {
                    going_on.push(BrokenOff {
                        stored,
                        events,
                        frames: frames.remove(&run.id).unwrap_or_default(),
                        run,
                    });
                }
                stored => {
                    let person = stored.and_then(|stored| stored.ok()?.person);
                    self.end_broken_off(run, person);
                }
            }
        }
        for (run, left) in frames {
            self.forget_frames(run, left.into_keys());
        }
        going_on
    }
}

/// Whether a store has seen a later key of the realm than `founding` holds, or another one: its
/// keys come from an old backup then, and must not be used.
pub fn is_superseded(founding: &Founding, recovered: &Recovered) -> bool {
    let key = standing::history(founding.inception.realm_id());
    let mut rows = recovered.records.iter();
    let row = rows.find(|(table, at, _)| *table == Table::Standing && *at == key);
    let known = row.and_then(|(_, _, value)| state::read::<StoredHistory>(value).ok());
    known.is_some_and(|known| !founding.successions.starts_with(&known.successions))
}

fn histories(rows: &Rows) -> Vec<(RealmId, StoredHistory)> {
    let rows = raw(rows, Table::Standing);
    let rows = rows.filter_map(|(key, value)| {
        let realm = RealmId::try_from(key.strip_prefix(standing::HISTORY)?).ok()?;
        let history = state::read(value)
            .inspect_err(|error| tracing::error!(%realm, %error, "stored successions do not read"));
        Some((realm, history.ok()?))
    });
    rows.collect()
}

/// The frames of runs under way, by run and call; what of them does not read as well.
fn frames(rows: &Rows) -> BTreeMap<RunId, KnownFrames> {
    let mut frames: BTreeMap<RunId, KnownFrames> = BTreeMap::new();
    for (key, value) in raw(rows, Table::Frames) {
        let (run, call) = key.split_at(key.len().min(16));
        if let (Ok(run), Ok(call)) = (RunId::try_from(run), CallId::try_from(call)) {
            let of_run = frames.entry(run).or_default();
            of_run.insert(call, state::read(value));
        }
    }
    frames
}

/// The records of calls behind a prefix, by call.
fn calls_at<T: Wire>(rows: &Rows, prefix: &[u8]) -> Vec<(CallId, T)> {
    let read = keyed_at(rows, prefix).filter_map(|(key, record)| {
        let call = CallId::try_from(key).ok()?;
        Some((call, record))
    });
    read.collect()
}

/// The same, by what they are called.
fn named_at<T: Wire>(rows: &Rows, prefix: &[u8]) -> Vec<(String, T)> {
    let read = keyed_at(rows, prefix).filter_map(|(key, record)| {
        let name = std::str::from_utf8(key).ok()?;
        Some((name.to_owned(), record))
    });
    read.collect()
}

/// The records of the realm's standing behind a prefix.
fn at<T: Wire>(rows: &Rows, prefix: &[u8]) -> Vec<T> {
    keyed_at(rows, prefix).map(|(_, record)| record).collect()
}

/// The readable records of the realm's standing behind a prefix, with the rest of their keys.
fn keyed_at<'r, T: Wire>(
    rows: &'r Rows,
    prefix: &'r [u8],
) -> impl Iterator<Item = (&'r [u8], T)> + 'r {
    raw(rows, Table::Standing).filter_map(move |(key, value)| {
        let rest = key.strip_prefix(prefix)?;
        let record = state::read(value).inspect_err(
            |error| tracing::error!(%error, "what is stored of the realm's standing does not read"),
        );
        Some((rest, record.ok()?))
    })
}

/// Broadcasts under way, with what their announcers wrote down, in order.
fn kept_market(rows: &Rows) -> BTreeMap<BroadcastId, Kept> {
    let mut kept: BTreeMap<BroadcastId, Kept> = BTreeMap::new();
    for (key, value) in raw(rows, Table::Broadcasts) {
        let (broadcast, number) = key.split_at(key.len().min(16));
        let Ok(broadcast) = BroadcastId::try_from(broadcast) else {
            continue;
        };
        let of = kept.entry(broadcast).or_default();
        match number.is_empty() {
            true => of.stored = Some(state::read(value)),
            false => of.entries.push(state::read(value)),
        }
    }
    kept
}

/// What stands still, and what was changed of it.
fn kept_halts(rows: &Rows) -> KeptHalts {
    let row = rows.get(&(Table::Standing, halt::HALTED.to_vec()));
    let changes = keyed_at(rows, halt::CHANGE).filter_map(|(key, change)| {
        let number = u64::from_be_bytes(key.try_into().ok()?);
        Some((number, change))
    });
    let below = at(rows, halt::BELOW);
    (row.map(|row| state::read(row)), changes.collect(), below)
}

/// What bids have won, in the order in which it happened to each.
fn kept_slots(rows: &Rows) -> Vec<(Vec<u8>, Result<Held, CborError>)> {
    let rows = raw(rows, Table::Slots);
    rows.map(|(key, value)| (key.clone(), state::read(value)))
        .collect()
}

/// The bids that are remembered.
fn kept_receipts(rows: &Rows) -> Vec<(Vec<u8>, Result<Receipt, CborError>)> {
    let rows = raw(rows, Table::Bids);
    rows.map(|(key, value)| (key.clone(), state::read(value)))
        .collect()
}

fn raw(rows: &Rows, table: Table) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
    rows.range((table, Vec::new())..)
        .take_while(move |((of, _), _)| *of == table)
        .map(|((_, key), value)| (key, value))
}

/// Every readable record of a table; one that does not read is reported and left out.
fn all<T: Wire>(rows: &Rows, table: Table) -> Vec<(Vec<u8>, T)> {
    raw(rows, table)
        .filter_map(|(key, value)| match state::read(value) {
            Ok(record) => Some((key.clone(), record)),
            Err(error) => {
                tracing::error!(?table, %error, "a stored record does not read");
                None
            }
        })
        .collect()
}

fn is_written(rows: &Rows, table: Table, key: &[u8]) -> bool {
    rows.contains_key(&(table, key.to_vec()))
}

fn one<T: Wire>(rows: &Rows, table: Table, key: &[u8]) -> Option<T> {
    let value = rows.get(&(table, key.to_vec()))?;
    state::read(value)
        .inspect_err(|error| tracing::error!(?table, %error, "a stored record does not read"))
        .ok()
}

fn text_keys<T>(rows: Vec<(Vec<u8>, T)>) -> Vec<(realm_protocol::Label, T)> {
    rows.into_iter()
        .filter_map(|(key, value)| Some((String::from_utf8(key).ok()?.parse().ok()?, value)))
        .collect()
}

fn id_keys<K: for<'a> TryFrom<&'a [u8]>, T>(rows: Vec<(Vec<u8>, T)>) -> Vec<(K, T)> {
    let parsed = rows.into_iter();
    parsed
        .filter_map(|(key, value)| Some((K::try_from(key.as_slice()).ok()?, value)))
        .collect()
}
