//! Circuit breakers: who fails too often is left alone for a while.
//!
//! A breaker is closed until half of the last calls have failed. Then it is open: nothing is asked until
//! its rest is over. Whoever comes next is the one probe, while everybody else is still refused: if the
//! probe goes well the breaker is closed, and if not it rests for twice as long.
//! What has not failed lately has no breaker, and costs nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use realm_protocol::{CallId, LoopId, Now, Tick, Timestamp, limits};

/// Calls that decide whether a breaker opens, the latest.
const CALLS: usize = 20;
/// Of how many at least half must have failed.
const LEAST: usize = 10;
/// How long who waits for a probe's end is told to wait, milliseconds.
const PROBED_MS: u64 = 1_000;

/// Whom a breaker is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarded {
    /// A model or a server of the Model Context Protocol, by its id.
    Backend(String),
    /// An agent: by its host, or what it calls itself.
    Agent(String),
    /// Another organisation, by its name.
    Peer(String),
    /// A loop of this realm.
    Loop(LoopId),
}

/// What went wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No answer, or none that helps.
    Failed,
    /// An answer that took too long.
    Slow,
    /// An answer that is not what was promised.
    Schema,
    /// It is not permitted.
    Denied,
}

/// A breaker that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Why it opened.
    pub reason: String,
    /// When it opened first.
    pub since: Timestamp,
    /// Until when nothing is asked; after that, one probe.
    pub until: Timestamp,
    /// How long it rests, milliseconds.
    pub rest_ms: u64,
}

/// How a breaker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What it guards is asked, though some of it has failed lately.
    Closed {
        /// The latest calls that are known.
        calls: usize,
        /// How many of them failed.
        failed: usize,
    },
    /// It is left alone.
    Open(Opened),
    /// One is asked, and everybody else waits for what becomes of that.
    HalfOpen(Opened),
}

impl Standing {
    /// Why it is not closed, if it is not.
    pub const fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Closed { .. } => None,
            Self::Open(opened) | Self::HalfOpen(opened) => Some(opened),
        }
    }
}

/// A breaker has opened, has opened again, or has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerChange {
    /// Whose.
    pub of: Guarded,
    /// How it stands; none for closed.
    pub opened: Option<Opened>,
}

/// Why somebody is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Whose breaker is open.
    pub of: Guarded,
    /// Why it is.
    pub reason: String,
    /// When it may be tried again, milliseconds.
    pub retry_after_ms: u64,
}

/// The breakers of one realm.
#[derive(Debug, Default)]
pub struct Breakers {
    /// From how long on an answer is slow, milliseconds; none for never.
    slow_ms: Option<u64>,
    breakers: BTreeMap<Guarded, Breaker>,
    /// What is asked, of whom, and since when.
    asked: BTreeMap<CallId, (Vec<Guarded>, Tick)>,
}

#[derive(Debug)]
enum Breaker {
    /// How the latest calls ended.
    Closed(VecDeque<Option<Fault>>),
    Open(Opened),
    /// One is asked, and everybody else waits for what becomes of that.
    HalfOpen(Opened, CallId),
}

impl Breakers {
    /// Says from how long on an answer is slow, milliseconds.
    pub fn set_slow(&mut self, slow_ms: Option<u64>) {
        self.slow_ms = slow_ms;
    }

    /// Asks for a call of all of these. It has to end with [`Breakers::end`] or [`Breakers::abandon`].
    ///
    /// # Errors
    /// [`Broken`] where one of them is left alone; then nobody is asked.
    pub fn ask(&mut self, call: CallId, of: Vec<Guarded>, now: Now) -> Result<(), Broken> {
        for guarded in &of {
            let (opened, retry_after_ms) = match self.breakers.get(guarded) {
                Some(Breaker::Open(opened)) => (opened, opened.rests_for(now)),
                Some(Breaker::HalfOpen(opened, probe)) if *probe != call => (opened, PROBED_MS),
                _ => continue,
            };
            if retry_after_ms > 0 {
                return Err(Broken {
                    of: guarded.clone(),
                    reason: opened.reason.clone(),
                    retry_after_ms,
                });
            }
        }
        for guarded in &of {
            if let Some(breaker) = self.breakers.get_mut(guarded)
                && let Breaker::Open(opened) = breaker
            {
                *breaker = Breaker::HalfOpen(opened.clone(), call);
            }
        }
        self.asked.insert(call, (of, now.tick));
        Ok(())
    }

    /// A call has ended, well or not; one that was not asked for is ignored. Gives what it has changed.
    pub fn end(&mut self, call: CallId, fault: Option<Fault>, now: Now) -> Vec<BreakerChange> {
        let Some((of, since)) = self.asked.remove(&call) else {
            return Vec::new();
        };
        let slow = self
            .slow_ms
            .is_some_and(|slow| now.tick.since(since) > slow);
        let fault = fault.or(slow.then_some(Fault::Slow));
        let ended = of.into_iter().filter_map(|of| {
            let opened = self.end_of(&of, call, fault, now)?;
            Some(BreakerChange { of, opened })
        });
        ended.collect()
    }

    /// Nobody will ever say how a call ended: if it was a probe, the next one is.
    pub fn abandon(&mut self, call: CallId) {
        let asked = self.asked.remove(&call);
        for guarded in asked.map(|(of, _)| of).unwrap_or_default() {
            if let Some(breaker) = self.breakers.get_mut(&guarded)
                && let Breaker::HalfOpen(opened, probe) = breaker
                && *probe == call
            {
                *breaker = Breaker::Open(opened.clone());
            }
        }
    }

    /// Takes up a breaker that was written down.
    pub fn take_up(&mut self, of: Guarded, opened: Opened) {
        self.breakers.insert(of, Breaker::Open(opened));
    }

