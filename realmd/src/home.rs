//! A realm's home: `realm.toml`, `keys/`, `data/`, `realmd.sock`.

pub(crate) mod files;
pub(crate) mod keyfile;
pub(crate) mod keys;
mod lock;
pub(crate) mod passphrase;
pub(crate) mod protect;
pub(crate) mod sealed;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use realm_client::{catalogue::Code, homes};
use thiserror::Error;

use crate::failure::Explained;
pub(crate) use lock::HomeLock;

/// Why a home cannot be used.
#[derive(Debug, Error)]
pub(crate) enum HomeError {
    /// A folder or file of the home is missing.
    #[error("{} is no realm's home: it has no {missing}", .dir.display())]
    NotAHome {
        /// The folder.
        dir: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// Others than the owner can read or change something private.
    #[error("{} has mode {mode:04o}: others than its owner can use it", .path.display())]
    LooseMode {
        /// The file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it may have at most.
        wanted: u32,
    },
    /// Somebody else owns it.
    #[error("{} belongs to another user", .path.display())]
    Owner {
        /// The file or folder.
        path: PathBuf,
    },
    /// Something private is a symbolic link.
    #[error("{} is a symbolic link", .path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another daemon runs on this home.
    #[error("another daemon runs on {}{}", .dir.display(), Process(.pid))]
    Locked {
        /// The home.
        dir: PathBuf,
        /// The other daemon's process id, where it left it.
        pid: Option<u32>,
    },
    /// The operating system refused.
    #[error("{} cannot be used", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

struct Process<'a>(&'a Option<u32>);

impl std::fmt::Display for Process<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, ", process {pid}"),
            None => Ok(()),
        }
    }
}

impl Explained for HomeError {
    fn code(&self) -> Code {
        match self {
            Self::NotAHome { .. } => Code::HomeInvalid,
            Self::LooseMode { .. } | Self::Owner { .. } | Self::Link { .. } => {
                Code::HomePermissions
            }
            Self::Locked { .. } => Code::HomeLocked,
            Self::Io { .. } => Code::FileUnreadable,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NotAHome { .. } => Some("realmctl init NAME".to_owned()),
            Self::LooseMode { path, wanted, .. } => {
                Some(format!("chmod {wanted:o} {}", path.display()))
            }
            Self::Owner { path } => Some(format!("chown \"$(id -un)\" {}", path.display())),
            Self::Link { path } => Some(format!(
                "put the file itself there: rm {0} && cp \"$(readlink -f {0})\" {0}",
                path.display()
            )),
            Self::Locked { dir, .. } => Some(format!("realmctl --home {} status", dir.display())),
            Self::Io { .. } => None,
        }
    }
}

/// The paths of one home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    dir: PathBuf,
}

impl Home {
    /// Takes a folder; touches no disk.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("realm.toml")
    }

    /// The folder of the keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The folder of the store.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The socket of the local API.
    pub(crate) fn socket(&self) -> PathBuf {
        homes::socket(&self.dir)
    }

    /// Says whether everything is there, is ours, and is closed to others.
    ///
    /// # Errors
    /// [`HomeError`] names the first thing that is not, and the command that helps.
    pub(crate) fn verify(&self) -> Result<(), HomeError> {
        for (path, missing) in [
            (self.config(), "realm.toml"),
            (self.keys(), "keys/"),
            (self.data(), "data/"),
        ] {
            match path.try_exists() {
                Ok(true) => {}
                Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(HomeError::Io { path, source });
                }
                _ => {
                    let dir = self.dir.clone();
                    return Err(HomeError::NotAHome { dir, missing });
                }
            }
        }
        for dir in [self.dir.clone(), self.keys(), self.data()] {
            verify_private(&dir, 0o700)?;
        }
        for file in listing(&self.keys())? {
            verify_private(&file, 0o600)?;
        }
        verify_unwritable(&self.config())
    }
}

/// The paths in a folder, sorted.
fn listing(dir: &Path) -> Result<Vec<PathBuf>, HomeError> {
    let entries = fs::read_dir(dir).map_err(|source| io_at(dir, source))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// Requires that a path is no link, belongs to this user, and grants others nothing.
pub(crate) fn verify_private(path: &Path, wanted: u32) -> Result<(), HomeError> {
    verify_mode(path, wanted, 0o077)
}

/// Requires that nobody else can write a file.
fn verify_unwritable(path: &Path) -> Result<(), HomeError> {
    verify_mode(path, 0o600, 0o022)
}

fn verify_mode(path: &Path, wanted: u32, forbidden: u32) -> Result<(), HomeError> {
    use std::os::unix::fs::MetadataExt as _;

    let path = path.to_owned();
    let found = fs::symlink_metadata(&path).map_err(|source| io_at(&path, source))?;
    if found.is_symlink() {
        return Err(HomeError::Link { path });
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(HomeError::Owner { path });
    }
    let mode = found.permissions().mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(HomeError::LooseMode { path, mode, wanted });
    }
    Ok(())
}

pub(crate) fn io_at(path: &Path, source: io::Error) -> HomeError {
    HomeError::Io {
        path: path.to_owned(),
        source,
    }
}
