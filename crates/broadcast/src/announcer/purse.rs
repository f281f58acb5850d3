//! What the awards of a broadcast may use together: set aside before each leaves, counted once it is
//! known.

use std::collections::BTreeMap;

use realm_protocol::{
    broadcast::{LeaseEnd, Outcome, Price},
    budget::{Amount, Budget, Currency, Spend},
};

/// A slot and an epoch.
type Award = (u64, u64);

/// What all awards of a broadcast may use, and what counts of each.
#[derive(Clone, Debug)]
pub(super) struct Purse {
    budget: Budget,
    awards: BTreeMap<Award, Share>,
}

/// What one award was given.
#[derive(Clone, Debug)]
struct Share {
    given: Budget,
    /// The most that may be charged for it.
    price: Amount,
    /// What counts of it: all that was set aside until more is known.
    counts: Spend,
    /// Whether its holder has said what counts.
    said: bool,
}

impl Purse {
    pub(super) fn new(budget: Option<Budget>) -> Self {
        Self {
            budget: budget.unwrap_or_default(),
            awards: BTreeMap::new(),
        }
    }

    /// What counts as used of all awards.
    pub(super) fn spent(&self) -> Spend {
        let counts = self.awards.values().map(|share| &share.counts);
        counts.fold(Spend::default(), Spend::plus)
    }

    /// Whether of some award it is not known yet what counts.
    pub(super) fn is_owed(&self) -> bool {
        self.awards.values().any(|share| !share.said)
    }

    pub(super) fn left(&self) -> Budget {
        self.budget.less(&self.spent())
    }

    /// What an award at this price is given where so many slots wait for theirs; none where what is
    /// left does not bear the price.
    pub(super) fn share(&self, price: Option<&Price>, waiting: u64) -> Option<Budget> {
        let left = self.left();
        let price = amount(price);
        left.check(&of_money(price)).ok()?;
        Some(Budget {
            money: left.money.map(|left| Amount {
                micros: price.micros,
                ..left
            }),
            ..left.share(waiting)
        })
    }

    /// What an award was given.
    pub(super) fn given(&self, award: Award) -> Option<Budget> {
        self.awards.get(&award).map(|share| share.given)
    }

    /// Sets aside what an award is given, and the price of its bid.
    pub(super) fn set_aside(&mut self, award: Award, price: Option<&Price>, given: Budget) {
        let price = amount(price);
        let counts = Spend {
            money: of_money(price).money,
            ..given.whole()
        };
        let share = Share {
            given,
            price,
            counts,
            said: false,
        };
        self.awards.insert(award, share);
    }

    /// Nothing of an award was begun: all that was set aside for it returns.
    pub(super) fn release(&mut self, award: Award) {
        self.awards.remove(&award);
    }

    /// A lease was taken back: nothing may be charged for it. What its holder has used nobody knows.
    pub(super) fn withdraw(&mut self, award: Award) {
        if let Some(share) = self.awards.get_mut(&award) {
            share.price.micros = 0;
            share.counts.money.clear();
        }
    }

    /// Counts what a holder says that no lease waits for, unless the outcome that ended the lease has
    /// said it. Only what would have been a result is paid.
    pub(super) fn settle_unused(&mut self, outcome: &Outcome, paid: bool) {
        let award = (outcome.slot, outcome.epoch);
        if self.awards.get(&award).is_some_and(|share| !share.said) {
            self.settle(outcome, paid);
        }
    }

    /// Counts what a holder says, at most what it was given; the rest returns. Only for a result is it paid.
    pub(super) fn settle(&mut self, outcome: &Outcome, paid: bool) {
        let award = (outcome.slot, outcome.epoch);
        if outcome.end == LeaseEnd::NotBegun {
            return self.release(award);
        }
        let Some(share) = self.awards.get_mut(&award) else {
            return;
        };
        let said = outcome.spent.as_ref().filter(|it| it.is_well_formed());
        let used = said.map_or_else(|| share.given.whole(), |said| share.given.clamped(said));
        let charged = amount(outcome.charged.as_ref());
        let agreed = charged.micros == 0 || charged.currency == share.price.currency;
        let owed = match (paid, agreed) {
            (false, _) => 0,
            (true, true) => charged.micros.min(share.price.micros),
            (true, false) => share.price.micros,
        };
        let owed = Amount {
            micros: owed,
            ..share.price
        };
        share.said = true;
        share.counts = Spend {
            tokens: used.tokens,
            calls: used.calls,
            ..of_money(owed)
        };
    }
}

/// A price as an amount; nothing where there is none.
fn amount(price: Option<&Price>) -> Amount {
    let nothing = Amount {
        currency: Currency::NONE,
        micros: 0,
    };
    price.map_or(nothing, Amount::from)
}

fn of_money(amount: Amount) -> Spend {
    Spend {
        money: Some(amount)
            .filter(|it| it.micros > 0)
            .into_iter()
            .collect(),
        ..Spend::default()
    }
}

#[cfg(test)]
mod tests {
    use realm_protocol::{Digest, Timestamp};

    use super::*;
    use crate::fixtures;

    #[test]
    fn only_results_are_paid_and_tokens_count_whatever_they_led_to() {
        let euros = |micros| Price {
            currency: "EUR".to_owned(),
            micros,
        };
        let told = |end, charged| Outcome {
            broadcast: fixtures::announcement().broadcast,
            slot: 0,
            epoch: 1,
            bid: Digest::new([1; 32]),
            end,
            output: None,
            failure: None,
            confidence: None,
            charged: Some(charged),
            run: None,
            created: Timestamp::from_millis(0),
            spent: Some(Spend {
                tokens: 7,
                ..Spend::default()
            }),
            below: None,
        };
        use LeaseEnd::{Done, Failed};
        // What ended the lease: whether it is used, and what is owed for it.
        for (end, used, charged, owed) in [
            (Done, true, 60, 60),
            (Done, true, 160, 100),
            (Done, false, 160, 0),
            (Done, false, 60, 0),
            (Failed, false, 100, 0),
        ] {
            let mut purse = Purse::new(Some(Budget {
                money: Some(amount(Some(&euros(100)))),
                tokens: Some(10),
                calls: None,
            }));
            let price = euros(100);
            let given = purse.share(Some(&price), 1).unwrap();
            purse.set_aside((0, 1), Some(&price), given);
            purse.settle(&told(end, euros(charged)), used);
            let left = purse.left();
            let money = left.money.map(|money| money.micros);
            assert_eq!((money, left.tokens), (Some(100 - owed), Some(3)));
        }
        // What comes after a lease that ran out.
        for (end, paid, owed) in [(Done, true, 60), (Done, false, 0), (Failed, false, 0)] {
            let mut purse = Purse::new(None);
            purse.set_aside((0, 1), Some(&euros(100)), Budget::default());
            purse.settle_unused(&told(end, euros(60)), paid);
            let spent: u64 = purse.spent().money.iter().map(|it| it.micros).sum();
            assert_eq!(spent, owed);
        }
    }
}
