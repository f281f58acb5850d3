//! Two runs, compared frame by frame: what they did, not how long it took.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::TraceTree;
use crate::api::Frame;

/// Characters of a payload that are shown.
const SHOWN: usize = 120;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Aspect {
    /// Whether there is such a frame.
    Frame,
    /// Which loop ran.
    Loop,
    /// The loop's version.
    Version,
    /// Digest of the loop's contract.
    Contract,
    /// Version of the prompt.
    PromptVersion,
    /// The model.
    Model,
    /// Where the frame stands.
    Status,
    /// The failure.
    Error,
    /// How often it was tried.
    Attempts,
    /// How often its tool was called.
    ToolCalls,
    /// The input, or its digest.
    Input,
    /// The output, or its digest.
    Output,
}

impl Aspect {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Loop => "loop",
            Self::Version => "version",
            Self::Contract => "contract",
            Self::PromptVersion => "promptVersion",
            Self::Model => "model",
            Self::Status => "status",
            Self::Error => "error",
            Self::Attempts => "attempts",
            Self::ToolCalls => "toolCalls",
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// One difference between two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The frame, by the loops that lead to it.
    pub path: String,
    /// What differs.
    pub aspect: Aspect,
    /// In the first run; none where it has nothing of the kind.
    pub left: Option<String>,
    /// In the second run.
    pub right: Option<String>,
    /// The frame's call in the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_call: Option<String>,
    /// The frame's call in the second run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_call: Option<String>,
}

/// Two runs, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceDiff {
    /// The first run.
    pub left: String,
    /// The second run.
    pub right: String,
    /// Whether they did the same.
    pub equal: bool,
    /// How many frames both have.
    pub frames: u64,
    /// What differs, frame by frame.
    pub differences: Vec<Difference>,
}

/// Compares two runs. Frames are the same if the same steps, and the same items of these, lead to
/// them; below a frame that ran another loop nothing is compared.
pub fn diff(left: &TraceTree, right: &TraceTree) -> TraceDiff {
    let sides = [left, right];
    let below = sides.map(children);
    let mut differences = Vec::new();
    let mut frames: u64 = 0;
    let mut open = vec![[Some(0), Some(0)]];
    while let Some(pair) = open.pop() {
        let [Some(one), Some(other)] = pair else {
            differences.push(missing(sides, pair));
            continue;
        };
        let (Some(a), Some(b)) = (left.nodes.get(one), right.nodes.get(other)) else {
            continue;
        };
        frames = frames.saturating_add(1);
        let same_loop = a.frame.loop_id == b.frame.loop_id && a.frame.realm == b.frame.realm;
        let found = if same_loop {
            compare(&a.frame, &b.frame)
        } else {
            vec![(Aspect::Loop, address(&a.frame), address(&b.frame))]
        };
        for (aspect, left_text, right_text) in found {
            differences.push(Difference {
                path: left.path(one),
                aspect,
                left: left_text,
                right: right_text,
                left_call: Some(a.frame.call_id.clone()),
                right_call: Some(b.frame.call_id.clone()),
            });
        }
        if same_loop {
            let [ones, others] = &below;
            let mut pairs: BTreeMap<Key, [Option<usize>; 2]> = BTreeMap::new();
            for (key, index) in keyed(left, ones.get(one)) {
                pairs.entry(key).or_default()[0] = Some(index);
            }
            for (key, index) in keyed(right, others.get(other)) {
                pairs.entry(key).or_default()[1] = Some(index);
            }
            open.extend(pairs.into_values().rev());
        }
    }
    let [left, right] = sides.map(|side| side.trace.run.summary.id.clone());
    TraceDiff {
        left,
        right,
        equal: differences.is_empty(),
        frames,
        differences,
    }
}

/// Step, branch, item, whether instead of another, and which of the frames with these.
type Key = (Option<u64>, Option<u64>, Option<u64>, bool, usize);

