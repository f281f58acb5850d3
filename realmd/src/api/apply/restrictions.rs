//! What files of other systems restrict, as the API says it.

use realm_client::api::{AppliedRestriction, RestrictionDiff, RestrictionKind, SourceFile};
use realm_executor::Limit;
use realm_node::{Request, Response, RestrictAsked, RestrictReport, Restricting};

use super::{action, planned, refused, unified};
use crate::api::{Shared, invoke::unexpected, people::Asker, problem::Fail};
use realm_node::Refusal;

/// Holds the realm to what files restrict, or says what would change.
pub(super) async fn restrict(
    daemon: &Shared,
    asker: &Asker,
    files: &[SourceFile],
    dry_run: bool,
) -> Result<Vec<RestrictReport>, Fail> {
    let restrictions = planned(daemon, files).await?.restrictions;
    if restrictions.is_empty() {
        return Ok(Vec::new());
    }
    let asked = RestrictAsked {
        restrictions,
        dry_run,
        by: asker.name().to_owned(),
    };
    match daemon.handle.ask(Request::Restrict(asked)).await? {
        Response::Restricted(reports) => Ok(reports),
        Response::Refused(Refusal::Restrictions(problems)) => Err(refused(&problems, files)),
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn applied(report: &RestrictReport) -> AppliedRestriction {
    let kind = match report.new.as_ref().or(report.old.as_ref()) {
        Some(Restricting::Rate(_)) => RestrictionKind::Rate,
        Some(Restricting::Limit(..)) => RestrictionKind::Limit,
        Some(Restricting::Policy { .. }) | None => RestrictionKind::Policy,
    };
    AppliedRestriction {
        id: report.id.clone(),
        kind,
        action: action(report.action),
    }
}

pub(super) fn diff(report: &RestrictReport) -> RestrictionDiff {
    let id = &report.id;
    let text = |kept: &Option<Restricting>| kept.as_ref().map(lines).unwrap_or_default();
    let names = (format!("applied/{id}"), format!("files/{id}"));
    RestrictionDiff {
        applied: applied(report),
        text: unified(
            (&names.0, &text(&report.old)),
            (&names.1, &text(&report.new)),
        ),
    }
}

fn lines(kept: &Restricting) -> String {
    match kept {
        Restricting::Policy { cedar, .. } => cedar.clone(),
        Restricting::Rate(rate) => format!(
            "per_minute = {}\nburst = {}\nshared = {}\nqueue = {}\n",
            rate.per_minute, rate.burst, rate.shared, rate.queue
        ),
        Restricting::Limit(Limit::Runs, most) => format!("runs = {most}\n"),
        Restricting::Limit(Limit::Agents, most) => format!("agents = {most}\n"),
        Restricting::Limit(Limit::Kept, millis) => format!("kept = {millis} ms\n"),
    }
}
