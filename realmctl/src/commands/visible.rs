//! The loops that a realm may call: its own, and those of its neighbours that it may see.

use std::collections::BTreeSet;

use realm_client::api::{LoopDetail, LoopQuery, LoopSummary};

use crate::{cli::Chosen, failure::Failure, session::Daemon};

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
    described(daemon, found, most).await
}

/// Those of the loops that this realm may call that are chosen, as [`details`] gives them.
pub(super) async fn chosen(
    daemon: &Daemon,
    chosen: &[Chosen],
    most: usize,
) -> Result<(Vec<LoopDetail>, usize), Failure> {
    let realms: BTreeSet<&Option<String>> = chosen.iter().map(|chosen| &chosen.realm).collect();
    let mut found = Vec::new();
    for realm in realms {
        let theirs = daemon.loops(realm.clone(), usize::MAX).await?;
        let of_realm = chosen.iter().filter(|chosen| chosen.realm == *realm);
        let of_realm: Vec<&Chosen> = of_realm.collect();
        let is_chosen = |it: &LoopSummary| of_realm.iter().any(|chosen| chosen.takes(&it.id));
        found.extend(theirs.into_iter().filter(is_chosen));
    }
    described(daemon, found, most).await
}

/// At most so many loops with their contracts, and how many more there are.
async fn described(
    daemon: &Daemon,
    found: Vec<LoopSummary>,
    most: usize,
) -> Result<(Vec<LoopDetail>, usize), Failure> {
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
