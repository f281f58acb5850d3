//! What is written down of requests for approvals.

use realm_executor::{ApprovalAsked, ApprovalRule, Cost, Escalation};
use realm_protocol::{
    RunId, Timestamp,
    budget::{Budget, Spend},
    cbor::CborError,
    limits,
    records::{Approval, ApprovalAction, Role, Signed},
    wire_map,
};

wire_map! {
    /// A request, with what people have said.
    pub struct StoredRequest {
        /// Exactly what is to be approved.
        0 => action: ApprovalAction,
        /// What has to be met.
        1 => rules: Vec<StoredRule>,
        /// When it was asked for.
        2 => requested: Timestamp,
        /// Not valid from.
        3 => expires: Timestamp,
        /// Where it stands: the number of an [`crate::ApprovalState`].
        4 => state: u64,
        /// What people have said.
        5 => decisions: Vec<Signed<Approval>>,
        /// When the call began.
        6 => used: Option<Timestamp>,
        /// When others were asked as well, the last time.
        7 => escalated: Option<Timestamp>,
        /// The person on this machine who asked for the work.
        8 => requester: Option<String>,
        /// On whose behalf the run is, for people.
        9 => caller: Option<String>,
        /// The frames that led to it, the outermost first.
        10 => frames: Vec<String>,
        /// When it was decided.
        11 => decided: Option<Timestamp>,
        /// What an answer may use at most, where it is that what people decide about.
        12 => cost: Option<Spend>,
        /// What another realm is given, where it is that what people decide about.
        13 => share: Option<Budget>,
    }
}

wire_map! {
    /// An [`ApprovalRule`].
    pub struct StoredRule {
        /// The role.
        0 => role: Role,
        /// How many people.
        1 => count: u64,
        /// Whether the requester may not be one of them.
        2 => distinct: bool,
        /// How long it is good for, milliseconds.
        3 => expires_ms: u64,
        /// When others are asked as well, milliseconds after the request.
        4 => escalate_ms: Option<u64>,
        /// Who they are.
        5 => escalate_role: Option<Role>,
        /// Its condition.
        6 => when: Option<String>,
        /// Whether the callee is told.
        7 => forward: bool,
        /// Above what it is asked for.
        8 => above: Option<Budget>,
    }
}

impl StoredRequest {
    /// The run that waits.
    pub(crate) fn run(&self) -> RunId {
        self.action.run
    }

    /// Whether it is what a call asks for.
    pub(super) fn is_of(&self, action: &ApprovalAction, asked: &ApprovalAsked) -> bool {
        let rules = asked.rules.iter().map(StoredRule::from);
        self.action == *action && self.costs(asked) && rules.eq(self.rules.iter().cloned())
    }

    /// Whether people were told of what the call would use. Rows of earlier builds have a share in the place of an answer's
    /// cost.
    fn costs(&self, asked: &ApprovalAsked) -> bool {
        match (&asked.cost, &self.cost, &self.share) {
            (Some(Cost::Share(given)), Some(before), None) => *before == given.whole(),
            _ => self.cost() == asked.cost,
        }
    }

    /// What the call would use, where it is that what people decide about.
    pub(super) fn cost(&self) -> Option<Cost> {
        let answer = self.cost.clone().map(Cost::Answer);
        answer.or(self.share.map(Cost::Share))
    }

    /// Whether whoever asked for the work may not approve it.
    pub(super) fn is_distinct(&self) -> bool {
        self.rules.iter().any(|rule| rule.distinct)
    }
}

impl StoredRule {
    /// Whether somebody with these roles may meet it at that time.
    pub(super) fn takes(&self, roles: &[Role], requested: Timestamp, at: Timestamp) -> bool {
        let late = self.escalate_ms.map(|after| requested.plus(after));
        let late = late.is_some_and(|late| late <= at);
        let also = self.escalate_role.filter(|_| late);
        let mut roles = roles.iter();
        roles.any(|role| *role == Role::Owner || *role == self.role || Some(*role) == also)
    }
}

impl From<&ApprovalRule> for StoredRule {
    fn from(rule: &ApprovalRule) -> Self {
        Self {
            role: rule.role,
            count: rule.count,
            distinct: rule.distinct_from_requester,
            expires_ms: rule.expires_ms,
            escalate_ms: rule.escalate.map(|escalate| escalate.after_ms),
            escalate_role: rule.escalate.map(|escalate| escalate.role),
            when: rule.when.as_ref().map(ToString::to_string),
            forward: rule.forward,
            above: rule.above,
        }
    }
}

impl TryFrom<StoredRule> for ApprovalRule {
    type Error = CborError;

    fn try_from(stored: StoredRule) -> Result<Self, CborError> {
        let when = stored.when.map(|when| when.parse()).transpose();
        let escalate = stored.escalate_ms.zip(stored.escalate_role);
        Ok(Self {
            role: stored.role,
            count: stored.count,
            distinct_from_requester: stored.distinct,
            expires_ms: stored.expires_ms,
            escalate: escalate.map(|(after_ms, role)| Escalation { after_ms, role }),
            when: when.map_err(|_| CborError::Expected("a condition"))?,
            above: stored.above,
            forward: stored.forward,
        })
    }
}

/// What a policy asks for that permits a call with an approval.
pub(crate) fn demanded(role: &Role) -> ApprovalRule {
    ApprovalRule {
        role: *role,
        count: 1,
        distinct_from_requester: false,
        expires_ms: limits::APPROVAL_MS,
        escalate: None,
        when: None,
        above: None,
        forward: false,
    }
}
