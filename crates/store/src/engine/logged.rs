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
    /// Puts the log beside an engine's files in front of it.
    pub(super) fn open(engine: Box<dyn Engine>, store: &Path) -> Result<Self, EngineError> {
        let path = log::path(store);
        let found = match name(engine.as_ref())? {
            Some(name) => Log::open(&path, &name)?,
            None => None,
        };
        let (end, batch) = match found {
            Some((log, batch)) => (End::Open(log), Some(batch)),
            None => (End::Due(path), None),
        };
        Ok(Self::new(engine, end, batch))
    }

    /// As [`Self::open`], but never writes to the log.
    pub(super) fn detached(engine: Box<dyn Engine>, store: &Path) -> Result<Self, EngineError> {
        let batch = match name(engine.as_ref())? {
            Some(name) => Log::peek(&log::path(store), &name)?,
            None => None,
        };
        Ok(Self::new(engine, End::Detached, batch))
    }

    fn new(engine: Box<dyn Engine>, end: End, batch: Option<Batch>) -> Self {
        let mut state = State::default();
        if let Some(batch) = batch.filter(|batch| !batch.is_empty()) {
            state.recent.push(batch.into());
        }
        Self {
            engine,
            end: Mutex::new(end),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, end: End, batch: &Batch) -> Result<End, EngineError> {
        Ok(match end {
            End::Open(mut log) => {
                log.append(batch)?;
                End::Open(log)
            }
            End::Due(_) => {
                let End::Open(mut log) = self.carry(end)? else {
                    return Ok(End::Failed);
                };
                log.append(batch)?;
                End::Open(log)
            }
            End::Detached => End::Detached,
            End::Failed => return Err(EngineError::Failed(AfterFailure.into())),
        })
    }

    /// Carries what the log holds into the engine, and begins it anew.
    fn carry(&self, end: End) -> Result<End, EngineError> {
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
        Ok(match end {
            End::Open(log) => End::Open(log.renew(&name)?),
            End::Due(path) => End::Open(Log::begin(&path, &name)?),
            end @ (End::Detached | End::Failed) => end,
        })
    }

    fn commit(&self, end: End, batch: Arc<Batch>) -> Result<End, EngineError> {
        let end = self.append(end, &batch)?;
        self.state().recent.push(batch);
        match &end {
            End::Open(log) if log.bytes() >= LOG_BYTES => self.carry(end),
            _ => Ok(end),
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
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        let end = std::mem::replace(end, End::Failed);
        let idle = self.state().recent.is_empty();
        if matches!(end, End::Open(_)) && !idle {
            // What cannot be carried over now is read from the log when the store opens.
            let _ = self.carry(end);
        }
    }
}

/// An earlier write failed.
#[derive(Debug, thiserror::Error)]
#[error("an earlier write to the log failed")]
struct AfterFailure;

/// The name of the log that belongs to an engine, if it has had one.
fn name(engine: &dyn Engine) -> Result<Option<LogName>, EngineError> {
    let stored = engine.snapshot()?.get(Tree::Meta, LOG_KEY)?;
    Ok(stored.and_then(|name| name.try_into().ok()))
}
