//! From a backup to a home, whole or not at all.

use std::{fs, io, path::PathBuf};

use realm_client::catalogue::Code;
use realm_crypto::StoreKey;
use realm_protocol::{RealmId, journal::JournalSeq};
use realm_store::EngineKind;
use thiserror::Error;

use crate::{
    archive::{Archive, ArchiveError, Part},
    backup::{CONFIG, KEY_FILES, KEYS, STORE},
    config,
    failure::Explained,
    home::{
        Home,
        files::{self, Scratch},
        keys::{HomeKeys, KeysError},
        passphrase::Unlock,
    },
    random::{self, NoRandomness},
};

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// The realm.
    pub(crate) realm: RealmId,
    /// Journal position it goes on from.
    pub(crate) last: JournalSeq,
}

/// Why nothing was restored. Nothing of it stays behind.
#[derive(Debug, Error)]
pub(crate) enum RestoreError {
    /// The home exists.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The backup lacks a part.
    #[error("the backup has no {0}")]
    Missing(&'static str),
    /// The keys in the backup.
    #[error("the keys in the backup cannot be used")]
    Keys(#[from] KeysError),
    /// The store in the backup.
    #[error("the store in the backup was not restored")]
    Store(#[from] realm_store::RestoreError),
    /// A file of the new home cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Explained for RestoreError {
    fn code(&self) -> Code {
        match self {
            Self::Exists(_) => Code::RestoreNotEmpty,
            Self::Archive(ArchiveError::Damaged(_)) | Self::Missing(_) | Self::Store(_) => {
                Code::BackupInvalid
            }
            Self::Archive(_) | Self::Write { .. } => Code::FileUnreadable,
            Self::Keys(error) => error.code(),
            Self::Randomness(_) => Code::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Exists(_) => "name another folder: --home DIR".to_owned(),
            Self::Archive(ArchiveError::Damaged(_)) | Self::Missing(_) | Self::Store(_) => {
                "try an older backup; nothing of this one was restored".to_owned()
            }
            Self::Archive(_) => "name a backup that can be read".to_owned(),
            Self::Keys(error) => return error.help(),
            _ => return None,
        })
    }
}

/// Makes a home out of a backup.
///
/// # Errors
/// [`RestoreError`].
pub(crate) fn restore(
    file: &std::path::Path,
    home: &Home,
    unlock: &Unlock,
) -> Result<Restored, RestoreError> {
    if fs::symlink_metadata(home.dir()).is_ok() {
        return Err(RestoreError::Exists(home.dir().to_owned()));
    }
    let archive = Archive::open(file)?;
    let write = |path: &std::path::Path| {
        let path = path.to_owned();
        move |source| RestoreError::Write { path, source }
    };
    let parent = home.dir().parent().unwrap_or(std::path::Path::new("/"));
    files::make_dirs(parent).map_err(write(parent))?;
    let partial = parent.join(format!(".restore-{}", random::suffix()?));
    let scratch = Scratch::make(&partial).map_err(write(&partial))?;
    let restored = fill(&archive, &Home::new(&partial), unlock)?;
    scratch.place(home.dir()).map_err(write(home.dir()))?;
    Ok(restored)
}

fn fill(archive: &Archive, home: &Home, unlock: &Unlock) -> Result<Restored, RestoreError> {
    let write = |path: PathBuf, bytes: &[u8]| {
        files::write(&path, bytes).map_err(|source| RestoreError::Write { path, source })
    };
    files::make_dir(&home.keys()).map_err(|source| RestoreError::Write {
        path: home.keys(),
        source,
    })?;
    write(
        home.config(),
        &archive.read(part(archive, CONFIG, "configuration")?)?,
    )?;
    for found in archive.parts() {
        let name = found.name.strip_prefix(KEYS);
        if let Some(name) = name.filter(|name| KEY_FILES.contains(name)) {
            let content = zeroize::Zeroizing::new(archive.read(found)?);
            write(home.keys().join(name), &content)?;
        }
    }
    let keys = HomeKeys::read(home, unlock)?;
    let realm = keys.realm_id();
    let config = config::load(&home.config(), &[]);
    let options = realm_store::Options {
        // A configuration that does not read is no reason to leave the store behind.
        engine: config.map_or_else(|_| EngineKind::default(), |it| it.config.store.engine),
        ..realm_store::Options::new(realm, StoreKey::from_bytes(*keys.store))
    };
    let mut store = archive.stream(part(archive, STORE, "store")?)?;
    let report = realm_store::restore(&home.data(), options, &mut store)?;
    Ok(Restored {
        realm,
        last: report.last,
    })
}

fn part<'a>(
    archive: &'a Archive,
    name: &str,
    what: &'static str,
) -> Result<&'a Part, RestoreError> {
    let found = archive.parts().iter().find(|part| part.name == name);
    found.ok_or(RestoreError::Missing(what))
}
