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

use realm_protocol::{
    CallId, FailureCode, LoopAddress, Now, Tick, Timestamp, budget::Amount, json::Object, limits,
};

use crate::Category;

/// Calls that decide whether a breaker opens, the latest.
const CALLS: usize = 20;
/// Of how many at least half must have failed.
const LEAST: usize = 10;
/// For how long what was paid is added up, milliseconds.
const PAID_MS: u64 = 60_000;
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
    /// A loop, of this realm or another one.
    Loop(LoopAddress),
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
    /// An answer that breaks off.
    Unfinished,
}

/// What is too much, though nothing fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakerBounds {
    /// From how long on an answer is slow, milliseconds; none for never.
    pub slow_ms: Option<u64>,
    /// The most that may be paid within a minute; none for as much as it costs.
    pub paid: Option<Amount>,
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

impl BreakerChange {
    /// The event of the trace that tells of it.
    pub fn event(&self) -> (&'static str, Object) {
        let payload = Object::new().with("breaker", &self.of.to_string());
        match &self.opened {
            Some(opened) => {
                let payload = payload.with("reason", &opened.reason);
                ("breaker.opened", payload.with("until", &opened.until))
            }
            None => ("breaker.closed", payload),
        }
    }
}

/// Why somebody is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the breaker {of} is open: {reason}; tried again in {retry_after_ms} ms")]
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
    bounds: BreakerBounds,
    breakers: BTreeMap<Guarded, Breaker>,
    /// What was paid lately, millionths of the bound's currency.
    paid: BTreeMap<Guarded, Paid>,
    /// What is asked, of whom, and since when.
    asked: BTreeMap<CallId, (Vec<Guarded>, Tick)>,
}

/// What was paid since then.
#[derive(Clone, Copy, Debug)]
struct Paid {
    since: Tick,
    micros: u64,
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
    /// Says what is too much from now on.
    pub fn set_bounds(&mut self, bounds: BreakerBounds) {
        self.bounds = bounds;
    }

    /// Asks for a call of all of these. It has to end with [`Breakers::end`] or [`Breakers::abandon`].
    ///
    /// # Errors
    /// [`Broken`] where one of them is left alone; then nobody is asked.
    pub fn ask(&mut self, call: CallId, of: Vec<Guarded>, now: Now) -> Result<(), Broken> {
        self.ask_after(call, of, now, |opened| opened.rests_for(now))
    }

    /// Asks for a call that somebody makes by hand, whatever rest is left: it is the probe of what is open. It has to end
    /// as one that was asked for.
    ///
    /// # Errors
    /// [`Broken`] where a probe is under way already.
    pub fn ask_by_hand(&mut self, call: CallId, of: Vec<Guarded>, now: Now) -> Result<(), Broken> {
        self.ask_after(call, of, now, |_| 0)
    }

