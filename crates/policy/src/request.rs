//! What is asked of policy.

use std::{fmt, str::FromStr};

use realm_protocol::{LoopId, NameError, RealmPath, Scope, Timestamp, budget::Amount};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{AskedPrincipal, AskedResource, Principal, Resource};

/// What somebody would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Run a loop.
    Invoke,
    /// Have a loop of this realm call another one of it, in a run.
    Step,
    /// Use an agent, a tool or a host, as a loop.
    Use,
    /// Send a message through or to a realm.
    Relay,
    /// Learn of a realm, its keys, or its loops.
    Discover,
    /// Become part of a tree.
    Join,
    /// Announce work that has a loop's contract.
    Announce,
    /// Have a loop bid for one's announcements.
    Bid,
    /// Be awarded work that has a loop's contract.
    Award,
    /// Let a call cost something.
    Spend,
    /// Say whether a call that waits for people may begin.
    Approve,
    /// Read what runs did; inside the realm the audit log too.
    ReadTrace,
    /// Choose which version of a prompt is called.
    PromotePrompt,
    /// Change what the realm is: its loops, its neighbours, its agents.
    Administer,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 14] = [
        Self::Invoke,
        Self::Step,
        Self::Use,
        Self::Relay,
        Self::Discover,
        Self::Join,
        Self::Announce,
        Self::Bid,
        Self::Award,
        Self::Spend,
        Self::Approve,
        Self::ReadTrace,
        Self::PromotePrompt,
        Self::Administer,
    ];

    /// What one realm may let another do, by `allow`.
    pub const BETWEEN_REALMS: [Self; 7] = [
        Self::Invoke,
        Self::Discover,
        Self::Relay,
        Self::Announce,
        Self::Bid,
        Self::Award,
        Self::ReadTrace,
    ];

    /// The action's name, as in Cedar and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Step => "step",
            Self::Use => "use",
            Self::Relay => "relay",
            Self::Discover => "discover",
            Self::Join => "join",
            Self::Announce => "announce",
            Self::Bid => "bid",
            Self::Award => "award",
            Self::Spend => "spend",
            Self::Approve => "approve",
            Self::ReadTrace => "read-trace",
            Self::PromotePrompt => "promote-prompt",
            Self::Administer => "administer",
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
    #[error(
        "not an action: expected invoke, step, use, relay, discover, join, announce, bid, award, spend, \
         approve, read-trace, promote-prompt or administer"
    )]
    Action,
    /// It is of no known kind.
    #[error("of no known kind: expected `person=` or `loop=`, `agent=`, `tool=` or `host=`")]
    Kind,
    /// It does not say of which realm it is.
    #[error("it does not say of which realm: `@REALM` is missing")]
    Place,
    /// It is no role.
    #[error("not a role: expected owner, operator, approver or viewer")]
    Role,
    /// It is no realm or loop.
    #[error("not a realm or loop by scope: {0}")]
    Name(#[from] NameError),
}

/// Which loop of this realm calls another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step<'a> {
    /// The loop that calls.
    pub by: &'a LoopId,
    /// Whether its model chose to, and not its definition.
    pub tool: bool,
}

/// An owned [`Step`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCopy {
    /// The loop that calls.
    pub by: LoopId,
    /// Whether its model chose to, and not its definition.
    pub tool: bool,
}

impl StepCopy {
    fn as_step(&self) -> Step<'_> {
        Step {
            by: &self.by,
            tool: self.tool,
        }
    }
}

impl From<Step<'_>> for StepCopy {
    fn from(step: Step<'_>) -> Self {
        Self {
            by: step.by.clone(),
            tool: step.tool,
        }
    }
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What would be done.
    pub action: Action,
    /// Who would do it.
    pub principal: Principal<'a>,
    /// What it would be done to.
    pub resource: Resource<'a>,
    /// Whether the message answers a request.
    pub answer: bool,
    /// How many people of the caller's realm have approved exactly this call.
    pub approved: u64,
    /// Whether the caller holds a grant of the loop's realm for it.
    pub granted: bool,
    /// The most that it may cost; none where that has no bound.
    pub cost: Option<Amount>,
    /// Which loop calls, where one of this realm calls another.
    pub step: Option<Step<'a>>,
    /// The time it is asked.
    pub now: Timestamp,
}

impl<'a> Request<'a> {
    /// A question about what is no answer, and what nobody has approved, granted or bounded.
    pub const fn new(
        action: Action,
        principal: Principal<'a>,
        resource: Resource<'a>,
        now: Timestamp,
    ) -> Self {
        Self {
            action,
            principal,
            resource,
            answer: false,
            approved: 0,
            granted: false,
            cost: None,
            step: None,
            now,
        }
    }

    /// Whether it is about what happens inside this realm, or who is told of it: then the realm's own
    /// documents say what is permitted, and the realms above only what is not.
    pub const fn is_inside(&self) -> bool {
        matches!(self.action, Action::Step | Action::ReadTrace) || self.principal.is_inside()
    }
}

/// An owned [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCopy {
    /// What would be done.
    pub action: Action,
    /// Who would do it.
    pub principal: AskedPrincipal,
    /// What it would be done to.
    pub resource: AskedResource,
    /// Whether the message answers a request.
    #[serde(default)]
    pub answer: bool,
    /// How many people of the caller's realm had approved exactly this call.
    #[serde(default)]
    pub approved: u64,
    /// Whether the caller held a grant of the loop's realm for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub granted: bool,
    /// The most that it may cost; none where that has no bound.
    #[serde(default, with = "amount_text", skip_serializing_if = "Option::is_none")]
    pub cost: Option<Amount>,
    /// Which loop called, where one of this realm called another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepCopy>,
    /// The time it was asked.
    pub now: Timestamp,
}

impl RequestCopy {
    /// Borrows it, to ask again.
    pub fn as_request(&self) -> Request<'_> {
        Request {
            action: self.action,
            principal: self.principal.as_principal(),
            resource: self.resource.as_resource(),
            answer: self.answer,
            approved: self.approved,
            granted: self.granted,
            cost: self.cost,
            step: self.step.as_ref().map(StepCopy::as_step),
            now: self.now,
        }
    }

    /// Whether it is the same but for the time.
    pub(crate) fn asks(&self, request: &Request<'_>) -> bool {
        let own = self.as_request();
        (own.action, own.principal, own.resource)
            == (request.action, request.principal, request.resource)
            && (own.answer, own.approved, own.granted, own.cost, own.step)
                == (
                    request.answer,
                    request.approved,
                    request.granted,
                    request.cost,
                    request.step,
                )
    }
}

impl From<&Request<'_>> for RequestCopy {
    fn from(request: &Request<'_>) -> Self {
        Self {
            action: request.action,
            principal: request.principal.to_owned(),
            resource: request.resource.to_owned(),
            answer: request.answer,
            approved: request.approved,
            granted: request.granted,
            cost: request.cost,
            step: request.step.map(StepCopy::from),
            now: request.now,
        }
    }
}

/// Reads `ROOT` or `ROOT/PATH`, the root by its id.
pub(crate) fn parse_scope(text: &str) -> Result<Scope, NameError> {
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

/// An amount in serialised form is its text.
mod amount_text {
    use realm_protocol::budget::Amount;
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde hands it in so")]
    pub(super) fn serialize<S: Serializer>(
        amount: &Option<Amount>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        amount.map(|amount| amount.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Amount>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let amount = text.map(|text| text.parse().map_err(de::Error::custom));
        amount.transpose()
    }
}