fn children(side: &TraceTree) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); side.nodes.len()];
    for (index, node) in side.nodes.iter().enumerate() {
        if let Some(below) = node.parent.and_then(|parent| children.get_mut(parent)) {
            below.push(index);
        }
    }
    children
}

fn keyed(side: &TraceTree, below: Option<&Vec<usize>>) -> Vec<(Key, usize)> {
    let mut seen = BTreeMap::new();
    let mut keyed = Vec::new();
    for index in below.into_iter().flatten() {
        let Some(node) = side.nodes.get(*index) else {
            continue;
        };
        let Frame {
            step,
            branch,
            item,
            fallback,
            ..
        } = node.frame;
        let count: &mut usize = seen.entry((step, branch, item, fallback)).or_default();
        keyed.push(((step, branch, item, fallback, *count), *index));
        *count = count.saturating_add(1);
    }
    keyed
}

fn missing(sides: [&TraceTree; 2], pair: [Option<usize>; 2]) -> Difference {
    let [left, right] = sides;
    let of = |side: &TraceTree, index: Option<usize>| {
        let node = index.and_then(|index| side.nodes.get(index));
        node.map(|node| (address(&node.frame), node.frame.call_id.clone()))
    };
    let [one, other] = pair;
    let path = match (one, other) {
        (Some(index), _) => left.path(index),
        (None, Some(index)) => right.path(index),
        (None, None) => String::new(),
    };
    let (left, right) = (of(left, one), of(right, other));
    Difference {
        path,
        aspect: Aspect::Frame,
        left: left.as_ref().and_then(|(name, _)| name.clone()),
        right: right.as_ref().and_then(|(name, _)| name.clone()),
        left_call: left.map(|(_, call)| call),
        right_call: right.map(|(_, call)| call),
    }
}

fn address(frame: &Frame) -> Option<String> {
    let at = frame.realm.as_ref().map(|realm| format!("@{realm}"));
    Some(format!("{}{}", frame.loop_id, at.unwrap_or_default()))
}

/// What differs between two frames of one loop. What only one of them recorded about its payload
/// is no difference.
fn compare(a: &Frame, b: &Frame) -> Vec<(Aspect, Option<String>, Option<String>)> {
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let status = |frame: &Frame| Some(frame.status.as_str().to_owned());
    let all = [
        (Aspect::Version, a.version.clone(), b.version.clone()),
        (Aspect::Contract, a.contract.clone(), b.contract.clone()),
        (
            Aspect::PromptVersion,
            a.prompt_version.clone(),
            b.prompt_version.clone(),
        ),
        (Aspect::Model, a.model.clone(), b.model.clone()),
        (Aspect::Status, status(a), status(b)),
        (Aspect::Error, failure(a), failure(b)),
        (
            Aspect::Attempts,
            count(a.attempts.or(Some(1))),
            count(b.attempts.or(Some(1))),
        ),
        (
            Aspect::ToolCalls,
            count(a.tool_calls.or(Some(0))),
            count(b.tool_calls.or(Some(0))),
        ),
    ];
    let mut found: Vec<_> = all
        .into_iter()
        .filter(|(_, left, right)| left != right)
        .collect();
    let payloads = [
        (
            Aspect::Input,
            [&a.input_digest, &b.input_digest],
            [&a.input, &b.input],
        ),
        (
            Aspect::Output,
            [&a.output_digest, &b.output_digest],
            [&a.output, &b.output],
        ),
    ];
    for (aspect, digests, values) in payloads {
        let differing = match (digests, values) {
            ([Some(left), Some(right)], _) if left != right => Some((left.clone(), right.clone())),
            ([Some(_), Some(_)], _) => None,
            (_, [Some(left), Some(right)]) if left != right => Some((shown(left), shown(right))),
            _ => None,
        };
        found.extend(differing.map(|(left, right)| (aspect, Some(left), Some(right))));
    }
    found
}

fn failure(frame: &Frame) -> Option<String> {
    let error = frame.error.as_ref()?;
    let message = frame.message.as_ref();
    Some(message.map_or_else(|| error.clone(), |message| format!("{error}: {message}")))
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
