//! Asking the policy questions with known answers.

use realm_client::api::{Expectation, PolicyCase, PolicyCaseResult, PolicyCases, PolicyTested};
use realm_node::{Node, Refusal};
use realm_policy::{Action, AskedResource, Decision};
use realm_protocol::{LoopAddress, RealmName, Timestamp};

use super::{
    Answer, Shared,
    denials::level_name,
    extract::{Body, invalid},
    policy::parse_action,
    problem::Fail,
    views::{realm_name, short},
};

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
        questions.push((Question::read(&case)?, case));
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
    principal: RealmName,
    action: Action,
    resource: Named,
}

enum Named {
    Loop(LoopAddress),
    Realm(RealmName),
}

impl Question {
    /// A bare word is a loop of this realm where loops are meant, and a realm otherwise.
    fn read(case: &PolicyCase) -> Result<Self, Fail> {
        let action = parse_action(&case.action)?;
        let is_loop = case.resource.contains('@') || action == Action::Invoke;
        let resource = if is_loop {
            let address = case.resource.parse();
            Named::Loop(
                address
                    .map_err(|error| invalid(&format!("`{}`: {error}", short(&case.resource))))?,
            )
        } else {
            Named::Realm(realm_name(&case.resource)?)
        };
        Ok(Self {
            principal: realm_name(&case.principal)?,
            action,
            resource,
        })
    }
}

fn answer(
    node: &Node,
    question: &Question,
    case: PolicyCase,
    now: Timestamp,
) -> Result<PolicyCaseResult, Refusal> {
    let principal = node.resolve_name(&question.principal)?;
    let resource = match &question.resource {
        Named::Realm(name) => AskedResource::Realm(node.resolve_name(name)?),
        Named::Loop(address) => AskedResource::Loop {
            owner: match &address.realm {
                Some(realm) => node.resolve_name(realm)?,
                None => node.standing().scope,
            },
            id: address.loop_id.clone(),
        },
    };
    let decision = node.policy_decide(&realm_policy::Request {
        action: question.action,
        principal: &principal,
        resource: resource.as_resource(),
        answer: false,
        approved: 0,
        now,
    });
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
