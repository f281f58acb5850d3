//! Links of the net, as the node numbers them: outboxes, readers, dials.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use realm_net::{Counted, Event, Inbox, Multiaddr, Net, Outbox, SendError};
use realm_node::{DialId, Input, LinkId};
use realm_protocol::NodeId;

use super::Driver;

/// Frames taken from one link at once.
const FRAMES: usize = 64;

/// What a link's reader found.
pub(crate) enum Inbound {
    /// Frames in the order they came, and where more come from.
    Frames(LinkId, Vec<Bytes>, Inbox),
    /// The end: the link is down and everything was read.
    End(LinkId),
}

/// The links that stand.
pub(crate) struct Links {
    outboxes: BTreeMap<LinkId, Outbox>,
    /// One for each link. Nothing is read from a link while what it gave waits for the loop.
    readers: FuturesUnordered<BoxFuture<'static, Inbound>>,
}

impl Links {
    /// Starts with none.
    pub(crate) fn new() -> Self {
        Self {
            outboxes: BTreeMap::new(),
            readers: FuturesUnordered::new(),
        }
    }

    fn add(&mut self, link: LinkId, outbox: Outbox, inbox: Inbox) {
        self.outboxes.insert(link, outbox);
        self.read_on(link, inbox);
    }

    fn read_on(&mut self, link: LinkId, inbox: Inbox) {
        self.readers.push(read(link, inbox).boxed());
    }

    fn remove(&mut self, link: LinkId) {
        self.outboxes.remove(&link);
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

    /// Waits for the next frames.
    pub(crate) async fn next(&mut self) -> Inbound {
        match self.readers.next().await {
            Some(inbound) => inbound,
            // There are no links.
            None => std::future::pending().await,
        }
    }

    /// Gives the frames of a link, if there are any.
    pub(crate) fn try_next(&mut self) -> Option<Inbound> {
        self.readers.next().now_or_never().flatten()
    }
}

/// Reads what there is from a link.
async fn read(link: LinkId, mut inbox: Inbox) -> Inbound {
    let mut frames = Vec::new();
    match inbox.recv_many(&mut frames, FRAMES).await {
        0 => Inbound::End(link),
        _ => Inbound::Frames(link, frames, inbox),
    }
}

impl Driver {
    pub(super) fn handle_inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Frames(link, frames, inbox) => {
                for frame in frames {
                    self.handle(Input::Received(link, frame));
                }
                self.links.read_on(link, inbox);
            }
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
