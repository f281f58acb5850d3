//! What something would be done to.

use std::{fmt, str::FromStr};

use realm_protocol::{LoopId, Scope};
use serde::{Deserialize, Serialize};

use crate::{ParseAskedError, request::parse_scope};

/// What it would be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// A realm.
    Realm(&'a Scope),
    /// A loop.
    Loop {
        /// The realm that owns it.
        owner: &'a Scope,
        /// The loop.
        id: &'a LoopId,
    },
    /// What a loop uses that is not one.
    Used {
        /// The realm that uses it.
        owner: &'a Scope,
        /// What it is.
        kind: Used,
        /// Its name: an agent's, `process:python3`, `mcp:files/read`, `api.example.org`.
        name: &'a str,
    },
}

/// What a loop uses that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Used {
    /// An agent that is attached.
    Agent,
    /// A program, a container, a tool of an MCP server, a model.
    Tool,
    /// A machine that is spoken to by HTTP.
    Host,
}

impl Used {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Tool, Self::Host];

    /// The name of the kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Host => "host",
        }
    }
}

impl Resource<'_> {
    /// An owned copy.
    pub fn to_owned(&self) -> AskedResource {
        match *self {
            Self::Realm(scope) => AskedResource::Realm(scope.clone()),
            Self::Loop { owner, id } => AskedResource::Loop {
                owner: owner.clone(),
                id: id.clone(),
            },
            Self::Used { owner, kind, name } => AskedResource::Used {
                owner: owner.clone(),
                kind,
                name: name.to_owned(),
            },
        }
    }
}

/// An owned [`Resource`]; its text is `ROOT/PATH`, `LOOP@ROOT/PATH`, or `KIND=NAME@ROOT/PATH` with
/// `agent`, `tool` or `host` as kind; the root by its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AskedResource {
    /// A realm.
    Realm(Scope),
    /// A loop.
    Loop {
        /// The realm that owns it.
        owner: Scope,
        /// The loop.
        id: LoopId,
    },
    /// What a loop uses that is not one.
    Used {
        /// The realm that uses it.
        owner: Scope,
        /// What it is.
        kind: Used,
        /// Its name.
        name: String,
    },
}

impl AskedResource {
    /// Borrows it for a [`crate::Request`].
    pub fn as_resource(&self) -> Resource<'_> {
        match self {
            Self::Realm(scope) => Resource::Realm(scope),
            Self::Loop { owner, id } => Resource::Loop { owner, id },
            Self::Used { owner, kind, name } => Resource::Used {
                owner,
                kind: *kind,
                name,
            },
        }
    }
}

impl fmt::Display for AskedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realm(scope) => scope.fmt(f),
            Self::Loop { owner, id } => write!(f, "{id}@{owner}"),
            Self::Used { owner, kind, name } => write!(f, "{}={name}@{owner}", kind.name()),
        }
    }
}

impl FromStr for AskedResource {
    type Err = ParseAskedError;

    fn from_str(text: &str) -> Result<Self, ParseAskedError> {
        let Some((what, owner)) = text.rsplit_once('@') else {
            return Ok(Self::Realm(parse_scope(text)?));
        };
        let owner = parse_scope(owner)?;
        let Some((kind, name)) = what.split_once('=') else {
            let id = what.parse()?;
            return Ok(Self::Loop { owner, id });
        };
        let kind = Used::ALL.into_iter().find(|known| known.name() == kind);
        Ok(Self::Used {
            owner,
            kind: kind.ok_or(ParseAskedError::Kind)?,
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for AskedResource {
    type Error = ParseAskedError;

    fn try_from(text: String) -> Result<Self, ParseAskedError> {
        text.parse()
    }
}

impl From<AskedResource> for String {
    fn from(resource: AskedResource) -> Self {
        resource.to_string()
    }
}
