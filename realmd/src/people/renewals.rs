//! What people of a provider have left, in memory and in the store.
//!
//! The store has a row of each of them, with the sign-ins that it goes with, until these are over. So a restart signs nobody
//! out, and nothing is done for anybody before the provider has said again who they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use realm_backends::{DirectoryError, Renewal, Secret};
use realm_node::SignInsRow;
use realm_protocol::{
    Digest, Now, Tick, Timestamp,
    cbor::{self, Blob},
    wire_map,
};
use tokio::sync::watch;

use super::{
    directories::Member,
    provider::Held,
    sign_ins::{OF_ONE, SignIns},
};
use crate::config::{OidcConfig, Origin};

mod writer;

pub(crate) use writer::Writer;

/// People who can be asked about; at the bound whoever's sign-in ends first is forgotten.
const HELD: usize = 4096;
/// Before whose row it is, when its key is made of that.
const ROW: &[u8] = b"realm/1/sign-ins";

/// An issuer, a client, a name.
pub(super) type Whose = [String; 3];
/// What one person has left, by turns.
pub(super) type TurnOf = tokio::sync::Mutex<Held<Renewal>>;
pub(super) type Place = Arc<TurnOf>;

wire_map! {
    /// What the store has of one person.
    pub struct StoredRenewal {
        /// The provider.
        0 => issuer: String,
        /// What this realm is called there.
        1 => client: String,
        /// What the person is called.
        2 => name: String,
        /// What the provider knows them by.
        3 => subject: String,
        /// What it is asked by next.
        4 => token: Blob,
        /// Until when.
        5 => until: Timestamp,
        /// The sign-ins that go by it.
        6 => sign_ins: Vec<StoredSignIn>,
    }
}

wire_map! {
    /// A sign-in.
    pub struct StoredSignIn {
        /// The digest of what is shown for it.
        0 => token: Digest,
        /// Until when it is good.
        1 => until: Timestamp,
    }
}

/// What people have left. It outlives a change of the configuration.
#[derive(Debug)]
pub(crate) struct Renewals {
    held: Mutex<All>,
    /// How often somebody has asked that it be written down.
    asked: watch::Sender<u64>,
    /// How many of these are on the disk.
    written: watch::Receiver<u64>,
}

#[derive(Debug, Default)]
struct All {
    kept: BTreeMap<Whose, Kept>,
    /// Whose rows are not what they should be.
    unwritten: BTreeSet<Whose>,
}

#[derive(Clone, Debug)]
struct Kept {
    renewal: Renewal,
    held: Place,
    until: Tick,
    sign_ins: BTreeMap<Digest, Tick>,
}

impl Kept {
    fn new(renewal: Renewal, until: Tick) -> Self {
        let held = Held::new(renewal.clone());
        Self {
            renewal,
            held: Arc::new(tokio::sync::Mutex::new(held)),
            until,
            sign_ins: BTreeMap::new(),
        }
    }
}

impl Renewals {
    /// Takes up what the store has of the people of this provider. Nothing is good for longer than a sign-in of now.
    pub(crate) fn recover(
        &self,
        rows: impl Iterator<Item = Vec<u8>>,
        (config, sign_ins): (&OidcConfig, &SignIns),
        now: Now,
    ) {
        let mut all = self.all();
        let stored = rows.filter_map(|row| cbor::decode::<StoredRenewal>(&row).ok());
        for stored in stored.take(HELD) {
            let StoredRenewal {
                issuer,
                client,
                name,
                subject,
                token,
                until,
                sign_ins: stored,
            } = stored;
            if (&issuer, &client) != (&config.issuer, &config.client) || until <= now.wall {
                continue;
            }
            let Ok(token) = String::from_utf8(token.to_vec()) else {
                continue;
            };
            let until = |at: Timestamp| now.tick.plus(at.since(now.wall).min(config.session_ms));
            let member = Member {
                from: Origin::Oidc,
                name: name.clone(),
            };
            let mut kept = Kept::new(
                Renewal::new(subject, Secret::new(token)),
                until(stored.iter().map(|it| it.until).max().unwrap_or_default()),
            );
            for stored in stored.iter().take(OF_ONE) {
                let until = until(stored.until);
                sign_ins.recover(stored.token, member.clone(), until);
                kept.sign_ins.insert(stored.token, until);
            }
            all.kept.insert([issuer, client, name], kept);
        }
    }

    pub(super) fn hold(
        &self,
        whose: Whose,
        renewal: Renewal,
        until: Tick,
        now: Tick,
    ) -> Result<(), DirectoryError> {
        let mut all = self.all();
        all.kept.retain(|_, kept| kept.until > now);
        let before = all.kept.get(&whose);
        if before.is_some_and(|kept| !kept.renewal.is_of(&renewal)) {
            return Err(DirectoryError::Refused);
        }
        let sign_ins = before.map(|kept| kept.sign_ins.clone()).unwrap_or_default();
        if all.kept.len() >= HELD && before.is_none() {
            let first = all.kept.iter().min_by_key(|(_, kept)| kept.until);
            if let Some(first) = first.map(|(whose, _)| whose.clone()) {
                all.kept.remove(&first);
                all.unwritten.insert(first);
            }
        }
        let kept = Kept {
            sign_ins,
            ..Kept::new(renewal, until)
        };
        all.kept.insert(whose, kept);
        Ok(())
    }

