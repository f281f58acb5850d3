//! Whom nothing is asked of for a while, because too much has failed.

use realm_client::{
    api::{BreakerState, BreakerView, Page, Problem, ResetRequest},
    catalogue::Code,
};
use realm_executor::{Guarded, NoBreaker, Standing};
use realm_node::{Node, Request, ResetAsked};

use super::{
    Answer, Shared,
    extract::{Body, Segment, invalid},
    invoke::carry_out,
    people::Asker,
    problem::Fail,
    views::time,
};

pub(super) async fn list(daemon: Shared) -> Answer<Page<BreakerView>> {
    let look = |node: &Node| node.breakers().into_iter().map(view).collect();
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<BreakerView> {
    let of = guarded(&name)?;
    let look = move |node: &Node| {
        let mut known = node.breakers().into_iter();
        known.find(|known| known.of == of).map(view)
    };
    let found = daemon.handle.read(look).await?.ok_or_else(|| {
        let what = format!("there is no breaker `{name}`: nothing of it has failed lately");
        Problem::new(Code::NotFound, what).with_hint("realmctl breaker ls")
    });
    Ok(axum::Json(found?))
}

/// Closes a breaker; gives it as it stands then.
pub(super) async fn reset(
    daemon: Shared,
    asker: Asker,
    Segment(name): Segment,
    Body(request): Body<ResetRequest>,
) -> Answer<BreakerView> {
    let ResetRequest { why } = request;
    let asked = ResetAsked {
        of: guarded(&name)?,
        by: asker.name().to_owned(),
        why,
    };
    carry_out(&daemon, Request::ResetBreaker(asked)).await?;
    Ok(axum::Json(BreakerView::closed(name)))
}

fn guarded(name: &str) -> Result<Guarded, Fail> {
    name.parse()
        .map_err(|wrong: NoBreaker| invalid(&wrong.to_string()))
}

fn view(known: realm_node::BreakerView) -> BreakerView {
    let realm_node::BreakerView { of, standing } = known;
    let closed = BreakerView::closed(of.to_string());
    let (state, opened) = match standing {
        Standing::Closed { calls, failed } => {
            return BreakerView {
                calls: Some(calls as u64),
                failed: Some(failed as u64),
                ..closed
            };
        }
        Standing::Open(opened) => (BreakerState::Open, opened),
        Standing::HalfOpen(opened) => (BreakerState::HalfOpen, opened),
    };
    BreakerView {
        state,
        reason: Some(opened.reason),
        since: Some(time(opened.since)),
        until: Some(time(opened.until)),
        ..closed
    }
}
