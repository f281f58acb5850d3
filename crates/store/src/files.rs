//! The store's directory: one owner at a time, and files that appear whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{EngineKind, OpenError};

const LOCK: &str = "realm.lock";

/// An exclusive lock on a store's directory, held until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock and leaves this process's id for whoever is refused.
    pub(crate) fn acquire(dir: &Path) -> Result<Self, OpenError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(0o600).open(dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    pid: owner(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Makes the directory, for its owner alone, if it is not there.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Where an engine's files are.
pub(crate) fn store_path(dir: &Path, engine: EngineKind) -> PathBuf {
    match engine {
        EngineKind::Redb => dir.join("realm.redb"),
    }
}

/// Where an engine's files are until they are complete.
pub(crate) fn partial_path(dir: &Path, engine: EngineKind) -> PathBuf {
    match engine {
        EngineKind::Redb => dir.join("realm.redb.partial"),
    }
}

/// Says whether a directory holds nothing but what an interrupted start may have left.
pub(crate) fn is_vacant(dir: &Path, engine: EngineKind) -> io::Result<bool> {
    let leftovers = [dir.join(LOCK), partial_path(dir, engine)];
    for entry in fs::read_dir(dir)? {
        if !leftovers.contains(&entry?.path()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes incomplete files.
pub(crate) fn discard(dir: &Path, engine: EngineKind) -> io::Result<()> {
    match fs::remove_file(partial_path(dir, engine)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts complete files in their place, durably.
pub(crate) fn install(dir: &Path, engine: EngineKind) -> io::Result<()> {
    let partial = partial_path(dir, engine);
    File::open(&partial)?.sync_all()?;
    fs::rename(partial, store_path(dir, engine))?;
    File::open(dir)?.sync_all()
}
