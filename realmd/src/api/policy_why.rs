//! What every level says of a question, and what would have to change.

use realm_client::api::{Expectation, PolicyExplained, PolicyLevel, PolicyQuestion};
use realm_node::{Node, Refusal};
use realm_policy::{Decision, LevelSays, suggest};

use super::{
    Answer, Shared,
    asked::{What, Who},
    denials::{command, level_name},
    extract::Body,
    policy::parse_action,
};

pub(super) async fn why(
    daemon: Shared,
    Body(question): Body<PolicyQuestion>,
) -> Answer<PolicyExplained> {
    let action = parse_action(&question.action)?;
    let who = Who::read(&question.principal)?.known(&daemon.people.borrow());
    let what = What::read(action, &question.resource)?;
    let now = daemon.clock.now().wall;
    let look = move |node: &Node| {
        let (principal, resource) = (who.placed(node)?, what.placed(node)?);
        let asked = realm_policy::Request::new(
            action,
            principal.as_principal(),
            resource.as_resource(),
            now,
        );
        let (got, suggestion) = match node.policy_decide(&asked) {
            Decision::Permitted(_) => (Expectation::Permit, None),
            Decision::Denied(denial) => (Expectation::Deny, suggest(&denial)),
        };
        let levels = node.policy_explain(&asked).into_iter();
        Ok::<_, Refusal>(PolicyExplained {
            question,
            got,
            levels: levels.map(|says| level(node, says)).collect(),
            suggestion: suggestion.map(|suggestion| command(node, &suggestion)),
        })
    };
    Ok(axum::Json(daemon.handle.read(look).await??))
}

fn level(node: &Node, says: LevelSays) -> PolicyLevel {
    PolicyLevel {
        level: level_name(node, &says.level),
        answer: says.answer.name().to_owned(),
        policies: says.policies,
        errors: says.errors,
    }
}
