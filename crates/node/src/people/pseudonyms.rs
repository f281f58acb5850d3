//! What people are called in realms of other roots.
//!
//! Each person has a secret of their own, and each root a pseudonym that is derived from it: the realms of one root
//! always hear the same one, those of two cannot find out that theirs are of one person. Without the secret
//! nobody leads one back, and it goes when the person is erased. Under this realm's own root people have
//! their names, and where the owner says so.

use std::collections::BTreeMap;

use realm_crypto::PersonKey;
use realm_protocol::{
    Digest, PersonId, RealmId, RunId,
    audit::AuditNote,
    journal::{Direction, JournalSeq, Table},
    limits, wire_map,
};

use crate::{Node, Response, relay::Release, state};

/// Before a pseudonym.
const PREFIX: &str = "person-";
/// Before a secret, when its row's key is made of it.
const ROW: &[u8] = b"realm/1/person-row";

wire_map! {
    /// A person who has pseudonyms.
    pub struct StoredPerson {
        /// What they are called here.
        0 => name: String,
        /// The secret.
        1 => key: [u8; 32],
        /// Roots that have heard of them, the earliest first.
        2 => roots: Vec<RealmId>,
    }
}

/// What the realms of a root call somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonym {
    /// What they call them.
    pub pseudonym: String,
    /// What they are called here.
    pub name: String,
    /// The root.
    pub root: RealmId,
}

/// Pseudonyms are to be forgotten.
#[derive(Clone, Debug)]
pub struct ForgetAsked {
    /// Whose: what they are called here.
    pub name: String,
    /// Who asks.
    pub by: String,
    /// Why, for those who read the audit log later.
    pub why: Option<String>,
}

/// The people who have pseudonyms, by name.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms(BTreeMap<String, Known>);

#[derive(Clone, Debug)]
struct Known {
    key: PersonKey,
    roots: Vec<RealmId>,
    /// The entry that writes it down as it is.
    written: JournalSeq,
}

/// What a root is told.
pub(crate) struct Named {
    pub(crate) text: String,
    /// When: not before whose it is can be found out after a crash.
    pub(crate) release: Release,
}

impl Pseudonyms {
    /// All of somebody's, by their name or by one of them.
    pub fn of(&self, text: &str) -> Vec<Pseudonym> {
        if let Some((name, known)) = self.0.get_key_value(text) {
            return known.all(name).collect();
        }
        let all = self.0.iter().flat_map(|(name, known)| known.all(name));
        all.filter(|it| it.pseudonym == text).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Known {
    fn all(&self, name: &str) -> impl Iterator<Item = Pseudonym> {
        self.roots.iter().map(move |root| Pseudonym {
            pseudonym: text(self.key.pseudonym(*root)),
            name: name.to_owned(),
            root: *root,
        })
    }

    fn row(&self) -> Digest {
        Digest::of(&[ROW, self.key.bytes().as_slice()])
    }

    fn stored(&self, name: &str) -> Vec<u8> {
        state::write(&StoredPerson {
            name: name.to_owned(),
            key: *self.key.bytes(),
            roots: self.roots.clone(),
        })
    }
}

fn text(id: PersonId) -> String {
    format!("{PREFIX}{id}")
}

impl Node {
    /// The people who have pseudonyms.
    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// What the realms of a root are told that somebody is called; nothing where no more people can have
    /// pseudonyms.
    pub(crate) fn named_to(&mut self, root: RealmId, name: &str) -> Option<Named> {
        if self.hears_names(root) {
            let text = name.to_owned();
            let release = Release::Now;
            return Some(Named { text, release });
        }
        let room = self.pseudonyms.0.len() < limits::PSEUDONYMS;
        if !room && !self.pseudonyms.0.contains_key(name) {
            return None;
        }
        let (next, durable) = self.out.position();
        let rng = &mut self.rng;
        let known = self.pseudonyms.0.entry(name.to_owned());
        let known = known.or_insert_with(|| Known {
            key: PersonKey::generate(rng),
            roots: Vec::new(),
            written: next,
        });
        let mut row = None;
        if !known.roots.contains(&root) {
            if known.roots.len() >= limits::PSEUDONYM_ROOTS {
                known.roots.remove(0);
            }
            known.roots.push(root);
            known.written = next;
            row = Some((known.row(), known.stored(name)));
        }
        let text = text(known.key.pseudonym(root));
        let release = match known.written <= durable {
            true => Release::Now,
            false => Release::Durable,
        };
        if let Some((key, stored)) = row {
            self.put(Table::Pseudonyms, key.as_bytes(), stored);
        }
        Some(Named { text, release })
    }

    /// Whether the realms of a root are told the names of people.
    pub(crate) fn hears_names(&self, root: RealmId) -> bool {
        let above = self.rules.petnames_above();
        let mut told = self.config.hear_names.iter();
        let is_it = |petname| self.kin.root_called(petname, above).ok() == Some(root);
        root == self.me.root() || told.any(is_it)
    }

    /// Whoever asked on this machine for what a run does.
    pub(crate) fn person_behind(&self, run: RunId) -> Option<&String> {
        let served = self.serving.get(run);
        match served.filter(|served| served.record.direction == Direction::Local) {
            Some(served) => served.person.as_ref(),
            None => self.market.person_of(run),
        }
    }

    /// Takes away what leads from pseudonyms to somebody, for good: whoever asks for them later has others.
    pub(crate) fn forget_pseudonyms(&mut self, asked: ForgetAsked) -> Response {
        let ForgetAsked { name, by, why } = asked;
        if let Some(known) = self.pseudonyms.0.remove(&name) {
            self.delete(Table::Pseudonyms, known.row().as_bytes());
            self.audit(AuditNote {
                person: Some(by),
                why,
                ..AuditNote::new("pseudonyms.forgotten")
            });
        }
        Response::Done
    }

    /// Takes up what is written down.
    pub(crate) fn recover_pseudonyms(&mut self, rows: Vec<(Vec<u8>, StoredPerson)>) {
        let known = rows.into_iter().map(|(_, stored)| {
            let StoredPerson { name, key, roots } = stored;
            let key = PersonKey::from_bytes(key);
            let written = JournalSeq(0);
            (
                name,
                Known {
                    key,
                    roots,
                    written,
                },
            )
        });
        self.pseudonyms.0 = known.take(limits::PSEUDONYMS).collect();
    }
}
