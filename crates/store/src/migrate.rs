//! From one engine to another, whole or not at all.
//!
//! The copy is made beside the store, read again from the disk, and compared row by row. Then one
//! rename of the mark makes it the store. Before that rename the old engine's files are the store,
//! after it the new one's are, and whichever are not are removed by whoever opens it next.

use std::path::Path;

use realm_protocol::Digest;
use sha2::{Digest as _, Sha256};

use crate::{
    EngineError, EngineKind, MigrateError, OpenError, Options, Tree, backup, check,
    engine::{self, Batch, Engine, LOG_KEY, log},
    files,
    layout::KeyRange,
    meta::{self, Meta},
    reader::Reader,
    sealer::Sealer,
};

/// Bytes of rows written in one commit.
const COMMIT_BYTES: usize = 4 * 1024 * 1024;

/// What was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrateReport {
    /// The engine that kept the store.
    pub from: EngineKind,
    /// The engine that keeps it now. Where it is the same, nothing had to be moved.
    pub to: EngineKind,
    /// Rows copied and compared.
    pub rows: u64,
}

/// Moves a store that no process has open to another engine. What `options` says of the engine
/// does not matter: the store itself knows.
///
/// # Errors
/// [`MigrateError`] when the store stays with its engine, as it was.
pub fn migrate(
    dir: &Path,
    options: Options,
    to: EngineKind,
) -> Result<MigrateReport, MigrateError> {
    let Options {
        realm,
        key,
        cache_bytes,
        engine: _,
    } = options;
    let absent = || OpenError::from(std::io::Error::from(std::io::ErrorKind::NotFound));
    files::engine_of(dir)?.ok_or_else(absent)?;
    let _lock = files::lock(dir)?;
    let from = files::engine_of(dir)?.ok_or_else(absent)?;
    files::discard(dir, Some(from)).map_err(OpenError::from)?;
    files::mark(dir, from).map_err(OpenError::from)?;
    if from == to {
        return Ok(MigrateReport { from, to, rows: 0 });
    }
    let store = engine::open(from, &files::store_path(dir, from), cache_bytes);
    let store = store.map_err(OpenError::from)?;
    let sealer = Sealer::new(realm, key);
    let snapshot = store.snapshot().map_err(OpenError::from)?;
    Meta::read(snapshot.as_ref(), &sealer)?;
    drop(snapshot);
    let moved = copy(dir, store.as_ref(), &sealer, to, cache_bytes).inspect_err(|_| {
        // What cannot be removed now is removed when the store opens.
        let _ = files::discard(dir, Some(from));
    });
    let rows = moved?;
    drop(store);
    let switch = || {
        files::install(dir, to)?;
        files::mark(dir, to)?;
        files::discard(dir, Some(to))
    };
    switch().map_err(OpenError::from)?;
    Ok(MigrateReport { from, to, rows })
}

/// Puts a copy of a store in its place, so that its files hold nothing that is no row of it.
pub(crate) fn write_anew(
    dir: &Path,
    store: Box<dyn Engine>,
    sealer: &Sealer,
    kind: EngineKind,
    cache_bytes: usize,
) -> Result<(), OpenError> {
    let copied = copy(dir, store.as_ref(), sealer, kind, cache_bytes);
    drop(store);
    match copied {
        Ok(_) => {
            files::install(dir, kind)?;
            // The new files name no log yet.
            Ok(files::remove(&log::path(&files::store_path(dir, kind)))?)
        }
        Err(MigrateError::Store(error)) => Err(error),
        Err(MigrateError::Read(error)) => Err(check::unreadable(error)),
        Err(MigrateError::Write { source, .. }) => Err(source.into()),
        Err(MigrateError::Differs { .. }) => Err(OpenError::Corrupt(None)),
    }
}

/// Makes a complete copy beside the store and reads it again; gives its rows.
fn copy(
    dir: &Path,
    store: &dyn Engine,
    sealer: &Sealer,
    to: EngineKind,
    cache_bytes: usize,
) -> Result<u64, MigrateError> {
    let path = files::partial_path(dir, to);
    let unwritten = |source| MigrateError::Write { to, source };
    let copy = engine::create(to, &path, cache_bytes).map_err(unwritten)?;
    let mut batch = Batch::default();
    let mut bytes = 0;
    let reader = Reader::new(store.snapshot().map_err(read)?, sealer);
    let (expected, digest) = walk(store, |tree, key, value| {
        if tree == Tree::Meta {
            meta::check_row(sealer, &key, &value)?;
        } else if backup::TREES.contains(&tree) {
            reader.prove(tree, &key, &value)?;
        }
        bytes += key.len() + value.len();
        batch.put(tree, key, value);
        if bytes >= COMMIT_BYTES {
            bytes = 0;
            copy.write(std::mem::take(&mut batch).into())
                .map_err(unwritten)?;
        }
        Ok(())
    })?;
    copy.write(batch.into()).map_err(unwritten)?;
    drop(copy);
    let copy = engine::open(to, &path, cache_bytes).map_err(unwritten)?;
    let (found, copied) = walk(copy.as_ref(), |_, _, _| Ok(()))?;
    if (found, copied) == (expected, digest) {
        Ok(found)
    } else {
        Err(MigrateError::Differs {
            to,
            expected,
            found,
        })
    }
}

/// Walks all rows; gives their number and a digest of trees, keys and values.
fn walk(
    engine: &dyn Engine,
    mut row: impl FnMut(Tree, Vec<u8>, Vec<u8>) -> Result<(), MigrateError>,
) -> Result<(u64, Digest), MigrateError> {
    let snapshot = engine.snapshot().map_err(read)?;
    let mut hasher = Sha256::new();
    let mut rows = 0_u64;
    for tree in Tree::ALL {
        for next in snapshot.range(*tree, &KeyRange::all()).map_err(read)? {
            let (key, value) = next.map_err(read)?;
            // Each engine has a log of its own, and a copy holds nothing that was erased.
            if tree == &Tree::Meta && (key == LOG_KEY || meta::is_erased_mark(&key)) {
                continue;
            }
            hasher.update([tree.number()]);
            for part in [&key, &value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
            rows += 1;
            row(*tree, key, value)?;
        }
    }
    Ok((rows, Digest::new(hasher.finalize().into())))
}

fn read(error: EngineError) -> MigrateError {
    MigrateError::Read(error.into())
}