    /// Asks for a call of those that have no rest left by this measure; it becomes the one probe of those that are open.
    fn ask_after(
        &mut self,
        call: CallId,
        of: Vec<Guarded>,
        now: Now,
        rest: impl Fn(&Opened) -> u64,
    ) -> Result<(), Broken> {
        for guarded in &of {
            let (opened, retry_after_ms) = match self.breakers.get(guarded) {
                Some(Breaker::Open(opened)) => (opened, rest(opened)),
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
            .bounds
            .slow_ms
            .is_some_and(|slow| now.tick.since(since) > slow);
        let fault = fault.or(slow.then_some(Fault::Slow));
        let ended = of.into_iter().filter_map(|of| {
            if fault.is_some_and(|fault| !fault.is_of(&of)) {
                self.leave(&of, call);
                return None;
            }
            let opened = self.end_of(&of, call, fault, now)?;
            Some(BreakerChange { of, opened })
        });
        ended.collect()
    }

    /// A call of another realm has ended, well or with a failure. One that was taken back, or came faster than that
    /// realm takes them, says nothing of it. Gives what it has changed.
    pub fn end_of_peer(
        &mut self,
        call: CallId,
        failure: Option<FailureCode>,
        now: Now,
    ) -> Vec<BreakerChange> {
        match failure {
            Some(FailureCode::Cancelled | FailureCode::Overloaded) => {
                self.abandon(call);
                Vec::new()
            }
            failure => self.end(call, failure.and_then(Fault::of_failure), now),
        }
    }

    /// Something was paid for a call of all of these. Gives what it has changed.
    pub fn pay(&mut self, of: &[Guarded], money: &[Amount], now: Now) -> Vec<BreakerChange> {
        let Some(most) = self.bounds.paid else {
            return Vec::new();
        };
        let counts = money.iter().filter(|money| money.currency == most.currency);
        let micros = counts.fold(0, |sum: u64, money| sum.saturating_add(money.micros));
        if micros == 0 {
            return Vec::new();
        }
        let opened = of.iter().filter_map(|of| {
            let paid = Amount {
                micros: self.paid_lately(of, micros, now),
                ..most
            };
            let over = paid.micros > most.micros;
            let reason = || format!("{paid} was paid within a minute, and {most} may be");
            let opened = over.then(|| self.open(of, reason(), now)).flatten()?;
            Some(BreakerChange {
                of: of.clone(),
                opened: Some(opened),
            })
        });
        opened.collect()
    }

    /// Nobody will ever say how a call ended: if it was a probe, the next one is.
    pub fn abandon(&mut self, call: CallId) {
        let asked = self.asked.remove(&call);
        for guarded in asked.map(|(of, _)| of).unwrap_or_default() {
            self.leave(&guarded, call);
        }
    }

    /// A call says nothing of one that it asked.
    fn leave(&mut self, of: &Guarded, call: CallId) {
        if let Some(breaker) = self.breakers.get_mut(of)
            && let Breaker::HalfOpen(opened, probe) = breaker
            && *probe == call
        {
            *breaker = Breaker::Open(opened.clone());
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
                let again = fault.map(|fault| opened.again(format!("the probe {fault}"), now));
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
                let reason = half_of(latest)?;
                Some(self.open(of, reason, now))
            }
            (None, Some(_)) => {
                if self.has_room() {
                    let latest = VecDeque::from([fault]);
                    self.breakers.insert(of.clone(), Breaker::Closed(latest));
                }
                None
            }
            // What was asked before it opened says nothing new.
            (Some(Breaker::Open(_) | Breaker::HalfOpen(..)), _) | (None, None) => None,
        }
    }

    /// Opens a breaker, if it is not open already and there is room for it.
    fn open(&mut self, of: &Guarded, reason: String, now: Now) -> Option<Opened> {
        let opened = match self.breakers.get(of) {
            Some(Breaker::Open(_)) => return None,
            Some(Breaker::HalfOpen(opened, _)) => opened.again(reason, now),
            Some(Breaker::Closed(_)) | None => Opened::first(reason, now),
        };
        if !self.breakers.contains_key(of) && !self.has_room() {
            return None;
        }
        self.paid.remove(of);
        self.breakers
            .insert(of.clone(), Breaker::Open(opened.clone()));
        Some(opened)
    }

    /// Adds to what was paid within the minute, and gives the sum. Where too many were paid, the one that was paid
    /// least is forgotten.
    fn paid_lately(&mut self, of: &Guarded, micros: u64, now: Now) -> u64 {
        if !self.paid.contains_key(of) && self.paid.len() >= limits::BREAKERS {
            let least = self.paid.iter().min_by_key(|(_, paid)| paid.micros);
            if let Some(least) = least.map(|(of, _)| of.clone()) {
                self.paid.remove(&least);
            }
        }
        let begun = Paid {
            since: now.tick,
            micros: 0,
        };
        let paid = self.paid.entry(of.clone()).or_insert(begun);
        if now.tick.since(paid.since) > PAID_MS {
            *paid = begun;
        }
        paid.micros = paid.micros.saturating_add(micros);
        paid.micros
    }

    /// Whether there is room for another one, once one that is closed is forgotten: one that has opened never is.
    fn has_room(&mut self) -> bool {
        if self.breakers.len() >= limits::BREAKERS {
            let mut closed = self.breakers.iter();
            let closed = closed.find(|(_, breaker)| matches!(breaker, Breaker::Closed(_)));
            if let Some(of) = closed.map(|(of, _)| of.clone()) {
                self.breakers.remove(&of);
            }
        }
        self.breakers.len() < limits::BREAKERS
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

    /// One that opens for the first time.
    const fn first(reason: String, now: Now) -> Self {
        Self {
            reason,
            since: now.wall,
            until: now.wall.plus(limits::BREAKER_MS),
            rest_ms: limits::BREAKER_MS,
        }
    }

    /// How it stands after a probe that did not go well either.
    fn again(&self, reason: String, now: Now) -> Self {
        let rest_ms = self.rest_ms.saturating_mul(2).min(limits::BREAKER_MAX_MS);
        Self {
            reason,
            since: self.since,
            until: now.wall.plus(rest_ms),
            rest_ms,
        }
    }
}

/// How half of the latest calls have failed, if they have.
fn half_of(latest: &VecDeque<Option<Fault>>) -> Option<String> {
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
    let by = by.collect::<Vec<_>>().join(", ");
    Some(format!("of the last {} calls: {by}", latest.len()))
}

impl Fault {
    /// What the failure of another realm's loop says of that realm.
    pub const fn of_failure(code: FailureCode) -> Option<Self> {
        match (code, Category::of(code)) {
            (FailureCode::SchemaOutput, _) => Some(Self::Schema),
            (_, Category::Permission) => Some(Self::Denied),
            (_, Category::Transient) => Some(Self::Failed),
            _ => None,
        }
    }

    /// Whether it says anything of one that was asked. What a loop makes of its answers, and what it may, says
    /// something of that loop alone: else one would shut those that it asks for all others. That another realm does
    /// not answer says nothing of the loop there.
    const fn is_of(self, guarded: &Guarded) -> bool {
        match self {
            Self::Failed | Self::Slow => !guarded.is_elsewhere(),
            Self::Schema | Self::Denied | Self::Unfinished => matches!(guarded, Guarded::Loop(_)),
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

    fn name(&self) -> String {
        match self {
            Self::Backend(name) | Self::Agent(name) | Self::Peer(name) => name.clone(),
            Self::Loop(address) => address.to_string(),
        }
    }

    /// Whether it is a loop of another realm.
    const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Loop(LoopAddress { realm: Some(_), .. }))
    }

    /// Whom a call of another realm's loop asks.
    pub fn of_peer(address: &LoopAddress) -> Vec<Self> {
        let Some(realm) = &address.realm else {
            return Vec::new();
        };
        let peer = Self::Peer(realm.petname.to_string());
        vec![peer, Self::Loop(address.clone())]
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
#[error(
    "it is no name of a breaker, such as backend/office, agent/HOST, peer/lab, loop/greet or loop/greet@lab"
)]
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
            Self::Unfinished => "broke off",
        })
    }
}

#[cfg(test)]
mod tests;
