//! Links of the net, as the node numbers them: outboxes, readers, dials.

use std::collections::BTreeMap;

use bytes::Bytes;
use realm_net::{Counted, Event, Inbox, Multiaddr, Net, Outbox, SendError};
use realm_node::{DialId, Input, LinkId};
use realm_protocol::NodeId;
use tokio::{sync::mpsc, task::JoinSet};

use super::Driver;

/// Frames of all links waiting for the loop; at the bound the links are no longer read.
const FRAMES: usize = 256;

/// What a link's reader found.
pub(crate) enum Inbound {
    /// A frame.
    Frame(LinkId, Bytes),
    /// The end: the link is down and everything was read.
    End(LinkId),
}

/// The links that stand.
pub(crate) struct Links {
    outboxes: BTreeMap<LinkId, Outbox>,
    readers: JoinSet<()>,
    sender: mpsc::Sender<Inbound>,
    frames: mpsc::Receiver<Inbound>,
}

impl Links {
    /// Starts with none.
    pub(crate) fn new() -> Self {
        let (sender, frames) = mpsc::channel(FRAMES);
        Self {
            outboxes: BTreeMap::new(),
            readers: JoinSet::new(),
            sender,
            frames,
        }
    }

    fn add(&mut self, link: LinkId, outbox: Outbox, inbox: Inbox) {
        self.outboxes.insert(link, outbox);
        self.readers.spawn(read(link, inbox, self.sender.clone()));
    }

    fn remove(&mut self, link: LinkId) {
        self.outboxes.remove(&link);
        // Collects the readers that have ended.
        while self.readers.try_join_next().is_some() {}
    }

    /// Queues a frame; gives it back if the link's queue is full. A frame for a link that is
    /// gone goes with it: the node hears that it is down.
    pub(crate) fn send(&self, link: LinkId, frame: Bytes) -> Result<(), Bytes> {
        let Some(outbox) = self.outboxes.get(&link) else {
            return Ok(());
        };
        match outbox.try_send(frame.clone()) {
            Ok(()) | Err(SendError::Closed) => Ok(()),
            Err(SendError::Full) => Err(frame),
            Err(SendError::TooLong) => {
                tracing::error!(
                    link = link.0,
                    bytes = frame.len(),
                    "a frame is too long to send"
                );
                Ok(())
            }
        }
    }

    /// Waits for the next frame.
    pub(crate) async fn next(&mut self) -> Inbound {
        match self.frames.recv().await {
            Some(inbound) => inbound,
            // This end holds a sender itself, so the channel never closes.
            None => std::future::pending().await,
        }
    }

    /// Gives a frame, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Inbound> {
        self.frames.try_recv().ok()
    }
}

/// Reads a link to its end.
async fn read(link: LinkId, mut inbox: Inbox, frames: mpsc::Sender<Inbound>) {
    while let Some(frame) = inbox.recv().await {
        if frames.send(Inbound::Frame(link, frame)).await.is_err() {
            return;
        }
    }
    // Nobody to tell if the loop has ended.
    let _ = frames.send(Inbound::End(link)).await;
}

impl Driver {
    pub(super) fn handle_inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Frame(link, frame) => self.handle(Input::Received(link, frame)),
            Inbound::End(link) => {
                self.links.remove(link);
                self.handle(Input::LinkDown(link));
            }
        }
    }

    pub(super) fn handle_event(&mut self, event: Event) {
        match event {
            Event::Listening(address) => {
                tracing::info!(%address, "listening");
                self.publish_addresses();
            }
            Event::ListenFailed { address, error } => {
                tracing::warn!(%address, %error, "not listening");
                self.publish_addresses();
            }
            Event::Up {
                link,
                node,
                address,
                dialed,
                outbox,
                inbox,
            } => {
                tracing::debug!(%link, %node, %address, "link up");
                let link = LinkId(link.0);
                self.links.add(link, outbox, inbox);
                let dial = dialed.map(|dial| DialId(dial.0));
                self.handle(Input::LinkUp { link, node, dial });
            }
            // The node hears of it once everything that had arrived was read.
            Event::Down { link, reason } => tracing::debug!(%link, %reason, "link down"),
            Event::DialFailed { dial, error } => {
                tracing::debug!(dial = dial.0, %error, "dial failed");
                self.handle(Input::DialFailed(DialId(dial.0), error.to_string()));
            }
            Event::Restarted { times } => {
                tracing::error!(times, "the network task panicked and was started again");
            }
        }
    }
}

/// Dials; gives the reason if that cannot even begin.
pub(super) fn dial(
    net: &Net,
    dial: DialId,
    node: NodeId,
    addresses: &[String],
) -> Result<(), String> {
    let parsed = addresses
        .iter()
        .filter_map(|address| address.parse::<Multiaddr>().ok());
    let dial = realm_net::DialId(dial.0);
    net.dial(dial, node, parsed.collect())
        .map_err(|error| error.to_string())
}

/// Keeps a link. Whom the node admits it knows, or is about to.
pub(super) fn admit(net: &Net, link: LinkId) {
    if let Err(error) = net.admit(realm_net::LinkId(link.0), Counted::Known) {
        tracing::warn!(link = link.0, %error, "the link is not admitted");
    }
}

/// Closes a link.
pub(super) fn close(net: &Net, link: LinkId) {
    if let Err(error) = net.close(realm_net::LinkId(link.0)) {
        tracing::warn!(link = link.0, %error, "the link is not closed");
    }
}
