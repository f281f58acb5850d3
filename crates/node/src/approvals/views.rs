//! What is told of requests for approvals.

use realm_executor::Cost;
use realm_protocol::{
    ApprovalId, RunId, Timestamp,
    budget::Budget,
    records::{Approval, ApprovalAction, Role},
};
use serde_json::Value;

use super::StoredRequest;
use crate::Node;

/// Where a request for an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApprovalState {
    /// People have not said enough yet.
    Waiting = 1,
    /// The call may begin, once.
    Granted = 2,
    /// Somebody has said no.
    Denied = 3,
    /// Nobody said enough in time.
    Expired = 4,
    /// The call has changed, or is not made any more.
    Void = 5,
}

impl ApprovalState {
    const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Granted,
        Self::Denied,
        Self::Expired,
        Self::Void,
    ];

    pub(super) const fn number(self) -> u64 {
        self as u64
    }

    /// The state's name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// A request for an approval.
#[derive(Clone, Debug)]
pub struct ApprovalView {
    /// The request.
    pub id: ApprovalId,
    /// Where it stands.
    pub state: ApprovalState,
    /// Exactly what is to be approved.
    pub action: ApprovalAction,
    /// The arguments, while the call waits.
    pub input: Option<Value>,
    /// What it and all that it causes may use at most, while the call waits; none where nothing bounds it.
    pub budget: Option<Budget>,
    /// What the call itself would use, where it is that what people decide about.
    pub cost: Option<Cost>,
    /// The loops that led to it, the outermost first.
    pub frames: Vec<String>,
    /// On whose behalf the run is.
    pub caller: Option<String>,
    /// The person on this machine who asked for it.
    pub requester: Option<String>,
    /// What has to be met.
    pub rules: Vec<ApprovalTerms>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// Not valid from.
    pub expires: Timestamp,
    /// What people have said.
    pub decisions: Vec<Approval>,
    /// When the call began.
    pub used: Option<Timestamp>,
}

/// What has to be met before a call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovalTerms {
    /// The role that those have who approve.
    pub role: Role,
    /// How many people.
    pub count: u64,
    /// Whether the requester may not be one of them.
    pub distinct_from_requester: bool,
    /// When others may approve as well, and who they are.
    pub escalates: Option<(Timestamp, Role)>,
}

impl StoredRequest {
    pub(super) fn state(&self) -> ApprovalState {
        let known = ApprovalState::ALL.into_iter();
        let mut found = known.filter(|state| state.number() == self.state);
        // What does not read is good for nothing.
        found.next().unwrap_or(ApprovalState::Void)
    }
}

impl Node {
    /// The requests of a run, or all, the newest first; those that were decided only if wanted.
    pub fn approvals(&self, run: Option<RunId>, decided: bool) -> Vec<ApprovalView> {
        let requests = self.approvals.requests.iter().rev();
        let requests = requests.filter(|(_, request)| {
            let meant = run.is_none_or(|run| request.run() == run);
            meant && (decided || request.state() == ApprovalState::Waiting)
        });
        let views = requests.map(|(id, request)| self.approval_view(*id, request));
        views.collect()
    }

    /// One request.
    pub fn approval(&self, id: ApprovalId) -> Option<ApprovalView> {
        let request = self.approvals.requests.get(&id)?;
        Some(self.approval_view(id, request))
    }

    fn approval_view(&self, id: ApprovalId, request: &StoredRequest) -> ApprovalView {
        let action = request.action.clone();
        let state = request.state();
        let waiting = state == ApprovalState::Waiting;
        let frame = self.executor.frame(action.run, action.frame);
        let frame = frame.filter(|_| waiting);
        let most = self.executor.most(action.run, action.frame);
        let most = most.filter(|most| waiting && !most.is_unbounded());
        let said = request.decisions.iter();
        ApprovalView {
            id,
            state,
            input: frame.map(|(input, _)| input),
            budget: most,
            cost: request.cost(),
            frames: request.frames.clone(),
            caller: request.caller.clone(),
            requester: request.requester.clone(),
            rules: request
                .rules
                .iter()
                .map(|rule| ApprovalTerms {
                    role: rule.role,
                    count: rule.count,
                    distinct_from_requester: rule.distinct,
                    escalates: rule
                        .escalate_ms
                        .zip(rule.escalate_role)
                        .map(|(after_ms, role)| (request.requested.plus(after_ms), role)),
                })
                .collect(),
            requested: request.requested,
            expires: request.expires,
            decisions: said.filter_map(|said| said.peek().ok()).collect(),
            used: request.used,
            action,
        }
    }
}
