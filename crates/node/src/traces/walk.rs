//! One trace out of those of many realms: whom to ask, and what their answers prove.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    CallId,
    journal::Event,
    json, limits,
    trace::{TraceItem, TraceRoot},
};
use serde_json::Value;

use super::{ShownTrace, TraceOf};
use crate::{Node, Refusal};

/// How what a realm shows stands by what it has signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceProof {
    /// Its events, shown and hidden, come to what its receipt of the call says, as many as that tells of. Those after them
    /// it may have added since.
    Signed,
    /// They do not: one of both is not what happened.
    Differs,
    /// Its caller has no receipt that says what they come to: the realm's word is all there is.
    Unsigned,
    /// It says that the content was erased: then they have other digests.
    Erased,
}

/// One call of another realm in a trace of many.
#[derive(Debug)]
pub struct TracePart {
    /// Whom and what was asked.
    pub asked: TraceOf,
    /// The part that led here; none where it is this realm's own.
    pub from: Option<usize>,
    /// What its caller was told that the events come to.
    pub root: Option<TraceRoot>,
    /// What came of the question; none where it was not asked because of a bound.
    pub answer: Option<Result<(ShownTrace, TraceProof), Refusal>>,
}

/// Follows a run through the realms that it led to. It asks nobody itself.
#[derive(Debug)]
pub struct TraceWalk {
    parts: Vec<TracePart>,
    /// How many of them have been given out.
    given: usize,
    rounds: usize,
    known: BTreeSet<CallId>,
}

impl TraceWalk {
    /// Begins with the calls of this realm's own run.
    pub fn new(calls: Vec<(TraceOf, Option<TraceRoot>)>) -> Self {
        let mut walk = Self {
            parts: Vec::new(),
            given: 0,
            rounds: 0,
            known: BTreeSet::new(),
        };
        walk.add(None, calls);
        walk
    }

    fn add(&mut self, from: Option<usize>, calls: Vec<(TraceOf, Option<TraceRoot>)>) {
        for (asked, root) in calls {
            if self.parts.len() < limits::TRACE_CALLS && self.known.insert(asked.call) {
                self.parts.push(TracePart {
                    asked,
                    from,
                    root,
                    answer: None,
                });
            }
        }
    }

    /// The questions to ask next, together; none where all is asked that may be.
    pub fn questions(&mut self) -> Vec<(usize, TraceOf)> {
        if self.rounds >= limits::TRACE_DEPTH {
            return Vec::new();
        }
        self.rounds = self.rounds.saturating_add(1);
        let parts = self.parts.iter().enumerate().skip(self.given);
        let questions = parts.map(|(at, part)| (at, part.asked.clone())).collect();
        self.given = self.parts.len();
        questions
    }

    /// Takes what came of one of them.
    pub fn take(&mut self, at: usize, answer: Result<ShownTrace, Refusal>) {
        let Some(part) = self.parts.get_mut(at) else {
            return;
        };
        let root = part.root.clone();
        let answer = answer.map(|shown| {
            let proof = shown.proof(root.as_ref());
            (shown, proof)
        });
        let onward = answer.as_ref().map_or_else(
            |_| Vec::new(),
            |(shown, proof)| onward(shown, believed(*proof, root.as_ref())),
        );
        part.answer = Some(answer);
        self.add(Some(at), onward);
    }

    /// All that was asked, and what came of it; whoever led to a part stands before it.
    pub fn into_parts(self) -> Vec<TracePart> {
        self.parts
    }
}

impl ShownTrace {
    /// What is proven of it, by what its caller was told that the events come to.
    pub fn proof(&self, root: Option<&TraceRoot>) -> TraceProof {
        match root {
            None => TraceProof::Unsigned,
            Some(_) if self.erased => TraceProof::Erased,
            Some(root) if TraceRoot::of(&self.items, root.events).as_ref() == Some(root) => {
                TraceProof::Signed
            }
            Some(_) => TraceProof::Differs,
        }
    }
}

/// In how many of the first items a root of another realm's is believed. A realm may add to what it has signed, and what
/// it adds proves nothing of others.
fn believed(proof: TraceProof, root: Option<&TraceRoot>) -> usize {
    match proof {
        TraceProof::Signed => {
            root.map_or(0, |root| usize::try_from(root.events).unwrap_or(usize::MAX))
        }
        TraceProof::Differs => 0,
        TraceProof::Unsigned | TraceProof::Erased => usize::MAX,
    }
}

/// The calls that what was shown leads on to, with the roots that its first `believed` items tell of.
fn onward(shown: &ShownTrace, believed: usize) -> Vec<(TraceOf, Option<TraceRoot>)> {
    let believed = shown.items.iter().take(believed);
    let events = believed.filter_map(|item| match item {
        TraceItem::Shown(_, event) => Some(event),
        TraceItem::Hidden(_) => None,
    });
    let mut roots = roots(events);
    let onward = shown.onward.iter().map(|onward| {
        let asked = TraceOf {
            realm: onward.to.clone(),
            call: onward.call,
            loop_id: onward.loop_id.clone(),
            pass: Some((shown.realm.clone(), onward.pass.clone())),
        };
        (asked, roots.remove(&onward.call))
    });
    onward.collect()
}

/// What callees said that their events come to, by the call.
fn roots<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<CallId, TraceRoot> {
    let returned = events.filter(|event| event.kind == "call.returned");
    let roots = returned.filter_map(|event| {
        let payload = json::parse(&event.payload).ok()?;
        let root = payload.get("traceRoot").and_then(Value::as_str)?;
        Some((event.call, root.parse().ok()?))
    });
    roots.collect()
}

impl Node {
    /// The calls of other realms in a trace of this realm's, with what their receipts say that the callees' events
    /// come to.
    pub fn calls_in(&self, events: &[Event]) -> Vec<(TraceOf, Option<TraceRoot>)> {
        let mut roots = roots(events.iter());
        let me = self.me.scope();
        let sent = events.iter().filter(|event| event.kind == "call.sent");
        let mut known = BTreeSet::new();
        let calls = sent.filter_map(|event| {
            let (realm, loop_id) = self.called_in(event)?;
            let new = realm != me && known.insert(event.call);
            let asked = TraceOf {
                realm,
                call: event.call,
                loop_id,
                pass: None,
            };
            new.then(|| (asked, roots.remove(&event.call)))
        });
        calls.collect()
    }
}
