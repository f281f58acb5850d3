//! Calls that wait for people to approve them.

use realm_client::{
    api::{
        ApprovalDecision, ApprovalQuery, ApprovalState, ApprovalTerms, ApprovalView,
        ApproveCallRequest, DenyRequest, Page,
    },
    catalogue::Code,
};
use realm_executor::Cost;
use realm_node::{Decide, Request};
use realm_protocol::ApprovalId;

use super::{
    Answer, Shared,
    extract::{Body, Params, Segment, invalid},
    invoke::carry_out,
    people::Asker,
    problem::Fail,
    runs::run_id,
    views::{short, time},
};

pub(super) async fn list(
    daemon: Shared,
    Params(query): Params<ApprovalQuery>,
) -> Answer<Page<ApprovalView>> {
    let ApprovalQuery { run, all } = query;
    let run = run.map(|run| run_id(&run)).transpose()?;
    let read = daemon.handle.read(move |node| {
        let views = node.approvals(run, all);
        views.into_iter().map(view).collect()
    });
    let items = read.await?;
    Ok(axum::Json(Page { items, next: None }))
}

pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<ApprovalView> {
    let id = approval_id(&id)?;
    Ok(axum::Json(found(&daemon, id).await?))
}

pub(super) async fn approve(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<ApproveCallRequest>,
) -> Answer<ApprovalView> {
    let ApproveCallRequest { reason } = request;
    decide(&daemon, asker, &id, (true, reason)).await
}

pub(super) async fn deny(
    daemon: Shared,
    asker: Asker,
    Segment(id): Segment,
    Body(request): Body<DenyRequest>,
) -> Answer<ApprovalView> {
    let DenyRequest { reason } = request;
    decide(&daemon, asker, &id, (false, reason)).await
}

async fn decide(
    daemon: &Shared,
    asker: Asker,
    id: &str,
    (granted, reason): (bool, Option<String>),
) -> Answer<ApprovalView> {
    let (id, person) = (approval_id(id)?, asker.person().clone());
    tracing::info!(approval = %id, person = person.name, granted, "a call is decided on");
    let said = Decide {
        approval: id,
        person,
        granted,
        reason,
    };
    carry_out(daemon, asker.asks(Request::Decide(said))).await?;
    Ok(axum::Json(found(daemon, id).await?))
}

async fn found(daemon: &Shared, id: ApprovalId) -> Result<ApprovalView, Fail> {
    let found = daemon.handle.read(move |node| node.approval(id).map(view));
    let found = found.await?;
    found.ok_or_else(|| Fail::new(Code::NotFound, format!("there is no approval {id}")))
}

fn approval_id(text: &str) -> Result<ApprovalId, Fail> {
    text.parse()
        .map_err(|_| invalid(&format!("`{}` is no approval", short(text))))
}

fn view(of: realm_node::ApprovalView) -> ApprovalView {
    let realm_node::ApprovalView {
        id,
        state,
        action,
        input,
        budget,
        cost,
        frames,
        caller,
        requester: _,
        rules,
        requested,
        expires,
        decisions,
        used,
    } = of;
    let (cost, share) = match &cost {
        Some(Cost::Answer(most)) => (Some(most.into()), None),
        Some(Cost::Share(given)) => (None, Some((*given).into())),
        None => (None, None),
    };
    ApprovalView {
        id: id.to_string(),
        state: match state {
            realm_node::ApprovalState::Waiting => ApprovalState::Waiting,
            realm_node::ApprovalState::Granted => ApprovalState::Granted,
            realm_node::ApprovalState::Denied => ApprovalState::Denied,
            realm_node::ApprovalState::Expired => ApprovalState::Expired,
            realm_node::ApprovalState::Void => ApprovalState::Void,
        },
        action: action.digest().to_string(),
        loop_id: action.loop_id,
        version: action.version,
        revision: action.revision.map(|revision| revision.to_string()),
        input,
        input_digest: action.input.to_string(),
        budget: budget.map(Into::into),
        cost,
        share,
        run_id: action.run.to_string(),
        call_id: action.frame.to_string(),
        frames,
        caller,
        rules: rules.into_iter().map(terms).collect(),
        requested_at: time(requested),
        expires_at: time(expires),
        decisions: decisions.into_iter().map(decision).collect(),
        used_at: used.map(time),
    }
}

fn terms(of: realm_node::ApprovalTerms) -> ApprovalTerms {
    let realm_node::ApprovalTerms {
        role,
        count,
        distinct_from_requester,
        escalates,
    } = of;
    ApprovalTerms {
        role: role.to_string(),
        count,
        distinct_from_requester,
        escalates_to: escalates.map(|(_, role)| role.to_string()),
        escalates_at: escalates.map(|(at, _)| time(at)),
    }
}

fn decision(of: realm_protocol::records::Approval) -> ApprovalDecision {
    ApprovalDecision {
        person: of.person,
        roles: of.roles.iter().map(ToString::to_string).collect(),
        granted: of.verdict == realm_protocol::records::ApprovalVerdict::Granted,
        reason: of.reason,
        at: time(of.decided),
    }
}
