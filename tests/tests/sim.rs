//! Scenarios and random schedules in the virtual world.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "sim/agents.rs"]
mod agents;
#[path = "sim/announced.rs"]
mod announced;
#[path = "sim/audit.rs"]
mod audit;
#[path = "sim/bounds.rs"]
mod bounds;
#[path = "sim/breakers.rs"]
mod breakers;
#[path = "sim/broadcasts.rs"]
mod broadcasts;
#[path = "sim/budgets.rs"]
mod budgets;
#[path = "sim/bytes.rs"]
mod bytes;
#[path = "sim/calls.rs"]
mod calls;
#[path = "sim/certificates.rs"]
mod certificates;
#[path = "sim/contracts.rs"]
mod contracts;
#[path = "sim/custody.rs"]
mod custody;
#[path = "sim/durable.rs"]
mod durable;
#[path = "sim/erasure.rs"]
mod erasure;
#[path = "sim/forged.rs"]
mod forged;
#[path = "sim/grants.rs"]
mod grants;
#[path = "sim/halt.rs"]
mod halt;
#[path = "sim/joining.rs"]
mod joining;
#[path = "sim/keys.rs"]
mod keys;
#[path = "sim/links.rs"]
mod links;
#[path = "sim/long.rs"]
mod long;
#[path = "sim/loops.rs"]
mod loops;
#[path = "sim/market.rs"]
mod market;
#[path = "sim/matrix.rs"]
mod matrix;
#[path = "sim/members.rs"]
mod members;
#[path = "sim/models.rs"]
mod models;
#[path = "sim/past.rs"]
mod past;
#[path = "sim/people.rs"]
mod people;
#[path = "sim/policies.rs"]
mod policies;
#[path = "sim/prompts.rs"]
mod prompts;
#[path = "sim/pseudonyms.rs"]
mod pseudonyms;
#[path = "sim/rates.rs"]
mod rates;
#[path = "sim/receipts.rs"]
mod receipts;
#[path = "sim/redaction.rs"]
mod redaction;
#[path = "sim/restrictions.rs"]
mod restrictions;
#[path = "sim/routes.rs"]
mod routes;
#[path = "sim/routing.rs"]
mod routing;
#[path = "sim/scale.rs"]
mod scale;
#[path = "sim/schedules.rs"]
mod schedules;
#[path = "sim/sessions.rs"]
mod sessions;
#[path = "sim/shedding.rs"]
mod shedding;
#[path = "sim/states.rs"]
mod states;
#[path = "sim/steps.rs"]
mod steps;
#[path = "sim/streams.rs"]
mod streams;
#[path = "sim/successions.rs"]
mod successions;
#[path = "sim/traces.rs"]
mod traces;
#[path = "sim/versions.rs"]
mod versions;
#[path = "sim/waiting.rs"]
mod waiting;
#[path = "sim/witness.rs"]
mod witness;
