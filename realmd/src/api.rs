//! The local API: one file a subject, the types from `realm-client`, the rules from the node.

mod again;
mod apply;
mod approvals;
mod asked;
mod attach;
mod audit;
mod backends;
mod backup;
mod bids;
mod breakers;
mod broadcasts;
mod config;
mod crowded;
mod denials;
mod devices;
mod erasing;
mod events;
mod extract;
mod federated;
mod gate;
mod grants;
mod halt;
mod invoke;
mod listener;
mod loops;
mod metrics;
mod model_tools;
pub(crate) mod openapi;
mod peers;
mod people;
mod policy;
mod policy_shadow;
mod policy_test;
mod policy_why;
mod problem;
mod prompts;
mod pseudonyms;
mod rates;
mod realms;
mod receipts;
mod runs;
mod sign_in;
mod socket;
mod stacks;
mod standing;
mod states;
mod status;
mod streamed;
mod tickets;
mod tree;
mod views;
mod witnessed;
mod yaml;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use realm_client::api::routes;

use crate::daemon::Daemon;
pub(crate) use again::Answers;
pub(crate) use crowded::at_once;
pub(crate) use gate::Gate;
use problem::Fail;
pub(crate) use sign_in::look_again;

/// What every handler is given.
type Shared = State<Arc<Daemon>>;
/// What most handlers answer.
type Answer<T> = Result<axum::Json<T>, Fail>;

/// Where Prometheus reads.
pub(crate) const METRICS: &str = "/metrics";

/// Every route of the API, behind the gate: what is served over TCP.
pub(crate) fn guarded(daemon: Arc<Daemon>, gate: Gate) -> Router {
    let layer = axum::middleware::from_fn_with_state(Arc::new(gate), gate::guard);
    router(daemon).layer(layer)
}

/// Every route of the API.
pub(crate) fn router(daemon: Arc<Daemon>) -> Router {
    about()
        .merge(work())
        .merge(neighbours())
        .merge(permissions())
        .merge(changes().layer(axum::middleware::from_fn_with_state(
            Arc::clone(&daemon),
            again::once,
        )))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&daemon),
            people::admit,
        ))
        .with_state(daemon)
}

fn about() -> Router<Arc<Daemon>> {
    Router::new()
        .route(routes::STATUS, get(status::status))
        .route(routes::INFO, get(status::info))
        .route(routes::HEALTH, get(status::health))
        .route(routes::READY, get(status::ready))
        .route(routes::DOCTOR, get(status::doctor))
        .route(routes::CONFIG, get(config::config))
        .route(routes::CONFIG_KEY, get(config::key))
        .route(routes::BACKUP, post(backup::backup))
        .route(routes::OPENAPI, get(openapi::serve))
        .route(METRICS, get(metrics::metrics))
        .route(
            routes::SIGN_IN,
            post(sign_in::sign_in).delete(sign_in::sign_out),
        )
        .route(routes::SIGN_IN_DEVICE, post(devices::begin))
        .route(routes::SIGN_IN_DEVICE_ASK, post(devices::ask))
        .route(routes::PEOPLE, get(sign_in::list))
        .route(routes::PERSON, get(sign_in::show))
        .route(routes::PSEUDONYM, get(pseudonyms::show))
        .route(routes::PSEUDONYM_ERASE, post(pseudonyms::erase))
}

