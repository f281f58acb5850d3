//! Tables of what a policy should say.

use realm_protocol::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Action, AskedPrincipal, AskedResource, Decision, Denial, Policy, Request};

/// What a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// That it is permitted.
    Permit,
    /// That it is denied.
    Deny,
}

/// One line of a table; realms by scope, roots by their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Who asks.
    pub principal: AskedPrincipal,
    /// To do what.
    pub action: Action,
    /// To what.
    pub resource: AskedResource,
    /// Whether the message answers a request.
    #[serde(default)]
    pub answer: bool,
    /// What should come of it.
    pub expect: Expect,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub case: Case,
    /// Whether it came as expected.
    pub passed: bool,
    /// Why it was denied, if it was.
    pub denial: Option<Denial>,
}

impl Policy {
    /// Decides every case as of `now`; gives the results in the cases' order.
    pub fn test(&self, cases: Vec<Case>, now: Timestamp) -> Vec<CaseResult> {
        let decided = cases.into_iter().map(|case| self.test_case(case, now));
        decided.collect()
    }

    fn test_case(&self, case: Case, now: Timestamp) -> CaseResult {
        let request = Request {
            answer: case.answer,
            ..Request::new(
                case.action,
                case.principal.as_principal(),
                case.resource.as_resource(),
                now,
            )
        };
        let decision = self.decide(&request);
        let (came, denial) = match decision {
            Decision::Permitted(_) => (Expect::Permit, None),
            Decision::Denied(denial) => (Expect::Deny, Some(denial)),
        };
        CaseResult {
            passed: came == case.expect,
            case,
            denial,
        }
    }
}
