//! From refusals to problem documents, in one place.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use realm_client::{
    api::{CallError, Fault, PROBLEM_TYPE, Problem},
    catalogue::Code,
};
use realm_executor::{Difference, Need, ResumeError};
use realm_node::{ApplyReport, CallFailure, DecideError, Refusal};
use realm_policy::PolicyProblem;
use realm_protocol::RunId;
use realm_store::ReadError;

use crate::handle::Gone;

/// A problem on its way out.
#[derive(Debug)]
pub(super) struct Fail(Box<Problem>);

impl Fail {
    /// A problem with another HTTP status than its code's.
    pub(super) fn status(status: u16, code: Code, detail: impl Into<String>) -> Self {
        let mut problem = Problem::new(code, detail);
        problem.status = status;
        problem.into()
    }

    /// The problem itself.
    pub(super) fn into_problem(self) -> Problem {
        *self.0
    }

    /// The same problem, about this run.
    pub(super) fn about(mut self, run: RunId) -> Self {
        self.0.trace_id = Some(run.to_string());
        self
    }

    /// A problem of this kind.
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }
}

impl From<Problem> for Fail {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(problem)).into_response();
        let kind = HeaderValue::from_static(PROBLEM_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// Answers what no route takes.
pub(super) async fn no_route(uri: Uri) -> Fail {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(Code::NotFound, format!("there is no route {path}"))
        .with_hint("the routes are listed at /openapi.json")
        .into()
}

/// Answers a method that its route does not take.
pub(super) async fn no_method(method: Method, uri: Uri) -> Fail {
    let path: String = uri.path().chars().take(200).collect();
    Fail::new(
        Code::MethodNotAllowed,
        format!("{path} does not take {method}"),
    )
}

impl From<Gone> for Fail {
    fn from(gone: Gone) -> Self {
        Self::new(Code::ShuttingDown, gone.to_string())
    }
}

impl From<ReadError> for Fail {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "the store cannot be read");
        Problem::new(Code::StoreCorrupt, error.to_string())
            .with_hint("realmd store check")
            .into()
    }
}

/// A task of the daemon panicked or was cancelled.
impl From<tokio::task::JoinError> for Fail {
    fn from(error: tokio::task::JoinError) -> Self {
        tracing::error!(%error, "a task of the local API ended early");
        Self::new(Code::Internal, "a task of the daemon ended early")
    }
}

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Self {
        let problem = Problem::new(code(&refusal), refusal.to_string());
        let problem = match &refusal {
            Refusal::Call(failure) => with_failure(problem, failure),
            Refusal::Policy(problems) => problem.with_errors(policy_faults(problems)),
            Refusal::Loops(problems) => {
                problem.with_errors(problems.iter().map(Fault::new).collect())
            }
            Refusal::Breaks(reports) => {
                problem.with_errors(reports.iter().flat_map(breaks).collect())
            }
            Refusal::Needed(needs) => problem.with_errors(needs.iter().map(need).collect()),
            _ => problem,
        };
        match hint(&refusal) {
            Some(hint) => problem.with_hint(hint).into(),
            None => problem.into(),
        }
    }
}

fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::UnknownPetname { .. } => Code::RealmUnknown,
        Refusal::NotFound { what: "policy", .. } => Code::PolicyUnknown,
        Refusal::NotFound {
            what: "loop" | "prompt" | "version" | "earlier version",
            ..
        } => Code::LoopNotFound,
        Refusal::NotFound { .. } => Code::NotFound,
        Refusal::Call(failure) => Code::of_failure(failure.code),
        Refusal::NotRoot { .. } => Code::InviteNotRoot,
        Refusal::NotFree { .. } => Code::JoinAlready,
        Refusal::LabelTaken { .. } => Code::InviteLabel,
        Refusal::PetnameTaken { .. } => Code::PetnamePinned,
        Refusal::Full { .. } => Code::InviteTooMany,
        Refusal::TicketExpired => Code::TicketExpired,
        Refusal::TicketRefused { .. } => Code::JoinRefused,
        Refusal::Unreachable { .. } => Code::JoinUnreachable,
        Refusal::Decide(DecideError::Decided { .. } | DecideError::Reason) => Code::RequestInvalid,
        Refusal::Decide(_) => Code::RoleMissing,
        Refusal::Resume(ResumeError::Halted) | Refusal::HaltedAbove { .. } => Code::Halted,
        Refusal::Range { .. } | Refusal::Resume(_) | Refusal::UnderWay { .. } => {
            Code::RequestInvalid
        }
        Refusal::Policy(_) => Code::PolicySyntax,
        Refusal::Loops(_) | Refusal::Restrictions(_) => Code::DefinitionRule,
        Refusal::Breaks(_) => Code::DefinitionBreaks,
        Refusal::Needed(_) => Code::DefinitionNeeded,
        Refusal::CurrentVersion { .. } | Refusal::Shares(_) | Refusal::ConfiguredRate { .. } => {
            Code::RequestInvalid
        }
        Refusal::Grant(_) => Code::GrantRefused,
        Refusal::OutsidePeering { .. } => Code::PolicyOutsidePeering,
        Refusal::ClockSkew { .. } => Code::ClockSkew,
        Refusal::MayNotIssue => Code::BadCertificate,
        Refusal::Stopping => Code::ShuttingDown,
        Refusal::StoreFailed => Code::StoreFailed,
    }
}

