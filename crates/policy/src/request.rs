//! What is asked of policy.

use std::{fmt, str::FromStr};

use realm_protocol::{LoopId, NameError, RealmPath, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What somebody would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Run a loop.
    Invoke,
    /// Send a message through or to a realm.
    Relay,
    /// Learn of a realm, its keys, or its loops.
    Discover,
    /// Announce work that has a loop's contract.
    Announce,
    /// Have a loop bid for one's announcements.
    Bid,
    /// Be awarded work that has a loop's contract.
    Award,
    /// Become part of a tree.
    Join,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] = [
        Self::Invoke,
        Self::Relay,
        Self::Discover,
        Self::Announce,
        Self::Bid,
        Self::Award,
        Self::Join,
    ];

    /// The action's name, as in Cedar and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Relay => "relay",
            Self::Discover => "discover",
            Self::Announce => "announce",
            Self::Bid => "bid",
            Self::Award => "award",
            Self::Join => "join",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = ParseAskedError;

    fn from_str(text: &str) -> Result<Self, ParseAskedError> {
        let named = Self::ALL.into_iter().find(|action| action.name() == text);
        named.ok_or(ParseAskedError::Action)
    }
}

/// Why the text of a request's part does not parse.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseAskedError {
    /// It is no action.
    #[error("not an action: expected invoke, relay, discover, announce, bid, award or join")]
    Action,
    /// It is no realm or loop.
    #[error("not a realm or loop by scope: {0}")]
    Name(#[from] NameError),
}

/// What it would be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        }
    }
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What would be done.
    pub action: Action,
    /// Who would do it.
    pub principal: &'a Scope,
    /// What it would be done to.
    pub resource: Resource<'a>,
    /// Whether the message answers a request.
    pub answer: bool,
    /// How many people of the caller's realm have approved exactly this call.
    pub approved: u64,
    /// The time it is asked.
    pub now: Timestamp,
}

/// An owned [`Resource`]; its text is `ROOT/PATH` or `LOOP@ROOT/PATH`, the root by its id.
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
}

impl AskedResource {
    /// Borrows it for a [`Request`].
    pub const fn as_resource(&self) -> Resource<'_> {
        match self {
            Self::Realm(scope) => Resource::Realm(scope),
            Self::Loop { owner, id } => Resource::Loop { owner, id },
        }
    }
}

impl fmt::Display for AskedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realm(scope) => scope.fmt(f),
            Self::Loop { owner, id } => write!(f, "{id}@{owner}"),
        }
    }
}

impl FromStr for AskedResource {
    type Err = ParseAskedError;

    fn from_str(text: &str) -> Result<Self, ParseAskedError> {
        match text.split_once('@') {
            None => Ok(Self::Realm(parse_scope(text)?)),
            Some((id, owner)) => Ok(Self::Loop {
                owner: parse_scope(owner)?,
                id: id.parse()?,
            }),
        }
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

/// An owned [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCopy {
    /// What would be done.
    pub action: Action,
    /// Who would do it.
    #[serde(with = "scope_text")]
    pub principal: Scope,
    /// What it would be done to.
    pub resource: AskedResource,
    /// Whether the message answers a request.
    #[serde(default)]
    pub answer: bool,
    /// How many people of the caller's realm had approved exactly this call.
    #[serde(default)]
    pub approved: u64,
    /// The time it was asked.
    pub now: Timestamp,
}

impl RequestCopy {
    /// Borrows it, to ask again.
    pub const fn as_request(&self) -> Request<'_> {
        Request {
            action: self.action,
            principal: &self.principal,
            resource: self.resource.as_resource(),
            answer: self.answer,
            approved: self.approved,
            now: self.now,
        }
    }
}

impl From<&Request<'_>> for RequestCopy {
    fn from(request: &Request<'_>) -> Self {
        Self {
            action: request.action,
            principal: request.principal.clone(),
            resource: request.resource.to_owned(),
            answer: request.answer,
            approved: request.approved,
            now: request.now,
        }
    }
}

/// Reads `ROOT` or `ROOT/PATH`, the root by its id.
fn parse_scope(text: &str) -> Result<Scope, NameError> {
    let (root, path) = match text.split_once('/') {
        None => (text, RealmPath::ROOT),
        Some((_, "")) => return Err(NameError::Label(String::new())),
        Some((root, path)) => (root, path.parse()?),
    };
    let root = root.parse()?;
    Ok(Scope { root, path })
}

/// A scope in serialised form is its text.
pub(crate) mod scope_text {
    use realm_protocol::Scope;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(scope: &Scope, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(scope)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Scope, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_scope(&text).map_err(de::Error::custom)
    }
}
