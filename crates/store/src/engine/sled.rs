//! sled: a folder with a log-structured tree.
//!
//! All rows stand in one sled tree, behind the number of theirs, so that one batch of sled's is one
//! batch of ours. Three things sled does not do are done here. Its `flush` leaves the file's
//! metadata and the disk's cache to chance on Linux, so every write ends in `fdatasync`. It makes
//! what is missing when it opens, so what must be there is looked for first. It has no snapshots,
//! so old values are kept for readers ([`super::undo`]).

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    ops::Bound,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc},
    thread::{self, park_timeout},
    time::Duration,
};

use sled::{Config, Db};
use thiserror::Error;

use super::{Batch, Engine, Row, Rows, Snapshot, undo::Undo};
use crate::{EngineError, Tree, layout::KeyRange};

/// What sled cannot do without, and would make anew.
const FILES: [&str; 2] = [LOG, "conf"];
/// The log, which sled locks while it is open.
const LOG: &str = "db";
/// How often sled's lock is tried before it is taken for lost.
const LOCK_TRIES: u32 = 300;
/// How long sled may take to write out what it holds.
const FLUSH: Duration = Duration::from_secs(10);
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Rows read under one hold of the lock.
const CHUNK: usize = 128;

pub(crate) struct SledEngine {
    database: Db,
    /// The log, to be synced after sled has written it.
    log: File,
    /// The folder of values too large for the log: a new file in it must not be lost either.
    large: File,
    undo: RwLock<Undo>,
}

impl SledEngine {
    /// Makes a new folder that only its owner may enter.
    pub(crate) fn create(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        DirBuilder::new().mode(0o700).create(path)?;
        let engine = Self::start(path, cache_bytes)?;
        for name in FILES {
            let file = File::open(path.join(name))?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.sync_all()?;
        }
        File::open(path)?.sync_all()?;
        Ok(engine)
    }

