//! One realm, without any IO: inputs and time go in, effects come out.
//!
//! Start at [`Node`]: [`Node::handle`] takes an [`Input`], [`Node::poll_effect`] gives the next
//! [`Effect`], [`Node::poll_timeout`] says when to call [`Node::handle_timeout`]. What people and
//! programs on this machine ask for is a [`Request`]. The way of an invocation leads through
//! `outbound`, `relay`, `deliver`, `serve` and `runs`.
//! This crate must never know tokio, libp2p, the store's engine, HTTP, or the wall clock.

mod accept;
mod administer;
mod answer;
mod approvals;
mod attempt;
mod audit;
mod breakers;
mod config;
mod contracts;
mod control;
mod counters;
mod custody;
mod deliver;
mod delivery;
mod durable;
mod erasing;
mod grants;
mod halt;
mod histories;
mod hold;
mod identity;
mod inbound;
mod intake;
mod invite;
mod io;
mod join;
mod kin;
mod known;
mod levels;
mod links;
mod loops;
mod market;
mod node;
mod outbound;
mod outbox;
mod people;
mod pins;
mod prompts;
mod rates;
mod receipts;
mod records;
mod recover;
mod relay;
mod resolve;
mod restrict;
mod resumed;
mod revocations;
mod rules;
mod runs;
mod seen;
mod serve;
mod sessions;
mod state;
mod states;
mod storing;
mod streams;
mod subtree;
mod tickets;
mod timers;
mod traces;
mod trust;
mod unsent;
mod upkeep;
mod uses;
mod versions;
mod views;
mod witness;

pub use approvals::{ApprovalState, ApprovalTerms, ApprovalView, Decide, DecideError, Person};
pub use audit::{AuditPart, AuditTail, Exported, LogGrowth, export_audit, read_entry, read_head};
pub use breakers::{BreakerView, ResetAsked};
pub use config::{Budgets, Config, CustodyTerms, Founding, Keys, Recovered, UnderWay};
pub use control::{
    AllowAsked, Allowed, ApplyAsked, ApplyReport, CallFailure, CallerName, ContractsOf,
    InviteAsked, InviteKind, Invited, Invocation, InvokeAsked, JoinAsked, JoinedAs, LoopAction,
    LoopChange, Note, Refusal, RemoveAsked, Replacement, Request, Response, SignInEnd, SignInNote,
    SignInsRow,
};
pub use counters::{Counters, Refused};
pub use custody::KeptOutline;
pub use erasing::{EraseAsked, answers_for};
pub use grants::{GrantAsked, GrantKept, GrantView};
pub use halt::{
    AboveHaltView, BelowHaltView, HaltAsked, HaltChange, HaltOf, HaltView, HaltedFromAbove,
    HaltsView, LoopHaltView, StandingHalt, UnhaltAsked, UnhaltOf,
};
pub use io::{ControlId, DialId, Effect, Input, LookId, Part, Urgency};
pub use market::{
    BidView, BidderView, BroadcastAsked, Broadcasted, NoTranscript, SlotView, Wider, Withdrawn,
};
pub use node::Node;
pub use outbound::accepted::AcceptedView;
pub use people::{ForgetAsked, Member, Pseudonym, Pseudonyms};
pub use pins::definition_of;
pub use prompts::{
    BEST_SCORE, Mean, PromptAsked, PromptChange, PromptVersion, Score, ScoreGiven, ScoreKind,
};
pub use rates::{Rate, RateView};
pub use realm_router::LinkId;
pub use recover::is_superseded;
pub use restrict::{RestrictAsked, RestrictReport, Restricting};
pub use traces::{ServedRun, ShownTrace, TraceOf, TracePart, TraceProof, TraceWalk};
pub use views::{ChildView, LinkView, LoadView, PeerView, StandingView};
pub use witness::{ContradictionView, WitnessView};
