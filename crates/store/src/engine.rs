//! The seam between the facade and whatever keeps the files.
//!
//! An engine is a few ordered maps of bytes with atomic, durable writes and consistent reads.
//! Everything else (sealing, indexes, versions, numbering) is done once, above.

mod detached;
pub(crate) mod log;
mod logged;
mod recent;
mod redb;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sled")]
mod undo;

use std::{borrow::Cow, collections::BTreeMap, path::Path, sync::Arc};

use self::logged::LoggedEngine;
use crate::{EngineError, EngineKind, Tree, files, layout::KeyRange};

pub(crate) use self::logged::LOG_KEY;
#[cfg(test)]
pub(crate) use self::redb::RedbEngine;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Rows in the order of their keys, from either end.
pub(crate) type Rows<'a> = Box<dyn DoubleEndedIterator<Item = Result<Row, EngineError>> + 'a>;

/// Keeps trees of rows.
pub(crate) trait Engine: Send + Sync {
    /// Writes all of a batch or nothing. What it returned from is on the disk.
    fn write(&self, batch: Arc<Batch>) -> Result<(), EngineError>;

    /// Does what can wait until nothing else is to be done.
    fn rest(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Freezes what is committed now.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, EngineError>;

    /// Checks the engine's own checksums; false if they do not hold. Must be alone.
    fn verify(&mut self) -> Result<bool, EngineError>;
}

/// What was committed at one moment.
pub(crate) trait Snapshot {
    /// The value of a key.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The rows of a range.
    fn range(&self, tree: Tree, range: &KeyRange) -> Result<Rows<'_>, EngineError>;
}

/// Writes that happen together. The last one of a key counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// By the numbers of the trees.
    trees: [TreeBatch; Tree::ALL.len()],
}

/// Writes to one tree by key; no value deletes.
pub(crate) type TreeBatch = BTreeMap<Vec<u8>, Option<Cow<'static, [u8]>>>;

impl Batch {
    pub(crate) fn put(&mut self, tree: Tree, key: Vec<u8>, value: impl Into<Cow<'static, [u8]>>) {
        self.write(tree, key, Some(value.into()));
    }

    pub(crate) fn delete(&mut self, tree: Tree, key: Vec<u8>) {
        self.write(tree, key, None);
    }

    /// What the batch writes to a key, if it does; no value where it deletes.
    pub(crate) fn pending(&self, tree: Tree, key: &[u8]) -> Option<Option<&[u8]>> {
        let write = self.trees.get(usize::from(tree.number()))?.get(key)?;
        Some(write.as_deref())
    }

    /// The writes to a tree.
    pub(crate) fn tree(&self, tree: Tree) -> Option<&TreeBatch> {
        self.trees.get(usize::from(tree.number()))
    }

    /// Adds the writes of a later batch.
    pub(crate) fn append(&mut self, later: Self) {
        for (writes, mut later) in self.trees.iter_mut().zip(later.trees) {
            writes.append(&mut later);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.trees.iter().map(BTreeMap::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.trees.iter().all(BTreeMap::is_empty)
    }

    /// The trees that are written to, in the order of their numbers.
    pub(crate) fn trees(&self) -> impl Iterator<Item = (Tree, &TreeBatch)> {
        let trees = Tree::ALL.iter().copied().zip(&self.trees);
        trees.filter(|(_, writes)| !writes.is_empty())
    }

    fn write(&mut self, tree: Tree, key: Vec<u8>, value: Option<Cow<'static, [u8]>>) {
        // Every tree has a number below their count: see `Tree::ALL`.
        if let Some(writes) = self.trees.get_mut(usize::from(tree.number())) {
            writes.insert(key, value);
        }
    }
}

/// Makes an engine's files at a path where there are none.
pub(crate) fn create(
    kind: EngineKind,
    path: &Path,
    cache_bytes: usize,
) -> Result<Box<dyn Engine>, EngineError> {
    Ok(match kind {
        EngineKind::Redb => Box::new(redb::RedbEngine::create(path, cache_bytes)?),
        #[cfg(feature = "sled")]
        EngineKind::Sled => Box::new(sled::SledEngine::create(path, cache_bytes)?),
        #[cfg(not(feature = "sled"))]
        EngineKind::Sled => return Err(EngineError::LeftOut(kind)),
    })
}

/// Opens an engine's files, with the log beside them in front.
pub(crate) fn open(
    kind: EngineKind,
    path: &Path,
    cache_bytes: usize,
) -> Result<Box<dyn Engine>, EngineError> {
    let engine = open_files(kind, path, cache_bytes)?;
    Ok(Box::new(LoggedEngine::open(engine, path)?))
}

fn open_files(
    kind: EngineKind,
    path: &Path,
    cache_bytes: usize,
) -> Result<Box<dyn Engine>, EngineError> {
    Ok(match kind {
        EngineKind::Redb => Box::new(redb::RedbEngine::open(path, cache_bytes)?),
        #[cfg(feature = "sled")]
        EngineKind::Sled => Box::new(sled::SledEngine::open(path, cache_bytes)?),
        #[cfg(not(feature = "sled"))]
        EngineKind::Sled => return Err(EngineError::LeftOut(kind)),
    })
}

/// Opens an engine's files such that nothing it writes, not even a repair, reaches them. An engine
/// that cannot be kept from writing gets a copy of them at `scratch`, which the caller removes.
pub(crate) fn open_detached(
    kind: EngineKind,
    path: &Path,
    scratch: &Path,
    cache_bytes: usize,
) -> Result<Box<dyn Engine>, EngineError> {
    let engine = match kind {
        EngineKind::Redb => {
            let overlay = detached::Overlay::open(path)?;
            Box::new(redb::RedbEngine::with_backend(overlay, cache_bytes)?)
        }
        EngineKind::Sled => {
            files::copy(path, scratch)?;
            open_files(kind, scratch, cache_bytes)?
        }
    };
    Ok(Box::new(LoggedEngine::detached(engine, path)?))
}
