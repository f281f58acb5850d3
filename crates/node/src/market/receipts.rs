//! What this realm remembers of its bids: the announcement, the bid, and the signed close.

use std::collections::{BTreeMap, VecDeque};

use realm_broadcast::{CloseError, Closed, bidder::Input, close_due};
use realm_crypto::VerifiedChain;
use realm_protocol::{
    BroadcastId, Digest, Kind, LoopId, Now, Place, RealmId, Tick, Timestamp,
    broadcast::{Announcement, Bid, Close, CloseAsked, Receipt},
    cbor::{self, Blob, CborError},
    journal::Table,
    limits,
    records::Signed,
};

use super::evidence::bare;
use crate::{Node, state};

/// How long a bid is remembered, milliseconds.
const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Pages of one close; one with more is not kept.
const PAGES: u64 = limits::AWARDS.div_ceil(limits::CLOSE_BIDS as u64);

/// How long a close that was asked for is waited for the first time, milliseconds; each time twice as
/// long.
const ASK_MS: u64 = 20_000;

/// When a bid was made, and its digest.
type Key = (Timestamp, Digest);

/// The bids that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Announcements that agents here may bid for, the oldest first.
    heard: VecDeque<(Digest, Signed<Announcement>)>,
    /// Bids whose close has not come, the oldest first.
    open: BTreeMap<Key, Open>,
    /// All that are written down, with the roots that their announcers are under.
    kept: BTreeMap<Key, RealmId>,
}

/// A bid whose close has not come.
#[derive(Debug)]
struct Open {
    broadcast: BroadcastId,
    announcer: Place,
    /// What proved the announcer and this realm when the bid was made.
    chains: Vec<Blob>,
    receipt: Receipt,
    /// When its announcer is asked for the close; none once it was asked often enough.
    next: Option<Tick>,
    asks: u32,
}

/// A bid of this realm's, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidView {
    /// What it answers.
    pub announcement: Announcement,
    /// The bid.
    pub bid: Bid,
    /// Its digest.
    pub digest: Digest,
    /// Whether it was awarded a slot.
    pub awarded: bool,
    /// Whether the announcer has closed the broadcast.
    pub closed: bool,
    /// What is remembered of it.
    pub receipt: Receipt,
}

impl BidView {
    /// Reads what was written down of a bid; none where it does not read.
    pub fn read(value: &[u8]) -> Option<Self> {
        let receipt: Receipt = state::read(value).ok()?;
        Some(Self {
            announcement: receipt.announcement.peek().ok()?,
            bid: receipt.bid.peek().ok()?,
            digest: receipt.bid.digest(),
            awarded: receipt.awarded,
            closed: is_closed(&receipt),
            receipt,
        })
    }
}

impl Receipts {
    /// Remembers an announcement that somebody here may bid for.
    pub(super) fn hear(&mut self, announcement: &Signed<Announcement>) {
        let digest = announcement.digest();
        if self.heard.iter().any(|(heard, _)| *heard == digest) {
            return;
        }
        self.heard.push_back((digest, announcement.clone()));
        if self.heard.len() > limits::OFFERS {
            self.heard.pop_front();
        }
    }

    /// When the next close is asked for.
    pub(super) fn next(&self) -> Option<Tick> {
        self.open.values().filter_map(|open| open.next).min()
    }

    fn of_bid(&self, bid: Digest) -> Option<Key> {
        let mut open = self.open.keys();
        open.find(|(_, digest)| *digest == bid).copied()
    }

    fn insert(
        &mut self,
        key: Key,
        announcement: &Announcement,
        chains: Vec<Blob>,
        receipt: Receipt,
        now: Now,
    ) {
        let waits = close_due(announcement).since(now.wall);
        let open = Open {
            next: Some(now.tick.plus(waits)),
            asks: 0,
            broadcast: announcement.broadcast,
            announcer: announcement.announcer.clone(),
            chains,
            receipt,
        };
        self.open.insert(key, open);
        if self.open.len() > limits::OFFERS {
            let roots = self
                .open
                .iter()
                .map(|(key, open)| (*key, open.announcer.root));
            if let Some(oldest) = oldest_of_most(roots) {
                self.open.remove(&oldest);
            }
        }
    }
}

/// The oldest under the root that most are under, so that nobody pushes out what is of others.
fn oldest_of_most(keys: impl Iterator<Item = (Key, RealmId)>) -> Option<Key> {
    let mut roots: BTreeMap<RealmId, (usize, Key)> = BTreeMap::new();
    for (key, root) in keys {
        let of_root = roots.entry(root).or_insert((0, key));
        of_root.0 = of_root.0.saturating_add(1);
    }
    let most = roots.into_values().max_by_key(|(count, _)| *count);
    most.map(|(_, oldest)| oldest)
}

