//! Which bids count and how they stand, worked out anew from `protocol/spec/broadcast.md` alone.

use std::collections::BTreeMap;

use realm_protocol::{
    Digest, LoopId, Place, RealmId, RealmPath,
    broadcast::{Announcement, Bid, Rule, Selection},
};

/// BID-2 to BID-5: the bids that count of those that come in this order, all in time. Signatures are
/// checked before.
pub(super) fn counted(
    announcements: &[(Digest, Announcement)],
    most: u64,
    coming: &[(Place, Digest, Bid)],
) -> Vec<Digest> {
    let (_, first) = &announcements[0];
    let home = &first.announcer;
    let mut counted: Vec<(Digest, &Bid)> = Vec::new();
    let mut agents: BTreeMap<(RealmId, LoopId), Digest> = BTreeMap::new();
    let round = |bid: &Bid| {
        let mut rounds = announcements.iter();
        let named = rounds.find(|(it, _)| *it == bid.announcement);
        named.map(|(_, announcement)| announcement.round)
    };
    for (from, digest, bid) in coming {
        let named = announcements.iter().any(|(it, _)| *it == bid.announcement);
        let (Some(realm), true) = (bid.bidder.realm, named) else {
            continue;
        };
        let own = bid.bidder.root == from.root
            && bid.bidder.path == from.path
            && from.realm == Some(realm)
            && bid.bidder.node == from.node;
        if !own || bid.broadcast != first.broadcast || !keeps_to(first, bid) {
            continue;
        }
        let agent = (realm, bid.agent.clone());
        if let Some(earlier) = agents.get(&agent).copied() {
            let earlier = counted.iter().position(|(it, _)| *it == earlier);
            let earlier = earlier.expect("it counts");
            if round(bid) > round(counted[earlier].1) {
                counted.remove(earlier);
                counted.push((*digest, bid));
                agents.insert(agent, *digest);
            }
            continue;
        }
        let full = counted.len() as u64 >= most;
        if !full && has_room(home, &first.rule, &counted, bid) {
            counted.push((*digest, bid));
            agents.insert(agent, *digest);
        }
    }
    counted.into_iter().map(|(digest, _)| digest).collect()
}

fn keeps_to(announcement: &Announcement, bid: &Bid) -> bool {
    let asked = &announcement.limits;
    let micros = bid.price.as_ref().map_or(0, |price| price.micros);
    let currency = bid.price.as_ref().map(|price| &price.currency);
    bid.confidence <= 1_000_000
        && bid.load <= 1_000_000
        && (1..=60_000).contains(&bid.expires_ms)
        && (currency.is_none() || currency == asked.currency.as_ref())
        && asked.price.is_none_or(|most| micros <= most)
        && asked.time_ms.is_none_or(|most| bid.time_ms <= most)
        && asked.confidence.is_none_or(|least| bid.confidence >= least)
}

/// BID-5: room at the bidder and at every realm above it.
fn has_room(home: &Place, rule: &Rule, counted: &[(Digest, &Bid)], bid: &Bid) -> bool {
    let depth = bid.bidder.path.depth();
    (0..=depth).all(|level| {
        let labels: Vec<_> = bid.bidder.path.labels().take(level).collect();
        let below = |root: RealmId, path: &RealmPath| {
            root == bid.bidder.root && path.labels().take(level).eq(labels.iter().copied())
        };
        let most = if bid.bidder.root == home.root {
            if below(home.root, &home.path) && home.path.depth() >= level {
                return true;
            }
            match rule.per_realm {
                None => return true,
                Some(most) => most,
            }
        } else {
            let share = [64, 32, 16].get(level).copied().unwrap_or(8);
            share.min((rule.max_bids / 2).max(rule.min_bids).max(1))
        };
        let there = counted.iter().filter(|(_, it)| {
            it.bidder.path.depth() >= level && below(it.bidder.root, &it.bidder.path)
        });
        (there.count() as u64) < most
    })
}

/// RANK-1: the Merkle tree hash of RFC 9162, section 2.1.1.
pub(super) fn root(digests: &[Digest]) -> Digest {
    let mut ascending = digests.to_vec();
    ascending.sort();
    tree(&ascending)
}

fn tree(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => Digest::of(&[&[0], leaf.as_bytes()]),
        _ => {
            let left = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(left);
            Digest::of(&[&[1], tree(left).as_bytes(), tree(right).as_bytes()])
        }
    }
}

/// RANK-2 to RANK-5: the bids, given in the order in which they counted, in rank order. Trust has
/// no weight.
pub(super) fn ranked(
    announcement: &Announcement,
    secret: &[u8; 32],
    root: Digest,
    bids: &[(Digest, Bid)],
) -> Vec<Digest> {
    let rule = &announcement.rule;
    let mut standing: Vec<(Vec<u128>, Digest, Digest)> = Vec::new();
    for (arrival, (digest, bid)) in bids.iter().enumerate() {
        let micros = bid.price.as_ref().map_or(0, |price| price.micros);
        let key: Vec<u128> = match rule.selection {
            Selection::First => vec![arrival as u128],
            Selection::Best | Selection::All => vec![
                u128::from(micros),
                u128::from(bid.time_ms),
                u128::from(u64::MAX - bid.confidence),
            ],
            Selection::Random => vec![],
            Selection::Weighted => {
                let weights = rule.weights.expect("weights");
                let longest = announcement.limits.time_ms;
                let longest = longest.unwrap_or(announcement.execution_ms);
                let most = announcement.limits.price.unwrap_or(0);
                let score = u128::from(weights.price) * below(micros, most)
                    + u128::from(weights.time) * below(bid.time_ms, longest)
                    + u128::from(weights.confidence) * u128::from(bid.confidence);
                vec![u128::MAX - score]
            }
        };
        let tie = Digest::of(&[secret, root.as_bytes(), digest.as_bytes()]);
        standing.push((key, tie, *digest));
    }
    standing.sort();
    standing.into_iter().map(|(_, _, digest)| digest).collect()
}

/// 1,000,000 less the part of a ceiling that a value is, at least 0.
fn below(value: u64, ceiling: u64) -> u128 {
    match (value, ceiling) {
        (0, 0) => 1_000_000,
        (_, 0) => 0,
        _ => {
            let part = u128::from(value) * 1_000_000 / u128::from(ceiling);
            1_000_000_u128.saturating_sub(part)
        }
    }
}
