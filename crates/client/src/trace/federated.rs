//! What another realm shows, as a tree of its own.

use super::{TraceTree, text};
use crate::api::{
    Direction, FederatedPart, FederatedTrace, RunDetail, RunStatus, RunSummary, Time, Trace,
    TraceEvent,
};

impl FederatedTrace {
    /// This realm's own half.
    pub fn own(&self) -> TraceTree {
        TraceTree::new(Trace {
            run: self.run.clone(),
            events: self.events.clone(),
            next: None,
        })
    }
}

impl FederatedPart {
    /// Whether an event may have been added after what the realm has signed.
    pub fn is_later(&self, event: &TraceEvent) -> bool {
        self.signed_events
            .is_some_and(|signed| signed <= event.index)
    }

    /// How many events, shown and hidden, may have been added after what the realm has signed.
    pub fn later(&self) -> Option<u64> {
        let all = self.hidden.saturating_add(self.events.len() as u64);
        Some(all.saturating_sub(self.signed_events?))
    }

    /// What is shown, as a tree; none where nothing is.
    pub fn tree(&self) -> Option<TraceTree> {
        let id = self.run_id.clone().filter(|_| !self.events.is_empty())?;
        let of_run = || self.events.iter().filter(|it| it.call_id == self.call_id);
        let end =
            of_run().rfind(|it| matches!(it.kind.as_str(), "call.completed" | "call.errored"));
        let started_at = self
            .events
            .first()
            .map_or_else(Time::default, |event| event.ts);
        let error = end.and_then(|end| text(&end.payload, "failure"));
        let status = match end.map(|end| end.kind.as_str()) {
            None => RunStatus::Running,
            Some("call.completed") => RunStatus::Completed,
            Some(_) if error.as_deref() == Some("Cancelled") => RunStatus::Cancelled,
            Some(_) => RunStatus::Failed,
        };
        let summary = RunSummary {
            id,
            call_id: self.call_id.clone(),
            loop_id: self.loop_id.clone(),
            version: None,
            direction: Direction::In,
            peer: None,
            status,
            halted: false,
            started_at,
            ended_at: end.map(|end| end.ts),
            duration_ms: end.map(|end| end.ts.since(started_at)),
            error,
            parent: None,
            erased: None,
        };
        Some(TraceTree::new(Trace {
            run: RunDetail {
                summary,
                input: None,
                output: None,
                failure: None,
                approvals: Vec::new(),
            },
            events: self.events.clone(),
            next: None,
        }))
    }
}
