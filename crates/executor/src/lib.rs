//! How a typed loop runs: registry, frames, schemas, budgets, trace.
//!
//! [`load`] turns files into [`Manifest`]s, [`Registry`] holds them with their compiled schemas,
//! and [`Executor`] runs them: a state machine that takes starts, answers and time, and gives
//! [`Action`]s. What leaves for a backend is a [`BackendRequest`]; what comes back is a
//! [`BackendReply`] or a [`BackendError`].
//!
//! It must never know peers, how a backend is reached, or storage engines.

mod backend;
mod breaker;
mod change;
mod condition;
mod executor;
pub mod load;
mod manifest;
mod mapping;
mod outcome;
mod question;
mod registry;
mod restriction;
mod schema;
mod secrets;
mod stack;
mod states;
mod tariff;
mod template;

pub use backend::{
    AttachedRequest, BackendError, BackendOutput, BackendReply, BackendRequest, Category,
    ContainerError, ContainerRequest, ModelRequest, ToolCall, ToolResult, ToolSpec, Turn,
};
pub use breaker::{
    BreakerBounds, BreakerChange, Breakers, Broken, Fault, Guarded, NoBreaker, Opened, Standing,
};
pub use change::{ContractChange, Difference, Terms, Verdict, version_to_break};
pub use condition::{Condition, ConditionError};
pub use executor::{
    Action, Announcing, ApprovalAsked, Bounder, Cost, Decision, Executor, Given, Halted, Limits,
    Pin, RealmCall, Restart, RestartError, ResumeError, Start, StartError, StepAsked, WaitingFor,
    Waits, spend_value,
};
pub use load::{Loaded, Mesh, PlatformRealm, Problem, load};
pub use manifest::{
    ApprovalRule, Attached, Audience, BackendChoice, Backoff, BidTerms, BidTermsError,
    BidTermsFault, Body, Broadcast, Call, Command, Commands, Composite, Container, ContainerLimits,
    Effects, Escalation, Fallback, Figure, ForEach, Http, Image, Kind, LoopLimits, MOCK, Machine,
    Manifest, Mcp, ModelTool, Needed, NotABackend, NotAKey, NotAPattern, NotNeeded, NotPinned,
    OfferTerms, Offered, Origin, Pattern, Process, Prompt, Pull, Retry, Route, Sandbox,
    SandboxLevel, StateKey, StateUse, Step, Target, Tool, Wider, Word, Work, canonical_json,
    contract_digest, definition_digest,
};
pub use mapping::Reference;
pub use outcome::{CallError, LoopError, Outcome};
pub use question::Said;
pub use registry::{
    Inserted, Kept, Need, RegisterError, Registered, Registry, RevisionChange, Share, ShareError,
};
pub use restriction::{Extent, Limit, LoopsLet, RateLet, Restricted, Restriction, Restrictions};
pub use schema::{SchemaError, ToldSchema, example};
pub use secrets::SecretLoops;
pub use stack::{Order, Stack};
pub use states::{StateValue, States};
pub use tariff::{Price, Prices, Tariff, price_of};
