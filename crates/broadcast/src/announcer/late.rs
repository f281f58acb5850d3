//! What holders say after the one outcome.

use realm_protocol::FailureCode;

use super::{Announcer, Fate};
use crate::log::{End, Unused};

impl Announcer {
    /// Whether somebody who was awarded work has not said yet what it charges and has used.
    pub fn is_owed(&self) -> bool {
        self.purse.is_owed()
    }

    /// Forgets the bids that had no award: once the broadcast has ended nothing comes of them any more.
    pub fn forget_losers(&mut self) {
        let Self { intake, fates, .. } = self;
        intake.keep_only(|bid| fates.contains_key(bid));
        self.ranking.ranked = Vec::new();
    }

    /// What the bidder's own word says of an award of which nothing was said so far: its lease was taken back, or it
    /// ran out while nobody could hear its holder.
    pub fn end_of_unused(&self, unused: &Unused) -> Option<End> {
        let outcome = unused.delivered.outcome.peek().ok()?;
        let award = (outcome.slot, outcome.epoch);
        let end = match self.fates.get(&outcome.bid)? {
            Fate::Won { slot, epoch, end } if (*slot, *epoch) == award => (*end)?,
            _ => return None,
        };
        let unsaid = match end {
            End::Withdrawn => true,
            End::Expired => self.was_unheard(award.0, award.1),
            _ => false,
        };
        let obeyed = outcome.failure == Some(FailureCode::Cancelled);
        self.worth_of(unused).filter(|_| unsaid && !obeyed)
    }

    /// What an outcome that is not used would have been worth.
    pub fn worth_of(&self, unused: &Unused) -> Option<End> {
        let outcome = unused.delivered.outcome.peek().ok()?;
        unused.worth(&self.intake.get(&outcome.bid)?.bid)
    }
}
