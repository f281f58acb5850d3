//! The loops that a realm may call: its own, and those of its neighbours that it may see.

use realm_client::api::{LoopDetail, LoopQuery};

use crate::{failure::Failure, session::Daemon};

/// At most so many of them, with their contracts, and how many more there are at least.
pub(super) async fn details(
    daemon: &Daemon,
    most: usize,
) -> Result<(Vec<LoopDetail>, usize), Failure> {
    let mut found = daemon.loops(None, most.saturating_add(1)).await?;
    for neighbour in daemon.neighbours().await? {
        // One that does not answer must not hide the others.
        let theirs = daemon.loops(Some(neighbour), most.saturating_add(1)).await;
        found.extend(theirs.unwrap_or_default());
    }
    let left_out = found.len().saturating_sub(most);
    let mut details = Vec::new();
    for summary in found.into_iter().take(most) {
        // It may have gone since.
        let detail = detail(daemon, &summary.id, summary.realm.clone()).await;
        details.extend(detail.ok());
    }
    Ok((details, left_out))
}

/// One loop with its contract, here or in a realm.
pub(super) async fn detail(
    daemon: &Daemon,
    id: &str,
    realm: Option<String>,
) -> Result<LoopDetail, Failure> {
    let query = LoopQuery {
        realm,
        ..LoopQuery::default()
    };
    daemon.ask(daemon.client.loop_detail(id, &query)).await
}
