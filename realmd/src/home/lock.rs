//! One daemon on one home.

use std::{fs, io};

use realm_store::{FileLock, LockError};

use super::{Home, HomeError, io_at};

/// An exclusive lock on a home, held until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _lock: FileLock,
}

impl HomeLock {
    /// Takes the lock, and leaves this process's id for whoever is refused.
    ///
    /// # Errors
    /// [`HomeError::Locked`] when another daemon holds it.
    pub(crate) fn acquire(home: &Home) -> Result<Self, HomeError> {
        let path = home.dir().join("realmd.lock");
        match FileLock::acquire(&path) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(LockError::Held { pid }) => {
                let dir = home.dir().to_owned();
                Err(HomeError::Locked { dir, pid })
            }
            Err(LockError::Io(source)) => Err(io_at(&path, source)),
        }
    }

    /// Removes the socket that a crash left behind: whoever made it no longer holds the lock.
    ///
    /// # Errors
    /// [`HomeError::Io`] when it cannot be removed.
    pub(crate) fn remove_stale_socket(&self, home: &Home) -> Result<(), HomeError> {
        let socket = home.socket();
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at(&socket, error)),
            _ => Ok(()),
        }
    }
}
