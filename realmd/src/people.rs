//! Who uses this realm: users of the machine at the socket, and whoever shows a token over TCP.
//!
//! A token is that of somebody whom the configuration names, or that of a sign-in at a directory or a provider.
//! The operating system says who is at the other end of the socket. What they are called and may do
//! stands under `[people]` in the configuration; the user that the daemon runs as is an owner.

mod devices;
mod directories;
mod groups;
mod provider;
mod renewals;
mod sign_ins;

use std::{collections::BTreeSet, sync::Arc};

use realm_backends::Secret;
use realm_node::Person;
use realm_protocol::{LoopId, records::Role};
use subtle::ConstantTimeEq as _;

use crate::{
    config::{Config, PersonConfig},
    handle::OWNER,
    secrets::{SecretPlace, SecretReader},
};

pub(crate) use devices::{Devices, NotBegun, Turn};
pub(crate) use directories::{Asked, Directories, Member, Reading};
pub(crate) use renewals::{Renewals, Writer};
pub(crate) use sign_ins::{SignIns, digest};

/// Letters of a token at least: what is shorter is guessed.
const TOKEN_LETTERS: usize = 32;

/// Who shows a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Somebody whom the configuration names.
    Named(Person),
    /// Somebody who has signed in; what they may do, their directory knows.
    SignedIn(Member),
    /// The agent of this name, which attaches and calls loops, and does nothing else.
    Agent(LoopId),
}

/// The people of a realm.
#[derive(Debug)]
pub(crate) struct People {
    /// The user that the daemon runs as.
    own: u32,
    known: Vec<Known>,
    /// Agents with tokens of their own.
    agents: Vec<(LoopId, Secret)>,
    /// People whom it does not name.
    pub(crate) directories: Directories,
}

#[derive(Debug)]
struct Known {
    person: Person,
    uid: Option<u32>,
    token: Option<Secret>,
}

impl People {
    /// Takes who is configured, with their tokens. Whose token cannot be had comes in by none.
    pub(crate) fn of(config: &Config, secrets: &SecretReader, renewals: &Arc<Renewals>) -> Self {
        let known = config.people.iter().map(|(name, known)| {
            let PersonConfig { uid, token, roles } = known;
            let token = token.as_ref().and_then(|place| {
                let read = token_at(place, secrets);
                read.inspect_err(|reason| {
                    tracing::warn!(person = name, reason, "a person's token cannot be had");
                })
                .ok()
            });
            Known {
                person: Person {
                    name: name.clone(),
                    roles: roles.clone(),
                },
                uid: *uid,
                token,
            }
        });
        let agents = config.agents.iter().filter_map(|(id, place)| {
            let read = token_at(place, secrets).inspect_err(|reason| {
                tracing::warn!(agent = %id, reason, "an agent's token cannot be had");
            });
            Some((id.clone(), read.ok()?))
        });
        Self {
            own: rustix::process::geteuid().as_raw(),
            known: known.collect(),
            agents: agents.collect(),
            directories: Directories::of(config, secrets, renewals),
        }
    }

    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self {
            own: rustix::process::geteuid().as_raw(),
            known: Vec::new(),
            agents: Vec::new(),
            directories: Directories::default(),
        }
    }

    /// Who this user of the machine is; none who has no business here.
    pub(crate) fn by_uid(&self, uid: u32) -> Option<Person> {
        let mut known = self.known.iter();
        let known = known.find(|known| known.uid == Some(uid));
        let known = known.map(|known| known.person.clone());
        // Whoever can read the keys can do everything anyway.
        if uid != self.own && uid != 0 {
            return known;
        }
        let mut person = known.unwrap_or_else(|| Person {
            name: if uid == self.own { OWNER } else { "root" }.to_owned(),
            roles: BTreeSet::new(),
        });
        person.roles.insert(Role::Owner);
        Some(person)
    }

    /// The people whom the configuration names, each with their user of the machine and whether they have a token.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&Person, Option<u32>, bool)> {
        let known = self.known.iter();
        known.map(|known| (&known.person, known.uid, known.token.is_some()))
    }

    /// The roles of somebody by name; none if nobody is called so. Of people of directories it is what was
    /// read last.
    pub(crate) fn roles_of(&self, name: &str) -> BTreeSet<Role> {
        if let Some(member) = Member::named(name) {
            let read = self.directories.reading(&member);
            return read.map(|read| read.roles).unwrap_or_default();
        }
        let mut known = self.known.iter();
        let known = known.find(|known| known.person.name == name);
        match known {
            Some(known) => known.person.roles.clone(),
            None if name == OWNER => [Role::Owner].into(),
            None => BTreeSet::new(),
        }
    }

    /// Whose token this is, if it is somebody's.
    pub(crate) fn by_token(&self, shown: &str) -> Option<Person> {
        let is_theirs = |known: &&Known| {
            let token = known.token.as_ref();
            token.is_some_and(|token| is_same(token, shown))
        };
        let mut known = self.known.iter();
        let known = known.rfind(is_theirs);
        known.map(|known| known.person.clone())
    }

    /// Which agent's token this is, if it is one's.
    pub(crate) fn agent_by_token(&self, shown: &str) -> Option<LoopId> {
        let mut agents = self.agents.iter();
        let agent = agents.rfind(|(_, token)| is_same(token, shown));
        agent.map(|(id, _)| id.clone())
    }
}

/// A token, which nobody guesses.
fn token_at(place: &SecretPlace, secrets: &SecretReader) -> Result<Secret, String> {
    let token = secrets.read(place)?;
    match token.expose().len() >= TOKEN_LETTERS {
        true => Ok(token),
        false => Err(format!("a token has at least {TOKEN_LETTERS} letters")),
    }
}

/// Compares tokens, in the same time whatever is shown.
fn is_same(token: &Secret, shown: &str) -> bool {
    token.expose().as_bytes().ct_eq(shown.as_bytes()).into()
}

/// Whoever shows the realm's own token.
pub(crate) fn owner() -> Person {
    Person {
        name: OWNER.to_owned(),
        roles: [Role::Owner].into(),
    }
}
