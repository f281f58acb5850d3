//! What this realm makes of bidders by what they did with its work.

use std::collections::BTreeMap;

use realm_broadcast::{
    Trust,
    log::{End, Entry},
    trust::{Conduct, Known},
};
use realm_crypto::VerifiedChain;
use realm_protocol::{
    BroadcastId, Place, RealmId, Timestamp, cbor, journal::Table, records::Chain,
};

use crate::{Node, state};

/// What this realm makes of one bidder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidderView {
    /// The bidder.
    pub realm: RealmId,
    /// How it is trusted now, in millionths; half is what nobody is known by.
    pub trust: u64,
    /// What it did: what, when, and the score after it.
    pub events: Vec<(&'static str, Timestamp, u64)>,
    /// How realms below it are trusted of which nothing is known; none where none below has done anything.
    pub newcomers: Option<u64>,
}

impl Node {
    /// How a bidder is trusted now, in millionths.
    pub(super) fn trust_of(&self, bidder: &Place) -> u64 {
        let realm = bidder.realm.unwrap_or_else(|| self.me.realm());
        let above = self.above(bidder);
        self.market.trust.of(&realm, &above, self.wall())
    }

    /// The realms above a bidder, as its chain has them.
    fn above(&self, bidder: &Place) -> Vec<RealmId> {
        let chain = self.known_chain(bidder).map(VerifiedChain::chain);
        chain
            .and_then(family)
            .map_or_else(Vec::new, |(_, above)| above)
    }

    /// Whether this realm is that one or stands below it: nobody in its own family is a newcomer for that.
    fn is_below(&self, realm: RealmId) -> bool {
        let above = self.me.chain().map(VerifiedChain::ancestors);
        let mut above = above.unwrap_or_default().iter();
        realm == self.me.realm() || above.any(|it| it.realm == realm)
    }

    /// Remembers who holds a slot, and what its end says of them.
    pub(super) fn judge_bidder(&mut self, broadcast: BroadcastId, entry: &Entry) {
        let Some(own) = self.market.own_mut(broadcast) else {
            return;
        };
        let (holder, conduct) = match entry {
            Entry::Leased(it) => {
                own.holders.insert(it.slot, it.holder.clone());
                if it.answers == 0 {
                    own.began.insert(it.slot, it.at);
                }
                return;
            }
            // Whoever was told to stop says so, and has done what it was told.
            Entry::Ended(_) | Entry::Unused(_) if own.announcer.is_taken_back() => return,
            Entry::Ended(it) => {
                // Of whom nobody could hear, silence says nothing, and neither does the time it took.
                let heard = !own.announcer.was_unheard(it.slot, it.epoch);
                let began = own.began.get(&it.slot).copied().unwrap_or(it.at);
                let took_ms = it.at.since(began);
                let bid_ms = own.announcer.bid_ms_of(it.slot).filter(|_| heard);
                let conduct = Conduct::of(it.end).filter(|_| heard || it.end != End::Expired);
                (
                    own.holders.get(&it.slot).cloned(),
                    conduct.map(|it| it.timed(took_ms, bid_ms.unwrap_or(u64::MAX))),
                )
            }
            Entry::Unused(it) => {
                let end = own.announcer.end_of_unused(it);
                let outcome = it.delivered.outcome.peek().ok();
                let holder = outcome.and_then(|outcome| own.holders.get(&outcome.slot).cloned());
                (holder, end.and_then(Conduct::of))
            }
            _ => return,
        };
        let realm = holder.as_ref().and_then(|holder| holder.realm);
        if let (Some(holder), Some(realm), Some(conduct)) = (holder, realm, conduct) {
            // The place may be another's by now: it stands for the family that it bid from.
            let bid_from = own.families.get(&realm).cloned();
            let mut above = bid_from.unwrap_or_else(|| self.above(&holder));
            above.retain(|realm| !self.is_below(*realm));
            let trust = &mut self.market.trust;
            let forgotten = trust.note((realm, &above), conduct, self.now.wall);
            self.forget_bidders(forgotten);
            for realm in above.into_iter().chain([realm]) {
                if let Some(known) = self.market.trust.explain(&realm) {
                    let row = state::write(known);
                    self.put(Table::Bidders, realm.as_bytes(), row);
                }
            }
        }
    }

    fn forget_bidders(&mut self, forgotten: Vec<RealmId>) {
        for realm in forgotten {
            self.delete(Table::Bidders, realm.as_bytes());
        }
    }

    /// Goes on with what was made of bidders before a restart.
    pub(crate) fn recover_trust(&mut self, known: Vec<(RealmId, Known)>) {
        let (trust, forgotten) = Trust::recover(known);
        self.market.trust = trust;
        self.forget_bidders(forgotten);
    }

    /// What this realm makes of every bidder that it knows, the least trusted first.
    pub fn bidders(&self) -> Vec<BidderView> {
        let now = self.wall();
        let trust = &self.market.trust;
        let known = trust.iter().map(|(realm, known)| BidderView {
            realm: *realm,
            trust: trust.of(realm, &[], now),
            events: events(known),
            newcomers: known.newcomers(now),
        });
        let mut bidders: Vec<BidderView> = known.collect();
        bidders.sort_by_key(|bidder| bidder.trust);
        bidders
    }
}

/// A realm and those above it, as its chain has them, the root first.
pub(super) fn family(chain: &Chain) -> Option<(RealmId, Vec<RealmId>)> {
    let realms = chain.links.iter().map(|link| link.inception.realm_id());
    let mut realms: Vec<RealmId> = realms.collect();
    Some((realms.pop()?, realms))
}

/// The families of those who proved themselves in a broadcast, as each first did.
pub(super) fn families(entries: &[Entry]) -> BTreeMap<RealmId, Vec<RealmId>> {
    let proved = entries.iter().filter_map(|entry| match entry {
        Entry::Proved(it) => family(&cbor::decode(&it.chain).ok()?),
        _ => None,
    });
    let mut families = BTreeMap::new();
    for (realm, above) in proved {
        families.entry(realm).or_insert(above);
    }
    families
}

fn events(known: &Known) -> Vec<(&'static str, Timestamp, u64)> {
    let events = known.events.iter();
    events
        .map(|event| (event.conduct.name(), event.at, event.score))
        .collect()
}
