//! The store's directory: one owner at a time, and files that appear whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{EngineKind, FileLock, LockError, OpenError, engine::log};

const LOCK: &str = "realm.lock";
/// Names the engine that keeps the store. A store whose files vanished is told by it from a
/// directory that never had one.
const MARK: &str = "realm.engine";
const MARK_PARTIAL: &str = "realm.engine.partial";

/// Takes the lock of a store's directory, which is held until it is dropped or the process ends.
pub(crate) fn lock(dir: &Path) -> Result<FileLock, OpenError> {
    FileLock::acquire(&dir.join(LOCK)).map_err(|error| match error {
        LockError::Held { pid } => OpenError::Locked { pid },
        LockError::Io(source) => source.into(),
    })
}

/// Makes the directory, for its owner alone, if it is not there.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Where an engine's files are.
pub(crate) fn store_path(dir: &Path, engine: EngineKind) -> PathBuf {
    dir.join(format!("realm.{engine}"))
}

/// Where an engine's files are until they are complete.
pub(crate) fn partial_path(dir: &Path, engine: EngineKind) -> PathBuf {
    dir.join(format!("realm.{engine}.partial"))
}

/// Says whether a directory holds nothing but what an interrupted start may have left.
pub(crate) fn is_vacant(dir: &Path) -> io::Result<bool> {
    let mut leftovers = vec![dir.join(LOCK), dir.join(MARK_PARTIAL)];
    leftovers.extend(EngineKind::ALL.iter().map(|kind| partial_path(dir, *kind)));
    for entry in fs::read_dir(dir)? {
        if !leftovers.contains(&entry?.path()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The engine that keeps the store in a directory, if there is a store: the one that the mark
/// names, or in a directory from before there was a mark, the one whose files are there.
pub(crate) fn engine_of(dir: &Path) -> Result<Option<EngineKind>, OpenError> {
    let kind = match fs::read_to_string(dir.join(MARK)) {
        Ok(text) => EngineKind::named(text.trim()).ok_or(OpenError::Corrupt(None))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return unmarked(dir),
        Err(error) => return Err(error.into()),
    };
    if store_path(dir, kind).try_exists()? {
        Ok(Some(kind))
    } else {
        Err(OpenError::Missing(kind))
    }
}

fn unmarked(dir: &Path) -> Result<Option<EngineKind>, OpenError> {
    let mut found = None;
    for kind in EngineKind::ALL {
        if store_path(dir, *kind).try_exists()? {
            if found.is_some() {
                // Which one is the store cannot be told.
                return Err(OpenError::Corrupt(None));
            }
            found = Some(*kind);
        }
    }
    Ok(found)
}

/// Says durably which engine keeps the store: from here on the other ones' files are leftovers.
pub(crate) fn mark(dir: &Path, engine: EngineKind) -> io::Result<()> {
    let text = format!("{engine}\n");
    if fs::read_to_string(dir.join(MARK)).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let partial = dir.join(MARK_PARTIAL);
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true);
    let mut file = options.mode(0o600).open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(partial, dir.join(MARK))?;
    File::open(dir)?.sync_all()
}

/// Removes everything but the store of the engine that keeps it; without one, what is incomplete.
pub(crate) fn discard(dir: &Path, keeps: Option<EngineKind>) -> io::Result<()> {
    for kind in EngineKind::ALL {
        remove(&partial_path(dir, *kind))?;
        remove(&scratch_path(dir, *kind))?;
        if keeps.is_some_and(|keeps| keeps != *kind) {
            let store = store_path(dir, *kind);
            remove(&log::path(&store))?;
            remove(&store)?;
        }
    }
    Ok(())
}

/// Where a copy of an engine's files is while it is looked at.
pub(crate) fn scratch_path(dir: &Path, engine: EngineKind) -> PathBuf {
    dir.join(format!("realm.{engine}.scratch"))
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a folder of files and folders to a new one.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Puts complete files in their place, durably.
pub(crate) fn install(dir: &Path, engine: EngineKind) -> io::Result<()> {
    let partial = partial_path(dir, engine);
    sync(&partial)?;
    fs::rename(partial, store_path(dir, engine))?;
    File::open(dir)?.sync_all()
}

/// Syncs a file, or a folder with all that is in it.
fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}
