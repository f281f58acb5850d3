//! How often calls of others begin.

use realm_client::{
    api::{Page, Problem, RateRequest, RateView},
    catalogue::Code,
};
use realm_node::{Node, Rate, Request};

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::carry_out,
    loops::loop_id,
    people::Asker,
    problem::Fail,
    views::realm_name,
};

pub(super) async fn list(daemon: Shared) -> Answer<Page<RateView>> {
    let look = |node: &Node| node.rates().into_iter().map(view).collect();
    Ok(axum::Json(Page::whole(daemon.handle.read(look).await?)))
}

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<RateView> {
    Ok(axum::Json(held(&daemon, name).await?))
}

pub(super) async fn apply(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<RateRequest>,
) -> Answer<RateView> {
    let RateRequest {
        name,
        callers,
        loops,
        per_minute,
        burst,
        shared,
        queue,
    } = request;
    let rate = Rate {
        name: name.clone(),
        callers: callers.as_deref().map(realm_name).transpose()?,
        loops: loops
            .iter()
            .map(|id| loop_id(id))
            .collect::<Result<_, _>>()?,
        per_minute,
        burst: burst.unwrap_or(1),
        shared: shared.unwrap_or(false),
        queue: queue.unwrap_or(0),
    };
    carry_out(&daemon, asker.asks(Request::ApplyRate(rate))).await?;
    Ok(axum::Json(held(&daemon, name).await?))
}

pub(super) async fn remove(
    daemon: Shared,
    asker: Asker,
    Segment(name): Segment,
) -> Answer<RateView> {
    let was = held(&daemon, name.clone()).await?;
    carry_out(&daemon, asker.asks(Request::RemoveRate(name))).await?;
    Ok(axum::Json(was))
}

async fn held(daemon: &Shared, name: String) -> Result<RateView, Fail> {
    let wanted = name.clone();
    let look = move |node: &Node| {
        let mut rates = node.rates().into_iter();
        rates.find(|held| held.rate.name == wanted).map(view)
    };
    let found = daemon.handle.read(look).await?.ok_or_else(|| {
        let what = format!("there is no rate `{name}`");
        Problem::new(Code::NotFound, what).with_hint("realmctl rate ls")
    });
    Ok(found?)
}

fn view(known: realm_node::RateView) -> RateView {
    let realm_node::RateView {
        rate,
        configured,
        unknown: _,
        waited,
        refused,
    } = known;
    let Rate {
        name,
        callers,
        loops,
        per_minute,
        burst,
        shared,
        queue,
    } = rate;
    RateView {
        name,
        configured,
        callers: callers.as_ref().map(ToString::to_string),
        loops: loops.iter().map(ToString::to_string).collect(),
        per_minute,
        burst,
        shared,
        queue,
        waited,
        refused,
    }
}
