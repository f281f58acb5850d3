//! Setting, changing and removing the passphrase of the key files.
//!
//! The lock is written before the first key is wrapped and removed after the last one is plain
//! again, so a crash leaves each file readable with the passphrase, wrapped or not. Where the
//! wrapping key changes, each key lies beside its file under the new one before the lock does.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use realm_client::catalogue::Code;
use realm_crypto::{PassphraseError, SigningKey, WrappingKey};
use realm_protocol::{RealmId, cbor};
use thiserror::Error;

use super::{
    Home, HomeError,
    keyfile::{self, KeyFile},
    keys::{self, HomeKeys, KeysError},
    listing,
};
use crate::{
    failure::Explained,
    random::{self, NoRandomness},
};

/// Why key files were not rewritten.
#[derive(Debug, Error)]
pub(crate) enum ProtectError {
    /// A key file.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The passphrase.
    #[error("the passphrase cannot be used")]
    Passphrase(#[from] PassphraseError),
    /// A file cannot be written.
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

impl Explained for ProtectError {
    fn code(&self) -> Code {
        match self {
            Self::Keys(error) => error.code(),
            Self::Home(error) => error.code(),
            Self::Passphrase(_) => Code::Usage,
            Self::Write { .. } => Code::FileUnreadable,
            Self::Randomness(_) => Code::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Keys(error) => error.help(),
            Self::Home(error) => error.help(),
            Self::Write { path, .. } => {
                let folder = path.parent().unwrap_or(path).display();
                Some(format!("make room, then do it again: df -h {folder}"))
            }
            Self::Passphrase(_) | Self::Randomness(_) => None,
        }
    }
}

/// What a change of passphrase did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protected {
    /// The key files are under a wrapping key that nobody had before.
    Anew,
    /// They are under the one they were under: a key file is elsewhere, and may need it.
    AsBefore,
}

/// Puts the key files behind a passphrase, or behind another one and another wrapping key.
///
/// # Errors
/// [`ProtectError`]; the files open with the old passphrase, or with the new one.
pub(crate) fn protect(
    home: &Home,
    keys: &HomeKeys,
    passphrase: &[u8],
) -> Result<Protected, ProtectError> {
    let (dir, realm) = (home.keys(), keys.realm_id());
    let fresh = WrappingKey::generate(&mut random::rng()?);
    let all_here = keys::SECRETS.iter().all(|name| dir.join(name).exists());
    let (wrapping, done) = match &keys.wrapping {
        Some(held) if !all_here => (held, Protected::AsBefore),
        _ => (&fresh, Protected::Anew),
    };
    let lock = wrapping.lock(&mut random::rng()?, realm, passphrase)?;
    if keys.wrapping.is_some() && done == Protected::Anew {
        for name in keys::SECRETS {
            let path = dir.join(name);
            let key = KeyFile::read(&path)?.open(&path, realm, name, keys.wrapping.as_ref())?;
            let text = keyfile::text(&key, realm, name, Some(wrapping))?;
            write(&keyfile::rewrapped(&dir, name), text.as_bytes())?;
        }
    }
    write(&dir.join(keys::LOCK), &cbor::encode(&lock))?;
    settle_rewrapped(&dir, realm, Some(wrapping))?;
    wrap_all(&dir, realm, wrapping)?;
    Ok(done)
}

/// Keys that were wrapped anew take their place, if that is how they are unwrapped now.
fn settle_rewrapped(
    dir: &Path,
    realm: RealmId,
    wrapping: Option<&WrappingKey>,
) -> Result<(), ProtectError> {
    for name in keys::SECRETS {
        let waiting = keyfile::rewrapped(dir, name);
        if !waiting.exists() {
            continue;
        }
        if let Ok(key) = KeyFile::read(&waiting)?.open(&waiting, realm, name, wrapping) {
            let text = keyfile::text(&key, realm, name, wrapping)?;
            write(&dir.join(name), text.as_bytes())?;
        }
        remove(&waiting)?;
    }
    Ok(())
}

/// Makes the key files plain again.
///
/// # Errors
/// [`ProtectError`]; the files go on to open with the passphrase.
pub(crate) fn unprotect(home: &Home, keys: &HomeKeys) -> Result<(), ProtectError> {
    let Some(wrapping) = &keys.wrapping else {
        return Ok(());
    };
    let (dir, realm) = (home.keys(), keys.realm_id());
    for (path, name) in secrets(&dir) {
        let held = KeyFile::read(&path)?;
        if matches!(held, KeyFile::Wrapped(_)) {
            let key = held.open(&path, realm, name, Some(wrapping))?;
            write(&path, keyfile::text(&key, realm, name, None)?.as_bytes())?;
        }
    }
    let lock = dir.join(keys::LOCK);
    keyfile::remove(&lock).map_err(|source| ProtectError::Write { path: lock, source })
}

/// Ends what a crash interrupted: keys that waited take their place or go, what was to be wrapped
/// is wrapped. Only for whoever holds the home's lock.
///
/// # Errors
/// [`ProtectError`].
pub(crate) fn settle(home: &Home, keys: &HomeKeys) -> Result<(), ProtectError> {
    let dir = home.keys();
    let partial = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with('.')
    };
    for path in listing(&dir)?.into_iter().filter(partial) {
        remove(&path)?;
    }
    settle_rewrapped(&dir, keys.realm_id(), keys.wrapping.as_ref())?;
    settle_key(&dir, keys, keys::NODE, Some(&keys.node))?;
    settle_key(&dir, keys, keys::REALM, keys.realm.as_ref())?;
    match &keys.wrapping {
        Some(wrapping) => wrap_all(&dir, keys.realm_id(), wrapping),
        None => Ok(()),
    }
}

/// A key that waited takes its place, if it is the one in use.
fn settle_key(
    dir: &Path,
    keys: &HomeKeys,
    name: &str,
    used: Option<&SigningKey>,
) -> Result<(), ProtectError> {
    let waiting = keyfile::staged(dir, name);
    if !waiting.exists() {
        return Ok(());
    }
    let realm = keys.realm_id();
    let key = KeyFile::read(&waiting)?.open(&waiting, realm, name, keys.wrapping.as_ref())?;
    if used.is_some_and(|used| *used.seed() == *key) {
        let text = keyfile::text(&key, realm, name, keys.wrapping.as_ref())?;
        write(&dir.join(name), text.as_bytes())?;
    }
    remove(&waiting)
}

fn wrap_all(dir: &Path, realm: RealmId, wrapping: &WrappingKey) -> Result<(), ProtectError> {
    for (path, name) in secrets(dir) {
        if let KeyFile::Plain(key) = KeyFile::read(&path)? {
            let text = keyfile::text(&key, realm, name, Some(wrapping))?;
            write(&path, text.as_bytes())?;
        }
    }
    Ok(())
}

/// The files with secrets that are there, and the name each is wrapped under.
fn secrets(dir: &Path) -> impl Iterator<Item = (PathBuf, &'static str)> {
    let all = keys::SECRETS.into_iter();
    let all = all.flat_map(|name| [(dir.join(name), name), (keyfile::staged(dir, name), name)]);
    let there: Vec<_> = all
        .filter(|(path, _)| fs::symlink_metadata(path).is_ok())
        .collect();
    there.into_iter()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ProtectError> {
    keyfile::replace(path, bytes).map_err(|source| ProtectError::Write {
        path: path.to_owned(),
        source,
    })
}

fn remove(path: &Path) -> Result<(), ProtectError> {
    keyfile::remove(path).map_err(|source| ProtectError::Write {
        path: path.to_owned(),
        source,
    })
}
