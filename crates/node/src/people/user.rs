//! Who of a realm asks for a call: a person, or an agent by itself.

use std::collections::BTreeSet;

use realm_policy::Principal;
use realm_protocol::{Digest, LoopId, Scope, records::Role};

use crate::Person;

/// What stands before an agent's name where people stand, too; no person is called so.
const AGENT: &str = "agent=";

/// Who of this realm asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Somebody, with their roles.
    Person(Person),
    /// An agent that has shown its own token.
    Agent(LoopId),
}

impl User {
    /// Who was written down under this name.
    pub(crate) fn of(name: &str, roles: BTreeSet<Role>) -> Self {
        let agent = name.strip_prefix(AGENT).and_then(|id| id.parse().ok());
        agent.map_or_else(
            || {
                let name = name.to_owned();
                Self::Person(Person { name, roles })
            },
            Self::Agent,
        )
    }

    /// What they are called in traces and in the audit log.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Person(person) => person.name.clone(),
            Self::Agent(id) => format!("{AGENT}{id}"),
        }
    }

    /// Their roles; an agent has none.
    pub(crate) fn roles(&self) -> BTreeSet<Role> {
        match self {
            Self::Person(person) => person.roles.clone(),
            Self::Agent(_) => BTreeSet::new(),
        }
    }

    /// Who asks, as policy knows them.
    pub(crate) fn as_principal<'a>(&'a self, home: &'a Scope) -> Principal<'a> {
        match self {
            Self::Person(Person { name, roles }) => Principal::Person { home, name, roles },
            Self::Agent(id) => Principal::Agent { home, id },
        }
    }
}

/// What names the work of somebody's call under a key of theirs. An agent's keys are its own: it learns nothing of what
/// others have asked for under the same.
pub(crate) fn key_of(user: Option<&User>, key: &str) -> Digest {
    let label: &[u8] = b"realm/1/key";
    match user {
        Some(User::Agent(id)) => {
            let of = id.as_str();
            Digest::of(&[label, &[2], of.as_bytes(), &[0], key.as_bytes()])
        }
        Some(User::Person(_)) | None => Digest::of(&[label, &[0], key.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_written_down_is_who_asks_after_a_restart() {
        let agent = User::Agent("reader".parse().unwrap());
        let ann = User::Person(Person {
            name: "ann@ldap".to_owned(),
            roles: [Role::Operator].into(),
        });
        for user in [agent, ann] {
            assert_eq!(User::of(&user.name(), user.roles()), user);
        }
    }
}
