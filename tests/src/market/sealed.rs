//! What the wires show of broadcasts though only two realms can read it: who was sent what and when, and
//! how long it was. In sessions that is all there is to see, and enough to find an input that leaves
//! before its lease: nothing that is said in a broadcast is as long as the input, but the input.

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::log::Entry;
use realm_protocol::{CallId, Kind, RealmId, Timestamp};

use super::ledger::Ledger;
use crate::{World, world::EPOCH_MS};

/// Bytes that an input is made longer by where messages cannot be read: more than bids, awards and closes
/// of so many bidders have.
pub(super) const LONG: usize = 10 * 1024;

/// AWARD-2, LEASE-1 and ANNOUNCE-5 as sealed messages show them; everything that does not hold.
pub(super) fn broken(world: &World, ledgers: &BTreeMap<CallId, &Ledger>) -> Vec<String> {
    let mut broken = Vec::new();
    // Who has confirmed something to the announcer of a broadcast, and who has had a lease of it.
    let mut confirmed: BTreeSet<(CallId, RealmId)> = BTreeSet::new();
    let mut leased: BTreeSet<(CallId, RealmId)> = BTreeSet::new();
    for it in &world.post.passed {
        let header = it.header();
        let (call, kind) = (header.call, header.kind);
        let (Some(ledger), Some(from), Some(to)) = (
            ledgers.get(&call),
            header.source.realm,
            header.destination.realm,
        ) else {
            continue;
        };
        let by_announcer = from == world.hosts[ledger.host.0].realm;
        if it.arrived {
            match kind {
                Kind::Confirm => drop(confirmed.insert((call, from))),
                Kind::Lease => drop(leased.insert((call, to))),
                _ => {}
            }
            continue;
        }
        let (rightly, may_show_it) = match kind {
            Kind::Lease if by_announcer => {
                let rightly = confirmed.contains(&(call, to)) && ledger.leased_by(to, at(it.at));
                (rightly, true)
            }
            // A close is as long as there are bids.
            Kind::Close if by_announcer => (true, true),
            Kind::Award if by_announcer => (ledger.awarded_by(to, at(it.at)), false),
            _ => (true, !by_announcer && leased.contains(&(call, from))),
        };
        if !rightly {
            broken.push(format!("{call}: a {kind:?} of nothing, at {}", it.at));
        }
        let input = ledger.run.input.as_deref().map_or(0, <[u8]>::len);
        if input > LONG && it.body() >= input && !may_show_it {
            let long = it.body();
            broken.push(format!("{call}: a {kind:?} of {long} bytes, at {}", it.at));
        }
    }
    broken
}

fn at(elapsed_ms: u64) -> Timestamp {
    Timestamp::from_millis(EPOCH_MS + elapsed_ms)
}

impl Ledger {
    /// Whether a realm's bid had an award by then.
    fn awarded_by(&self, realm: RealmId, then: Timestamp) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Awarded(it) if it.at <= then => {
                let mut bids = self.counted().iter();
                let bid = bids.find(|(bid, ..)| *bid == it.bid);
                bid.is_some_and(|(_, bid, _)| bid.bidder.realm == Some(realm))
            }
            _ => false,
        })
    }

    /// Whether a realm had a lease by then.
    fn leased_by(&self, realm: RealmId, then: Timestamp) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Leased(it) => it.at <= then && it.holder.realm == Some(realm),
            _ => false,
        })
    }
}
