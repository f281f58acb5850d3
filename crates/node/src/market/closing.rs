//! The signed end of a broadcast on its way to all who have bid: after whoever asked has the outcome.

use std::{collections::BTreeMap, sync::Arc};

use realm_broadcast::{close_due, close_pages};
use realm_protocol::{
    BroadcastId, Digest, Place, RealmId, Tick, Timestamp,
    broadcast::{Bid, Close, CloseAsked, Verdict},
    journal::Table,
    limits,
    records::Signed,
    wire_map,
};

use super::{Announced, BROADCASTS, acquainting::Offered};
use crate::{Node, state};

/// Where closes that bidders may ask for lie in the realm's standing, before the broadcast and the page.
pub(crate) const CLOSES: &[u8] = b"close/";

/// Bidders told in one turn, before others have theirs.
const AT_A_TIME: usize = 64;
/// How long a close is kept once bidders begin to ask for it: they do for eleven minutes.
const KEPT_MS: u64 = 15 * 60_000;

wire_map! {
    /// A page of the close of a broadcast that has ended.
    pub struct StoredClose {
        /// The announcements that bids were made for.
        0 => rounds: Vec<Digest>,
        /// When the broadcast ended.
        1 => ended: Timestamp,
        /// The page.
        2 => page: Close,
    }
}

/// A broadcast that has ended, and who has still to be told.
#[derive(Debug)]
pub(super) struct Closing {
    pages: Arc<Vec<Close>>,
    to: std::vec::IntoIter<Place>,
    /// Sessions that bidders offer.
    offered: BTreeMap<RealmId, Offered>,
    pub(super) since: Tick,
}

/// A broadcast of this realm's that has ended.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) broadcast: BroadcastId,
    /// The announcements that bids were made for.
    rounds: Vec<Digest>,
    /// The close in pages; none where too many have ended since.
    close: Arc<Vec<Close>>,
    /// How often each realm that asked for it was given it.
    answered: BTreeMap<RealmId, u32>,
    /// How many of them no bid counts of.
    uncounted: usize,
}

impl Over {
    fn new(broadcast: BroadcastId, rounds: Vec<Digest>, close: Arc<Vec<Close>>) -> Self {
        Self {
            broadcast,
            rounds,
            close,
            answered: BTreeMap::new(),
            uncounted: 0,
        }
    }

    /// Whether the close may be asked for with a bid: it is remembered, and for one of the announcements.
    fn knows(&self, bid: &Bid) -> bool {
        !self.close.is_empty() && self.rounds.contains(&bid.announcement)
    }

    /// Whether a realm is given the close once more. Those of which no bid counts are so many at most.
    fn answers(&mut self, realm: RealmId, bid: &Digest) -> bool {
        let new = !self.answered.contains_key(&realm);
        if new && !self.counts(bid) {
            if self.uncounted >= limits::CLOSE_UNCOUNTED {
                return false;
            }
            self.uncounted = self.uncounted.saturating_add(1);
        }
        let answered = self.answered.entry(realm).or_default();
        let again = *answered < limits::CLOSE_ASKS;
        *answered = answered.saturating_add(u32::from(again));
        again
    }

    fn counts(&self, bid: &Digest) -> bool {
        let bid = bid.as_bytes();
        let mut digests = self
            .close
            .iter()
            .flat_map(|it| it.digests.chunks(bid.len()));
        digests.any(|digest| digest == bid)
    }
}

impl Node {
    /// A broadcast of this realm's is over: its bidders are told from the next turn on. A process that
    /// stops first tells nobody, as one whose links are down.
    pub(super) fn begin_close(
        &mut self,
        broadcast: BroadcastId,
        verdict: &Verdict,
        winners: &[Signed<Bid>],
        to: Vec<Place>,
    ) {
        let signed = self.me.sign(verdict);
        let Some(own) = self.market.announced.get_mut(&broadcast) else {
            return;
        };
        let offered = std::mem::take(&mut own.offered);
        let pages = close_pages(&signed, verdict, own.announcer.ranking(), winners);
        own.close = Arc::new(pages);
        let closing = Closing {
            pages: own.close.clone(),
            to: to.into_iter(),
            offered,
            since: self.now.tick,
        };
        self.market.closing.push_back(closing);
        while self.stopping && !self.market.closing.is_empty()
            || self.market.closing.len() > BROADCASTS
        {
            self.send_closes();
        }
        self.set_market_timer();
    }

    /// Tells some of those who have still to be told.
    pub(super) fn send_closes(&mut self) {
        let Some(closing) = self.market.closing.front_mut() else {
            return;
        };
        let pages = closing.pages.clone();
        let mut some = Vec::new();
        for to in closing.to.by_ref().take(AT_A_TIME) {
            let offered = to.realm.and_then(|realm| closing.offered.remove(&realm));
            some.push((to, offered));
        }
        if closing.to.len() == 0 {
            self.market.closing.pop_front();
        }
        for (to, mut offered) in some {
            for page in pages.iter() {
                match self.is_me(&to) {
                    true => self.closed(&to, page),
                    false => self.send_page(&to, page, offered.take()),
                }
            }
        }
    }

