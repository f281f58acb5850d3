//! The one thread that writes: it groups what waits, commits it, and says so.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use rand_chacha::ChaCha20Rng;
use realm_protocol::{
    Timestamp,
    journal::{Entry, JournalSeq},
};

use crate::{
    Ack, EngineError, ReadError, RetainError, StoreError, Urgency, audit,
    engine::Batch,
    expiry,
    known::Known,
    plan::Plan,
    retention,
    sealer::{self, NoRandomness},
    shared::Shared,
};

/// Commands in the queue; at the bound [`crate::AppendError::Full`].
pub(crate) const QUEUE: usize = 1_024;
/// Bytes of entries in the queue; past the bound [`crate::AppendError::Full`].
pub(crate) const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of entries in one commit; what is over waits for the next.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// How long an entry that nobody waits for waits for company here. The rest of its 50 ms is for
/// whoever gathered entries before, and for the commit itself.
const COMPANY: Duration = Duration::from_millis(10);

/// How long nothing comes before the engine may do what can wait.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) enum Command {
    Append(Queued),
    Remove {
        old: Old,
        at_most: usize,
        reply: SyncSender<Result<usize, RetainError>>,
    },
    Stop(SyncSender<()>),
    /// Nothing has come for a while.
    Rest,
}

/// What is old enough to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Old {
    /// Runs that ended before this time.
    Runs(Timestamp),
    /// Records that expired before this time.
    Records(Timestamp),
    /// Entries of the audit log before this one.
    Audit(u64),
}

pub(crate) struct Queued {
    pub(crate) seq: JournalSeq,
    pub(crate) entry: Entry,
    pub(crate) urgency: Urgency,
    pub(crate) bytes: usize,
}

pub(crate) struct Committer {
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    /// A command that ended a group and was not part of it.
    held: Option<Command>,
    /// Whether the engine has rested since the last command.
    rested: bool,
    last: JournalSeq,
    known: Known,
    acknowledge: Box<dyn Fn(Ack) + Send>,
}

