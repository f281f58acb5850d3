//! Agents that have connected to the realm, and the calls that wait for one.
//!
//! A [`Seat`] is one connection of an agent: an instance. Calls are given to the instance that has
//! most places free; where there is none, they wait in the order they came. An instance that goes away
//! leaves its calls without an answer: what may be repeated waits for the next one, and what may not
//! is `Vanished`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use realm_executor::{AttachedRequest, BackendError, BackendReply};
use realm_protocol::{LoopId, limits};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{Parts, Progress, progress::Noted};

/// All agents that are attached.
#[derive(Debug, Default)]
pub struct Attached(Mutex<Held>);

/// Who attaches.
#[derive(Clone, Debug)]
pub struct Instance {
    /// What the agent calls itself; instances of one agent share its calls.
    pub agent: LoopId,
    /// The loops it serves.
    pub loops: BTreeSet<LoopId>,
    /// Calls that it takes at once.
    pub concurrency: u64,
}

/// Why an instance was not seated.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{} agents are attached already", limits::ATTACHED)]
pub struct Full;

/// What an instance is to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// To do a piece of work.
    Call {
        /// The call's number, which its answer names.
        call: u64,
        /// The work.
        work: Box<AttachedRequest>,
    },
    /// That nobody waits for an answer any more. The call's place is free once it is answered.
    Cancel {
        /// The call's number.
        call: u64,
    },
}

/// How an agent ends a call.
pub type Answer = Result<Value, BackendError>;

#[derive(Debug, Default)]
struct Held {
    last: u64,
    seats: BTreeMap<u64, Seated>,
    /// Calls that nobody has been asked to do; as many as the daemon has backend calls.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Seated {
    instance: Instance,
    /// Calls that are not answered. Each holds a place.
    calls: BTreeMap<u64, Call>,
    told: mpsc::Sender<Told>,
    /// It takes no more.
    leaving: bool,
    /// It has left a cancelled call without an answer for too long, and is given no more until that comes.
    hangs: bool,
}

/// A call that an instance has been given.
#[derive(Debug)]
enum Call {
    /// Somebody waits for its answer.
    Wanted(Asked),
    /// Nobody does any more, since then.
    Cancelled(Instant),
}

impl Call {
    const fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Wanted(asked) => Some(asked),
            Self::Cancelled(_) => None,
        }
    }
}

#[derive(Debug)]
struct Asked {
    /// Whether its answer is an output with changes of what the agent keeps.
    keeps: bool,
    /// Whether its answer may be a question.
    asks: bool,
    answer: oneshot::Sender<Answer>,
    /// Where its words go while the answer is made, if somebody wants to see them.
    parts: Option<Parts>,
    noted: Noted,
}

#[derive(Debug)]
struct Waiting {
    call: u64,
    work: Box<AttachedRequest>,
    asked: Asked,
}

impl Seated {
    fn serves(&self, work: &AttachedRequest) -> bool {
        self.instance.agent == work.agent && self.instance.loops.contains(&work.loop_id)
    }

    fn free(&self) -> u64 {
        let most = if self.leaving || self.hangs {
            0
        } else {
            self.instance.concurrency
        };
        most.saturating_sub(self.calls.len() as u64)
    }

    /// A call that was cancelled so long ago that it should have been answered.
    fn overdue(&self, now: Instant) -> Option<u64> {
        let longest = Duration::from_millis(limits::ATTACHED_CANCELLED_MS);
        let mut calls = self.calls.iter();
        let overdue = calls.find(|(_, call)| match call {
            Call::Wanted(_) => false,
            Call::Cancelled(since) => now.saturating_duration_since(*since) >= longest,
        });
        overdue.map(|(call, _)| *call)
    }

    fn take(&mut self, waiting: Waiting) {
        let Waiting { call, work, asked } = waiting;
        self.calls.insert(call, Call::Wanted(asked));
        // There is room for two words a place; a session that has ended takes its seat with it.
        let _ = self.told.try_send(Told::Call { call, work });
    }
}

impl Held {
    fn number(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Gives an instance the calls that wait for it, the first first.
    fn fill(&mut self, number: u64) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        while seat.free() > 0 {
            let mut waiting = self.waiting.iter();
            let next = waiting.position(|waiting| seat.serves(&waiting.work));
            let Some(next) = next.and_then(|at| self.waiting.remove(at)) else {
                return;
            };
            seat.take(next);
        }
    }

    /// Gives a call to the instance with most places free; gives it back where there is none.
    fn hand(&mut self, call: Waiting) -> Option<Waiting> {
        let able = self.seats.values_mut();
        let able = able.filter(|seat| seat.free() > 0 && seat.serves(&call.work));
        match able.max_by_key(|seat| seat.free()) {
            Some(seat) => seat.take(call),
            None => return Some(call),
        }
        None
    }
}

