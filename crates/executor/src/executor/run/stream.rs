//! What a run shows of its output while that is being made.

use realm_protocol::CallId;

use super::{Context, Run};
use crate::{
    Body,
    executor::{Action, frame::Frame},
};

/// What somebody is being shown of a run.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Whether anybody wants to see it.
    wanted: bool,
    /// The text under way: who writes it, which of that one's texts it is, and its number here.
    text: Option<(CallId, u64, u64)>,
}

impl Stream {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, text: None }
    }
}

impl Run {
    /// Shows from now on what its output is being made of.
    pub(in crate::executor) fn show(&mut self) {
        self.stream.wanted = true;
    }

    /// Whether the run's output is what this frame gives, so that it shows what the frame does.
    pub(super) fn is_shown(&self, frame: &Frame) -> bool {
        let mut frame = frame;
        while let Some(place) = frame.parent {
            let Some(parent) = self.frames.get(&place.frame) else {
                return false;
            };
            let last = match parent.subject.manifest().map(|own| &own.body) {
                Some(Body::Composite(composite)) => composite.steps.len().checked_sub(1),
                _ => None,
            };
            let is_last = last.is_some_and(|last| last as u64 == place.at.step);
            if !is_last || place.at.branch.is_some() || place.at.item.is_some() {
                return false;
            }
            frame = parent;
        }
        self.stream.wanted
    }

    /// Takes some of the text that a frame's answer is being made of. `of` numbers the texts of the one
    /// who was asked.
    pub(in crate::executor) fn part(
        &mut self,
        asked: CallId,
        of: u64,
        text: String,
        cx: &mut Context<'_>,
    ) {
        let frame = self.asked.get(&asked);
        let Some(frame) = frame.and_then(|call| self.frames.get(call)) else {
            return;
        };
        if !self.is_shown(frame) {
            return;
        }
        let number = match self.stream.text {
            Some((by, text, number)) if (by, text) == (asked, of) => number,
            before => {
                // Greater than any from before a restart.
                let next = before.map_or(0, |(.., number)| number.saturating_add(1));
                next.max(cx.now.wall.as_millis())
            }
        };
        self.stream.text = Some((asked, of, number));
        let run = self.id;
        cx.shared.push(Action::Part { run, number, text });
    }
}
