//! Who asks, and whether they may: one table of what each route needs.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{Method, request::Parts};
use realm_client::{
    api::{Problem, routes},
    catalogue::Code,
};
use realm_node::Person;
use realm_protocol::records::Role;

use super::{Gate, Shared, problem::Fail};
use crate::serve::Origin;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Anybody whom the realm knows.
    Read,
    /// Whoever may run things.
    Operate,
    /// Whoever may approve; which calls, the node knows.
    Approve,
    /// An owner.
    Own,
}

/// What needs neither less nor more than reading does, though it is no GET.
const READ: &[&str] = &[
    routes::DIFF,
    routes::VALIDATE,
    routes::IMPORT,
    routes::POLICY_CHECK,
    routes::POLICY_TEST,
    routes::PEER_PING,
];
const OPERATE: &[&str] = &[
    routes::INVOKE,
    routes::BROADCASTS,
    routes::RUN_PAUSE,
    routes::RUN_RESUME,
    routes::RUN_CANCEL,
    routes::HALT,
    routes::PROMPT_SCORE,
];
const APPROVE: &[&str] = &[routes::APPROVAL_APPROVE, routes::APPROVAL_DENY];

/// What a route needs: what is not in the tables is for owners, unless it only reads.
fn needs(method: &Method, route: &str) -> Needs {
    match route {
        routes::ATTACH => Needs::Own,
        _ if *method == Method::GET || *method == Method::HEAD => Needs::Read,
        route if READ.contains(&route) => Needs::Read,
        route if OPERATE.contains(&route) => Needs::Operate,
        route if APPROVE.contains(&route) => Needs::Approve,
        _ => Needs::Own,
    }
}

impl Needs {
    fn is_met_by(self, person: &Person) -> bool {
        match self {
            Self::Read => !person.roles.is_empty(),
            Self::Operate => person.has(Role::Operator),
            Self::Approve => person.has(Role::Approver) || person.has(Role::Operator),
            Self::Own => person.has(Role::Owner),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Read => "a role",
            Self::Operate => "operator or owner",
            Self::Approve => "approver, operator or owner",
            Self::Own => "owner",
        }
    }
}

/// The layer around every route: who asks, and whether they may.
pub(super) async fn admit(daemon: Shared, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", |route| route.as_str()).to_owned();
    let shown = request.extensions().get::<Person>().cloned();
    let person = shown.or_else(|| match request.extensions().get::<Origin>() {
        Some(Origin::User(uid)) => daemon.people.borrow().by_uid(*uid),
        Some(Origin::Network) | None => None,
    });
    let Some(person) = person else {
        // Whoever attaches over TCP shows the token in the first message, to the gate.
        if route == routes::ATTACH && request.extensions().get::<std::sync::Arc<Gate>>().is_some() {
            return next.run(request).await;
        }
        let what = "this realm knows nobody of that user";
        return Fail::new(Code::RoleMissing, what).into_response();
    };
    match may(&person, request.method(), &route) {
        Ok(()) => {
            request.extensions_mut().insert(person);
            next.run(request).await
        }
        Err(fail) => fail.into_response(),
    }
}

/// Whether a person may do what a route does.
pub(super) fn may(person: &Person, method: &Method, route: &str) -> Result<(), Fail> {
    let needed = needs(method, route);
    if needed.is_met_by(person) {
        return Ok(());
    }
    let roles = person.roles.iter().map(|role| role.as_str());
    let roles = roles.collect::<Vec<_>>().join(", ");
    let (name, words) = (&person.name, needed.words());
    let what = format!("{name} is {roles}, and this needs {words}");
    let hint = format!("an owner says who may do what: `[people.{name}]` in realm.toml");
    Err(Problem::new(Code::RoleMissing, what).with_hint(hint).into())
}

/// Whoever has made a request.
pub(super) struct Asker(Person);

impl Asker {
    /// The person.
    pub(super) fn into_person(self) -> Person {
        self.0
    }

    /// What they are called.
    pub(super) fn into_name(self) -> String {
        self.0.name
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        let known = parts.extensions.get::<Person>().cloned();
        let unknown = || Fail::new(Code::RoleMissing, "nobody is known to have asked");
        known.map(Self).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(role: Role) -> Person {
        Person {
            name: "eve".to_owned(),
            roles: [role].into(),
        }
    }

    #[test]
    fn every_route_that_changes_something_refuses_a_viewer_and_what_no_table_names_is_the_owners() {
        let operations = super::super::openapi::operations();
        assert!(operations.len() > 60);
        for (method, path) in operations {
            let method: Method = method.to_uppercase().parse().unwrap();
            let may = |role| may(&person(role), &method, path).is_ok();
            let reads = method == Method::GET && path != routes::ATTACH || READ.contains(&path);
            assert_eq!(may(Role::Viewer), reads, "{method} {path}");
            let operates = OPERATE.contains(&path) || APPROVE.contains(&path);
            assert_eq!(may(Role::Operator), reads || operates, "{method} {path}");
            let approves = APPROVE.contains(&path);
            assert_eq!(may(Role::Approver), reads || approves, "{method} {path}");
            assert!(may(Role::Owner), "{method} {path}");
        }
        assert!(may(&person(Role::Operator), &Method::POST, "/v1/later").is_err());
    }
}