impl Attached {
    /// Nothing panics while it is held.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seats an instance. What it is to be told comes out of the receiver; dropping the seat unseats it.
    ///
    /// # Errors
    /// [`Full`] at the limit of attached agents.
    pub fn attach(&self, instance: Instance) -> Result<(Seat<'_>, mpsc::Receiver<Told>), Full> {
        let mut held = self.held();
        if held.seats.len() >= limits::ATTACHED {
            return Err(Full);
        }
        let places = usize::try_from(instance.concurrency).unwrap_or(usize::MAX);
        let (told, hears) = mpsc::channel(places.saturating_mul(2).clamp(2, MOST_TOLD));
        let number = held.number();
        let seated = Seated {
            instance,
            calls: BTreeMap::new(),
            told,
            leaving: false,
            hangs: false,
        };
        held.seats.insert(number, seated);
        held.fill(number);
        drop(held);
        let attached = self;
        Ok((Seat { attached, number }, hears))
    }

    /// How many instances are attached.
    pub fn len(&self) -> u64 {
        self.held().seats.len() as u64
    }

    /// Whether none is attached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many instances of an agent serve a loop.
    pub fn instances(&self, agent: &LoopId, loop_id: &LoopId) -> u64 {
        let held = self.held();
        let seats = held.seats.values().filter(|seat| !seat.leaving);
        let serving = seats
            .filter(|seat| seat.instance.agent == *agent && seat.instance.loops.contains(loop_id));
        serving.count() as u64
    }

    /// Has an instance do a piece of work. Dropping the future tells it to stop.
    pub(crate) async fn call(
        &self,
        work: AttachedRequest,
        parts: Option<&Parts>,
        progress: Progress,
    ) -> Result<BackendReply, BackendError> {
        let after_ms = work.timeout_ms;
        // Whoever came at the very end could do nothing in the time that is left.
        let begins = until(after_ms - after_ms / 20);
        let ends = until(after_ms);
        let early = until(limits::ATTACHED_EARLY_MS).min(begins);
        for ask in 1..=limits::ATTACHED_ASKS {
            if ask > 1 {
                // Else nobody would see why its agent has done it twice.
                let again = "the instance that had the call went away, and another is asked";
                progress.tell(json!({"agent": work.agent.as_str(), "asked": ask, "reason": again}));
            }
            // What another instance writes is another text.
            let parts = parts.filter(|_| work.stream);
            let parts = parts.map(|parts| parts.of_text(ask.into()));
            let (waits, mut answer) = self.enter(work.clone(), parts, progress.clone());
            let mut answered = tokio::time::timeout_at(early, &mut answer).await;
            if answered.is_err() {
                if let Some(reason) = self.waits_for(waits.call, &work) {
                    progress.tell(
                        json!({"agent": work.agent.as_str(), "waits": true, "reason": reason}),
                    );
                }
                answered = tokio::time::timeout_at(begins, &mut answer).await;
            }
            if answered.is_err() {
                if let Some(error) = self.unasked(waits.call, &work) {
                    return Err(error);
                }
                answered = tokio::time::timeout_at(ends, &mut answer).await;
            }
            match answered {
                Ok(Ok(answer)) => return answer.map(BackendReply::json),
                Ok(Err(_)) if work.repeatable => {}
                Ok(Err(_)) => break,
                Err(_) => return Err(BackendError::Timeout { after_ms }),
            }
        }
        let agent = work.agent;
        Err(BackendError::Vanished { agent })
    }

    fn enter(
        &self,
        work: AttachedRequest,
        parts: Option<Parts>,
        progress: Progress,
    ) -> (Waits<'_>, oneshot::Receiver<Answer>) {
        let (sender, answer) = oneshot::channel();
        let asked = Asked {
            keeps: work.state.is_some(),
            asks: work.answers.is_some(),
            answer: sender,
            parts,
            noted: Noted::new(progress),
        };
        let mut held = self.held();
        let call = held.number();
        let work = Box::new(work);
        if let Some(waiting) = held.hand(Waiting { call, work, asked }) {
            held.waiting.push_back(waiting);
        }
        let attached = self;
        (Waits { attached, call }, answer)
    }

    /// What a call waits for that nobody has been asked to do.
    fn waits_for(&self, call: u64, work: &AttachedRequest) -> Option<&'static str> {
        Some(match self.unasked(call, work)? {
            BackendError::Busy { .. } => "every instance has as many calls as it takes",
            _ => "no instance that serves the loop is attached",
        })
    }

    /// Why nobody has been asked to do a call, if that is so.
    fn unasked(&self, call: u64, work: &AttachedRequest) -> Option<BackendError> {
        let held = self.held();
        held.waiting.iter().find(|waiting| waiting.call == call)?;
        let agent = work.agent.clone();
        Some(if held.seats.values().any(|seat| seat.serves(work)) {
            BackendError::Busy { agent }
        } else {
            let loop_id = work.loop_id.clone();
            BackendError::Absent { agent, loop_id }
        })
    }

    /// Nobody waits for a call any more.
    fn leave(&self, call: u64) {
        let mut held = self.held();
        held.waiting.retain(|waiting| waiting.call != call);
        for seat in held.seats.values_mut() {
            if let Some(held @ Call::Wanted(_)) = seat.calls.get_mut(&call) {
                *held = Call::Cancelled(Instant::now());
                let _ = seat.told.try_send(Told::Cancel { call });
            }
        }
    }
}

