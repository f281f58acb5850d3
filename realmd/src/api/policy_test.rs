//! Asking the policy questions with known answers.

use realm_client::api::{Expectation, PolicyCase, PolicyCaseResult, PolicyCases, PolicyTested};
use realm_node::{Node, Refusal};
use realm_policy::{Action, Decision};
use realm_protocol::Timestamp;

use super::{
    Answer, Shared,
    asked::{What, Who},
    denials::level_name,
    extract::{Body, invalid},
    policy::parse_action,
    problem::Fail,
};
use crate::people::People;

/// Questions in one request.
const CASES: usize = 1_000;

pub(super) async fn test(daemon: Shared, Body(request): Body<PolicyCases>) -> Answer<PolicyTested> {
    let cases = request.cases;
    if cases.len() > CASES {
        return Err(invalid(&format!("at most {CASES} cases at once")));
    }
    if cases.is_empty() {
        return Err(invalid("there are no cases to test"));
    }
    let mut questions = Vec::new();
    for case in cases {
        let question = Question::read(&case)?.known(&daemon.people.borrow());
        questions.push((question, case));
    }
    let now = daemon.clock.now().wall;
    let look = move |node: &Node| {
        let answered = questions
            .into_iter()
            .map(|(question, case)| answer(node, &question, case, now));
        answered.collect::<Result<Vec<_>, Refusal>>()
    };
    let results = daemon.handle.read(look).await??;
    let passed = results.iter().filter(|result| result.ok).count() as u64;
    Ok(axum::Json(PolicyTested {
        passed,
        failed: results.len() as u64 - passed,
        results,
    }))
}

/// A case's names, read.
struct Question {
    principal: Who,
    action: Action,
    resource: What,
}

impl Question {
    fn read(case: &PolicyCase) -> Result<Self, Fail> {
        let action = parse_action(&case.action)?;
        Ok(Self {
            principal: Who::read(&case.principal)?,
            action,
            resource: What::read(action, &case.resource)?,
        })
    }

    fn known(self, people: &People) -> Self {
        let principal = self.principal.known(people);
        Self { principal, ..self }
    }
}

fn answer(
    node: &Node,
    question: &Question,
    case: PolicyCase,
    now: Timestamp,
) -> Result<PolicyCaseResult, Refusal> {
    let principal = question.principal.placed(node)?;
    let resource = question.resource.placed(node)?;
    let decision = node.policy_decide(&realm_policy::Request::new(
        question.action,
        principal.as_principal(),
        resource.as_resource(),
        now,
    ));
    let (got, level, determining) = match decision {
        Decision::Permitted(_) => (Expectation::Permit, None, Vec::new()),
        Decision::Denied(denial) => {
            let level = level_name(node, &denial.level);
            (Expectation::Deny, Some(level), denial.determining)
        }
    };
    Ok(PolicyCaseResult {
        ok: got == case.expect,
        case,
        got,
        level,
        determining,
    })
}
