//! Who asks.

use std::{collections::BTreeSet, fmt, str::FromStr};

use realm_protocol::{LoopId, Scope, records::Role};
use serde::{Deserialize, Serialize};

use crate::{ParseAskedError, request::parse_scope};

/// Who would do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal<'a> {
    /// A realm.
    Realm(&'a Scope),
    /// Somebody who uses this realm.
    Person {
        /// This realm.
        home: &'a Scope,
        /// What they are called here.
        name: &'a str,
        /// Their roles here.
        roles: &'a BTreeSet<Role>,
    },
    /// A loop of this realm, which uses what is not one.
    Loop {
        /// This realm.
        owner: &'a Scope,
        /// The loop.
        id: &'a LoopId,
    },
    /// An agent of this realm, which calls with a token of its own.
    Agent {
        /// This realm.
        home: &'a Scope,
        /// What it is called here.
        id: &'a LoopId,
    },
}

impl<'a> From<&'a Scope> for Principal<'a> {
    fn from(scope: &'a Scope) -> Self {
        Self::Realm(scope)
    }
}

impl Principal<'_> {
    /// Whether it is somebody or something inside this realm: then the realm's own documents say what
    /// it may, and the realms above only what it may not.
    pub const fn is_inside(&self) -> bool {
        match self {
            Self::Realm(_) => false,
            Self::Person { .. } | Self::Loop { .. } | Self::Agent { .. } => true,
        }
    }

    /// An owned copy.
    pub fn to_owned(&self) -> AskedPrincipal {
        match *self {
            Self::Realm(scope) => AskedPrincipal::Realm(scope.clone()),
            Self::Person { home, name, roles } => AskedPrincipal::Person {
                home: home.clone(),
                name: name.to_owned(),
                roles: roles.clone(),
            },
            Self::Loop { owner, id } => AskedPrincipal::Loop {
                owner: owner.clone(),
                id: id.clone(),
            },
            Self::Agent { home, id } => AskedPrincipal::Agent {
                home: home.clone(),
                id: id.clone(),
            },
        }
    }
}

/// An owned [`Principal`]; its text is `ROOT/PATH`, `person=NAME:ROLE,ROLE@ROOT/PATH`,
/// `loop=ID@ROOT/PATH` or `agent=ID@ROOT/PATH`, the root by its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AskedPrincipal {
    /// A realm.
    Realm(Scope),
    /// Somebody who uses a realm.
    Person {
        /// The realm.
        home: Scope,
        /// What they are called there.
        name: String,
        /// Their roles there.
        roles: BTreeSet<Role>,
    },
    /// A loop, which uses what is not one.
    Loop {
        /// The realm that owns it.
        owner: Scope,
        /// The loop.
        id: LoopId,
    },
    /// An agent, which calls with a token of its own.
    Agent {
        /// The realm whose agent it is.
        home: Scope,
        /// What it is called there.
        id: LoopId,
    },
}

impl From<Scope> for AskedPrincipal {
    fn from(scope: Scope) -> Self {
        Self::Realm(scope)
    }
}

impl AskedPrincipal {
    /// Borrows it for a [`crate::Request`].
    pub fn as_principal(&self) -> Principal<'_> {
        match self {
            Self::Realm(scope) => Principal::Realm(scope),
            Self::Person { home, name, roles } => Principal::Person { home, name, roles },
            Self::Loop { owner, id } => Principal::Loop { owner, id },
            Self::Agent { home, id } => Principal::Agent { home, id },
        }
    }

    /// The realm that asks, if it is one.
    pub const fn realm(&self) -> Option<&Scope> {
        match self {
            Self::Realm(scope) => Some(scope),
            Self::Person { .. } | Self::Loop { .. } | Self::Agent { .. } => None,
        }
    }
}

impl fmt::Display for AskedPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realm(scope) => scope.fmt(f),
            Self::Person { home, name, roles } => {
                let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                write!(f, "person={name}:{}@{home}", roles.join(","))
            }
            Self::Loop { owner, id } => write!(f, "loop={id}@{owner}"),
            Self::Agent { home, id } => write!(f, "agent={id}@{home}"),
        }
    }
}

impl FromStr for AskedPrincipal {
    type Err = ParseAskedError;

    fn from_str(text: &str) -> Result<Self, ParseAskedError> {
        let placed = |text: &str| {
            let (what, home) = text.rsplit_once('@').ok_or(ParseAskedError::Place)?;
            Ok::<_, ParseAskedError>((what.to_owned(), parse_scope(home)?))
        };
        match text.split_once('=') {
            None => Ok(Self::Realm(parse_scope(text)?)),
            Some(("person", person)) => {
                let (person, home) = placed(person)?;
                let (name, roles) = person.rsplit_once(':').unwrap_or((&person, ""));
                let roles = roles.split(',').filter(|role| !role.is_empty());
                let roles = roles.map(|role| role.parse().map_err(|_| ParseAskedError::Role));
                Ok(Self::Person {
                    home,
                    name: name.to_owned(),
                    roles: roles.collect::<Result<_, _>>()?,
                })
            }
            Some(("loop", id)) => {
                let (id, owner) = placed(id)?;
                let id = id.parse()?;
                Ok(Self::Loop { owner, id })
            }
            Some(("agent", id)) => {
                let (id, home) = placed(id)?;
                let id = id.parse()?;
                Ok(Self::Agent { home, id })
            }
            Some(_) => Err(ParseAskedError::Kind),
        }
    }
}

impl TryFrom<String> for AskedPrincipal {
    type Error = ParseAskedError;

    fn try_from(text: String) -> Result<Self, ParseAskedError> {
        text.parse()
    }
}

impl From<AskedPrincipal> for String {
    fn from(principal: AskedPrincipal) -> Self {
        principal.to_string()
    }
}
