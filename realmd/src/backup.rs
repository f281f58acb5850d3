//! A whole realm in one file, written while it runs: configuration, keys, store.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use realm_client::catalogue::Code;
use realm_protocol::journal::JournalSeq;
use realm_store::{CheckReport, Store};
use thiserror::Error;

use crate::{
    archive::{ArchiveError, Writer},
    failure::Explained,
    home::{Home, files, keys},
    random::{self, NoRandomness},
};

/// Names of the parts.
pub(crate) const CONFIG: &str = "realm.toml";
pub(crate) const KEYS: &str = "keys/";
pub(crate) const STORE: &str = "store";

/// The files of `keys/` that a backup holds. The realm key may be elsewhere.
pub(crate) const KEY_FILES: [&str; 6] = [
    keys::IDENTITY,
    keys::NODE,
    keys::STORE,
    keys::REALM,
    keys::RECOVERY,
    keys::LOCK,
];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Length of the file, bytes.
    pub(crate) bytes: u64,
    /// Records in it: those of the store without its KEM keys and the messages it has seen.
    pub(crate) records: u64,
    /// Runs in it.
    pub(crate) runs: u64,
    /// Events in it.
    pub(crate) events: u64,
    /// Journal position it stands for.
    pub(crate) last: JournalSeq,
}

/// Why there is no backup. Nothing of it stays behind.
#[derive(Debug, Error)]
pub(crate) enum BackupError {
    /// The file.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store.
    #[error("the store was not copied")]
    Store(#[from] realm_store::BackupError),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] realm_store::ReadError),
    /// A backup of damage would replace a good one.
    #[error("the store is damaged")]
    Damaged,
    /// A file of the home cannot be read, or a temporary one not written.
    #[error("{} cannot be used", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Explained for BackupError {
    fn code(&self) -> Code {
        match self {
            Self::Archive(ArchiveError::Exists(_)) => Code::BackupExists,
            Self::Archive(ArchiveError::Damaged(_)) => Code::BackupInvalid,
            Self::Store(realm_store::BackupError::Read(_)) | Self::Read(_) | Self::Damaged => {
                Code::StoreCorrupt
            }
            Self::Archive(_) | Self::Store(_) | Self::Io { .. } => Code::FileUnreadable,
            Self::Randomness(_) => Code::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Archive(ArchiveError::Exists(_)) => "name another file".to_owned(),
            Self::Archive(ArchiveError::Write { path, .. }) => {
                let folder = path.parent().unwrap_or(path);
                format!(
                    "name a file in a folder that the daemon may write to, with room left: \
                     df -h {0}; ls -ld {0}",
                    folder.display()
                )
            }
            Self::Io { .. } => "realmctl doctor".to_owned(),
            Self::Store(_) | Self::Read(_) | Self::Damaged => {
                "stop the daemon, then: realmd store check".to_owned()
            }
            Self::Archive(_) | Self::Randomness(_) => return None,
        })
    }
}

/// Writes a backup of a running realm.
///
/// # Errors
/// [`BackupError`].
pub(crate) fn write(home: &Home, store: &Store, path: &Path) -> Result<Written, BackupError> {
    let mut archive = Writer::create(path)?;
    let contents = store.check()?;
    if !contents.is_sound() {
        return Err(BackupError::Damaged);
    }
    let read = |path: &Path| {
        files::read(path).map_err(|source| BackupError::Io {
            path: path.to_owned(),
            source,
        })
    };
    archive.add(CONFIG, &read(&home.config())?)?;
    for name in KEY_FILES {
        let file = home.keys().join(name);
        if file.exists() {
            let content = zeroize::Zeroizing::new(read(&file)?);
            archive.add(&format!("{KEYS}{name}"), &content)?;
        }
    }
    let report = copy_store(home, store, &mut archive)?;
    let bytes = archive.finish()?;
    let CheckReport { runs, events, .. } = contents;
    Ok(Written {
        bytes,
        // What `store check` counts once it is restored.
        records: report.rows.saturating_sub(runs + events),
        runs,
        events,
        last: report.last,
    })
}

/// Copies the store by way of a file without a name: a part begins with its length.
fn copy_store(
    home: &Home,
    store: &Store,
    archive: &mut Writer,
) -> Result<realm_store::BackupReport, BackupError> {
    let path = home.dir().join(format!(".backup-{}", random::suffix()?));
    let io = |source| BackupError::Io {
        path: path.clone(),
        source,
    };
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    fs::remove_file(&path).map_err(io)?;
    let mut buffered = BufWriter::new(&mut file);
    let report = store.backup(&mut buffered)?;
    buffered
        .into_inner()
        .map_err(|error| io(error.into_error()))?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    archive.copy(STORE, report.bytes, &file)?;
    Ok(report)
}
