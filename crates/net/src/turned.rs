//! Counts of the connections that were turned away or cut, by reason.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{DownReason, behaviour::Refusal};

/// What a net has turned away and cut since it started, by reason. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Turned(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Turned {
    /// Gives the counts; a reason that never was is absent.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives the number of connections that were not let in, at any limit.
    pub(crate) fn refused(&self) -> u64 {
        let counts = self.counts();
        let counts = Refusal::NAMES.iter().filter_map(|name| counts.get(name));
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts a connection that is not let in.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.add(refusal.name());
    }

    /// Counts an inbound handshake that failed or took too long.
    pub(crate) fn fail_handshake(&self) {
        self.add("handshake");
    }

    /// Counts a link that the peer's behaviour, or this side's bounds, have ended.
    pub(crate) fn cut(&self, reason: DownReason) {
        let name = match reason {
            DownReason::NoLanes => "noLanes",
            DownReason::NotAdmitted => "notAdmitted",
            DownReason::FrameTooLong(_) => "frameTooLong",
            DownReason::FrameTimeout => "frameTimeout",
            DownReason::Stalled => "stalled",
            DownReason::SecondLane => "secondLane",
            DownReason::TooManyStrangers => "tooManyStrangers",
            DownReason::Memory => "shed",
            DownReason::ClosedHere
            | DownReason::ClosedByPeer
            | DownReason::Lost(_)
            | DownReason::Panicked
            | DownReason::Restarted => return,
        };
        self.add(name);
    }

    fn add(&self, name: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }
}
