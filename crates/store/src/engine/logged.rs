//! An engine behind a log: one write and one sync a batch, and the engine's own work in the lump.
//!
//! A batch is durable once it is in the log, and is read from memory until the log is long enough
//! to be carried into the engine. That write gives the log a new name, so that a log whose rows the
//! engine has is known for one, whatever a crash left of it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Batch, Engine, Snapshot,
    log::{self, Log, LogName},
    recent::{Recent, RecentSnapshot},
};
use crate::{EngineError, Tree};

/// Bytes of log that are carried into the engine.
const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// The name of the engine's log, among what the store knows about itself.
pub(crate) const LOG_KEY: &[u8] = b"log";

pub(super) struct LoggedEngine {
    engine: Box<dyn Engine>,
    /// Locked while something is written.
    end: Mutex<End>,
    state: Mutex<State>,
}

/// Where the log goes on.
#[derive(Debug)]
enum End {
    /// In this log.
    Open(Log),
    /// In a log that has to be begun, at this path.
    Due(PathBuf),
    /// Nowhere: nothing may be written to the files.
    Detached,
    /// Nowhere any more, since a write failed.
    Failed,
}

#[derive(Debug, Default)]
struct State {
    recent: Recent,
    /// How often the log has been carried into the engine.
    carried: u64,
}

impl LoggedEngine {
    /// Puts the log beside an engine's files in front of it. What the log holds goes into the engine
    /// first: whether the disk has it, or only the page cache, cannot be told.
    pub(super) fn open(engine: Box<dyn Engine>, store: &Path) -> Result<Self, EngineError> {
        let path = log::path(store);
        let batch = read(engine.as_ref(), &path)?;
        let is_empty = batch.is_empty();
        let opened = Self::new(engine, batch);
        let due = End::Due(path);
        let end = if is_empty { due } else { opened.carry(due)? };
        *opened.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(opened)
    }

    /// As [`Self::open`], but never writes to the files.
    pub(super) fn detached(engine: Box<dyn Engine>, store: &Path) -> Result<Self, EngineError> {
        let batch = read(engine.as_ref(), &log::path(store))?;
        Ok(Self::new(engine, batch))
    }

    fn new(engine: Box<dyn Engine>, batch: Batch) -> Self {
        let mut state = State::default();
        if !batch.is_empty() {
            state.recent.push(batch.into());
        }
        Self {
            engine,
            end: Mutex::new(End::Detached),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries what the log holds into the engine, and begins it anew.
    fn carry(&self, end: End) -> Result<End, EngineError> {
        // The file is there before the engine names it, so that a missing one is damage.
        let file = match &end {
            End::Due(path) => Some(Log::prepare(path)?),
            _ => None,
        };
        let mut name: LogName = [0; 16];
        getrandom::fill(&mut name).map_err(|error| EngineError::Failed(error.into()))?;
        let mut named = Batch::default();
        named.put(Tree::Meta, LOG_KEY.to_vec(), name.to_vec());
        let batch = {
            let mut state = self.state();
            state.recent.push(named.into());
            state.recent.compact()
        };
        self.engine.write(batch)?;
        {
            let mut state = self.state();
            state.recent = Recent::default();
            state.carried = state.carried.saturating_add(1);
        }
        Ok(match (end, file) {
            (End::Open(log), _) => End::Open(log.renew(&name, LOG_BYTES)?),
            (_, Some(file)) => {
                // What logs before it held is in the engine, or was erased there.
                file.set_len(0)?;
                End::Open(Log::begin(file, &name, LOG_BYTES)?)
            }
            (end, None) => end,
        })
    }

    fn commit(&self, end: End, batch: Arc<Batch>) -> Result<End, EngineError> {
        match end {
            End::Open(mut log) => {
                log.append(&batch)?;
                self.state().recent.push(batch);
                let is_long = log.bytes() >= LOG_BYTES;
                let end = End::Open(log);
                if is_long { self.carry(end) } else { Ok(end) }
            }
            // The first write goes into the engine, with the name of the log for those to come.
            End::Due(_) => {
                self.state().recent.push(batch);
                self.carry(end)
            }
            End::Detached => {
                self.state().recent.push(batch);
                Ok(end)
            }
            End::Failed => Err(EngineError::Failed(AfterFailure.into())),
        }
    }
}

impl Engine for LoggedEngine {
    fn write(&self, batch: Arc<Batch>) -> Result<(), EngineError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *end, End::Failed);
        *end = self.commit(before, batch)?;
        Ok(())
    }

    fn rest(&self) -> Result<(), EngineError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*end, End::Open(_)) && !self.state().recent.is_empty() {
            let before = std::mem::replace(&mut *end, End::Failed);
            *end = self.carry(before)?;
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        loop {
            let carried = self.state().carried;
            // The engine first: what is carried into it afterwards stays among the recent rows
            // until they are counted as carried.
            let engine = self.engine.snapshot()?;
            let state = self.state();
            if state.carried == carried {
                let recent = state.recent.clone();
                return Ok(Box::new(RecentSnapshot { recent, engine }));
            }
        }
    }

    fn verify(&mut self) -> Result<bool, EngineError> {
        self.engine.verify()
    }
}

impl Drop for LoggedEngine {
    fn drop(&mut self) {
        // What cannot be carried over now is read from the log when the store opens.
        let _ = self.rest();
    }
}

/// An earlier write failed.
#[derive(Debug, thiserror::Error)]
#[error("an earlier write to the log failed")]
struct AfterFailure;

/// What the log of an engine holds; nothing if it has not had one.
fn read(engine: &dyn Engine, path: &Path) -> Result<Batch, EngineError> {
    let stored = engine.snapshot()?.get(Tree::Meta, LOG_KEY)?;
    let name: Option<LogName> = stored.and_then(|name| name.try_into().ok());
    match name {
        Some(name) => Log::read(path, &name),
        None => Ok(Batch::default()),
    }
}