/// Words that one connection holds for its agent, and says one after the other.
const MOST_TOLD: usize = 2 * limits::ATTACHED_CALLS as usize;

/// An agent says what its loop does not provide for.
fn unsaid(why: &str) -> BackendError {
    BackendError::BadOutput {
        reason: why.to_owned(),
    }
}

fn until(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

/// Somebody waits for an answer.
struct Waits<'a> {
    attached: &'a Attached,
    call: u64,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.attached.leave(self.call);
    }
}

/// The place of one connection of an agent.
#[derive(Debug)]
pub struct Seat<'a> {
    attached: &'a Attached,
    number: u64,
}

impl Seat<'_> {
    /// Ends a call, and frees its place; `state` is what it changes of what the agent keeps. Gives whether it was this
    /// instance's to end.
    pub fn answer(&self, call: u64, answer: Answer, state: Option<Value>) -> bool {
        self.end(call, |asked| match (answer, state) {
            (Ok(output), state) if asked.keeps => {
                Ok(json!({"output": output, "state": state.unwrap_or_default()}))
            }
            (Ok(_), Some(_)) => Err(unsaid(
                "its loop keeps no state: `state` in the definition names the keys",
            )),
            (Ok(output), None) if asked.asks => Ok(json!({"output": output})),
            (answer, _) => answer,
        })
    }

    /// Ends a call with a question to people, and frees its place: the work begins anew once they have answered.
    /// Gives whether it was this instance's to end.
    pub fn ask(&self, call: u64, question: Value) -> bool {
        self.end(call, |asked| match asked.asks {
            true => Ok(json!({"ask": question})),
            false => Err(unsaid(
                "its loop asks nobody: `asks` in the definition says whom it may",
            )),
        })
    }

    fn end(&self, call: u64, answer: impl FnOnce(&Asked) -> Answer) -> bool {
        let mut held = self.attached.held();
        let Some(seat) = held.seats.get_mut(&self.number) else {
            return false;
        };
        match seat.calls.remove(&call) {
            None => return false,
            Some(Call::Wanted(asked)) => {
                let answer = answer(&asked);
                // Whoever waited may have gone just now.
                let _ = asked.answer.send(answer);
            }
            // Whether another hangs shows at the next look.
            Some(Call::Cancelled(_)) => seat.hangs = false,
        }
        held.fill(self.number);
        true
    }

    /// Notes how a call goes, within bounds. Gives whether it is this instance's.
    pub fn progress(&self, call: u64, progress: Value) -> bool {
        let mut held = self.attached.held();
        let seat = held.seats.get_mut(&self.number);
        let Some(under_way) = seat.and_then(|seat| seat.calls.get_mut(&call)) else {
            return false;
        };
        if let Call::Wanted(asked) = under_way {
            asked.noted.tell(progress);
        }
        true
    }

    /// Shows what a call's output is being made of, and waits while nobody takes it. Gives whether the call is this
    /// instance's.
    pub async fn part(&self, call: u64, words: String) -> bool {
        let parts = {
            let held = self.attached.held();
            let seat = held.seats.get(&self.number);
            let Some(under_way) = seat.and_then(|seat| seat.calls.get(&call)) else {
                return false;
            };
            under_way.asked().and_then(|asked| asked.parts.clone())
        };
        if let Some(parts) = parts {
            parts.write(words).await;
        }
        true
    }

    /// Gives it no more calls. Gives whether it has none left.
    pub fn leave(&self) -> bool {
        let mut held = self.attached.held();
        let seat = held.seats.get_mut(&self.number);
        seat.is_none_or(|seat| {
            seat.leaving = true;
            seat.calls.is_empty()
        })
    }

    /// A call that was cancelled and has no answer after [`limits::ATTACHED_CANCELLED_MS`], once nobody waits for any
    /// other of this instance's. Until then it is given no more, and from then on it is of no use.
    pub fn hangs_in(&self, now: Instant) -> Option<u64> {
        let mut held = self.attached.held();
        let seat = held.seats.get_mut(&self.number)?;
        let overdue = seat.overdue(now);
        seat.hangs = overdue.is_some();
        let wanted = seat.calls.values().any(|call| call.asked().is_some());
        overdue.filter(|_| !wanted)
    }

    /// Whether it has said that it leaves, and has answered everything.
    pub fn is_done(&self) -> bool {
        let held = self.attached.held();
        let seat = held.seats.get(&self.number);
        seat.is_none_or(|seat| seat.leaving && seat.calls.is_empty())
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // Its calls hear that it is gone as their answers are dropped.
        self.attached.held().seats.remove(&self.number);
    }
}
