//! Who asks policy for what, as people write it: `lab/genomics`, `person=ann:operator`, `loop=triage`, `agent=reader`;
//! `triage@lab`, `tool=mcp:files/read`, `host=api.example.org`.

use std::collections::BTreeSet;

use realm_node::{Node, Refusal};
use realm_policy::{Action, AskedPrincipal, AskedResource, ParseAskedError, Used};
use realm_protocol::{LoopAddress, LoopId, RealmName, Scope, records::Role};

use super::{extract::invalid, problem::Fail, views::short};
use crate::people::People;

/// Whoever asks.
pub(super) enum Who {
    Realm(RealmName),
    Person(String, BTreeSet<Role>),
    Loop(LoopId),
    Agent(LoopId),
}

/// What is asked about.
pub(super) enum What {
    Realm(RealmName),
    Loop(LoopAddress),
    Used(Used, String),
}

impl Who {
    pub(super) fn read(text: &str) -> Result<Self, Fail> {
        let wrong = |error: ParseAskedError| invalid(&format!("`{}`: {error}", short(text)));
        match text.split_once('=') {
            None => Ok(Self::Realm(super::views::realm_name(text)?)),
            Some(("person", person)) => {
                let (name, roles) = person.split_once(':').unwrap_or((person, ""));
                let roles = roles.split(',').filter(|role| !role.is_empty());
                let roles = roles.map(|role| role.parse().map_err(|_| ParseAskedError::Role));
                let roles = roles.collect::<Result<_, _>>().map_err(wrong)?;
                Ok(Self::Person(name.to_owned(), roles))
            }
            Some(("loop", id)) => Ok(Self::Loop(super::loops::loop_id(id)?)),
            Some(("agent", id)) => Ok(Self::Agent(super::loops::loop_id(id)?)),
            Some(_) => Err(wrong(ParseAskedError::Kind)),
        }
    }

    /// With the roles that somebody has here, where none were named.
    pub(super) fn known(self, people: &People) -> Self {
        match self {
            Self::Person(name, roles) if roles.is_empty() => {
                let roles = people.roles_of(&name);
                Self::Person(name, roles)
            }
            known => known,
        }
    }

    /// The one who asks, where this realm is.
    pub(super) fn placed(&self, node: &Node) -> Result<AskedPrincipal, Refusal> {
        let me = node.standing().scope;
        Ok(match self {
            Self::Realm(name) => AskedPrincipal::Realm(node.resolve_name(name)?),
            Self::Person(name, roles) => AskedPrincipal::Person {
                home: me,
                name: name.clone(),
                roles: roles.clone(),
            },
            Self::Loop(id) => AskedPrincipal::Loop {
                owner: me,
                id: id.clone(),
            },
            Self::Agent(id) => AskedPrincipal::Agent {
                home: me,
                id: id.clone(),
            },
        })
    }
}

impl What {
    /// Reads what an action is about: a bare word is a loop of this realm where loops are meant, and a realm
    /// otherwise.
    pub(super) fn read(action: Action, text: &str) -> Result<Self, Fail> {
        if let Some((kind, name)) = text.split_once('=') {
            let used = |kind: &str| Used::ALL.into_iter().find(|used| used.name() == kind);
            let wrong = || invalid(&format!("`{}`: {}", short(text), ParseAskedError::Kind));
            return Ok(Self::Used(used(kind).ok_or_else(wrong)?, name.to_owned()));
        }
        let of_realm = matches!(
            action,
            Action::Relay
                | Action::Discover
                | Action::Join
                | Action::ReadTrace
                | Action::Administer
        );
        if of_realm && !text.contains('@') {
            return Ok(Self::Realm(super::views::realm_name(text)?));
        }
        let address = text.parse();
        let address = address.map_err(|error| invalid(&format!("`{}`: {error}", short(text))))?;
        Ok(Self::Loop(address))
    }

    /// What is asked about, where this realm is.
    pub(super) fn placed(&self, node: &Node) -> Result<AskedResource, Refusal> {
        let me = || node.standing().scope;
        Ok(match self {
            Self::Realm(name) => AskedResource::Realm(node.resolve_name(name)?),
            Self::Loop(address) => AskedResource::Loop {
                owner: match &address.realm {
                    Some(realm) => node.resolve_name(realm)?,
                    None => me(),
                },
                id: address.loop_id.clone(),
            },
            Self::Used(kind, name) => AskedResource::Used {
                owner: me(),
                kind: *kind,
                name: name.clone(),
            },
        })
    }
}

/// Whoever asked, as people write it.
pub(super) fn who(node: &Node, principal: &AskedPrincipal) -> String {
    match principal {
        AskedPrincipal::Realm(scope) => node.name_of(scope),
        AskedPrincipal::Person { name, .. } => format!("person={name}"),
        AskedPrincipal::Loop { id, .. } => format!("loop={id}"),
        AskedPrincipal::Agent { id, .. } => format!("agent={id}"),
    }
}

/// What was asked about, as people write it.
pub(super) fn what(node: &Node, resource: &AskedResource) -> String {
    let at = |owner: &Scope| node.name_of(owner);
    match resource {
        AskedResource::Realm(scope) => at(scope),
        AskedResource::Loop { owner, id } => format!("{id}@{}", at(owner)),
        AskedResource::Used { kind, name, .. } => format!("{}={name}", kind.name()),
    }
}