    /// Remembers a broadcast that has ended: outcomes may still come, and bidders may ask for its close,
    /// also after a restart.
    pub(super) fn remember_ended(&mut self, broadcast: BroadcastId, own: &Announced) {
        let rounds: Vec<Digest> = own.rounds.iter().map(Signed::digest).collect();
        let ended = self.now.wall;
        let announced = own.rounds.last().and_then(|it| it.peek().ok());
        let asked_from = announced.map_or(ended, |it| close_due(&it).max(ended));
        for page in own.close.iter() {
            let key = close_row(broadcast, page.page);
            let stored = StoredClose {
                rounds: rounds.clone(),
                ended,
                page: page.clone(),
            };
            let (value, until) = (state::write(&stored), asked_from.plus(KEPT_MS));
            self.put_until(Table::Standing, &key, value, until);
        }
        let over = Over::new(broadcast, rounds, own.close.clone());
        self.market.over.push_back(over);
        self.forget_closes();
    }

    /// Forgets the closes of the oldest broadcasts, where more have ended than are remembered.
    fn forget_closes(&mut self) {
        let over = &mut self.market.over;
        if over.len() > BROADCASTS {
            over.pop_front();
        }
        let too_old = over.len().saturating_sub(limits::CLOSES);
        let mut forgotten = Vec::new();
        for over in over.iter_mut().take(too_old) {
            over.answered.clear();
            let pages = std::mem::take(&mut over.close);
            forgotten.extend(pages.iter().map(|it| close_row(over.broadcast, it.page)));
        }
        for row in forgotten {
            self.delete(Table::Standing, &row);
        }
    }

    /// Takes up the closes of broadcasts that had ended before a restart.
    pub(crate) fn recover_closes(&mut self, mut stored: Vec<StoredClose>) {
        stored.sort_by_key(|it| (it.ended, it.page.broadcast, it.page.page));
        for pages in stored.chunk_by(|one, next| one.page.broadcast == next.page.broadcast) {
            let Some(first) = pages.first() else { continue };
            let close = pages.iter().map(|it| it.page.clone()).collect();
            let (broadcast, rounds) = (first.page.broadcast, first.rounds.clone());
            let over = Over::new(broadcast, rounds, Arc::new(close));
            self.market.over.push_back(over);
        }
        self.forget_closes();
    }

    /// A bidder has not got the close of a broadcast, and asks for it: it gets what all got, whether
    /// its bid has come or not.
    pub(super) fn close_asked(&mut self, from: &Place, asked: &CloseAsked) {
        let (Ok(bid), Some(realm)) = (asked.bid.peek(), from.realm) else {
            return;
        };
        let known = self.market.ended(bid.broadcast);
        let named = known.is_some_and(|over| over.knows(&bid)) && bid.bidder.realm == from.realm;
        if !named || !self.has_signed(from, &asked.bid) {
            return;
        }
        let mut over = self.market.over.iter_mut();
        let Some(over) = over.find(|over| over.broadcast == bid.broadcast) else {
            return;
        };
        if !over.answers(realm, &asked.bid.digest()) {
            return;
        }
        let pages = over.close.clone();
        for page in pages.iter() {
            self.send_page(from, page, None);
        }
    }
}

/// The key of a page of a close: the broadcast, then the page.
fn close_row(broadcast: BroadcastId, page: u64) -> Vec<u8> {
    let page = page.to_be_bytes();
    [CLOSES, broadcast.as_bytes().as_slice(), page.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_who_ask_for_a_close_are_bounded_and_take_nothing_from_those_whose_bids_count() {
        let bid = |number: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        let counted: Vec<u8> = (0..3).flat_map(bid).collect();
        let verdict = Verdict {
            broadcast: BroadcastId::new([1; 16]),
            announcement: Digest::of(&[]),
            secret: [0; 32],
            counted: 3,
            root: Digest::of(&[]),
            order: Digest::of(&[]),
            winners: Vec::new(),
            closed: Timestamp::from_millis(0),
            unconfirmed: None,
        };
        let page = Close {
            broadcast: verdict.broadcast,
            page: 0,
            pages: 1,
            verdict: Signed::unsigned(&verdict),
            digests: counted.into(),
            winners: Vec::new(),
            session: None,
        };
        let mut over = Over::new(verdict.broadcast, Vec::new(), Arc::new(vec![page]));
        let mut asks = |number| over.answers(RealmId::new(bid(number)), &Digest::new(bid(number)));

        let strangers = (10..2_000).filter(|number| asks(*number)).count();
        assert_eq!(strangers, limits::CLOSE_UNCOUNTED);
        let again = (0..10).filter(|_| asks(10)).count();
        assert_eq!(again, limits::CLOSE_ASKS as usize - 1);
        assert!((0..3).all(asks), "whose bids count");
    }
}