    /// Closes a breaker by hand, and forgets what has failed; gives how it stood, if there was one.
    pub fn reset(&mut self, of: &Guarded) -> Option<Standing> {
        self.breakers.remove(of).map(|breaker| breaker.standing())
    }

    /// The breakers of all that has failed lately, and how they stand.
    pub fn all(&self) -> impl Iterator<Item = (&Guarded, Standing)> {
        let breakers = self.breakers.iter();
        breakers.map(|(of, breaker)| (of, breaker.standing()))
    }

    /// How one breaker stands after a call, if that is otherwise than before.
    fn end_of(
        &mut self,
        of: &Guarded,
        call: CallId,
        fault: Option<Fault>,
        now: Now,
    ) -> Option<Option<Opened>> {
        match (self.breakers.get_mut(of), fault) {
            (Some(Breaker::HalfOpen(opened, probe)), fault) if *probe == call => {
                let again = fault.map(|fault| opened.again(fault, now));
                match again.clone() {
                    Some(opened) => self.breakers.insert(of.clone(), Breaker::Open(opened)),
                    None => self.breakers.remove(of),
                };
                Some(again)
            }
            (Some(Breaker::Closed(latest)), fault) => {
                latest.push_back(fault);
                if latest.len() > CALLS {
                    latest.pop_front();
                }
                if latest.iter().all(Option::is_none) {
                    self.breakers.remove(of);
                    return None;
                }
                let opened = Opened::after(latest, now)?;
                self.breakers
                    .insert(of.clone(), Breaker::Open(opened.clone()));
                Some(Some(opened))
            }
            (None, Some(_)) => {
                if self.breakers.len() >= limits::BREAKERS {
                    self.forget_one();
                }
                if self.breakers.len() < limits::BREAKERS {
                    let latest = VecDeque::from([fault]);
                    self.breakers.insert(of.clone(), Breaker::Closed(latest));
                }
                None
            }
            // What was asked before it opened says nothing new.
            (Some(Breaker::Open(_) | Breaker::HalfOpen(..)), _) | (None, None) => None,
        }
    }

    /// Makes room: one that has opened is never forgotten.
    fn forget_one(&mut self) {
        let mut closed = self.breakers.iter();
        let closed = closed.find(|(_, breaker)| matches!(breaker, Breaker::Closed(_)));
        if let Some(of) = closed.map(|(of, _)| of.clone()) {
            self.breakers.remove(&of);
        }
    }
}

impl Breaker {
    fn standing(&self) -> Standing {
        match self {
            Self::Closed(latest) => Standing::Closed {
                calls: latest.len(),
                failed: latest.iter().flatten().count(),
            },
            Self::Open(opened) => Standing::Open(opened.clone()),
            Self::HalfOpen(opened, _) => Standing::HalfOpen(opened.clone()),
        }
    }
}

impl Opened {
    /// Milliseconds until a probe is asked. A clock that was set back makes no rest longer.
    const fn rests_for(&self, now: Now) -> u64 {
        match self.until.since(now.wall) {
            left if left > self.rest_ms => 0,
            left => left,
        }
    }

    /// Whether half of the latest calls have failed, and how.
    fn after(latest: &VecDeque<Option<Fault>>, now: Now) -> Option<Self> {
        let mut faults: BTreeMap<Fault, usize> = BTreeMap::new();
        for fault in latest.iter().flatten() {
            let count = faults.entry(*fault).or_default();
            *count = count.saturating_add(1);
        }
        let failed: usize = faults.values().sum();
        if latest.len() < LEAST || failed.saturating_mul(2) < latest.len() {
            return None;
        }
        let by = faults
            .iter()
            .map(|(fault, count)| format!("{count} {fault}"));
        let by: Vec<String> = by.collect();
        Some(Self {
            reason: format!("of the last {} calls: {}", latest.len(), by.join(", ")),
            since: now.wall,
            until: now.wall.plus(limits::BREAKER_MS),
            rest_ms: limits::BREAKER_MS,
        })
    }

    /// How it stands after a probe that failed as well.
    fn again(&self, fault: Fault, now: Now) -> Self {
        let rest_ms = self.rest_ms.saturating_mul(2).min(limits::BREAKER_MAX_MS);
        Self {
            reason: format!("the probe {fault}"),
            since: self.since,
            until: now.wall.plus(rest_ms),
            rest_ms,
        }
    }
}

impl Guarded {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Backend(_) => "backend",
            Self::Agent(_) => "agent",
            Self::Peer(_) => "peer",
            Self::Loop(_) => "loop",
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Backend(name) | Self::Agent(name) | Self::Peer(name) => name,
            Self::Loop(id) => id.as_str(),
        }
    }
}

/// `backend/office`, as people name it.
impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind(), self.name())
    }
}

/// It is no name of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of a breaker, such as backend/office, agent/HOST, peer/lab or loop/greet")]
pub struct NoBreaker;

impl std::str::FromStr for Guarded {
    type Err = NoBreaker;

    fn from_str(text: &str) -> Result<Self, NoBreaker> {
        let (kind, name) = text.split_once('/').ok_or(NoBreaker)?;
        let owned = || name.to_owned();
        match kind {
            _ if name.is_empty() => Err(NoBreaker),
            "backend" => Ok(Self::Backend(owned())),
            "agent" => Ok(Self::Agent(owned())),
            "peer" => Ok(Self::Peer(owned())),
            "loop" => name.parse().map(Self::Loop).map_err(|_| NoBreaker),
            _ => Err(NoBreaker),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Slow => "took too long",
            Self::Schema => "broke the schema",
            Self::Denied => "had no permission",
        })
    }
}

#[cfg(test)]
mod tests;
