//! redb: one file, copy-on-write B-trees, two-phase commits.

use std::{
    cell::OnceCell,
    fs::OpenOptions,
    io,
    ops::Bound,
    os::unix::fs::OpenOptionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use redb::{
    AccessGuard, Builder, CursorError, Database, Durability, ReadOnlyTable, ReadTransaction,
    ReadableDatabase as _, StorageBackend, TableDefinition, TableError,
};

use thiserror::Error;

use super::{Batch, Engine, Row, Rows, Snapshot, TreeBatch};
use crate::{EngineError, Tree, layout::KeyRange};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type WriteTable<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;
type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Range = redb::Range<'static, &'static [u8], &'static [u8]>;

/// Writes after a gap for one key that look for none.
const SCATTERED: u32 = 16;

pub(crate) struct RedbEngine {
    database: Database,
}

impl RedbEngine {
    /// Makes a new file that only its owner may read.
    pub(crate) fn create(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let database = guarded(|| builder(cache_bytes).create_file(file))?;
        Ok(Self { database })
    }

    /// Opens a file that was made before; an empty one is damage, not a fresh start.
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        let database = guarded(|| builder(cache_bytes).open(path))?;
        Ok(Self { database })
    }

    pub(crate) fn with_backend(
        backend: impl StorageBackend,
        cache_bytes: usize,
    ) -> Result<Self, EngineError> {
        let database = guarded(|| builder(cache_bytes).create_with_backend(backend))?;
        Ok(Self { database })
    }

    fn commit(&self, batch: &Batch) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        // Commits in two phases too; opening after a crash then needs no walk of the file.
        transaction.set_quick_repair(true);
        for (tree, writes) in batch.trees() {
            let mut table = transaction.open_table(definition(tree))?;
            write_table(&mut table, writes)?;
        }
        Ok(transaction.commit()?)
    }
}

/// Writes to a table. Keys that are new and follow each other go through one gap between two that
/// are there; each costs a fraction of a search of its own.
fn write_table(table: &mut WriteTable<'_>, writes: &TreeBatch) -> Result<(), redb::Error> {
    let mut writes = writes.iter().peekable();
    // Writes to come that look for no gap, because the last one was one key wide.
    let mut scattered = 0_u32;
    while let Some((key, value)) = writes.peek() {
        let mut through_gap = 0_u32;
        if scattered == 0 && value.is_some() {
            let mut gap = table.lower_bound_mut(Bound::Included(key.as_slice()))?;
            while let Some((key, Some(value))) = writes.peek() {
                match gap.insert_before(key.as_slice(), value.as_ref()) {
                    Ok(()) => through_gap += 1,
                    // The key is there, or lies beyond the gap.
                    Err(CursorError::UnorderedKey) => break,
                    Err(error) => return Err(error.into()),
                }
                writes.next();
            }
            gap.close()?;
            if through_gap <= 1 {
                scattered = SCATTERED;
            }
        }
        if through_gap > 0 {
            continue;
        }
        let Some((key, value)) = writes.next() else {
            break;
        };
        scattered = scattered.saturating_sub(1);
        match value {
            Some(value) => drop(table.insert(key.as_slice(), value.as_ref())?),
            None => drop(table.remove(key.as_slice())?),
        }
    }
    Ok(())
}

impl Engine for RedbEngine {
    fn write(&self, batch: Arc<Batch>) -> Result<(), EngineError> {
        guarded(|| self.commit(&batch))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        let transaction = guarded(|| self.database.begin_read())?;
        Ok(Box::new(RedbSnapshot {
            transaction,
            tables: [const { OnceCell::new() }; Tree::ALL.len()],
        }))
    }

    fn verify(&mut self) -> Result<bool, EngineError> {
        match guarded(|| self.database.check_integrity()) {
            Err(EngineError::Corrupt(_)) => Ok(false),
            other => other,
        }
    }
}

struct RedbSnapshot {
    transaction: ReadTransaction,
    /// The tables that were looked for, by the numbers of their trees: opening one is as much work
    /// as a read.
    tables: [OnceCell<Option<Table>>; Tree::ALL.len()],
}

impl RedbSnapshot {
    /// The tree's table; none before its first write.
    fn table(&self, tree: Tree) -> Result<Option<&Table>, redb::Error> {
        let cell = self.tables.get(usize::from(tree.number()));
        if let Some(table) = cell.and_then(OnceCell::get) {
            return Ok(table.as_ref());
        }
        let table = match self.transaction.open_table(definition(tree)) {
            Ok(table) => Some(table),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(cell.and_then(|cell| cell.get_or_init(|| table).as_ref()))
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        guarded(|| -> Result<_, redb::Error> {
            let Some(table) = self.table(tree)? else {
                return Ok(None);
            };
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    fn range(&self, tree: Tree, range: &KeyRange) -> Result<Rows<'_>, EngineError> {
        if range.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let until = match &range.until {
            Some(until) => Bound::Excluded(until.as_slice()),
            None => Bound::Unbounded,
        };
        let bounds = (Bound::Included(range.from.as_slice()), until);
        let rows = guarded(|| -> Result<_, redb::Error> {
            let table = self.table(tree)?;
            Ok(table
                .map(|table| table.range::<&[u8]>(bounds))
                .transpose()?)
        })?;
        Ok(Box::new(rows.into_iter().flat_map(RedbRows)))
    }
}

struct RedbRows(Range);

type RedbRow = Result<RedbPair, redb::StorageError>;
type RedbPair = (
    AccessGuard<'static, &'static [u8]>,
    AccessGuard<'static, &'static [u8]>,
);

impl RedbRows {
    fn step(
        &mut self,
        step: impl FnOnce(&mut Range) -> Option<RedbRow>,
    ) -> Option<Result<Row, EngineError>> {
        let row = guarded(|| -> Result<_, redb::Error> {
            let row = step(&mut self.0).transpose()?;
            Ok(row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        });
        row.transpose()
    }
}

impl Iterator for RedbRows {
    type Item = Result<Row, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for RedbRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

/// redb panicked, as it does on some damaged pages.
#[derive(Debug, Error)]
#[error("the engine panicked")]
struct Panicked;

/// Calls into redb; its panic on a damaged page is damage like any other.
fn guarded<T, E: Into<redb::Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(failure),
        Err(_) => Err(EngineError::Corrupt(Panicked.into())),
    }
}

fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder
}

fn definition(tree: Tree) -> Definition {
    TableDefinition::new(tree.name())
}

/// Sorts redb's errors; a short or malformed file is damage, whoever noticed.
fn failure(error: impl Into<redb::Error>) -> EngineError {
    match error.into() {
        redb::Error::Io(source) => match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                EngineError::Corrupt(source.into())
            }
            _ => EngineError::Io(source),
        },
        redb::Error::DatabaseAlreadyOpen => EngineError::InUse,
        error @ (redb::Error::Corrupted(_)
        | redb::Error::RepairAborted
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }) => EngineError::Corrupt(error.into()),
        error => EngineError::Failed(error.into()),
    }
}
