//! A trace that is read part by part, and held whole.

use thiserror::Error;

use crate::api::Trace;

/// Events of a trace that is held whole: a run of 10,000 frames has a third as many.
const EVENTS: usize = 250_000;
/// Parts of it; a part is some 8 MiB at most.
const PARTS: usize = 32;

/// A trace has more than is held whole.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the trace of run {run} is too long to be held whole, which is done for at most {EVENTS} events in \
     {PARTS} parts of 8 MiB"
)]
pub struct TraceTooLong {
    /// The run.
    pub run: String,
}

impl TraceTooLong {
    /// The command that reads such a trace event by event.
    pub fn hint(&self) -> String {
        format!("realmctl run show {} --watch", self.run)
    }
}

/// The parts of a trace that have been read.
#[derive(Clone, Debug)]
pub struct TraceParts {
    trace: Trace,
    parts: usize,
}

impl TraceParts {
    /// Begins with the first part.
    pub fn new(first: Trace) -> Self {
        let (trace, parts) = (first, 1);
        Self { trace, parts }
    }

    /// The cursor of the next part, if there is one.
    pub fn next(&self) -> Option<&str> {
        self.trace.next.as_deref()
    }

    /// The index of the event that the next part begins with.
    pub fn read(&self) -> u64 {
        let last = self.trace.events.last();
        last.map_or(0, |event| event.index.saturating_add(1))
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// [`TraceTooLong`] where that would be more than is held whole.
    pub fn add(&mut self, part: Trace) -> Result<(), TraceTooLong> {
        let Trace { run, events, next } = part;
        let all = self.trace.events.len().saturating_add(events.len());
        if self.parts >= PARTS || all > EVENTS {
            let run = run.summary.id;
            return Err(TraceTooLong { run });
        }
        self.parts = self.parts.saturating_add(1);
        // A part without events is the last one, whatever it says.
        self.trace.next = next.filter(|_| !events.is_empty());
        self.trace.events.extend(events);
        self.trace.run = run;
        Ok(())
    }

    /// The whole trace.
    pub fn whole(self) -> Trace {
        let next = None;
        Trace { next, ..self.trace }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A part of this many events, with the cursor of another one.
    fn part(events: usize) -> Trace {
        let event = json!({
            "index": 7, "callId": "r", "ts": "2026-01-01T00:00:00.000Z", "type": "x", "payload": null,
        });
        let run = json!({
            "id": "r", "callId": "r", "loop": "report", "direction": "local",
            "status": "completed", "startedAt": "2026-01-01T00:00:00.000Z",
        });
        Trace {
            run: serde_json::from_value(run).unwrap(),
            events: vec![serde_json::from_value(event).unwrap(); events],
            next: Some("more".to_owned()),
        }
    }

    #[test]
    fn a_trace_is_held_whole_up_to_the_limits_and_refused_past_them() {
        let mut parts = TraceParts::new(part(EVENTS - 1));
        assert_eq!((parts.next(), parts.read()), (Some("more"), 8));
        parts.add(part(1)).unwrap();
        let refused = parts.add(part(1)).unwrap_err();
        assert!(refused.to_string().contains("250000 events"), "{refused}");
        assert_eq!(refused.hint(), "realmctl run show r --watch");

        parts.add(part(0)).unwrap();
        assert_eq!(parts.next(), None, "nothing follows a part without events");
        assert_eq!(parts.whole().events.len(), EVENTS);

        let mut parts = TraceParts::new(part(1));
        for _ in 1..PARTS {
            parts.add(part(1)).unwrap();
        }
        assert!(parts.add(part(1)).is_err(), "large events count as well");
    }
}
