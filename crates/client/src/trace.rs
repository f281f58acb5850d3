//! A run's trace as a tree of frames: built once here for whoever draws, exports or compares it.
//!
//! [`TraceTree::new`] reads the events; members of payloads that a realm did not record are simply
//! not there. [`TraceTree::history`], [`TraceTree::attempts`] and [`TraceTree::tool_calls`] are
//! lists of it, [`diff`] compares two.

mod build;
mod critical;
mod diff;
mod federated;
mod lists;
mod parts;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::api::{Frame, FrameTree, Trace, TraceEvent};

pub use diff::{Aspect, Difference, TraceDiff, diff};
pub use lists::{Attempt, HistoryEntry, ToolCall};
pub use parts::{TraceParts, TraceTooLong};

/// Calls nested in a [`FrameTree`]: strict parsers take 128 levels of JSON, and a call needs two.
const NESTED: usize = 60;
/// Names of a path that are written out; those between the first and the last ones are not.
const PATH_NAMES: usize = 8;

/// One realm's half of a trace, with its frames.
#[derive(Clone, Debug)]
pub struct TraceTree {
    /// What it was built from.
    pub trace: Trace,
    /// The frames, depth first: callers before what they called. The first is the run's own call.
    pub nodes: Vec<Node>,
}

/// A frame and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The call.
    pub frame: Frame,
    /// Position of the caller.
    pub parent: Option<usize>,
    /// How many callers it has.
    pub depth: usize,
    /// Positions of its events.
    pub events: Vec<usize>,
    /// Whether the run would have ended earlier without it.
    pub critical: bool,
}

impl TraceTree {
    /// Builds the tree.
    pub fn new(trace: Trace) -> Self {
        let mut nodes = build::nodes(&trace);
        critical::mark(&trace, &mut nodes);
        Self { trace, nodes }
    }

    /// The events of a frame, in order.
    pub fn events<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a TraceEvent> {
        let events = node.events.iter();
        events.filter_map(|index| self.trace.events.get(*index))
    }

    /// The names of the loops from the run's own call to a frame: `report/0.fetch/2.parse[7]`.
    pub fn path(&self, index: usize) -> String {
        let mut names = Vec::new();
        let mut next = self.nodes.get(index);
        while let Some(node) = next {
            names.push(name(&node.frame));
            next = node.parent.and_then(|parent| self.nodes.get(parent));
        }
        names.reverse();
        if names.len() > PATH_NAMES {
            let hidden = names.len().saturating_sub(PATH_NAMES);
            drop(names.splice(1..=hidden, ["…".to_owned()]));
        }
        names.join("/")
    }

    /// The frames nested, without payloads, as deep as JSON should be.
    pub fn nested(&self) -> Option<FrameTree> {
        let mut below: Vec<(Vec<FrameTree>, u64)> = vec![Default::default(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let (mut children, omitted) = std::mem::take(below.get_mut(index)?);
            children.reverse();
            let Some(parent) = node.parent else {
                return Some(tree(&node.frame, children, omitted));
            };
            let (siblings, left_out) = below.get_mut(parent)?;
            if node.depth > NESTED {
                *left_out = left_out.saturating_add(omitted).saturating_add(1);
            } else {
                siblings.push(tree(&node.frame, children, omitted));
            }
        }
        None
    }
}

fn tree(frame: &Frame, children: Vec<FrameTree>, omitted: u64) -> FrameTree {
    let mut frame = frame.clone();
    (frame.input, frame.output) = (None, None);
    FrameTree {
        frame,
        children,
        omitted: (omitted > 0).then_some(omitted),
    }
}

fn name(frame: &Frame) -> String {
    let step = frame.step.map(|step| format!("{step}."));
    let branch = frame.branch.map(|branch| format!("{branch}."));
    let item = frame.item.map(|item| format!("[{item}]"));
    let parts = [step, branch, Some(frame.loop_id.clone()), item];
    parts.into_iter().flatten().collect()
}

fn text(payload: &Value, key: &str) -> Option<String> {
    payload.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn number(payload: &Value, key: &str) -> Option<u64> {
    payload.get(key).and_then(Value::as_u64)
}
