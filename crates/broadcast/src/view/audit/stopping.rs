//! Whether an announcer stopped to wait when the rule lets it, as far as a view shows it: which bids are good,
//! and which results count, it does not.

use realm_protocol::Timestamp;

use super::{Audit, State, Wrong};
use crate::{
    aggregate::suffices,
    announcer::{are_enough, over_after},
    log::{BidsClosed, CloseCause},
};

impl Audit {
    /// Whether bids may have been taken no more for the cause that is given.
    pub(super) fn check_cause(&self, it: &BidsClosed) -> Result<(), Wrong> {
        let rule = &self.announcement.rule;
        let counted = self.told.digests.len() as u64;
        let may_be = match it.cause {
            CloseCause::Window => it.at >= over_after(self.announced, self.announcement.window_ms),
            CloseCause::Enough => are_enough(rule, counted, counted),
            CloseCause::Full => counted >= rule.max_bids,
            CloseCause::Tallied | CloseCause::Cancelled => true,
        };
        if may_be { Ok(()) } else { Err(Wrong::Cause) }
    }

    /// Whether nothing more may have been waited for: there may be enough results, or the broadcast was
    /// cancelled.
    pub(super) fn may_stop(&self) -> bool {
        let done = self.slots.iter().filter(|slot| slot.state == State::Done);
        let (done, slots) = (done.count() as u64, self.slots.len() as u64);
        self.cancelled || suffices(&self.announcement.aggregation, done, slots)
    }

    /// Whether the time of the work was over.
    pub(super) fn is_work_over(&self, at: Timestamp) -> bool {
        let execution_ms = self.announcement.execution_ms;
        self.closed
            .is_some_and(|closed| at >= over_after(closed, execution_ms))
    }

    /// Whether a lease ends in the time of the work.
    pub(super) fn is_in_time(&self, at: Timestamp, lease_ms: u64) -> bool {
        let execution_ms = self.announcement.execution_ms;
        self.closed
            .is_some_and(|closed| at.plus(lease_ms) <= closed.plus(execution_ms))
    }
}
