//! Rounds: announced, bid for, and closed as soon as nothing more is to be waited for.

use realm_protocol::{
    Digest, Now, Place,
    broadcast::{Announcement, Bid},
    records::Signed,
};

use super::{Announcer, Output, Phase, Refusal};
use crate::{
    log::{Announced, BidsClosed, CloseCause, Counted},
    scope::FanOut,
};

impl Announcer {
    pub(super) fn announce(&mut self, round: u64, now: Now) {
        let at = now.wall;
        self.heard_before = false;
        self.record(Announced { round, at }, now);
        self.pass_on();
    }

    /// Bids are taken from now on for as long as the announcement says, unless it has been heard before.
    pub(super) fn announcement_left(&mut self, now: Now) {
        let window_ms = self.announcement().window_ms;
        if let Phase::Bidding { until, .. } = &mut self.phase
            && !self.heard_before
        {
            *until = now.tick.plus(window_ms);
        }
    }

    /// Sends the announcement of the current round to all neighbours that it is for.
    pub(super) fn pass_on(&mut self) {
        let Phase::Bidding { round, .. } = self.phase else {
            return;
        };
        let passes = self.plan.rounds.get(round).map(|it| &it.fan.passes);
        for pass in passes.into_iter().flatten() {
            self.outputs.push_back(Output::Announce {
                round: (round as u64).saturating_add(1),
                pass: pass.clone(),
            });
        }
    }

    pub(super) fn bid(
        &mut self,
        from: Place,
        signed: Signed<Bid>,
        (trust, permitted): (u64, bool),
        now: Now,
    ) {
        let verdict = match self.phase {
            Phase::Bidding { until, .. } if now.tick < until => {
                self.check_bid(&from, &signed, permitted)
            }
            _ => Err(Refusal::Late),
        };
        match verdict {
            Ok(()) => {
                let counted = Counted {
                    bid: signed,
                    trust,
                    at: now.wall,
                };
                self.record(counted, now);
            }
            Err(why) => self.outputs.push_back(Output::Refuse {
                to: from,
                bid: signed.digest(),
                why,
            }),
        }
        self.close_if_complete(now);
    }

    /// Whether a bid for one of the rounds so far counts.
    pub(super) fn check_bid(
        &mut self,
        from: &Place,
        signed: &Signed<Bid>,
        permitted: bool,
    ) -> Result<(), Refusal> {
        let Phase::Bidding { round, .. } = self.phase else {
            return Err(Refusal::Late);
        };
        let rounds = self.digests.iter().copied().zip(&self.rounds);
        let open: Vec<(Digest, &Announcement)> = rounds.take(round.saturating_add(1)).collect();
        self.intake.check(&open, from, signed, permitted)
    }

    /// Ends the bidding as soon as nothing more is to be waited for.
    pub(super) fn close_if_complete(&mut self, now: Now) {
        let Phase::Bidding { .. } = self.phase else {
            return;
        };
        let tallied = self.tallying.is_met(|side| self.intake.received(side));
        if self.has_enough_bids() {
            self.close_bids(CloseCause::Enough, now);
        } else if self.is_full() {
            self.close_bids(CloseCause::Full, now);
        } else if tallied {
            self.close_bids(CloseCause::Tallied, now);
        }
    }

    /// Ends the round: with the second where there are too few bids and may be one, otherwise for
    /// good.
    pub(super) fn close_bids(&mut self, cause: CloseCause, now: Now) {
        let Phase::Bidding { round, .. } = self.phase else {
            return;
        };
        let next = round.saturating_add(1);
        if self.has_too_few_bids() && cause != CloseCause::Cancelled && next < self.rounds.len() {
            if self.widening.replace(cause).is_none() {
                let round = (next as u64).saturating_add(1);
                self.outputs.push_back(Output::FanOut { round });
            }
            return;
        }
        self.widening = None;
        // What was told before a restart is not written down, and who told it not to be accused.
        let heard = match self.heard_before {
            true => Vec::new(),
            false => self.tallying.heard(|side| self.intake.received(side)),
        };
        let closed = BidsClosed {
            cause,
            tally: self.tallying.tally(),
            at: now.wall,
            heard: Some(heard).filter(|heard| !heard.is_empty()),
        };
        self.record(closed, now);
        if cause != CloseCause::Cancelled {
            self.go_on(now);
        }
    }

    /// Begins the next round, unless what has come since is enough.
    pub(super) fn fanned_out(&mut self, fan: FanOut, now: Now) {
        let (Phase::Bidding { round, .. }, Some(cause)) = (&self.phase, self.widening.take())
        else {
            return;
        };
        let next = round.saturating_add(1);
        if !self.has_too_few_bids() {
            return self.close_bids(cause, now);
        }
        if let Some(round) = self.plan.rounds.get_mut(next) {
            round.fan = fan;
        }
        self.announce((next as u64).saturating_add(1), now);
        self.close_if_complete(now);
    }
}
