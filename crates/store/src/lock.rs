//! A file that one process at a time owns.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use rustix::process::Pid;
use thiserror::Error;

/// How long to wait before the lock of a process that is gone is tried again, and how often. A
/// child that it was about to start holds the lock until it runs its own program.
const WAIT: Duration = Duration::from_millis(10);
const WAITS: u32 = 500;

/// An exclusive lock on a file, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Why a lock is not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// A process that lives holds it.
    #[error("another process holds the lock")]
    Held {
        /// That process, where it left its id.
        pid: Option<u32>,
    },
    /// The file cannot be opened, locked or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FileLock {
    /// Takes the lock and leaves this process's id for whoever is refused. Makes the file, for its
    /// owner alone; a link in its place is not followed. Waits up to five seconds for a lock whose
    /// process is gone.
    ///
    /// # Errors
    /// [`LockError`] when another process holds it, or the file cannot be used.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(0o600).custom_flags(flags).open(path)?;
        let mut waits = 0..WAITS;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            let pid = owner(&file);
            if pid.is_none_or(is_alive) || waits.next().is_none() {
                return Err(LockError::Held { pid });
            }
            wait();
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

/// Whether there is a process of this id.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let asked = pid.map(rustix::process::test_kill_process);
    !matches!(asked, Some(Err(rustix::io::Errno::SRCH)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when a lock is let go of, and nothing runs yet that this would hold up"
)]
fn wait() {
    std::thread::sleep(WAIT);
}

fn owner(file: &File) -> Option<u32> {
    let mut bytes = [0; 16];
    let read = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(bytes.get(..read)?).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, process::Command, thread};

    use super::*;

    /// A lock that is held, under the name of this process.
    fn held_by(pid: u32) -> (tempfile::TempDir, PathBuf, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        fs::write(&path, pid.to_string()).unwrap();
        let file = File::open(&path).unwrap();
        file.try_lock().unwrap();
        (dir, path, file)
    }

    #[test]
    fn a_lock_that_outlives_its_process_is_waited_for() {
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let (_dir, path, held) = held_by(gone.id());

        let acquired = thread::scope(|scope| {
            let acquired = scope.spawn(|| FileLock::acquire(&path));
            drop(held);
            acquired.join().unwrap()
        });

        assert!(acquired.is_ok());
    }

    #[test]
    fn a_lock_of_a_process_that_lives_is_refused_with_its_id() {
        let (_dir, path, _held) = held_by(std::process::id());

        let refused = FileLock::acquire(&path).unwrap_err();

        let own = Some(std::process::id());
        assert!(matches!(refused, LockError::Held { pid } if pid == own));
    }
}
