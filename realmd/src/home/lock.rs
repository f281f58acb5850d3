//! One daemon on one home.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    time::Duration,
};

use rustix::process::Pid;

use super::{Home, HomeError, io_at};

/// How long to wait before the lock of a process that is gone is tried again, and how often. A
/// child that it was about to start holds the lock until it runs its own program.
const WAIT: Duration = Duration::from_millis(10);
const WAITS: u32 = 500;

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
        let mut waits = 0..WAITS;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(io_at(&path, source)),
            }
            let pid = owner(&file);
            if pid.is_none_or(is_alive) || waits.next().is_none() {
                let dir = home.dir().to_owned();
                return Err(HomeError::Locked { dir, pid });
            }
            wait();
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
    use std::{fs, process::Command, thread};

    use super::*;

    /// A home whose lock is held, under the name of this process.
    fn held_by(pid: u32) -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("realmd.lock");
        fs::write(&path, pid.to_string()).unwrap();
        let file = File::open(path).unwrap();
        file.try_lock().unwrap();
        (dir, file)
    }

    #[test]
    fn a_lock_that_outlives_its_process_is_waited_for() {
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let (dir, held) = held_by(gone.id());
        let home = Home::new(dir.path());

        let acquired = thread::scope(|scope| {
            let acquired = scope.spawn(|| HomeLock::acquire(&home));
            drop(held);
            acquired.join().unwrap()
        });

        assert!(acquired.is_ok());
    }

    #[test]
    fn a_lock_of_a_process_that_lives_is_refused_with_its_id() {
        let (dir, _held) = held_by(std::process::id());

        let refused = HomeLock::acquire(&Home::new(dir.path())).unwrap_err();

        let pid = Some(std::process::id());
        assert!(matches!(refused, HomeError::Locked { pid: found, .. } if found == pid));
    }
}