    pub(super) fn of(&self, whose: &Whose, now: Tick) -> Option<Place> {
        let all = self.all();
        let kept = all.kept.get(whose).filter(|kept| kept.until > now);
        kept.map(|kept| Arc::clone(&kept.held))
    }

    /// What somebody is asked about by next, unless they have left something else since.
    pub(super) fn renewed(&self, whose: &Whose, held: &Weak<TurnOf>, renewal: &Renewal) {
        let mut all = self.all();
        let All { kept, unwritten } = &mut *all;
        let is_it = |kept: &&mut Kept| Weak::as_ptr(held) == Arc::as_ptr(&kept.held);
        if let Some(kept) = kept.get_mut(whose).filter(is_it) {
            kept.renewal = renewal.clone();
            unwritten.insert(whose.clone());
        }
    }

    /// Forgets what somebody has left, unless they have left something else since.
    pub(super) fn forget(&self, whose: &Whose, held: &Place) {
        let mut all = self.all();
        let kept = all.kept.get(whose);
        if kept.is_some_and(|kept| Arc::ptr_eq(&kept.held, held)) {
            all.kept.remove(whose);
            all.unwritten.insert(whose.clone());
        }
    }

    /// A sign-in goes by what its person has left.
    pub(super) fn begin(&self, whose: &Whose, token: Digest, until: Tick, now: Tick) {
        let mut all = self.all();
        let All { kept, unwritten } = &mut *all;
        let Some(kept) = kept.get_mut(whose) else {
            return;
        };
        kept.sign_ins.retain(|_, until| *until > now);
        kept.sign_ins.insert(token, until);
        while kept.sign_ins.len() > OF_ONE {
            let first = kept.sign_ins.iter().min_by_key(|(_, until)| **until);
            let Some(first) = first.map(|(token, _)| *token) else {
                break;
            };
            kept.sign_ins.remove(&first);
        }
        unwritten.insert(whose.clone());
    }

    /// Some sign-ins are over: with the last one, what its person has left goes from the store.
    pub(crate) fn end(&self, is_over: impl Fn(&Digest) -> bool) {
        let mut all = self.all();
        let All { kept, unwritten } = &mut *all;
        for (whose, kept) in kept {
            let before = kept.sign_ins.len();
            kept.sign_ins.retain(|token, _| !is_over(token));
            if kept.sign_ins.len() < before {
                unwritten.insert(whose.clone());
            }
        }
    }

    /// Forgets what somebody has left, whichever provider they have it from.
    pub(crate) fn erase(&self, name: &str) {
        let mut all = self.all();
        let All { kept, unwritten } = &mut *all;
        let theirs = kept.extract_if(.., |[_, _, of], _| of == name);
        unwritten.extend(theirs.map(|(whose, _)| whose));
    }

    /// Waits until what has changed is on the disk. The [`Writer`] does it, whoever stops waiting.
    pub(crate) async fn write(&self) {
        let mut turn = 0;
        self.asked.send_modify(|asked| {
            *asked = asked.saturating_add(1);
            turn = *asked;
        });
        let mut written = self.written.clone();
        if written.wait_for(|written| *written >= turn).await.is_err() {
            tracing::debug!("the realm is stopping");
        }
    }

    /// Whose row is to be written next, and what with.
    fn next_row(&self, now: Now) -> Option<(Whose, SignInsRow)> {
        let mut all = self.all();
        let whose = all.unwritten.pop_first()?;
        let kept = all.kept.get(&whose);
        let [issuer, client, name] = &whose;
        let parts = [issuer, client, name].map(|part| Digest::of(&[part.as_bytes()]));
        let [issuer_part, client_part, name_part] = &parts;
        let key = Digest::of(&[
            ROW,
            issuer_part.as_bytes(),
            client_part.as_bytes(),
            name_part.as_bytes(),
        ]);
        let ahead = |at: Tick| now.wall.plus(at.since(now.tick));
        let good = kept.filter(|kept| !kept.sign_ins.is_empty() && kept.until > now.tick);
        let value = good.map(|kept| {
            let sign_ins = kept.sign_ins.iter();
            let stored = StoredRenewal {
                issuer: issuer.clone(),
                client: client.clone(),
                name: name.clone(),
                subject: kept.renewal.subject().to_owned(),
                token: Blob::from(kept.renewal.token().expose().as_bytes().to_vec()),
                until: ahead(kept.until),
                sign_ins: sign_ins
                    .map(|(token, until)| StoredSignIn {
                        token: *token,
                        until: ahead(*until),
                    })
                    .collect(),
            };
            (Blob::from(cbor::encode(&stored)), stored.until)
        });
        Some((whose, SignInsRow { key, value }))
    }

