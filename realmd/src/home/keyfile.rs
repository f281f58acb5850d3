//! One file of `keys/`: 32 secret bytes, as they are or wrapped.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE as HEX};
use realm_crypto::WrappingKey;
use realm_protocol::RealmId;
use zeroize::Zeroizing;

use super::{files, keys::KeysError};
use crate::random;

/// First line of a wrapped key file.
const WRAPPED: &str = "realm wrapped key 1";
/// What a file is called until the records beside it name its key.
const STAGED: &str = "new";
/// What a file under the next wrapping key is called until that is the one in use.
const REWRAPPED: &str = "rewrapped";

/// What a key file holds.
#[derive(Debug)]
pub(crate) enum KeyFile {
    /// The key itself.
    Plain(Zeroizing<[u8; 32]>),
    /// The key sealed under the wrapping key.
    Wrapped(Vec<u8>),
}

impl KeyFile {
    /// Reads a file: 64 hexadecimal digits, or the first line of a wrapped key and its digits.
    /// Lines that begin with `#` are comments.
    ///
    /// # Errors
    /// [`KeysError::Unreadable`] or [`KeysError::Malformed`].
    pub(crate) fn read(path: &Path) -> Result<Self, KeysError> {
        let bytes = files::read(path).map_err(|source| KeysError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let bytes = Zeroizing::new(bytes);
        Self::parse(&bytes).ok_or_else(|| KeysError::Malformed {
            path: path.to_owned(),
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines().map(str::trim);
        let mut lines = lines
            .by_ref()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next()?;
        if first == WRAPPED {
            return HEX.decode(lines.next()?.as_bytes()).ok().map(Self::Wrapped);
        }
        let decoded = Zeroizing::new(HEX.decode(first.as_bytes()).ok()?);
        let mut key = Zeroizing::new([0; 32]);
        if decoded.len() != key.len() {
            return None;
        }
        key.copy_from_slice(&decoded);
        Some(Self::Plain(key))
    }

    /// Gives the key, unwrapped where it has to be.
    ///
    /// # Errors
    /// [`KeysError::Foreign`] when it is not wrapped by this key, for this realm and file.
    pub(crate) fn open(
        self,
        path: &Path,
        realm: RealmId,
        name: &str,
        wrapping: Option<&WrappingKey>,
    ) -> Result<Zeroizing<[u8; 32]>, KeysError> {
        match (self, wrapping) {
            (Self::Plain(key), _) => Ok(key),
            (Self::Wrapped(sealed), Some(wrapping)) => wrapping
                .unwrap_key(realm, name, &sealed)
                .map_err(|_| KeysError::Foreign {
                    path: path.to_owned(),
                }),
            (Self::Wrapped(_), None) => Err(KeysError::NoLock {
                path: path.to_owned(),
            }),
        }
    }
}

/// The text of a key file, wrapped where there is a wrapping key.
///
/// # Errors
/// [`random::NoRandomness`].
pub(crate) fn text(
    key: &[u8; 32],
    realm: RealmId,
    name: &str,
    wrapping: Option<&WrappingKey>,
) -> Result<Zeroizing<String>, random::NoRandomness> {
    let Some(wrapping) = wrapping else {
        let mut text = Zeroizing::new(HEXLOWER.encode(key));
        text.push('\n');
        return Ok(text);
    };
    let sealed = wrapping.wrap(&mut random::rng()?, realm, name, key);
    let digits = HEXLOWER.encode(&sealed);
    Ok(Zeroizing::new(format!("{WRAPPED}\n{digits}\n")))
}

/// Where a key waits that the records beside it do not name yet.
pub(crate) fn staged(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.{STAGED}"))
}

/// Where a key waits, wrapped anew, for the passphrase that unwraps it to be in place.
pub(crate) fn rewrapped(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.{REWRAPPED}"))
}

/// Puts a file in the place of another, whole or not at all, and wipes what was there. The disk
/// may keep copies all the same: journals and flash do.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let suffix = random::suffix().map_err(io::Error::other)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.{suffix}"));
    files::write(&partial, bytes)?;
    let before = File::options().write(true).open(path).ok();
    fs::rename(&partial, path)?;
    path.parent().map_or(Ok(()), files::sync_dir)?;
    before.map_or(Ok(()), wipe)
}

/// Removes a file, wiped.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let before = File::options().write(true).open(path).ok();
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    path.parent().map_or(Ok(()), files::sync_dir)?;
    before.map_or(Ok(()), wipe)
}

/// Overwrites a file that has no name any more; one that has another name is somebody's copy.
fn wipe(mut file: File) -> io::Result<()> {
    let found = file.metadata()?;
    if found.nlink() == 0 {
        let length = usize::try_from(found.len()).unwrap_or(0);
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
    }
    Ok(())
}
