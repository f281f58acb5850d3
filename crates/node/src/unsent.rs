//! Answers that found a link's queue full: they go again once there is room, or a burst of them, such as one
//! commit of the journal releases, would cost calls their answers.

use std::collections::VecDeque;

use realm_protocol::{Envelope, Header, Kind, Tick, limits, link::Frame};
use realm_router::LinkId;

use crate::{Effect, Node, Refused, timers::Timer};

/// How long they wait for room before they are tried again, milliseconds; twice as long each time that there was
/// none, up to [`LONGEST_MS`].
const AGAIN_MS: u64 = 10;
const LONGEST_MS: u64 = 1_000;
/// How many are tried at once.
const TOGETHER: usize = 32;

/// Answers for one link, in order.
#[derive(Debug)]
pub(crate) struct Unsent {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    wait_ms: u64,
    /// Whether the queue was found full since they were tried last.
    full: bool,
}

#[derive(Debug)]
struct Waiting {
    since: Tick,
    envelope: Envelope,
    bytes: usize,
}

impl Default for Unsent {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            wait_ms: AGAIN_MS,
            full: false,
        }
    }
}

impl Node {
    /// A link has gone with the answers that waited for room on it: nobody has them any more.
    pub(crate) fn drop_unsent(&mut self, unsent: &Unsent) {
        self.unsent_bytes = self.unsent_bytes.saturating_sub(unsent.bytes);
        for _ in &unsent.waiting {
            self.counters.refuse(Refused::Overloaded);
        }
    }

    /// Keeps an answer that found a link's queue full; false for what is none, has had its time, or where too much is
    /// kept.
    pub(crate) fn keep_unsent(
        &mut self,
        id: LinkId,
        header: &Header,
        (envelope, bytes): (&Envelope, usize),
    ) -> bool {
        // Parts of outputs have a flow of their own.
        let answers = header.is_answer() && header.kind != Kind::StreamItem;
        if !answers || envelope.hop.age_ms > header.ttl_ms {
            return false;
        }
        let now = self.now.tick;
        let all = self.unsent_bytes.saturating_add(bytes);
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let unsent = &mut link.unsent;
        unsent.full = true;
        let of_link = unsent.bytes.saturating_add(bytes);
        if of_link > limits::UNSENT_BYTES_SHARE || all > limits::UNSENT_BYTES {
            return false;
        }
        unsent.bytes = of_link;
        self.unsent_bytes = all;
        unsent.waiting.push_back(Waiting {
            since: now,
            envelope: envelope.clone(),
            bytes,
        });
        let again = now.plus(unsent.wait_ms);
        self.timers.set_earlier(Timer::Unsent(id), again);
        true
    }

    /// Sends some of what found a link's queue full again; what finds it full once more comes back.
    pub(crate) fn send_unsent(&mut self, id: LinkId) {
        let now = self.now.tick;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let unsent = &mut link.unsent;
        unsent.wait_ms = match unsent.full {
            true => unsent.wait_ms.saturating_mul(2).min(LONGEST_MS),
            false => AGAIN_MS,
        };
        unsent.full = false;
        let some = unsent.waiting.len().min(TOGETHER);
        for waiting in unsent.waiting.drain(..some) {
            unsent.bytes = unsent.bytes.saturating_sub(waiting.bytes);
            self.unsent_bytes = self.unsent_bytes.saturating_sub(waiting.bytes);
            let waited = now.since(waiting.since);
            let mut envelope = waiting.envelope;
            envelope.hop.age_ms = envelope.hop.age_ms.saturating_add(waited);
            let frame = Frame::Envelope(envelope).encode();
            self.out.emit(Effect::Send(id, frame));
        }
        if !unsent.waiting.is_empty() {
            let again = now.plus(unsent.wait_ms);
            self.timers.set(Timer::Unsent(id), again);
        }
    }
}