    /// A row is not on the disk after all.
    fn not_written(&self, whose: Whose) {
        self.all().unwritten.insert(whose);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use realm_protocol::Timestamp;

    use super::*;
    use crate::people::digest;

    const SESSION_MS: u64 = 10_000;

    fn at(millis: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(1_000_000 + millis),
            tick: Tick::from_millis(50_000 + millis),
        }
    }

    /// The same time in a process that began later.
    fn restarted(millis: u64) -> Now {
        Now {
            tick: Tick::from_millis(millis),
            ..at(millis)
        }
    }

    fn config(issuer: &str) -> OidcConfig {
        OidcConfig {
            issuer: issuer.to_owned(),
            client: "realm".to_owned(),
            secret: None,
            scopes: Vec::new(),
            name: "sub".to_owned(),
            groups: "groups".to_owned(),
            allow_private: Vec::new(),
            session_ms: SESSION_MS,
        }
    }

    fn ann() -> Whose {
        ["https://id", "realm", "ann"].map(str::to_owned)
    }

    /// Ann has signed in, and has a row.
    fn signed_in() -> (Renewals, Vec<u8>) {
        let all = Renewals::default();
        let renewal = Renewal::new("a1", Secret::new("first"));
        let until = at(SESSION_MS).tick;
        all.hold(ann(), renewal, until, at(0).tick).unwrap();
        assert!(all.next_row(at(0)).is_none(), "nobody goes by it yet");
        all.begin(&ann(), digest("shown"), until, at(0).tick);
        let (_, row) = all.next_row(at(0)).unwrap();
        let (row, until) = row.value.unwrap();
        assert_eq!(until, at(SESSION_MS).wall);
        (all, row.to_vec())
    }

    /// What a process that begins then makes of a row: whether the provider can be asked, and whose the sign-in is.
    fn recovered(row: &[u8], issuer: &str, now: Now) -> (bool, Option<String>) {
        let (all, sign_ins) = (Renewals::default(), SignIns::default());
        all.recover(
            [row.to_vec()].into_iter(),
            (&config(issuer), &sign_ins),
            now,
        );
        let whose = sign_ins.whose("shown", now.tick);
        let asked = all.of(&ann(), now.tick).is_some();
        (asked, whose.map(|member| member.to_string()))
    }

    #[test]
    fn a_sign_in_outlives_the_process_for_its_time_and_at_its_provider_alone() {
        let (_, row) = signed_in();
        let known = (true, Some("ann@oidc".to_owned()));
        assert_eq!(recovered(&row, "https://id", restarted(9_999)), known);
        assert_eq!(
            recovered(&row, "https://id", restarted(10_000)),
            (false, None)
        );
        assert_eq!(
            recovered(&row, "https://other", restarted(0)),
            (false, None)
        );
        assert_eq!(
            recovered(&row[1..], "https://id", restarted(0)),
            (false, None)
        );
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_sign_in_longer() {
        let (_, row) = signed_in();
        let back = Now {
            wall: Timestamp::from_millis(0),
            tick: Tick::from_millis(0),
        };
        let (all, sign_ins) = (Renewals::default(), SignIns::default());
        let rows = [row].into_iter();
        all.recover(rows, (&config("https://id"), &sign_ins), back);
        let over = back.tick.plus(SESSION_MS);
        assert!(sign_ins.whose("shown", back.tick).is_some());
        assert!(sign_ins.whose("shown", over).is_none());
        assert!(all.of(&ann(), over).is_none());
    }

    #[test]
    fn the_row_has_what_is_asked_by_next_and_goes_with_the_last_sign_in_or_the_person() {
        let (all, row) = signed_in();
        let place = all.of(&ann(), at(0).tick).unwrap();
        let renewal = Renewal::new("a1", Secret::new("second"));
        all.renewed(&ann(), &Weak::new(), &renewal);
        assert!(all.next_row(at(1)).is_none(), "it is of an earlier sign-in");
        all.renewed(&ann(), &Arc::downgrade(&place), &renewal);
        let (_, next) = all.next_row(at(1)).unwrap();
        let (second, _) = next.value.unwrap();
        let stored: StoredRenewal = cbor::decode(&second).unwrap();
        assert_eq!(&*stored.token, b"second".as_slice());
        assert!(*second != *row);

        all.begin(&ann(), digest("other"), at(SESSION_MS).tick, at(1).tick);
        all.next_row(at(1)).unwrap();
        for (token, stays) in [("shown", true), ("other", false)] {
            all.end(|it| *it == digest(token));
            let (_, row) = all.next_row(at(2)).unwrap();
            assert_eq!(row.value.is_some(), stays);
        }
        // Whoever has signed out can be asked about until the end; nobody who was erased.
        assert!(all.of(&ann(), at(2).tick).is_some());
        all.erase("ann");
        assert!(all.of(&ann(), at(2).tick).is_none());
        assert_eq!(all.next_row(at(2)).unwrap().1.value, None);
    }
}
