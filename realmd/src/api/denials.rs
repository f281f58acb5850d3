//! Denials of this realm, explained.

use realm_client::{
    api::{Denial, Problem},
    catalogue::Code,
};
use realm_node::Node;
use realm_policy::{Caller, Level, Suggestion, suggest};
use realm_protocol::Scope;

use super::{
    Answer, Shared, asked,
    extract::Segment,
    views::{short, time},
};

pub(super) async fn denial(daemon: Shared, Segment(reference): Segment) -> Answer<Denial> {
    let wanted = reference.clone();
    let look = move |node: &Node| {
        node.denial(&wanted)
            .map(|denial| explain(node, &wanted, denial))
    };
    let found = daemon.handle.read(look).await?;
    found.map(axum::Json).ok_or_else(|| {
        let detail = format!("no denial `{}` was made here", short(&reference));
        Problem::new(Code::DenialUnknown, detail)
            .with_hint("ask the realm that denied: its name stands beside the reference")
            .into()
    })
}

fn explain(node: &Node, reference: &str, denial: &realm_policy::Denial) -> Denial {
    Denial {
        reference: reference.to_owned(),
        at: time(denial.request.now),
        caller: asked::who(node, &denial.request.principal),
        action: denial.request.action.to_string(),
        resource: asked::what(node, &denial.request.resource),
        level: level_name(node, &denial.level),
        determining: denial.determining.clone(),
        errors: denial.errors.clone(),
        suggestion: suggest(denial).map(|suggestion| command(node, &suggestion)),
    }
}

/// The command that would permit it, and where to run it if not here.
pub(super) fn command(node: &Node, suggestion: &Suggestion) -> String {
    let command = if let Some(policy) = suggestion.disallow.first() {
        format!("realmctl disallow {policy}")
    } else {
        let caller = match &suggestion.caller {
            Caller::Realm(scope) => node.name_of(scope),
            Caller::Agent { id, .. } => format!("agent={id}"),
        };
        // What an agent may call elsewhere is said here.
        let at_own = suggestion.at == Level::Own && matches!(suggestion.caller, Caller::Realm(_));
        let own = at_own || suggestion.owner == deciding(node, suggestion);
        let target = if own {
            quoted(&suggestion.pattern)
        } else {
            quoted(&format!(
                "{}@{}",
                suggestion.pattern,
                node.name_of(&suggestion.owner)
            ))
        };
        format!("realmctl allow {caller} {} {target}", suggestion.action)
    };
    match &suggestion.at {
        Level::Ceiling { scope, .. } => format!("{command}   # at {}", node.name_of(scope)),
        Level::Own | Level::Missing { .. } => command,
    }
}

/// The realm whose level denied.
fn deciding(node: &Node, suggestion: &Suggestion) -> Scope {
    match &suggestion.at {
        Level::Ceiling { scope, .. } => scope.clone(),
        Level::Own | Level::Missing { .. } => node.standing().scope,
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    if word.contains('*') {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

/// The level that denied: `own`, or the realm above by name.
pub(super) fn level_name(node: &Node, level: &Level) -> String {
    match level {
        Level::Own => "own".to_owned(),
        Level::Ceiling { scope, .. } => node.name_of(scope),
        Level::Missing { depth } => {
            let own = node.standing().scope;
            let mut path = own.path.clone();
            while path.depth() > *depth {
                let Some(above) = path.parent() else { break };
                path = above;
            }
            node.name_of(&Scope { path, ..own })
        }
    }
}
