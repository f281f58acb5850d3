//! Secrets of others' services in files that this realm's store key alone opens.

use std::{fmt, io, path::Path, sync::Arc};

use data_encoding::HEXLOWER;
use realm_client::catalogue::Code;
use realm_crypto::{StoreKey, bind};
use realm_protocol::RealmId;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{keyfile, keys::HomeKeys};
use crate::{
    failure::Explained,
    random::{self, NoRandomness},
};

/// First line of a sealed file.
const SEALED: &str = "realm sealed secret 1";

/// Seals and opens them.
#[derive(Clone)]
pub(crate) struct Seal {
    realm: RealmId,
    key: Arc<StoreKey>,
}

/// Why a file was not sealed; it is as it was then.
#[derive(Debug, Error)]
pub(crate) enum SealError {
    /// It cannot be read or written.
    #[error("{path} cannot be read or written")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is sealed already.
    #[error("{0} is sealed already")]
    Already(String),
    /// It holds something else.
    #[error("{path} holds no secret: {reason}")]
    NoSecret {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Explained for SealError {
    fn code(&self) -> Code {
        Code::KeysInvalid
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Already(_) => "to change it, write the new secret into it and seal it again",
            Self::File { .. } | Self::NoSecret { .. } => {
                "write the secret into it, in one line, and close it: chmod 600 FILE"
            }
            Self::Randomness(_) => return None,
        };
        Some(help.to_owned())
    }
}

impl Seal {
    /// By the keys of a home.
    pub(crate) fn of(keys: &HomeKeys) -> Self {
        Self {
            realm: keys.identity.inception.realm_id(),
            key: Arc::new(StoreKey::from_bytes(*keys.store)),
        }
    }

    /// Whether a file holds a sealed secret, whoever sealed it.
    pub(crate) fn has_sealed(text: &str) -> bool {
        text.lines().next() == Some(SEALED)
    }

    /// Seals what a file holds, in its place, and wipes what was there.
    ///
    /// # Errors
    /// [`SealError`].
    pub(crate) fn seal_file(&self, path: &Path, secret: &str) -> Result<(), SealError> {
        let sealed = self
            .key
            .seal(&mut random::rng()?, &self.place(path), secret.as_bytes());
        let text = format!("{SEALED}\n{}\n", HEXLOWER.encode(&sealed));
        keyfile::replace(path, text.as_bytes()).map_err(|source| SealError::File {
            path: path.display().to_string(),
            source,
        })
    }

    /// Opens what a file of this name holds; none where another realm sealed it, or under another name.
    pub(crate) fn open(&self, path: &Path, text: &str) -> Option<Zeroizing<String>> {
        let sealed = text.lines().nth(1)?;
        let sealed = HEXLOWER.decode(sealed.trim().as_bytes()).ok()?;
        let opened = self.key.open(&self.place(path), &sealed).ok()?;
        String::from_utf8(opened).ok().map(Zeroizing::new)
    }

    /// What a sealed secret is bound to: the realm, and the name of its file, so that none can be put in the place of
    /// another.
    fn place(&self, path: &Path) -> Vec<u8> {
        let name = path.file_name().unwrap_or_default();
        bind("realm/1/secret-file", self.realm, name.as_encoded_bytes())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(redacted)")
    }
}
