//! What the handles and the committer share.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use crate::{FileLock, ReadError, engine::Engine, reader::Reader, sealer::Sealer};

pub(crate) struct Shared {
    // Dropped before the lock: nobody else may open the files while the engine still has them.
    pub(crate) engine: Box<dyn Engine>,
    _lock: Option<FileLock>,
    pub(crate) sealer: Sealer,
    /// A write failed; nothing is acknowledged any more.
    pub(crate) poisoned: AtomicBool,
    /// Bytes of entries in the queue.
    pub(crate) queued: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(engine: Box<dyn Engine>, lock: Option<FileLock>, sealer: Sealer) -> Self {
        Self {
            engine,
            _lock: lock,
            sealer,
            poisoned: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
        }
    }

    /// Reads what is committed now.
    pub(crate) fn reader(&self) -> Result<Reader<'_>, ReadError> {
        Ok(Reader::new(self.engine.snapshot()?, &self.sealer))
    }
}