impl Node {
    /// Remembers a bid that is about to leave.
    pub(super) fn keep_bid(&mut self, bid: &Bid, signed: &Signed<Bid>) {
        let mut heard = self.market.receipts.heard.iter();
        let Some((_, announcement)) = heard.find(|(digest, _)| *digest == bid.announcement) else {
            return;
        };
        let announcement = announcement.clone();
        let Ok(read) = announcement.peek() else {
            return;
        };
        let key = (bid.created, signed.digest());
        if self.market.receipts.kept.contains_key(&key) {
            return;
        }
        let receipt = Receipt {
            announcement,
            bid: signed.clone(),
            close: Vec::new(),
            awarded: false,
            chains: Vec::new(),
        };
        let chains = [self.chain_of(&read.announcer), self.me.chain().map(bare)];
        let chains = chains.into_iter().flatten().collect();
        let now = self.now;
        self.market
            .receipts
            .insert(key, &read, chains, receipt, now);
        self.write_receipt(key);
        self.market.receipts.kept.insert(key, read.announcer.root);
        let kept = self.market.receipts.kept.iter();
        if self.market.receipts.kept.len() > limits::RECEIPTS
            && let Some(oldest) = oldest_of_most(kept.map(|(key, root)| (*key, *root)))
        {
            self.market.receipts.kept.remove(&oldest);
            self.market.receipts.open.remove(&oldest);
            self.delete(Table::Bids, &row(oldest));
        }
    }

    /// A bid was awarded a slot.
    pub(super) fn keep_award(&mut self, from: &Place, bid: Digest) {
        let Some(key) = self.market.receipts.of_bid(bid) else {
            return;
        };
        let Some(open) = self.market.receipts.open.get_mut(&key) else {
            return;
        };
        if open.announcer.realm != from.realm || open.receipt.awarded {
            return;
        }
        open.receipt.awarded = true;
        self.write_receipt(key);
    }

    /// Asks for the closes that should have come long ago: a bid that was dropped on its way, and one
    /// whose close was, look alike here.
    pub(super) fn ask_for_closes(&mut self) {
        let now = self.now.tick;
        let mut asks = Vec::new();
        let open = self.market.receipts.open.values_mut();
        for open in open.filter(|open| open.next.is_some_and(|next| next <= now)) {
            let waits = ASK_MS.checked_shl(open.asks).unwrap_or(u64::MAX);
            open.asks = open.asks.saturating_add(1);
            let again = open.asks < limits::CLOSE_ASKS;
            open.next = again.then(|| now.plus(waits));
            let bid = open.receipt.bid.clone();
            asks.push((open.broadcast, open.announcer.clone(), CloseAsked { bid }));
        }
        for (broadcast, announcer, asked) in asks {
            match self.is_me(&announcer) {
                true => self.close_asked(&announcer, &asked),
                false => self.send_to(broadcast, &announcer, Kind::Status, &asked),
            }
        }
    }

    /// A page of the signed end of a broadcast that this realm has bid for.
    pub(super) fn closed(&mut self, from: &Place, page: &Close) {
        self.tell_bidder(Input::Closed {
            from: from.clone(),
            broadcast: page.broadcast,
        });
        let open = self.market.receipts.open.iter();
        let concerned = open.filter(|(_, open)| {
            open.broadcast == page.broadcast && open.announcer.realm == from.realm
        });
        let concerned: Vec<Key> = concerned.map(|(key, _)| *key).collect();
        let counted = (1..=PAGES).contains(&page.pages) && page.page < page.pages;
        if concerned.is_empty() || !counted || !self.has_signed(from, &page.verdict) {
            return;
        }
        for key in &concerned {
            self.keep_page(*key, from, page);
        }
        self.judge_close(&concerned);
    }

    fn keep_page(&mut self, key: Key, from: &Place, page: &Close) {
        let now = [self.chain_of(from), self.me.chain().map(bare)];
        let Some(open) = self.market.receipts.open.get_mut(&key) else {
            return;
        };
        // Whoever has a new key since the bid is proven by both.
        for chain in now.into_iter().flatten() {
            if !open.chains.contains(&chain) {
                open.chains.push(chain);
            }
        }
        let encoded = Blob::from(cbor::encode(page));
        let full = open.receipt.close.len() as u64 >= page.pages;
        if full || open.receipt.close.contains(&encoded) {
            return;
        }
        open.receipt.close.push(encoded);
        if is_closed(&open.receipt) {
            open.receipt.chains = open.chains.clone();
        }
        self.write_receipt(key);
    }

