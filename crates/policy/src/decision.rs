//! What policy answers.

use realm_protocol::{RealmId, Scope, records::Role};
use serde::{Deserialize, Serialize};

use crate::{Action, AskedPrincipal, Request, RequestCopy, request::scope_text};

/// Whether it may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every level permits it.
    Permitted(Permit),
    /// A level does not.
    Denied(Denial),
}

impl Decision {
    /// The permit, if it is one.
    pub fn permit(self) -> Option<Permit> {
        match self {
            Self::Permitted(permit) => Some(permit),
            Self::Denied(_) => None,
        }
    }

    /// The denial, if it is one.
    pub fn denial(self) -> Option<Denial> {
        match self {
            Self::Permitted(_) => None,
            Self::Denied(denial) => Some(denial),
        }
    }

    /// Whether it is a permit.
    pub const fn is_permitted(&self) -> bool {
        matches!(self, Self::Permitted(_))
    }
}

/// A policy record that a permit rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyUse {
    /// The ancestor that signed it.
    pub realm: RealmId,
    /// Its number.
    pub number: u64,
}

/// Proof that every level permitted one action; only [`crate::Policy::decide`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    principal: AskedPrincipal,
    action: Action,
    resource: String,
    policies: Vec<PolicyUse>,
    approvals: Vec<Role>,
}

impl Permit {
    pub(crate) fn new(
        request: &Request<'_>,
        policies: Vec<PolicyUse>,
        approvals: Vec<Role>,
    ) -> Self {
        Self {
            principal: request.principal.to_owned(),
            action: request.action,
            resource: request.resource.to_owned().to_string(),
            policies,
            approvals,
        }
    }

    /// The roles of those who have to approve it before it is done, one of each; empty where nobody
    /// has to.
    pub fn approvals(&self) -> &[Role] {
        &self.approvals
    }

    /// Who may.
    pub const fn principal(&self) -> &AskedPrincipal {
        &self.principal
    }

    /// What may be done.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// To what, as the text of an [`crate::AskedResource`].
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The ancestors' records that were asked, the root's first.
    pub fn policies(&self) -> &[PolicyUse] {
        &self.policies
    }
}

/// The level that denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What an ancestor lets its subtree do.
    Ceiling {
        /// The ancestor.
        #[serde(with = "scope_text")]
        scope: Scope,
        /// The number of its policy record.
        number: u64,
    },
    /// An ancestor that has not said yet what its subtree may do.
    Missing {
        /// How far it stands below the root.
        depth: usize,
    },
    /// This realm's own documents.
    Own,
}

/// Why something may not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// What was asked.
    pub request: RequestCopy,
    /// The first level, from the root, that did not permit it.
    pub level: Level,
    /// Ids of the policies that forbid it, in order; empty when nothing permits it.
    pub determining: Vec<String>,
    /// What went wrong in policies that could not be evaluated; each denies by itself.
    pub errors: Vec<String>,
}

/// What one level says of a request by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelSays {
    /// The level.
    pub level: Level,
    /// What it says.
    pub answer: LevelAnswer,
    /// Ids of the policies that say so, in order.
    pub policies: Vec<String>,
    /// What went wrong in policies that could not be evaluated.
    pub errors: Vec<String>,
}

impl LevelSays {
    pub(crate) const fn silent(level: Level) -> Self {
        Self {
            level,
            answer: LevelAnswer::Silent,
            policies: Vec::new(),
            errors: Vec::new(),
        }
    }
}

/// What a level can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelAnswer {
    /// A policy permits it, and none forbids it.
    Permits,
    /// A policy forbids it.
    Forbids,
    /// None permits or forbids it.
    Silent,
    /// A policy cannot be evaluated, which denies.
    Fails,
}

impl LevelAnswer {
    /// The answer in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permits => "permits",
            Self::Forbids => "forbids",
            Self::Silent => "silent",
            Self::Fails => "fails",
        }
    }
}
