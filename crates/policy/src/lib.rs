//! Who may do what: a pure decision with its reasons.
//!
//! A [`Policy`] holds this realm's own Cedar documents and, above them, the [ceilings]: what each
//! ancestor lets its subtree do. [`Policy::decide`] asks every level alone, and all must permit,
//! so a child can narrow and never widen. The answer is a [`Permit`], which nobody else can make,
//! or a [`Denial`], which can be stored and explained later: [`suggest`] says what would permit
//! it. A [`Memo`] remembers permits by all they depend on. [`default_policies`], [`peer_policies`] and [`allow_policy`] write the Cedar that the
//! daemon adds by itself; [`check`] reads the Cedar of people. A [`Redaction`] takes out of payloads
//! what an owner wants nobody to read later. This crate must never know keys,
//! peers, or how anything is carried out.
//!
//! [ceilings]: Policy::set_ceiling

mod approval;
mod cases;
mod check;
mod decision;
mod entities;
mod generate;
mod memo;
mod policy;
mod principal;
mod redaction;
mod request;
mod resource;
mod restrict;
mod schema;
mod suggest;
mod timed;

pub use cases::{Case, CaseResult, Expect};
pub use check::{PolicyProblem, check, conflicts, overruled, overruled_with};
pub use decision::{Decision, Denial, Level, LevelAnswer, LevelSays, Permit, PolicyUse};
pub use generate::{
    Allow, Caller, Documents, PolicyTexts, allow_policy, default_policies, inside_policies,
    peer_policies, subtree_text,
};
pub use memo::Memo;
pub use policy::{MAX_DOCUMENTS, MAX_POLICY_ID, Policy};
pub use principal::{AskedPrincipal, Principal};
pub use redaction::{REDACTED, Redaction, RedactionError};
pub use request::{Action, ParseAskedError, Request, RequestCopy, Step, StepCopy};
pub use resource::{AskedResource, Resource, Used};
pub use restrict::{Restraint, restrict_policy};
pub use schema::SCHEMA;
pub use suggest::{Suggestion, suggest};
