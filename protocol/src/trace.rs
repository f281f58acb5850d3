//! Traces across realms: what a realm shows another one of a run that it served.
//!
//! Each event of the run is shown as it was written down ([`TraceItem::Shown`]), or stands as a digest that
//! says nothing of it ([`TraceItem::Hidden`]). All of them together, shown or not, come to one
//! [`TraceRoot`], which the realm has signed in the call's receipt.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{
    CallId, Digest, LoopId, RunId, Scope, Timestamp,
    cbor::{self, CborError, Reader, Wire, Writer},
    journal::Event,
    records::{Record, Signed},
    wire_map,
};

/// Before salt and bytes of an event, when they are digested.
const EVENT_TAG: &[u8] = b"realm/1/trace-event";
/// Before the digests that a root is made of.
const ROOT_TAG: &[u8] = b"realm/1/trace-root";

wire_map! {
    /// Body of a TraceAsked: what of the run that served a call may its asker see?
    pub struct TraceAsked {
        /// The call.
        0 => call: CallId,
        /// The loop that was called.
        1 => loop_id: LoopId,
        /// Events from this one on; for the next page.
        2 => after: Option<u64>,
        /// The caller's word that the asker may ask, where that is somebody else.
        3 => pass: Option<Signed<TracePass>>,
        /// Who gives that word.
        4 => caller: Option<Scope>,
    }
}

wire_map! {
    /// A caller's word that another realm may ask about its call. The callee's policy decides what that
    /// one sees.
    pub struct TracePass {
        /// The call.
        0 => call: CallId,
        /// Who may ask.
        1 => to: Scope,
        /// Not valid from.
        2 => until: Timestamp,
    }
}

impl Record for TracePass {
    const TAGS: &'static [&'static str] = &["realm/1/trace-pass"];
}

wire_map! {
    /// Body of a TraceShown: one page of a run's events.
    pub struct TraceShown {
        /// The run.
        0 => run: RunId,
        /// Its events, in order.
        1 => items: Vec<TraceItem>,
        /// Whether more follow.
        2 => more: bool,
        /// Calls of other realms, of those whose events are shown here.
        3 => onward: Vec<Onward>,
        /// Whether the content of the run was erased: its events have other digests then.
        4 => erased: bool,
    }
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceItem {
    /// The digest of one that is not shown.
    Hidden(Digest),
    /// The event, with the salt of its digest.
    Shown([u8; 16], Event),
}

impl TraceItem {
    /// The digest that goes into the root.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Hidden(digest) => *digest,
            Self::Shown(salt, event) => event_digest(salt, event),
        }
    }
}

impl Wire for TraceItem {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Hidden(digest) => digest.write(out),
            Self::Shown(salt, event) => {
                out.array(2);
                salt.write(out);
                event.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        if from.is_at_bytes() {
            return Wire::read(from).map(Self::Hidden);
        }
        if from.array("an event")? != 2 {
            return Err(CborError::Expected("an event with its salt"));
        }
        Ok(Self::Shown(Wire::read(from)?, Wire::read(from)?))
    }
}

wire_map! {
    /// A call of another realm, which whoever sees it may ask about.
    pub struct Onward {
        /// The call.
        0 => call: CallId,
        /// Who was called.
        1 => to: Scope,
        /// The loop.
        2 => loop_id: LoopId,
        /// What to show there.
        3 => pass: Signed<TracePass>,
    }
}

wire_map! {
    /// What the events of a run come to, up to one of them.
    pub struct TraceRoot {
        /// How many events.
        0 => events: u64,
        /// Each event's digest bound to those before it; of none, 32 zeros.
        1 => digest: Digest,
    }
}

impl TraceRoot {
    /// Of no events.
    pub const fn empty() -> Self {
        Self {
            events: 0,
            digest: Digest::new([0; 32]),
        }
    }

    /// With one event more.
    pub fn push(&mut self, event: Digest) {
        self.events = self.events.saturating_add(1);
        self.digest = Digest::of(&[ROOT_TAG, &[0], self.digest.as_bytes(), event.as_bytes()]);
    }

    /// Of the first so many of these items; none where there are fewer.
    pub fn of(items: &[TraceItem], events: u64) -> Option<Self> {
        let first = items.get(..usize::try_from(events).ok()?)?;
        let mut root = Self::empty();
        for item in first {
            root.push(item.digest());
        }
        Some(root)
    }
}

impl fmt::Display for TraceRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.events, self.digest)
    }
}

/// The text is not `EVENTS:DIGEST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected EVENTS:DIGEST")]
pub struct ParseTraceRootError;

impl FromStr for TraceRoot {
    type Err = ParseTraceRootError;

    fn from_str(text: &str) -> Result<Self, ParseTraceRootError> {
        let (events, digest) = text.split_once(':').ok_or(ParseTraceRootError)?;
        Ok(Self {
            events: events.parse().map_err(|_| ParseTraceRootError)?,
            digest: digest.parse().map_err(|_| ParseTraceRootError)?,
        })
    }
}

/// The digest of an event, which cannot be guessed without its salt.
pub fn event_digest(salt: &[u8; 16], event: &Event) -> Digest {
    Digest::of(&[EVENT_TAG, &[0], salt, &cbor::encode(event)])
}

#[cfg(test)]
mod tests;
