//! Whether an announcer stopped to wait when the rule lets it: for bids, for results, and for somebody to
//! take what is open.

use realm_protocol::{Digest, Timestamp, limits};

use super::{Audit, Phase, Wrong};
use crate::{
    announcer::Slot,
    log::{BidsClosed, CloseCause, SideHeard},
};

/// What is taken off a time at the least, milliseconds (TRANSCRIPT-16).
const SET_MS: u64 = 10;

/// When what began then and lasts so long was over at the earliest: less a hundredth, because the clock that
/// entries are dated by is set now and then.
pub(crate) fn over_after(began: Timestamp, lasts_ms: u64) -> Timestamp {
    let set_ms = SET_MS.max(lasts_ms / 100);
    began.plus(lasts_ms.saturating_sub(set_ms))
}

impl Audit {
    /// Bids are taken no more for the cause that is given. What tallies said, and that the broadcast was taken back,
    /// is the announcer's own word.
    pub(super) fn bids_closed(&mut self, it: &BidsClosed) -> Result<(), Wrong> {
        if !self.is_open() {
            return Err(Wrong::Close);
        }
        let announcer = &self.announcer;
        let window_ms = announcer.announcement().window_ms;
        let is_right = match it.cause {
            CloseCause::Window => it.at >= over_after(self.announced, window_ms),
            CloseCause::Enough => announcer.has_enough_bids(),
            CloseCause::Full => announcer.is_full(),
            CloseCause::Tallied => it.heard.iter().flatten().all(SideHeard::is_met),
            CloseCause::Cancelled => true,
        };
        self.cut = it.cause == CloseCause::Cancelled;
        if is_right { Ok(()) } else { Err(Wrong::Cause) }
    }

    /// Whether nothing more is waited for: there are enough results, or the broadcast was cancelled.
    pub(super) fn stops(&self) -> bool {
        matches!(self.announcer.phase, Phase::Withdrawing { .. }) || self.announcer.has_enough()
    }

    /// Whether the time of the work was over.
    pub(super) fn is_work_over(&self, at: Timestamp) -> bool {
        let execution_ms = self.announcer.announcement().execution_ms;
        at >= over_after(self.announcer.closed, execution_ms)
    }

    /// Whether a lease ends in the time of the work.
    pub(super) fn is_in_time(&self, at: Timestamp, lease_ms: u64) -> bool {
        let execution_ms = self.announcer.announcement().execution_ms;
        at.plus(lease_ms) <= self.announcer.closed.plus(execution_ms)
    }

    /// Whether a slot's lease was over, and LEASE-4's time after it.
    pub(super) fn is_over(&self, slot: u64, at: Timestamp) -> bool {
        let ends = self.leased.get(&slot).map(|(began, lease_ms)| {
            over_after(*began, lease_ms.saturating_add(limits::LEASE_GRACE_MS))
        });
        ends.is_some_and(|ends| at >= ends)
    }

    /// Whether some slot could be given to somebody, and is to be before the broadcast ends.
    pub(super) fn owes_an_award(&self, at: Timestamp) -> bool {
        let announcer = &self.announcer;
        let announcement = announcer.announcement();
        let awards_ms = announcement.award_ms.min(announcement.execution_ms);
        let ends = over_after(announcer.closed, awards_ms);
        let takes = |bid: &Digest| {
            let entrant = announcer.intake.get(bid);
            let holds = entrant.is_some_and(|it| at < over_after(it.at, it.bid.expires_ms));
            holds && announcer.afford(bid).is_some()
        };
        !self.stops()
            && at < ends
            && announcer.slots.iter().any(Slot::waits)
            && announcer.next_bid(at).as_ref().is_some_and(takes)
    }

    /// Results are made one when nothing more is to be awarded, and what comes of money until that is done changes
    /// nothing.
    pub(super) fn begins_to_aggregate(&mut self, at: Timestamp) {
        let announcer = &self.announcer;
        let waits = announcer.slots.iter().any(Slot::is_active);
        self.aggregates |= !waits && !self.owes_an_award(at);
    }
}