fn hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::UnknownPetname { known, .. } if known.is_empty() => {
            "no other tree is known here yet: realmctl join TICKET".to_owned()
        }
        Refusal::UnknownPetname { known, .. } => {
            let known: Vec<&str> = known.iter().map(realm_protocol::Label::as_str).collect();
            format!("known here: {}", known.join(", "))
        }
        Refusal::NotFound { what: "policy", .. } => "realmctl policy ls".to_owned(),
        Refusal::NotFound { what: "loop", .. } => "realmctl loop ls".to_owned(),
        Refusal::NotFound { what: "rate", .. } => "realmctl rate ls".to_owned(),
        Refusal::ConfiguredRate { .. } => {
            "change it there and let realmd read it again (SIGHUP), or give yours another name"
                .to_owned()
        }
        Refusal::NotFound { what: "grant", .. } | Refusal::Grant(_) => {
            "realmctl grant ls".to_owned()
        }
        Refusal::NotFound {
            what: "prompt" | "version" | "earlier version",
            ..
        }
        | Refusal::Shares(_) => "realmctl prompt ls".to_owned(),
        Refusal::NotFound { what: "realm", .. } => "realmctl realm ls".to_owned(),
        Refusal::NotFound {
            what: "child" | "peer",
            ..
        } => "realmctl peer ls".to_owned(),
        Refusal::Resume(ResumeError::Undecided { .. }) => {
            "realmctl run resume RUN --again | --gave JSON | --failed REASON".to_owned()
        }
        Refusal::UnderWay { run } => format!("realmctl run cancel {run}"),
        Refusal::Resume(ResumeError::Output { .. }) => "realmctl run explain RUN".to_owned(),
        Refusal::Resume(ResumeError::NothingToDecide) => "realmctl run resume RUN".to_owned(),
        Refusal::Resume(ResumeError::NeedsApproval)
        | Refusal::Decide(DecideError::Decided { .. }) => "realmctl approval ls".to_owned(),
        Refusal::Decide(_) => "realmctl approval show ID, and ask somebody who may".to_owned(),
        Refusal::NotFound {
            what: "approval", ..
        } => "realmctl approval ls --all".to_owned(),
        Refusal::NotFound {
            what: "breaker", ..
        } => "realmctl breaker ls".to_owned(),
        Refusal::Resume(ResumeError::Halted) => "realmctl unhalt --run RUN".to_owned(),
        Refusal::HaltedAbove { .. } => "realmctl status".to_owned(),
        Refusal::Resume(_) => "realmctl run ls --status paused".to_owned(),
        Refusal::Call(failure) => call_help(failure, None, None)?,
        Refusal::NotRoot { scope } if scope.path.is_root() => return None,
        Refusal::NotRoot { .. } => "run this at the root of the tree".to_owned(),
        Refusal::PetnameTaken { .. } => "realmctl join TICKET --petname OTHER-NAME".to_owned(),
        Refusal::LabelTaken { .. } => "realmctl peer ls".to_owned(),
        Refusal::TicketExpired | Refusal::TicketRefused { .. } => {
            "ask for a new ticket: realmctl invite".to_owned()
        }
        Refusal::Unreachable { .. } => {
            "see that the inviter runs and its addresses are right: realmctl ticket show -"
                .to_owned()
        }
        Refusal::ClockSkew { .. } => "set the clock: timedatectl set-ntp true".to_owned(),
        Refusal::MayNotIssue | Refusal::StoreFailed => "realmctl doctor".to_owned(),
        Refusal::OutsidePeering { .. } => "realmctl peer ls".to_owned(),
        Refusal::Breaks(reports) => {
            let advised = |report: &ApplyReport| {
                let version = report.replaces.as_ref()?.advised.as_ref()?;
                Some(format!("`{}` {version}", report.id))
            };
            let advised: Vec<String> = reports.iter().filter_map(advised).collect();
            format!("apply it as {}, or add --force", advised.join(", "))
        }
        Refusal::Needed(_) => "change those loops first, or add --force".to_owned(),
        Refusal::CurrentVersion { id, .. } => {
            format!("apply another version first, or remove all of it: realmctl loop rm {id}")
        }
        _ => return None,
    })
}

