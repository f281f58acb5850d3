//! What can go wrong, one enum an operation.

use std::io;

use realm_protocol::journal::Entry;
use realm_protocol::journal::JournalSeq;
use thiserror::Error;

use crate::{EngineKind, Tree};

/// An engine's own error, kept as a cause without naming the engine.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an engine could not read or write.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The operating system refused a read, a write or a sync.
    #[error("the store's files cannot be read or written")]
    Io(#[from] io::Error),
    /// The engine's own structures are damaged.
    #[error("the store's files are damaged")]
    Corrupt(#[source] Cause),
    /// Another process has the files open.
    #[error("the store is open elsewhere")]
    InUse,
    /// The engine gave up for another reason, such as an earlier failed write.
    #[error("the store's engine failed")]
    Failed(#[source] Cause),
    /// The engine is not part of this program.
    #[error("this program was built without the engine {0}")]
    LeftOut(EngineKind),
}

/// Why a read has no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A value does not open or does not decode: the disk or somebody changed it.
    #[error("a row of {0} is damaged")]
    Damaged(Tree),
    /// A value was written by a newer version of the store.
    #[error("a row of {tree} has version {found}; this program knows {known}")]
    Newer {
        /// Where the row is.
        tree: Tree,
        /// The row's schema version.
        found: u8,
        /// The newest schema version known here.
        known: u8,
    },
}

/// Why a store does not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error("the store is open in another process")]
    Locked {
        /// That process, where it left its id.
        pid: Option<u32>,
    },
    /// The store was written by a newer version of this program.
    #[error("the store has format {found}; this program knows {known}")]
    Newer {
        /// The store's format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The store was written by a version so old that nothing leads from it to this one.
    #[error("the store has format {found}, from which no step leads to format {known}")]
    Older {
        /// The store's format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The files are no store, or a damaged one.
    #[error("the store is damaged; restore it from a backup")]
    Corrupt(#[source] Option<Cause>),
    /// The store is another engine's than was asked for.
    #[error("the store is kept by {found}, not by {asked}")]
    OtherEngine {
        /// The engine that keeps it.
        found: EngineKind,
        /// The engine that was asked for.
        asked: EngineKind,
    },
    /// A store was here, and its files are gone.
    #[error("the store's files are missing: `realm.engine` says that {0} keeps them")]
    Missing(EngineKind),
    /// The engine is not part of this program.
    #[error("this program was built without the engine {0}")]
    LeftOut(EngineKind),
    /// The key, or the realm, is not the one the store was sealed for.
    #[error("the store was sealed with another key, or for another realm")]
    WrongKey,
    /// The operating system refused.
    #[error("the store's directory cannot be used")]
    Io(#[source] io::Error),
    /// The engine gave up for another reason.
    #[error("the store's engine failed")]
    Engine(#[source] Cause),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<EngineError> for OpenError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Io(source) => Self::Io(source),
            EngineError::Corrupt(source) => Self::Corrupt(Some(source)),
            EngineError::InUse => Self::Locked { pid: None },
            EngineError::Failed(source) => Self::Engine(source),
            EngineError::LeftOut(kind) => Self::LeftOut(kind),
        }
    }
}

/// Why an entry was not taken. Its number is still due: see [`crate::Store::append`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AppendError {
    /// The queue is at its bound; it shrinks as entries become durable.
    #[error("the store's queue is full")]
    Full,
    /// The store was stopped.
    #[error("the store is stopped")]
    Stopped,
    /// A write failed earlier; nothing is acknowledged any more.
    #[error("the store failed earlier and takes nothing")]
    Poisoned,
}

/// An entry that was not taken, and why.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct Unappended {
    /// Why.
    pub error: AppendError,
    /// The entry, as it was given.
    pub entry: Entry,
}

/// Why the committer gave up: the reason a store is poisoned.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A write, a commit or a sync failed; whether it reached the disk is unknown.
    #[error("the journal could not be written")]
    Write(#[source] EngineError),
    /// A row that the entry builds on cannot be read.
    #[error("the journal rests on a row that cannot be read")]
    Read(#[source] ReadError),
    /// An entry's number does not follow the last one: an entry was lost on the way here.
    #[error("journal entry {found:?} came where {expected:?} was due")]
    OutOfOrder {
        /// The number that was due.
        expected: JournalSeq,
        /// The number that came.
        found: JournalSeq,
    },
    /// The system gave no random bytes to seal with.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The engine panicked.
    #[error("the store's engine panicked")]
    Panicked,
}

/// Why nothing was removed.
#[derive(Debug, Error)]
pub enum RetainError {
    /// What is to be removed cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store was stopped.
    #[error("the store is stopped")]
    Stopped,
    /// A write failed, now or earlier; nothing is acknowledged any more.
    #[error("the store failed and takes nothing")]
    Poisoned,
}

/// Why a backup was not finished.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output cannot be written.
    #[error("the backup cannot be written")]
    Write(#[from] io::Error),
    /// The system gave no random bytes to seal with.
    #[error("the system gives no random bytes")]
    Randomness,
}

/// Why a backup was not restored. Nothing of it stays behind.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The directory holds something already.
    #[error("the directory is not empty")]
    NotEmpty,
    /// The input is no backup, is cut short, or was changed.
    #[error("the backup is damaged")]
    Damaged,
    /// The backup was written by a newer version of this program.
    #[error("the backup has format {found}; this program knows {known}")]
    Newer {
        /// The backup's format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The backup is another realm's.
    #[error("the backup belongs to another realm")]
    OtherRealm,
    /// The key is not the one the backup was sealed with.
    #[error("the backup was sealed with another key")]
    WrongKey,
    /// The input cannot be read.
    #[error("the backup cannot be read")]
    Read(#[source] io::Error),
    /// The new store cannot be made.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl From<EngineError> for RestoreError {
    fn from(error: EngineError) -> Self {
        Self::Store(error.into())
    }
}

/// Why a store did not move to another engine. The store is as it was.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A row cannot be read: a copy of damage would replace what a backup can still mend.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy cannot be made.
    #[error("the copy for {to} cannot be written")]
    Write {
        /// The engine it was for.
        to: EngineKind,
        /// Why not.
        source: EngineError,
    },
    /// The copy, read again from the disk, is not what was written.
    #[error("the copy for {to} holds {found} rows of {expected}, or other ones")]
    Differs {
        /// The engine it was for.
        to: EngineKind,
        /// Rows of the store.
        expected: u64,
        /// Rows of the copy.
        found: u64,
    },
}
