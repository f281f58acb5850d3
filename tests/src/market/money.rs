//! What a broadcast may cost its announcer, and what an agent may be paid, checked anew from what
//! announcers have written down: AWARD-7 and AWARD-9.

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::log::{Answered, End, Ended, Entry, Unused};
use realm_protocol::{
    Digest, LoopId, RealmId,
    broadcast::{Bid, ConfirmAnswer, LeaseEnd, Outcome},
};

use super::ledger::Ledger;

/// What may have to be paid for awards, by slot and epoch.
type Stakes = BTreeMap<(u64, u64), u64>;

impl Ledger {
    /// Where what awards may cost, and what was charged for others, came to more than there was.
    pub(super) fn overspent(&self) -> Option<String> {
        let Some(Entry::Planned(planned)) = self.entries.first() else {
            return None;
        };
        let budget = planned.budget?;
        let most = budget.money?.micros;
        let counted = self.counted();
        let bid = |digest: Digest| counted.iter().find(|(it, ..)| *it == digest);
        let mut stakes = Stakes::new();
        let mut told = BTreeSet::new();
        for entry in &self.entries {
            match entry {
                Entry::Awarded(it) => {
                    let price = bid(it.bid).map_or(0, |(_, bid, _): &(_, Bid, _)| bid.micros());
                    let given = it.budget.and_then(|given| given.money);
                    if given.map(|given| given.micros) != Some(price) {
                        return Some(format!("an award without its price: {it:?}"));
                    }
                    stakes.insert((it.slot, it.epoch), price);
                }
                Entry::Answered(it) if !reserves(it) => drop(stakes.remove(&(it.slot, it.epoch))),
                Entry::Ended(it) => {
                    if it.delivered.is_some() {
                        told.insert((it.slot, it.epoch));
                    }
                    end(&mut stakes, it);
                }
                Entry::Unused(it) => {
                    let outcome = it.delivered.outcome.peek().ok()?;
                    // What ended the lease has said it.
                    if told.insert((outcome.slot, outcome.epoch)) {
                        let price = bid(outcome.bid).map_or(0, |(_, bid, _)| bid.micros());
                        settle(&mut stakes, &outcome, is_as_agreed(it, &outcome, price));
                    }
                }
                _ => {}
            }
            let sum: u64 = stakes.values().sum();
            if sum > most {
                return Some(format!("{sum} of {most} at stake after {entry:?}"));
            }
        }
        None
    }
}

impl Ledger {
    /// The price of every result that counted, and whose agent gave it.
    pub(super) fn paid(&self) -> impl Iterator<Item = ((RealmId, LoopId), u64)> {
        let results = self.entries.iter().filter_map(|entry| match entry {
            Entry::Ended(it) if it.end == End::Result => it.delivered.as_ref(),
            _ => None,
        });
        results.filter_map(|it| {
            let of = it.outcome.peek().ok()?.bid;
            let mut bids = self.counted().iter();
            let (_, bid, _) = bids.find(|(bid, ..)| *bid == of)?;
            Some(((bid.bidder.realm?, bid.agent.clone()), bid.micros()))
        })
    }
}

fn reserves(it: &Answered) -> bool {
    let confirm = it.confirm.as_ref().and_then(|it| it.peek().ok());
    confirm.is_some_and(|it| it.answer == ConfirmAnswer::Reserved)
}

/// Whether a late outcome is a result of its digest, as the contract says and for no more than the bid.
fn is_as_agreed(it: &Unused, outcome: &Outcome, price: u64) -> bool {
    let output = it.delivered.output.as_ref();
    let charged = outcome.charged.as_ref();
    let agreed =
        charged.is_none_or(|it| it.micros == 0 || it.currency == "EUR" && it.micros <= price);
    let done = outcome.end == LeaseEnd::Done && it.mismatched != Some(true);
    done && agreed && output.is_some() && outcome.output == output.map(|it| Digest::of(&[it]))
}

fn end(stakes: &mut Stakes, it: &Ended) {
    let outcome = it.delivered.as_ref().and_then(|it| it.outcome.peek().ok());
    match outcome {
        Some(outcome) => settle(stakes, &outcome, it.end == End::Result),
        // Until more is known a lease that has run out costs what it may.
        None if it.end == End::Expired => {}
        None => drop(stakes.remove(&(it.slot, it.epoch))),
    }
}

/// Whoever charges in another currency counts for all that it may; only for a result is anything paid.
fn settle(stakes: &mut Stakes, outcome: &Outcome, paid: bool) {
    if let Some(stake) = stakes.get_mut(&(outcome.slot, outcome.epoch)) {
        let charged = outcome.charged.as_ref();
        let charged = charged.map_or(0, |it| match it.currency.as_str() {
            "EUR" => it.micros,
            _ => u64::MAX,
        });
        *stake = if paid { charged.min(*stake) } else { 0 };
    }
}
