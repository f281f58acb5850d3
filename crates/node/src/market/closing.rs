//! The signed end of a broadcast on its way to all who have bid: after whoever asked has the outcome.

use std::{collections::BTreeMap, sync::Arc};

use realm_broadcast::close_pages;
use realm_protocol::{
    BroadcastId, Place, RealmId, Tick,
    broadcast::{Bid, Close, Verdict},
    records::Signed,
};

use super::{BROADCASTS, acquainting::Offered};
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
        let closing = Closing {
            pages: Arc::new(pages),
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
}
