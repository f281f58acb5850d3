//! The whole trace as JSON, with the frames that its events make.

use realm_client::{
    api::{Frame, RunDetail, TraceEvent},
    trace::TraceTree,
};
use serde::Serialize;

use crate::escape;

/// The form of the document. Members may be added to it; what is there keeps its meaning.
pub const FORMAT: &str = "realm.trace/1";

/// A trace as it is exported.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The run.
    pub run: &'a RunDetail,
    /// Its frames, depth first.
    pub frames: Vec<ExportedFrame<'a>>,
    /// Its events, in order.
    pub events: &'a [TraceEvent],
}

/// A frame and its place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedFrame<'a> {
    /// The frame.
    #[serde(flatten)]
    pub frame: &'a Frame,
    /// The call that made it; none for the run's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<&'a str>,
    /// How many callers it has.
    pub depth: usize,
    /// Whether it lies on the critical path.
    pub critical: bool,
    /// Positions of its events. A call that another realm was asked for again has events of several
    /// calls.
    pub events: &'a [usize],
}

impl<'a> Document<'a> {
    /// Makes the document of a trace.
    pub fn new(tree: &'a TraceTree) -> Self {
        let frames = tree.nodes.iter().map(|node| {
            let parent = node.parent.and_then(|parent| tree.nodes.get(parent));
            ExportedFrame {
                frame: &node.frame,
                parent: parent.map(|parent| parent.frame.call_id.as_str()),
                depth: node.depth,
                critical: node.critical,
                events: &node.events,
            }
        });
        Self {
            format: FORMAT,
            run: &tree.trace.run,
            frames: frames.collect(),
            events: &tree.trace.events,
        }
    }
}

/// Writes a trace as JSON.
///
/// # Errors
/// `serde_json`'s.
pub fn json(tree: &TraceTree) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(&Document::new(tree))?;
    Ok(format!("{}\n", escape::json(&text)))
}
