//! The rules of the wires.

use std::sync::Arc;

use bytes::Bytes;
use realm_node::{DialId, Input, LinkId};
use realm_protocol::{Digest, Envelope, Header, NodeId, link::Frame};

use super::{Cut, Happening, World};
use crate::{HostId, host::LinkEnd};

/// A message in a frame, read once for all who watch the wires.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) header: Header,
    pub(crate) envelope: Envelope,
}

impl Message {
    fn read(frame: &Bytes) -> Option<Self> {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(frame) else {
            return None;
        };
        let header = envelope.peek().ok()?;
        Some(Self { header, envelope })
    }
}

impl World {
    pub(super) fn connect(&mut self, id: HostId, dial: DialId, node: NodeId, addresses: &[String]) {
        let life = self.hosts[id.0].life;
        let there = addresses
            .iter()
            .filter_map(|address| address.strip_prefix("host:")?.parse().ok().map(HostId))
            .find(|there| {
                self.hosts
                    .get(there.0)
                    .is_some_and(|host| host.node_id == node)
                    && self.is_up(*there)
                    && self.cut_between(id, *there).is_none()
            });
        let Some(there) = there else {
            let input = Box::new(Input::DialFailed(dial, "unreachable".to_owned()));
            return self.schedule(1, Happening::Input(id, life, input));
        };
        self.next_link += 2;
        let (mine, theirs) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        let latency = 1 + self.random(self.faults.latency_ms + 1);
        self.hosts[id.0]
            .links
            .insert(mine, LinkEnd::new(there, theirs, latency));
        self.hosts[there.0]
            .links
            .insert(theirs, LinkEnd::new(id, mine, latency));
        self.note(&format!("link {} {}", id.0, there.0));
        let me = self.hosts[id.0].node_id;
        let up = |link, node, dial| Input::LinkUp { link, node, dial };
        self.give(there, up(theirs, me, None));
        self.give(id, up(mine, node, Some(dial)));
    }

    pub(crate) fn send(&mut self, id: HostId, link: LinkId, bytes: Bytes) {
        let now_ms = self.now_ms;
        let bytes = self.hosts[id.0].in_its_versions(bytes);
        let Some(end) = self.hosts[id.0].links.get_mut(&link) else {
            return;
        };
        let has_room = end.queue(bytes.len(), now_ms, &self.queues);
        let end = *end;
        // A frame is `[number, content]`; envelopes are number 0.
        let is_envelope = bytes.get(1) == Some(&0);
        if !has_room || is_envelope && self.chance(self.faults.full) {
            let life = self.hosts[id.0].life;
            let unsent = Box::new(Input::Unsent(link, bytes));
            return self.schedule(0, Happening::Input(id, life, unsent));
        }
        let message = is_envelope.then(|| Message::read(&bytes)).flatten();
        let message = message.map(Arc::new);
        match &message {
            Some(message) if self.post.sent(id, &self.hosts, self.now_ms, message) => return,
            Some(_) => {}
            None => self.post.overhears(&bytes),
        }
        self.watch
            .sent(&self.hosts, (id, end.host), &bytes, message.as_deref());
        if self.tap {
            self.wire.push((id, end.host, bytes.clone()));
        }
        if self.cut_between(id, end.host).is_some() {
            return;
        }
        let muted = message
            .as_deref()
            .is_some_and(|message| self.is_muted(id, end.host, message));
        if muted || self.is_unsummed(id, &bytes) {
            return;
        }
        let life = self.hosts[end.host.0].life;
        let mut at = (self.now_ms + end.latency_ms).max(end.busy_until);
        if is_envelope {
            if self.chance(self.faults.loss) {
                return;
            }
            if self.chance(self.faults.duplication) {
                let again = at + self.random(200);
                let frame =
                    Happening::Frame(end.host, life, end.link, bytes.clone(), message.clone());
                self.schedule_at(again, frame);
            }
            if self.chance(self.faults.reordering) {
                at += self.random(50);
            }
        } else if let Some(end) = self.hosts[id.0].links.get_mut(&link) {
            end.busy_until = at;
        }
        let frame = Happening::Frame(end.host, life, end.link, bytes, message);
        self.schedule_at(at, frame);
    }

    pub(super) fn arrive(
        &mut self,
        id: HostId,
        link: LinkId,
        bytes: Bytes,
        message: Option<&Arc<Message>>,
    ) {
        let Some(end) = self.hosts[id.0].links.get(&link) else {
            return;
        };
        if self.cut_between(id, end.host).is_some() {
            return;
        }
        self.note(&format!("frame {} {}", id.0, Digest::of(&[&bytes])));
        if message.is_some_and(|it| self.post.arrived(id, &self.hosts, self.now_ms, it)) {
            return;
        }
        self.give(id, Input::Received(link, bytes));
    }

    /// Closes a link once the frames under way on it have arrived.
    pub(super) fn close_after_frames(&mut self, id: HostId, link: LinkId) {
        let Some(end) = self.hosts[id.0].links.remove(&link) else {
            return;
        };
        if self.cut_between(id, end.host) == Some(Cut::Silent) {
            return;
        }
        let life = self.hosts[end.host.0].life;
        let at = (self.now_ms + end.latency_ms).max(end.busy_until) + 1;
        self.schedule_at(at, Happening::LinkLost(end.host, life, end.link));
    }

    /// Breaks a link at once; both ends notice.
    pub(super) fn break_link(&mut self, id: HostId, link: LinkId) {
        let Some(end) = self.hosts[id.0].links.remove(&link) else {
            return;
        };
        self.hosts[end.host.0].links.remove(&end.link);
        for (host, link) in [(id, link), (end.host, end.link)] {
            let life = self.hosts[host.0].life;
            self.schedule(1, Happening::LinkLost(host, life, link));
        }
    }

    /// Whether this is a summary of a host whose summaries get lost.
    fn is_unsummed(&self, from: HostId, bytes: &Bytes) -> bool {
        self.unsummed.contains(&from)
            && matches!(Frame::decode(bytes), Ok(Frame::Records(it)) if it.summary.is_some())
    }

    /// Whether a message is one of those that get lost between two hosts.
    fn is_muted(&mut self, from: HostId, to: HostId, message: &Message) -> bool {
        let left = self.muted.get_mut(&(from, to, message.header.kind));
        left.is_some_and(|left| {
            let lost = *left > 0;
            *left = left.saturating_sub(1);
            lost
        })
    }

    fn cut_between(&self, a: HostId, b: HostId) -> Option<Cut> {
        self.cut.get(&(a.min(b), a.max(b))).copied()
    }
}
