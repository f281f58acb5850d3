//! Answers that found a link's queue full: they go again once there is room, or a burst of them, such as one
//! commit of the journal releases, would cost calls their answers.

use std::collections::VecDeque;

use bytes::Bytes;
use realm_protocol::{Header, Kind, limits};
use realm_router::LinkId;

use crate::{Effect, Node, timers::Timer};

/// How long they wait for room before they are tried again, milliseconds.
const AGAIN_MS: u64 = 10;

/// Frames of one link, in order.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Node {
    /// Keeps an answer that found a link's queue full; false for what is none, or where too much is kept.
    pub(crate) fn keep_unsent(&mut self, id: LinkId, header: &Header, frame: &Bytes) -> bool {
        // Parts of outputs have a flow of their own.
        if !header.is_answer() || header.kind == Kind::StreamItem {
            return false;
        }
        let all: usize = self.links.values().map(|link| link.unsent.bytes).sum();
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let of_link = link.unsent.bytes.saturating_add(frame.len());
        if of_link > limits::UNSENT_BYTES_SHARE
            || all.saturating_add(frame.len()) > limits::UNSENT_BYTES
        {
            return false;
        }
        link.unsent.bytes = of_link;
        link.unsent.frames.push_back(frame.clone());
        let again = self.now.tick.plus(AGAIN_MS);
        self.timers.set_earlier(Timer::Unsent(id), again);
        true
    }

    /// Sends again what found a link's queue full; what finds it full once more comes back.
    pub(crate) fn send_unsent(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        for frame in std::mem::take(&mut link.unsent).frames {
            self.out.emit(Effect::Send(id, frame));
        }
    }
}
