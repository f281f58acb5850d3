//! Who asks, and whether they may: one table of what each route needs.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    middleware::Next,
    response::IntoResponse as _,
};
use http::{Method, request::Parts};
use realm_client::{
    api::{Problem, routes},
    catalogue::Code,
};
use realm_node::{InvokeAsked, Person, Request};
use realm_policy::Action;
use realm_protocol::{LoopId, limits, records::Role};

use super::{Gate, Shared, invoke::carry_out, problem::Fail, sign_in::present};
use crate::{daemon::Daemon, people::Shown, serve::Origin};

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nobody yet: whoever signs in shows something else.
    Nothing,
    /// Anybody whom the realm knows.
    Read,
    /// Whoever may run things.
    Operate,
    /// Whoever may approve; which calls, the node knows.
    Approve,
    /// An owner.
    Own,
}

/// Where somebody signs in, who has nothing to show yet.
const SIGN_IN: &[&str] = &[
    routes::SIGN_IN,
    routes::SIGN_IN_DEVICE,
    routes::SIGN_IN_DEVICE_ASK,
];
/// What needs neither less nor more than reading does, though it is no GET.
const READ: &[&str] = &[
    routes::DIFF,
    routes::VALIDATE,
    routes::IMPORT,
    routes::POLICY_CHECK,
    routes::POLICY_TEST,
    routes::POLICY_SHADOW,
    routes::POLICY_WHY,
    routes::PEER_PING,
    // Ending one's own sign-in.
    routes::SIGN_IN,
];
const OPERATE: &[&str] = &[
    routes::INVOKE,
    routes::BROADCASTS,
    routes::RUN_PAUSE,
    routes::RUN_RESUME,
    routes::RUN_CANCEL,
    routes::BREAKER_RESET,
    routes::HALT,
    routes::PROMPT_SCORE,
];
const APPROVE: &[&str] = &[routes::APPROVAL_APPROVE, routes::APPROVAL_DENY];
/// What tells of runs: policy is asked for `read-trace`.
const TRACES: &[&str] = &[
    routes::RUNS,
    routes::RUN,
    routes::RUN_TRACE,
    routes::RUN_FEDERATED,
    routes::RUN_TREE,
    routes::RUN_EVENTS,
    routes::RUN_EXPLAIN,
    routes::RUN_TRANSCRIPT,
    routes::AUDIT,
    routes::AUDIT_EXPORT,
    routes::WITNESSED,
    routes::WITNESSED_REALM,
    routes::RECEIPTS,
    routes::BIDS,
    routes::BIDDERS,
    routes::BID,
    routes::APPROVALS,
    routes::APPROVAL,
    routes::STATES,
    routes::STATE,
    routes::POLICY_SHADOW,
    routes::PSEUDONYM,
];
/// What is an owner's whatever policy says: the way back from a policy that forbids too much, and out of a
/// halt.
const LAST_WORD: &[&str] = &[
    routes::ALLOW,
    routes::DISALLOW,
    routes::POLICY_APPLY,
    routes::UNHALT,
];
/// What an owner does to one prompt: policy is asked for `promote-prompt` of that.
const PROMPTS: &[&str] = &[
    routes::PROMPT_PROMOTE,
    routes::PROMPT_ROLLBACK,
    routes::PROMPT_SHARE,
];

/// Whether a request is that of somebody who signs in.
pub(super) fn signs_in(method: &Method, route: &str) -> bool {
    *method == Method::POST && SIGN_IN.contains(&route)
}

/// What a route needs: what is not in the tables is for owners, unless it only reads.
fn needs(method: &Method, route: &str) -> Needs {
    match route {
        routes::ATTACH => Needs::Own,
        route if signs_in(method, route) => Needs::Nothing,
        _ if *method == Method::GET || *method == Method::HEAD => Needs::Read,
        route if READ.contains(&route) => Needs::Read,
        route if OPERATE.contains(&route) => Needs::Operate,
        route if APPROVE.contains(&route) => Needs::Approve,
        _ => Needs::Own,
    }
}

/// What policy is asked about a route before it begins, beside what it is asked about the loop there.
fn asks(method: &Method, route: &str) -> Option<Action> {
    let settled = LAST_WORD.contains(&route) || PROMPTS.contains(&route);
    match needs(method, route) {
        Needs::Read => TRACES.contains(&route).then_some(Action::ReadTrace),
        Needs::Own => (!settled).then_some(Action::Administer),
        Needs::Nothing | Needs::Operate | Needs::Approve => None,
    }
}

impl Needs {
    fn is_met_by(self, person: &Person) -> bool {
        match self {
            Self::Nothing => true,
            Self::Read => !person.roles.is_empty(),
            Self::Operate => person.has(Role::Operator),
            Self::Approve => person.has(Role::Approver) || person.has(Role::Operator),
            Self::Own => person.has(Role::Owner),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Read => "a role",
            Self::Operate => "operator or owner",
            Self::Approve => "approver, operator or owner",
            Self::Own => "owner",
        }
    }
}

