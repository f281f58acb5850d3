//! redb: one file, copy-on-write B-trees, two-phase commits.

use std::{fs::OpenOptions, io, ops::Bound, os::unix::fs::OpenOptionsExt as _, path::Path};

use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase as _,
    StorageBackend, TableDefinition, TableError,
};

use super::{Batch, Engine, Row, Rows, Snapshot};
use crate::{EngineError, Tree, layout::KeyRange};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

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
        let database = builder(cache_bytes).create_file(file).map_err(failure)?;
        Ok(Self { database })
    }

    /// Opens a file that was made before; an empty one is damage, not a fresh start.
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, EngineError> {
        let database = builder(cache_bytes).open(path).map_err(failure)?;
        Ok(Self { database })
    }

    pub(crate) fn with_backend(
        backend: impl StorageBackend,
        cache_bytes: usize,
    ) -> Result<Self, EngineError> {
        let database = builder(cache_bytes)
            .create_with_backend(backend)
            .map_err(failure)?;
        Ok(Self { database })
    }

    fn commit(&self, batch: &Batch) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        // Commits in two phases too; opening after a crash then needs no walk of the file.
        transaction.set_quick_repair(true);
        let mut writes = batch.writes().peekable();
        while let Some((tree, ..)) = writes.peek() {
            let tree = *tree;
            let mut table = transaction.open_table(definition(tree))?;
            while let Some((_, key, value)) = writes.next_if(|(next, ..)| *next == tree) {
                match value {
                    Some(value) => drop(table.insert(key, value)?),
                    None => drop(table.remove(key)?),
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Engine for RedbEngine {
    fn write(&self, batch: &Batch) -> Result<(), EngineError> {
        self.commit(batch).map_err(failure)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError> {
        let transaction = self.database.begin_read().map_err(failure)?;
        Ok(Box::new(RedbSnapshot { transaction }))
    }

    fn verify(&mut self) -> Result<bool, EngineError> {
        match self.database.check_integrity().map_err(failure) {
            Err(EngineError::Corrupt(_)) => Ok(false),
            other => other,
        }
    }
}

struct RedbSnapshot {
    transaction: ReadTransaction,
}

impl RedbSnapshot {
    /// The tree's table; none before its first write.
    fn table(&self, tree: Tree) -> Result<Option<Table>, EngineError> {
        match self.transaction.open_table(definition(tree)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let Some(table) = self.table(tree)? else {
            return Ok(None);
        };
        let value = table.get(key).map_err(failure)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn range(&self, tree: Tree, range: &KeyRange) -> Result<Rows<'_>, EngineError> {
        let table = self.table(tree)?.filter(|_| !range.is_empty());
        let Some(table) = table else {
            return Ok(Box::new(std::iter::empty()));
        };
        let until = match &range.until {
            Some(until) => Bound::Excluded(until.as_slice()),
            None => Bound::Unbounded,
        };
        let rows = table
            .range::<&[u8]>((Bound::Included(range.from.as_slice()), until))
            .map_err(failure)?;
        Ok(Box::new(rows.map(|row| -> Result<Row, EngineError> {
            let (key, value) = row.map_err(failure)?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        })))
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
