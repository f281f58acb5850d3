//! Runs by time, loop, peer and status: one index read, newest first.

use realm_protocol::{
    RunId, Timestamp,
    journal::{Direction, Run, Status},
};

use crate::{
    ReadError, Tree,
    layout::{self, KeyRange},
    reader::Reader,
};

/// Runs in one page; a larger limit is cut to it.
const PAGE: usize = 1_000;
/// Rows read for one page; where fewer match, the page is short and says where to go on.
const SCANNED: usize = 10_000;

/// Which runs are asked for. Every field that is set narrows the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunQuery {
    /// Only runs that began at this time or later.
    pub since: Option<Timestamp>,
    /// Only runs that began before this time.
    pub until: Option<Timestamp>,
    /// Only runs of this loop.
    pub loop_id: Option<String>,
    /// Only runs with this other realm, in its scope's text form.
    pub peer: Option<String>,
    /// Only runs that stand so.
    pub status: Option<Status>,
    /// Only this half of calls.
    pub direction: Option<Direction>,
    /// Only runs that this one caused.
    pub parent: Option<RunId>,
    /// Only runs older than this one: the cursor, from [`Page::next`].
    pub before: Option<RunId>,
    /// Runs a page may hold, from 1 to 1,000.
    pub limit: usize,
}

impl Default for RunQuery {
    fn default() -> Self {
        Self {
            since: None,
            until: None,
            loop_id: None,
            peer: None,
            status: None,
            direction: None,
            parent: None,
            before: None,
            limit: 100,
        }
    }
}

/// One page of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What it holds, newest first. It may hold less than asked for though more follows.
    pub items: Vec<T>,
    /// The cursor of the next page; none where this one is the last.
    pub next: Option<RunId>,
}

pub(crate) fn runs(reader: &Reader<'_>, query: &RunQuery) -> Result<Page<Run>, ReadError> {
    let (tree, range) = index(query);
    let limit = query.limit.clamp(1, PAGE);
    let mut items = Vec::new();
    let mut last = None;
    for (scanned, row) in reader.rows(tree, &range)?.rev().enumerate() {
        if items.len() == limit || scanned == SCANNED {
            return Ok(Page { items, next: last });
        }
        let (key, stored) = row?;
        let run = match tree {
            Tree::Runs => reader.open_run(&key, &stored)?,
            index => reader.indexed_run(index, &key)?,
        };
        last = Some(run.id);
        if matches(&run, query) {
            items.push(run);
        }
    }
    Ok(Page { items, next: None })
}

/// The narrowest index for a query, and its range there.
fn index(query: &RunQuery) -> (Tree, KeyRange) {
    let (tree, prefix) = match query {
        RunQuery {
            loop_id: Some(id), ..
        } => (Tree::ByLoop, layout::text_prefix(id)),
        RunQuery {
            peer: Some(peer), ..
        } => (Tree::ByPeer, layout::text_prefix(peer)),
        RunQuery {
            status: Some(status),
            ..
        } => (Tree::ByStatus, layout::status_prefix(*status)),
        _ => (Tree::Runs, Vec::new()),
    };
    let mut range = KeyRange::under(prefix.clone());
    let until = query.until.map(layout::first_run_at);
    if let Some(end) = until.into_iter().chain(query.before).min() {
        range.until = Some([prefix.as_slice(), end.as_bytes()].concat());
    }
    if let Some(since) = query.since.map(layout::first_run_at) {
        range.from = [prefix.as_slice(), since.as_bytes()].concat();
    }
    (tree, range)
}

/// Whether a run matches what its index did not settle.
fn matches(run: &Run, query: &RunQuery) -> bool {
    let RunQuery {
        since: _,
        until: _,
        loop_id,
        peer,
        status,
        direction,
        parent,
        before: _,
        limit: _,
    } = query;
    loop_id.as_ref().is_none_or(|id| *id == run.loop_id)
        && (peer.is_none() || *peer == run.peer)
        && status.is_none_or(|status| status == run.status)
        && direction.is_none_or(|direction| direction == run.direction)
        && (parent.is_none() || *parent == run.parent)
}
