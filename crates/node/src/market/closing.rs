//! The signed end of a broadcast on its way to all who have bid: after whoever asked has the outcome.

use std::{collections::BTreeMap, sync::Arc};

use realm_broadcast::close_pages;
use realm_protocol::{
    BroadcastId, Digest, Place, RealmId, Tick,
    broadcast::{Bid, Close, CloseAsked, Verdict},
    limits,
    records::Signed,
};

use super::{Announced, BROADCASTS, acquainting::Offered};
use crate::Node;

/// Bidders told in one turn, before others have theirs.
const AT_A_TIME: usize = 64;

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
    /// The close in pages; none where too many have ended since, or a restart has come between.
    close: Arc<Vec<Close>>,
    /// How often each realm that asked for it was given it.
    answered: BTreeMap<RealmId, u32>,
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

    /// Remembers a broadcast that has ended: outcomes may still come, and bidders may ask for its close.
    pub(super) fn remember_ended(&mut self, broadcast: BroadcastId, own: &Announced) {
        let over = &mut self.market.over;
        over.push_back(Over {
            broadcast,
            rounds: own.rounds.iter().map(Signed::digest).collect(),
            close: own.close.clone(),
            answered: BTreeMap::new(),
        });
        if over.len() > BROADCASTS {
            over.pop_front();
        }
        let too_old = over.len().saturating_sub(limits::CLOSES);
        if let Some(too_old) = too_old.checked_sub(1).and_then(|at| over.get_mut(at)) {
            too_old.close = Arc::default();
        }
    }

    /// A bidder has not got the close of a broadcast, and asks for it: it gets what all got, whether
    /// its bid has come or not.
    pub(super) fn close_asked(&mut self, from: &Place, asked: &CloseAsked) {
        let Ok(bid) = asked.bid.peek() else { return };
        if bid.bidder.realm != from.realm || !self.has_signed(from, &asked.bid) {
            return;
        }
        let mut over = self.market.over.iter_mut();
        let over = over.find(|over| over.broadcast == bid.broadcast);
        let (Some(over), Some(realm)) = (over, from.realm) else {
            return;
        };
        let answered = over.answered.entry(realm).or_default();
        if !over.rounds.contains(&bid.announcement) || *answered >= limits::CLOSE_ASKS {
            return;
        }
        *answered = answered.saturating_add(1);
        let pages = over.close.clone();
        for page in pages.iter() {
            self.send_page(from, page, None);
        }
    }
}