impl Committer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        commands: Receiver<Command>,
        last: JournalSeq,
        known: Known,
        acknowledge: Box<dyn Fn(Ack) + Send>,
    ) -> Self {
        Self {
            shared,
            commands,
            held: None,
            rested: true,
            last,
            known,
            acknowledge,
        }
    }

    /// Runs until the store is stopped, every handle is gone, or a write fails.
    pub(crate) fn run(mut self) {
        while let Some((command, waited)) = self.next() {
            let done = match command {
                Command::Append(first) => self.commit_group(first, waited),
                Command::Remove {
                    old,
                    at_most,
                    reply,
                } => self.remove(old, at_most, &reply),
                Command::Rest => guarded(|| Ok(self.shared.engine.rest()?)),
                Command::Stop(stopped) => {
                    // The files are let go of before the answer.
                    drop(self);
                    let _ = stopped.send(());
                    return;
                }
            };
            if let Err(error) = done {
                self.shared.poisoned.store(true, Ordering::SeqCst);
                (self.acknowledge)(Ack::Failed(error));
                return;
            }
        }
    }

    /// The next command, and whether it waited while the last one was carried out.
    fn next(&mut self) -> Option<(Command, bool)> {
        if let Some(command) = self.held.take().or_else(|| self.commands.try_recv().ok()) {
            self.rested = false;
            return Some((command, true));
        }
        let received = if self.rested {
            self.commands.recv().map_err(RecvTimeoutError::from)
        } else {
            self.commands.recv_timeout(IDLE)
        };
        self.rested = matches!(received, Err(RecvTimeoutError::Timeout));
        match received {
            Ok(command) => Some((command, false)),
            Err(RecvTimeoutError::Timeout) => Some((Command::Rest, false)),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    fn commit_group(&mut self, first: Queued, waited: bool) -> Result<(), StoreError> {
        let group = self.gather(first, waited);
        let bytes = group.iter().map(|queued| queued.bytes).sum();
        let Some(last) = group.last().map(|queued| queued.seq) else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let (last_written, known) = (self.last, &mut self.known);
        guarded(|| write_group(&shared, last_written, known, group))?;
        self.shared.queued.fetch_sub(bytes, Ordering::SeqCst);
        self.last = last;
        (self.acknowledge)(Ack::Durable(last));
        Ok(())
    }

    /// Takes what waits, and for entries that nobody waits for, what comes in a moment.
    fn gather(&mut self, first: Queued, waited: bool) -> Vec<Queued> {
        let mut room = GROUP_BYTES.saturating_sub(first.bytes);
        let mut patient = first.urgency == Urgency::Soon && !waited;
        let mut group = vec![first];
        let deadline = patient.then(|| now() + COMPANY);
        while room > 0 && group.len() < QUEUE {
            let command = match deadline.filter(|_| patient) {
                Some(deadline) => self.receive_until(deadline),
                None => self.commands.try_recv().ok(),
            };
            match command {
                Some(Command::Append(queued)) => {
                    patient = patient && queued.urgency == Urgency::Soon;
                    room = room.saturating_sub(queued.bytes);
                    group.push(queued);
                }
                Some(other) => {
                    self.held = Some(other);
                    break;
                }
                None => break,
            }
        }
        group
    }

    fn receive_until(&self, deadline: Instant) -> Option<Command> {
        let left = deadline.saturating_duration_since(now());
        self.commands.recv_timeout(left).ok()
    }

    fn remove(
        &self,
        old: Old,
        at_most: usize,
        reply: &SyncSender<Result<usize, RetainError>>,
    ) -> Result<(), StoreError> {
        let shared = &self.shared;
        let written = guarded(
            || match plan_removal(shared, old, at_most, sealer::generator()?) {
                Ok((batch, removed)) => {
                    write(shared, batch)?;
                    Ok(Ok(removed))
                }
                // Nothing was written: what cannot be read hurts this call alone.
                Err(error) => Ok(Err(error)),
            },
        );
        // Whoever asked may be gone; what was removed stays removed.
        match written {
            Ok(answer) => {
                let _ = reply.send(answer.map_err(RetainError::Read));
                Ok(())
            }
            Err(error) => {
                self.shared.poisoned.store(true, Ordering::SeqCst);
                let _ = reply.send(Err(RetainError::Poisoned));
                Err(error)
            }
        }
    }
}

fn write_group(
    shared: &Shared,
    last: JournalSeq,
    known: &mut Known,
    group: Vec<Queued>,
) -> Result<(), StoreError> {
    let reader = shared.reader().map_err(StoreError::Read)?;
    let mut plan = Plan::new(&reader, known, sealer::generator()?);
    let mut last = last;
    for queued in group {
        let expected = JournalSeq(last.0.saturating_add(1));
        if queued.seq != expected {
            let found = queued.seq;
            return Err(StoreError::OutOfOrder { expected, found });
        }
        last = queued.seq;
        plan.apply(queued.entry).map_err(StoreError::Read)?;
    }
    let batch = plan.finish(last).map_err(StoreError::Read)?;
    drop(reader);
    write(shared, batch)
}

fn plan_removal(
    shared: &Shared,
    old: Old,
    at_most: usize,
    rng: ChaCha20Rng,
) -> Result<(Batch, usize), ReadError> {
    let reader = shared.reader()?;
    match old {
        Old::Runs(before) => retention::plan(&reader, rng, before, at_most),
        Old::Records(now) => expiry::plan(&reader, now, at_most),
        Old::Audit(cut) => audit::plan_cut(&reader, cut),
    }
}

fn write(shared: &Shared, batch: Batch) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    shared.engine.write(batch.into()).map_err(StoreError::Write)
}

/// Turns an engine's panic into a failure like any other: what it left behind is unknown.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Panicked))
}

impl From<NoRandomness> for StoreError {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

impl From<EngineError> for StoreError {
    fn from(error: EngineError) -> Self {
        Self::Write(error)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the group window is this thread's own; nothing stored or sent depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