    /// Opens a folder that was made before; where a file is missing or empty, that is damage.
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        for name in FILES {
            match path.join(name).metadata() {
                Ok(found) if found.len() > 0 => {}
                Ok(_) => return Err(EngineError::Corrupt(Missing(name).into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => {
                    return Err(EngineError::Corrupt(Missing(name).into()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Self::discard_unfinished(path)?;
        Self::start(path, cache_bytes)
    }

    /// Removes summaries of the log that a crash cut short: sled takes them for whole ones, and the
    /// log alone says all.
    fn discard_unfinished(path: &Path) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry
                .file_name()
                .as_encoded_bytes()
                .ends_with(b".generating")
            {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn start(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        match File::open(path.join(LOG)) {
            Ok(log) => wait_for_lock(&log)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let config = Config::new()
            .path(path)
            .cache_capacity(cache_bytes as u64)
            .flush_every_ms(None);
        let database = guarded(|| config.open())?;
        Ok(Self {
            database,
            log: File::open(path.join(LOG))?,
            large: File::open(path.join("blobs"))?,
            undo: RwLock::default(),
        })
    }

    fn reading(&self) -> RwLockReadGuard<'_, Undo> {
        self.undo.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Undo> {
        self.undo.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a batch; gives its number. It is neither durable nor to be seen yet.
    fn apply(&self, batch: &Batch) -> Result<u64, EngineError> {
        let mut writes = sled::Batch::default();
        let mut undo = self.writing();
        let number = undo.next();
        let each = batch.trees().flat_map(|(tree, writes)| {
            let writes = writes.iter();
            writes.map(move |(key, value)| (full_key(tree, key), value.as_deref()))
        });
        for (key, value) in each {
            let old = guarded(|| self.database.get(&key))?;
            match value {
                Some(value) => writes.insert(key.as_slice(), value),
                None => writes.remove(key.as_slice()),
            }
            undo.note(number, key, old.map(|old| old.to_vec()));
        }
        guarded(|| self.database.apply_batch(writes))?;
        Ok(number)
    }
}

impl Engine for SledEngine {
    fn write(&self, batch: Arc<Batch>) -> Result<(), EngineError> {
        let number = self.apply(&batch)?;
        flush(&self.database)?;
        self.large.sync_all()?;
        self.log.sync_data()?;
        self.writing().settle(number);
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        let moment = self.writing().begin();
        Ok(Box::new(SledSnapshot {
            engine: self,
            moment,
        }))
    }

    fn verify(&mut self) -> Result<bool, EngineError> {
        // sled checks the checksum of what it reads from the disk, so reading all checks all.
        for row in self.database.iter() {
            match guarded(|| row) {
                Ok(_) => {}
                Err(EngineError::Corrupt(_)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

struct SledSnapshot<'a> {
    engine: &'a SledEngine,
    moment: u64,
}

impl SledSnapshot<'_> {
    /// The old values, if they still reach back to this moment.
    fn undo(&self) -> Result<RwLockReadGuard<'_, Undo>, EngineError> {
        let undo = self.engine.reading();
        if undo.reaches(self.moment) {
            Ok(undo)
        } else {
            Err(EngineError::Failed(Overtaken.into()))
        }
    }

    /// Reads the next rows of a range, and cuts them off it: its first ones, or its last.
    fn chunk(&self, rest: &mut KeyRange, from_end: bool) -> Result<VecDeque<Row>, EngineError> {
        let undo = self.undo()?;
        let mut found = BTreeMap::new();
        let range = self
            .engine
            .database
            .range::<&[u8], _>((Bound::Included(rest.from.as_slice()), end(rest)));
        let mut add = |row: sled::Result<(sled::IVec, sled::IVec)>| {
            let (key, value) = guarded(|| row)?;
            found.insert(key.to_vec(), Some(value.to_vec()));
            Ok::<_, EngineError>(())
        };
        if from_end {
            range.rev().take(CHUNK).try_for_each(&mut add)?;
        } else {
            range.take(CHUNK).try_for_each(&mut add)?;
        }
        let mut covered = rest.clone();
        let is_last = found.len() < CHUNK;
        if from_end {
            let first = found.first_key_value().filter(|_| !is_last);
            let first = first.map_or_else(|| rest.from.clone(), |(key, _)| key.clone());
            covered.from.clone_from(&first);
            rest.until = Some(first);
        } else {
            let last = found.last_key_value().filter(|_| !is_last);
            if let Some((last, _)) = last {
                // The first key after it.
                let next = [last.as_slice(), &[0]].concat();
                covered.until = Some(next);
            }
            match &covered.until {
                Some(until) => rest.from.clone_from(until),
                None => rest.until = Some(rest.from.clone()),
            }
        }
        for (key, old) in undo.range_at(self.moment, &covered.from, end(&covered)) {
            found.insert(key.to_vec(), old.clone());
        }
        let rows = found.into_iter();
        Ok(rows
            .filter_map(|(key, value)| Some((key.get(1..)?.to_vec(), value?)))
            .collect())
    }
}

impl Snapshot for SledSnapshot<'_> {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let key = full_key(tree, key);
        let undo = self.undo()?;
        if let Some(old) = undo.at(self.moment, &key) {
            return Ok(old.clone());
        }
        let value = guarded(|| self.engine.database.get(&key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn range(&self, tree: Tree, range: &KeyRange) -> Result<Rows<'_>, EngineError> {
        let until = match &range.until {
            Some(until) => full_key(tree, until),
            None => vec![tree.number().saturating_add(1)],
        };
        let rest = KeyRange {
            from: full_key(tree, &range.from),
            until: Some(until),
        };
        Ok(Box::new(SledRows {
            snapshot: self,
            rest,
            front: VecDeque::new(),
            back: VecDeque::new(),
        }))
    }
}

impl Drop for SledSnapshot<'_> {
    fn drop(&mut self) {
        self.engine.writing().end(self.moment);
    }
}

/// Rows of one moment, read a chunk at a time from either end.
struct SledRows<'a> {
    snapshot: &'a SledSnapshot<'a>,
    /// What has not been read yet.
    rest: KeyRange,
    front: VecDeque<Row>,
    back: VecDeque<Row>,
}

impl SledRows<'_> {
    /// Reads until a chunk has rows or nothing is left.
    fn fill(&mut self, from_end: bool) -> Result<(), EngineError> {
        let filled = if from_end {
            &mut self.back
        } else {
            &mut self.front
        };
        while filled.is_empty() && !self.rest.is_empty() {
            *filled = self.snapshot.chunk(&mut self.rest, from_end)?;
        }
        Ok(())
    }
}

impl Iterator for SledRows<'_> {
    type Item = Result<Row, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill(false) {
            return Some(Err(error));
        }
        let row = self.front.pop_front();
        row.or_else(|| self.back.pop_front()).map(Ok)
    }
}

impl DoubleEndedIterator for SledRows<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill(true) {
            return Some(Err(error));
        }
        let row = self.back.pop_back();
        row.or_else(|| self.front.pop_back()).map(Ok)
    }
}

fn full_key(tree: Tree, key: &[u8]) -> Vec<u8> {
    [&[tree.number()], key].concat()
}

fn end(range: &KeyRange) -> Bound<&[u8]> {
    range
        .until
        .as_deref()
        .map_or(Bound::Unbounded, Bound::Excluded)
}

/// A file that sled would have made anew, empty.
#[derive(Debug, Error)]
#[error("`{0}` is missing or empty")]
struct Missing(&'static str);

/// More was written during a read than old values are kept for.
#[derive(Debug, Error)]
#[error("more was written during a long read than can be kept for it; read again")]
struct Overtaken;

/// sled panicked, as it does on some damage and on some failed writes.
#[derive(Debug, Error)]
#[error("the engine panicked")]
struct Panicked;

/// Waits until sled has let go of its log. Threads of its own hold it for a moment after an engine
/// of this process is dropped, and for ever after a failed one; no other process gets as far as
/// here, because the folder above is locked.
fn wait_for_lock(log: &File) -> Result<(), EngineError> {
    for _ in 0..LOCK_TRIES {
        match log.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => park_timeout(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::InUse)
}

/// Writes out what sled holds. After a write that failed sled may wait for ever for one that never
/// comes, so somebody else waits for sled, and here for a bounded time.
fn flush(database: &Db) -> Result<(), EngineError> {
    let (done, flushed) = mpsc::sync_channel(1);
    let database = database.clone();
    thread::Builder::new()
        .name("sled-flush".to_owned())
        .spawn(move || {
            // Nobody waits any more once the time is over.
            let _ = done.send(guarded(|| database.flush()));
        })?;
    let late = || EngineError::Io(io::ErrorKind::TimedOut.into());
    flushed.recv_timeout(FLUSH).map_err(|_| late())?.map(|_| ())
}

/// Calls into sled; its panic is damage like any other.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(failure),
        Err(_) => Err(EngineError::Corrupt(Panicked.into())),
    }
}

fn failure(error: sled::Error) -> EngineError {
    match error {
        sled::Error::Io(source) if source.to_string().starts_with("could not acquire lock") => {
            EngineError::InUse
        }
        sled::Error::Io(source) => match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                EngineError::Corrupt(source.into())
            }
            _ => EngineError::Io(source),
        },
        error @ sled::Error::Corruption { .. } => EngineError::Corrupt(error.into()),
        error => EngineError::Failed(error.into()),
    }
}
