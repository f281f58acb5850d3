//! What the events of a run come to, for the receipt of its call: counted as they are written down. After a restart those
//! from before it are read again.

use std::collections::VecDeque;

use realm_protocol::{Digest, RunId, limits, trace::TraceRoot};

use super::{ServedRun, Traces};
use crate::{Effect, LookId, Node};

/// The events of a run, as far as they are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Nobody is told what they come to.
    Not,
    /// All of them.
    All(TraceRoot),
    /// Those since a restart, by their digests: so many before it have yet to be read.
    Since(u64, Vec<Digest>),
}

impl Counted {
    /// What all of them come to.
    pub(crate) fn root(&self) -> Option<TraceRoot> {
        match self {
            Self::All(root) => Some(root.clone()),
            Self::Not | Self::Since(..) => None,
        }
    }

    /// Counts one more. Of a run that is too long to be shown nobody is told.
    pub(crate) fn push(&mut self, event: Digest) {
        match self {
            Self::All(root) => root.push(event),
            Self::Since(_, since) if since.len() < limits::TRACE_EVENTS => since.push(event),
            Self::Since(..) => *self = Self::Not,
            Self::Not => {}
        }
    }
}

/// Runs that go on after a restart, whose events are read one run after the other.
#[derive(Debug, Default)]
pub(crate) struct Recounts {
    waiting: VecDeque<RunId>,
    reading: Option<(LookId, RunId)>,
}

impl Traces {
    /// What the first events of a run come to; none where it is too long to be shown.
    fn root_of(&self, found: &ServedRun, first: u64) -> Option<TraceRoot> {
        let first = usize::try_from(first).ok()?;
        let events = found.events.get(..first).filter(|_| found.whole)?;
        let mut root = TraceRoot::empty();
        for event in events {
            root.push(self.digest_of(event));
        }
        Some(root)
    }
}

impl Node {
    /// Counts the events of a run that goes on after a restart from the first on.
    pub(crate) fn count_again(&mut self, run: RunId) {
        self.traces.recounts.waiting.push_back(run);
        self.read_next_again();
    }

    fn read_next_again(&mut self) {
        while self.traces.recounts.reading.is_none()
            && let Some(run) = self.traces.recounts.waiting.pop_front()
        {
            let Some(served) = self.serving.get(run) else {
                continue;
            };
            let Some(peer) = served.record.peer.clone() else {
                continue;
            };
            let call = served.call;
            let look = self.next_look();
            self.traces.recounts.reading = Some((look, run));
            self.out.emit(Effect::ReadRun(look, call, peer));
        }
    }

    /// Takes the events of a run from before a restart, if it is those that were read.
    pub(super) fn recounted(&mut self, look: LookId, found: Option<&ServedRun>) -> bool {
        let reading = self.traces.recounts.reading;
        let Some((_, run)) = reading.filter(|(meant, _)| *meant == look) else {
            return false;
        };
        self.traces.recounts.reading = None;
        if let Some(served) = self.serving.get_mut(run)
            && let Counted::Since(first, since) = &served.trace
        {
            let found = found.filter(|found| found.run.id == run);
            let root = found.and_then(|found| self.traces.root_of(found, *first));
            let mut counted = root.map_or(Counted::Not, Counted::All);
            since.iter().for_each(|event| counted.push(*event));
            served.trace = counted;
        }
        self.read_next_again();
        true
    }
}
