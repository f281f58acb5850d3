//! What would permit what was denied.

use realm_protocol::{Scope, Timestamp};

use crate::{Action, Allow, AskedPrincipal, AskedResource, Caller, Denial, Level};

/// What would permit a denied request at the level that denied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Who would be allowed.
    pub caller: Caller,
    /// To do what.
    pub action: Action,
    /// To which loops.
    pub pattern: String,
    /// Of which realm.
    pub owner: Scope,
    /// Where the `allow` belongs: this realm, or the ancestor whose ceiling denies.
    pub at: Level,
    /// Policies that forbid it: while one stands, no `allow` helps, and `disallow` takes it away.
    pub disallow: Vec<String>,
}

impl Suggestion {
    /// The `allow` it suggests.
    pub fn allow(&self, caller_name: String, expires: Option<Timestamp>) -> Allow {
        Allow {
            caller: self.caller.clone(),
            action: self.action,
            pattern: self.pattern.clone(),
            owner: self.owner.clone(),
            expires,
            caller_name,
        }
    }
}

/// Says what would permit a denied request; none where no `allow` or `disallow` would: a level
/// that cannot be evaluated, or is not there yet, joining, which takes an invitation, and what is asked
/// by somebody or something inside this realm, which only a policy that forbids it keeps from it; but agents
/// call what they are allowed.
pub fn suggest(denial: &Denial) -> Option<Suggestion> {
    let unheard = matches!(denial.level, Level::Missing { .. });
    let request = &denial.request;
    if unheard || !denial.errors.is_empty() || request.action == Action::Join {
        return None;
    }
    let (owner, pattern) = match &request.resource {
        AskedResource::Realm(scope) => (scope.clone(), "*".to_owned()),
        AskedResource::Loop { owner, id } => (owner.clone(), id.to_string()),
        AskedResource::Used { owner, name, .. } => (owner.clone(), name.clone()),
    };
    let caller = match &request.principal {
        AskedPrincipal::Realm(caller) => caller.clone().into(),
        AskedPrincipal::Agent { home, id } if request.action == Action::Invoke => Caller::Agent {
            home: home.clone(),
            id: id.clone(),
        },
        _ if denial.determining.is_empty() => return None,
        _ => owner.clone().into(),
    };
    Some(Suggestion {
        caller,
        action: request.action,
        pattern,
        owner,
        at: denial.level.clone(),
        disallow: denial.determining.clone(),
    })
}
