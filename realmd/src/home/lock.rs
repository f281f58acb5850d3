//! One daemon on one home.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

use super::{Home, HomeError, io_at};

/// An exclusive lock on a home, held until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the lock, and leaves this process's id for whoever is refused.
    ///
    /// # Errors
    /// [`HomeError::Locked`] when another daemon holds it.
    pub(crate) fn acquire(home: &Home) -> Result<Self, HomeError> {
        let path = home.dir().join("realmd.lock");
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = options.mode(0o600).custom_flags(flags).open(&path);
        let mut file = opened.map_err(|source| io_at(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let dir = home.dir().to_owned();
                let pid = owner(&mut file);
                return Err(HomeError::Locked { dir, pid });
            }
            Err(TryLockError::Error(source)) => return Err(io_at(&path, source)),
        }
        let sign = file
            .set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()));
        sign.map_err(|source| io_at(&path, source))?;
        Ok(Self { _file: file })
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

fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