fn breaks(report: &ApplyReport) -> Vec<Fault> {
    let differences = report.replaces.iter();
    let differences = differences.flat_map(|replaces| &replaces.change.differences);
    let fault = |difference: &Difference| Fault {
        pointer: Some(difference.pointer.clone()),
        ..Fault::new(format!(
            "`{}` {}: {}",
            report.id, report.version, difference.what
        ))
    };
    differences.map(fault).collect()
}

fn need(need: &Need) -> Fault {
    let version = need.version.as_ref();
    let version = version.map(|version| format!(" in version {version}"));
    let (caller, called) = (&need.caller, &need.called);
    Fault::new(format!(
        "`{caller}` calls `{called}`{}",
        version.unwrap_or_default()
    ))
}

fn with_failure(mut problem: Problem, failure: &CallFailure) -> Problem {
    problem.detail.clone_from(&failure.message);
    problem.reference.clone_from(&failure.reference);
    problem.retry_after_ms = failure.retry_after_ms;
    problem.with_errors(failure.details.iter().map(Fault::new).collect())
}

/// The faults of Cedar text, each at its place.
pub(super) fn policy_faults(problems: &[PolicyProblem]) -> Vec<Fault> {
    let fault = |problem: &PolicyProblem| Fault {
        file: (!problem.id.is_empty()).then(|| problem.id.clone()),
        line: u32::try_from(problem.line).ok(),
        column: u32::try_from(problem.column).ok(),
        hint: problem.hint.clone(),
        ..Fault::new(problem.what.clone())
    };
    problems.iter().map(fault).collect()
}

/// A failed call as part of a result. `realm` is the name of the realm that raised it, `loop_id`
/// the loop's address.
pub(super) fn call_error(failure: &CallFailure, realm: Option<String>, loop_id: &str) -> CallError {
    CallError {
        code: Code::of_failure(failure.code).to_string(),
        name: failure.code.name().to_owned(),
        message: failure.message.clone(),
        details: failure.details.clone(),
        help: call_help(failure, realm.as_deref(), Some(loop_id)),
        realm,
        reference: failure.reference.clone(),
        retry_after_ms: failure.retry_after_ms,
    }
}

fn call_help(failure: &CallFailure, realm: Option<&str>, loop_id: Option<&str>) -> Option<String> {
    use realm_protocol::FailureCode as Wire;

    Some(match failure.code {
        Wire::Denied => {
            let reference = failure.reference.as_deref()?;
            match realm {
                Some(realm) => format!("at {realm}: realmctl policy why {reference}"),
                None => format!("realmctl policy why {reference}"),
            }
        }
        Wire::NoRoute | Wire::Offline => "realmctl realm tree".to_owned(),
        Wire::LoopNotFound => match realm {
            Some(realm) => format!("realmctl loop ls @{realm}"),
            None => "realmctl loop ls".to_owned(),
        },
        Wire::SchemaInput => format!("realmctl loop show {} --example", loop_id?),
        Wire::Halted => match realm {
            Some(_) => return None,
            None => "realmctl halt --show; realmctl unhalt".to_owned(),
        },
        Wire::Overloaded => "realmctl run ls --status running".to_owned(),
        Wire::BadCertificate | Wire::StoreFailed => "realmctl doctor".to_owned(),
        _ => return None,
    })
}