fn work() -> Router<Arc<Daemon>> {
    Router::new()
        .route(routes::INVOKE, post(invoke::invoke))
        .route(routes::BROADCASTS, post(broadcasts::broadcast))
        .route(routes::RUNS, get(runs::list))
        .route(routes::RUN, get(runs::show))
        .route(routes::RUN_TRACE, get(runs::trace))
        .route(routes::RUN_FEDERATED, get(federated::federated))
        .route(routes::RUN_TREE, get(tree::tree))
        .route(routes::RUN_EVENTS, get(events::events))
        .route(routes::RUN_EXPLAIN, get(standing::explain))
        .route(routes::RUN_TRANSCRIPT, get(bids::transcript))
        .route(routes::AUDIT, get(audit::list))
        .route(routes::AUDIT_EXPORT, get(audit::export))
        .route(routes::WITNESSED, get(witnessed::list))
        .route(routes::WITNESSED_REALM, get(witnessed::show))
        .route(routes::WITNESSED_ACKNOWLEDGE, post(witnessed::acknowledge))
        .route(routes::RECEIPTS, get(receipts::export))
        .route(routes::BIDS, get(bids::list))
        .route(routes::BIDDERS, get(bids::bidders))
        .route(routes::BID, get(bids::receipt))
        .route(routes::APPROVALS, get(approvals::list))
        .route(routes::APPROVAL, get(approvals::show))
        .route(routes::APPROVAL_APPROVE, post(approvals::approve))
        .route(routes::APPROVAL_DENY, post(approvals::deny))
        .route(routes::RUN_PAUSE, post(standing::pause))
        .route(routes::RUN_RESUME, post(standing::resume))
        .route(routes::RUN_CANCEL, post(standing::cancel))
        .route(routes::RUN_ERASE, post(erasing::erase))
        .route(routes::BREAKERS, get(breakers::list))
        .route(routes::BREAKER, get(breakers::show))
        .route(routes::BREAKER_RESET, post(breakers::reset))
        .route(routes::GRANTS, get(grants::list).post(grants::create))
        .route(routes::GRANTS_HELD, post(grants::hold))
        .route(routes::GRANT, get(grants::show).delete(grants::revoke))
        .route(routes::RATES, get(rates::list).post(rates::apply))
        .route(routes::RATE, get(rates::show).delete(rates::remove))
        .route(routes::HALT, get(halt::show).post(halt::halt))
        .route(routes::UNHALT, post(halt::unhalt))
        .route(routes::LOOPS, get(loops::list))
        .route(routes::LOOP, get(loops::show).delete(loops::remove))
        .route(routes::LOOP_HISTORY, get(loops::history))
        .route(routes::LOOP_TOOLS, get(model_tools::list))
        .route(routes::LOOP_TOOLS_APPROVE, post(model_tools::approve))
        .route(routes::STACKS, get(stacks::list))
        .route(routes::STACK, get(stacks::show).delete(stacks::remove))
        .route(routes::AGENTS, get(loops::agents))
        .route(routes::AGENT, get(loops::agent).delete(loops::remove))
        .route(routes::STATES, get(states::list))
        .route(routes::STATE, get(states::show).delete(states::remove))
        .route(routes::PROMPTS, get(prompts::list))
        .route(routes::PROMPT, get(prompts::show))
        .route(routes::PROMPT_DIFF, get(prompts::diff))
        .route(routes::ATTACH, get(attach::attach))
        .route(routes::BACKENDS, get(backends::list))
        .route(routes::BACKEND, get(backends::show))
        .route(routes::BACKEND_APPROVE, post(backends::approve))
        .route(routes::BACKEND_LOOPS, get(backends::loops))
        .route(routes::DIFF, post(apply::diff))
        .route(routes::VALIDATE, post(apply::validate))
        .route(routes::IMPORT, post(apply::import))
}

fn neighbours() -> Router<Arc<Daemon>> {
    Router::new()
        .route(routes::JOIN, post(tickets::join))
        .route(routes::PEERS, get(peers::list))
        .route(routes::PEER, get(peers::show).delete(peers::remove))
        .route(routes::PEER_PING, post(peers::ping))
        .route(routes::REALMS, get(realms::forest))
        .route(routes::REALM, get(realms::show))
        .route(routes::REALM_REVOKE, post(realms::revoke))
}

/// What is done once for each `Idempotency-Key`: see [`again`].
fn changes() -> Router<Arc<Daemon>> {
    Router::new()
        .route(routes::APPLY, post(apply::apply))
        .route(routes::PROMPT_PROMOTE, post(prompts::promote))
        .route(routes::PROMPT_ROLLBACK, post(prompts::rollback))
        .route(routes::PROMPT_SHARE, post(prompts::share))
        .route(routes::PROMPT_SCORE, post(prompts::score))
        .route(routes::TICKETS, post(tickets::invite))
        .route(routes::ALLOW, post(policy::allow))
        .route(routes::DISALLOW, post(policy::disallow))
}

fn permissions() -> Router<Arc<Daemon>> {
    Router::new()
        .route(routes::POLICIES, get(policy::list))
        .route(routes::POLICY_CHECK, post(policy::check))
        .route(routes::POLICY_APPLY, post(policy::apply::apply))
        .route(routes::POLICY_SHADOW, post(policy_shadow::shadow))
        .route(routes::POLICY_WHY, post(policy_why::why))
        .route(routes::POLICY_TEST, post(policy_test::test))
        .route(routes::DENIAL, get(denials::denial))
}