    /// Holds a close that is whole against the bids for its broadcast. One in whose place another of its
    /// agent counts was not wronged, and is forgotten.
    fn judge_close(&mut self, concerned: &[Key]) {
        let mut closed = Vec::new();
        for key in concerned {
            let open = self.market.receipts.open.get(key);
            if open.is_some_and(|open| is_closed(&open.receipt))
                && let Some(open) = self.market.receipts.open.remove(key)
            {
                let close = joined(&open.receipt);
                closed.push((*key, open.receipt, close));
            }
        }
        let counted: Vec<LoopId> = closed
            .iter()
            .filter(|(_, receipt, close)| counts(receipt, close))
            .filter_map(|(_, receipt, _)| Some(receipt.bid.peek().ok()?.agent))
            .collect();
        for (key, receipt, close) in closed {
            let by_agent = |bid: Bid| counted.contains(&bid.agent);
            if !counts(&receipt, &close) && receipt.bid.peek().is_ok_and(by_agent) {
                self.market.receipts.kept.remove(&key);
                self.delete(Table::Bids, &row(key));
            } else {
                tell(&receipt, close);
            }
        }
    }

    /// The chain that is known of whoever stands at a place, if it still holds.
    pub(super) fn chain_of(&self, place: &Place) -> Option<Blob> {
        self.known_chain(place).map(bare)
    }

    pub(super) fn known_chain(&self, place: &Place) -> Option<&VerifiedChain> {
        let chain = match place.realm == self.me.place().realm {
            true => self.me.chain(),
            false => self.trust.known(&place.scope()),
        };
        chain.filter(|chain| chain.place() == place)
    }

    fn write_receipt(&mut self, key: Key) {
        let open = self.market.receipts.open.get(&key);
        let Some(value) = open.map(|open| state::write(&open.receipt)) else {
            return;
        };
        let until = key.0.plus(KEPT_MS);
        self.put_until(Table::Bids, &row(key), value, until);
    }

    /// Takes up the bids that were written down.
    pub(crate) fn recover_receipts(&mut self, rows: Vec<(Vec<u8>, Result<Receipt, CborError>)>) {
        for (key, receipt) in rows {
            let read = receipt.and_then(|receipt| {
                let (announcement, bid) = (receipt.announcement.peek()?, receipt.bid.peek()?);
                Ok((announcement, bid, receipt))
            });
            let (announcement, bid, receipt) = match read {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(%error, "a stored bid does not read");
                    self.delete(Table::Bids, &key);
                    continue;
                }
            };
            let key = (bid.created, receipt.bid.digest());
            let root = announcement.announcer.root;
            self.market.receipts.kept.insert(key, root);
            if !is_closed(&receipt) {
                let chains = Vec::new();
                let now = self.now;
                self.market
                    .receipts
                    .insert(key, &announcement, chains, receipt, now);
            }
        }
    }
}

/// Whether all pages of the close are there.
fn is_closed(receipt: &Receipt) -> bool {
    let first = receipt.close.first();
    let first: Option<Close> = first.and_then(|page| cbor::decode(page).ok());
    first.is_some_and(|page| page.pages == receipt.close.len() as u64)
}

/// Says so where the close proves that the bid was wronged.
fn tell(receipt: &Receipt, close: Result<Closed, CloseError>) {
    let bid = receipt.bid.digest();
    match close.and_then(|close| stands(receipt, &close)) {
        Ok(()) => tracing::debug!(%bid, "a close ranks this realm's bid by the rule"),
        Err(error) => tracing::warn!(%bid, %error, "a close proves a wrong ranking"),
    }
}

/// Whether the bid is among those that counted.
fn counts(receipt: &Receipt, close: &Result<Closed, CloseError>) -> bool {
    let bid = receipt.bid.digest();
    close
        .as_ref()
        .is_ok_and(|close| close.digests.contains(&bid))
}

/// The end of the broadcast. To hash all bids that counted is most of a bidder's work in a large one: it is
/// joined once.
fn joined(receipt: &Receipt) -> Result<Closed, CloseError> {
    let pages = receipt.close.iter().map(|page| cbor::decode(page));
    let pages: Result<Vec<Close>, CborError> = pages.collect();
    Closed::join(&pages.map_err(|_| CloseError::Pages)?)
}

fn stands(receipt: &Receipt, close: &Closed) -> Result<(), CloseError> {
    let read = (receipt.announcement.peek(), receipt.bid.peek());
    let (Ok(announcement), Ok(bid)) = read else {
        return Err(CloseError::Pages);
    };
    let digest = receipt.bid.digest();
    let standing = close.stands(&announcement, &bid, digest, receipt.awarded);
    standing.map(|_| ())
}

/// The key of a bid's row: when it was made, then its digest.
fn row((made, bid): Key) -> Vec<u8> {
    let made = made.as_millis().to_be_bytes();
    [made.as_slice(), bid.as_bytes()].concat()
}