/// The layer around every route: who asks, and whether they may.
pub(super) async fn admit(
    daemon: Shared,
    mut request: axum::extract::Request,
    next: Next,
) -> axum::response::Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", |route| route.as_str()).to_owned();
    let shown = request.extensions().get::<Shown>().cloned();
    let origin = request.extensions().get::<Origin>().copied();
    if let Some(Shown::Agent(id)) = &shown
        && agents_may(request.method(), &route)
    {
        let caller = LoopCaller::Agent(id.clone());
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    }
    let person = match who(&daemon, shown, origin).await {
        Ok(person) => person,
        Err(fail) => return fail.into_response(),
    };
    let Some(person) = person else {
        // Whoever attaches over TCP shows the token in the first message, to the gate.
        let attaches =
            route == routes::ATTACH && request.extensions().get::<std::sync::Arc<Gate>>().is_some();
        if attaches || needs(request.method(), &route) == Needs::Nothing {
            return next.run(request).await;
        }
        return unknown().into_response();
    };
    match let_in(&daemon, &person, request.method(), &route).await {
        Ok(()) => {
            request
                .extensions_mut()
                .insert(LoopCaller::Person(Asker(person.clone())));
            request.extensions_mut().insert(person);
            next.run(request).await
        }
        Err(fail) => fail.into_response(),
    }
}

pub(super) fn unknown() -> Fail {
    let what = "this realm knows nobody of that user";
    Fail::new(Code::RoleMissing, what)
}

/// Who makes a request: whoever has shown a token at the gate, or a user of the machine.
pub(super) async fn who(
    daemon: &Daemon,
    shown: Option<Shown>,
    origin: Option<Origin>,
) -> Result<Option<Person>, Fail> {
    match (shown, origin) {
        (Some(Shown::Named(person)), _) => Ok(Some(person)),
        (Some(Shown::SignedIn(member)), _) => {
            let person = present(daemon, &member, limits::PERSON_READ_MS).await?;
            Ok(Some(person))
        }
        (Some(Shown::Agent(name)), _) => {
            let what = format!(
                "this is the token of agent `{name}`, which attaches and calls loops with it, and does nothing else"
            );
            Err(Fail::new(Code::RoleMissing, what))
        }
        (None, Some(Origin::User(uid))) => Ok(daemon.people.borrow().by_uid(uid)),
        (None, Some(Origin::Network) | None) => Ok(None),
    }
}

/// Whether a person may do what a route does: by their roles, and by what policy says of it.
pub(super) async fn let_in(
    daemon: &Daemon,
    person: &Person,
    method: &Method,
    route: &str,
) -> Result<(), Fail> {
    may(person, method, route)?;
    let Some(action) = asks(method, route) else {
        return Ok(());
    };
    carry_out(daemon, Asker(person.clone()).asks(Request::May(action))).await
}

/// Whether a person may do what a route does, by their roles. What is in no table is the owners'.
fn may(person: &Person, method: &Method, route: &str) -> Result<(), Fail> {
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

/// Whether an agent may do what a route does, beside attaching; which loops it calls there, policy says.
fn agents_may(method: &Method, route: &str) -> bool {
    *method == Method::POST && route == routes::INVOKE
}

/// Whoever has made a request.
#[derive(Clone)]
pub(super) struct Asker(Person);

impl Asker {
    /// The person.
    pub(super) const fn person(&self) -> &Person {
        &self.0
    }

    /// What they are called.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// What they ask for: policy decides about it.
    pub(super) fn asks(self, request: Request) -> Request {
        Request::By(self.0, Box::new(request))
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        let known = parts.extensions.get::<Person>().cloned();
        known.map(Self).ok_or_else(nobody)
    }
}

/// Whoever calls a loop: somebody, or an agent that has shown its own token.
#[derive(Clone)]
pub(super) enum LoopCaller {
    Person(Asker),
    Agent(LoopId),
}

impl LoopCaller {
    /// What traces call somebody; an agent the node names.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Person(asker) => Some(asker.name().to_owned()),
            Self::Agent(_) => None,
        }
    }

    /// Their call: policy decides about it.
    pub(super) fn calls(self, asked: InvokeAsked) -> Request {
        match self {
            Self::Person(asker) => asker.asks(Request::Invoke(asked)),
            Self::Agent(id) => Request::InvokeAs(id, Box::new(asked)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for LoopCaller {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        parts.extensions.get().cloned().ok_or_else(nobody)
    }
}

fn nobody() -> Fail {
    Fail::new(Code::RoleMissing, "nobody is known to have asked")
}

#[cfg(test)]
mod matrix;
