//! The critical path: the frames without which the run would have ended earlier.

use super::Node;
use crate::api::{Time, Trace};

/// Marks the frames, from the end backwards: of what a frame called, the call that ended last
/// before the next critical one began.
pub(super) fn mark(trace: &Trace, nodes: &mut [Node]) {
    let last = trace.events.iter().map(|event| event.ts).max();
    let last = last.unwrap_or(trace.run.summary.started_at);
    let mut children: Vec<Vec<(Time, usize)>> = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        if let Some(below) = node.parent.and_then(|parent| children.get_mut(parent)) {
            below.push((end(node, last), index));
        }
    }
    let mut open = vec![0];
    while let Some(index) = open.pop() {
        let Some(node) = nodes.get_mut(index) else {
            continue;
        };
        node.critical = true;
        let mut until = end(node, last);
        let mut below = children
            .get_mut(index)
            .map(std::mem::take)
            .unwrap_or_default();
        below.sort_unstable();
        for (ended, child) in below.into_iter().rev() {
            if ended <= until
                && let Some(node) = nodes.get(child)
            {
                until = node.frame.started_at;
                open.push(child);
            }
        }
    }
}

/// When a frame ended; what has not is as old as the trace.
fn end(node: &Node, last: Time) -> Time {
    let frame = &node.frame;
    frame.duration_ms.map_or(last, |took| {
        Time::from_millis(frame.started_at.as_millis().saturating_add(took))
    })
}
