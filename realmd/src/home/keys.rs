//! The key files of a home, and the public records beside them.

use std::{
    io,
    path::{Path, PathBuf},
};

use realm_client::catalogue::Code;
use realm_crypto::{
    CertError, CurrentKey, PassphraseError, PassphraseLock, SigningKey, WrappingKey, current_key,
    verify,
};
use realm_protocol::{
    RealmId,
    cbor::{self, CborError},
    records::{Inception, NodeCert, Signed, Succession},
    wire_map,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    Home, files,
    keyfile::{self, KeyFile},
    passphrase::{PassphraseSourceError, Unlock},
};
use crate::failure::Explained;

/// Names of the files in `keys/`.
pub(crate) const REALM: &str = "realm.key";
pub(crate) const NODE: &str = "node.key";
pub(crate) const STORE: &str = "store.key";
pub(crate) const IDENTITY: &str = "identity";
/// Holds the wrapping key under the passphrase; absent where the keys are plain.
pub(crate) const LOCK: &str = "passphrase";
/// Names of the files that hold a secret.
pub(crate) const SECRETS: [&str; 3] = [REALM, NODE, STORE];
/// Holds the path that the recovery key was written to, so that `doctor` can look for it.
pub(crate) const RECOVERY: &str = "recovery-path";

wire_map! {
    /// The public records that a realm was founded with.
    pub struct Identity {
        /// The realm's first record.
        0 => inception: Signed<Inception>,
        /// Its successions, in order.
        1 => successions: Vec<Signed<Succession>>,
        /// The node's first certificate.
        2 => node_cert: Signed<NodeCert>,
    }
}

/// Why keys cannot be used.
#[derive(Debug, Error)]
pub(crate) enum KeysError {
    /// A key file is missing or cannot be read.
    #[error("the key file {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key file holds neither 64 hexadecimal digits nor a wrapped key.
    #[error("{} does not hold a key", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The public records cannot be read.
    #[error("{} does not hold a realm's identity", .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CborError,
    },
    /// The public records do not hold.
    #[error("the records in {} do not hold", .path.display())]
    Records {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: CertError,
    },
    /// A key is not the one that the public records name.
    #[error("{} is not the key of this realm", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A key is wrapped, and what unwraps it is missing.
    #[error("{} is wrapped, and the file {LOCK} that unwraps it is missing", .path.display())]
    NoLock {
        /// The wrapped file.
        path: PathBuf,
    },
    /// The passphrase does not open the keys.
    #[error("the keys in {} stay closed", .dir.display())]
    Locked {
        /// The folder of the keys.
        dir: PathBuf,
        /// Why.
        source: PassphraseError,
    },
    /// There is no passphrase to try.
    #[error(transparent)]
    Passphrase(#[from] PassphraseSourceError),
}

impl Explained for KeysError {
    fn code(&self) -> Code {
        match self {
            Self::Locked { .. } => Code::KeysLocked,
            Self::Passphrase(error) => error.code(),
            _ => Code::KeysInvalid,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Passphrase(error) => return error.help(),
            Self::Locked {
                source: PassphraseError::Wrong,
                ..
            } => "give the right one: --passphrase-file FILE".to_owned(),
            _ => {
                "restore the folder keys/ from a backup: realmd restore FILE --home DIR".to_owned()
            }
        })
    }
}

/// What `keys/` says without any secret.
#[derive(Debug)]
pub(crate) struct PublicKeys {
    /// The public records.
    pub(crate) identity: Identity,
    /// The realm key as they leave it.
    pub(crate) current: CurrentKey,
    /// What they certify.
    pub(crate) node_cert: NodeCert,
    /// Whether the keys are behind a passphrase.
    pub(crate) lock: Option<PassphraseLock>,
}

impl PublicKeys {
    /// Reads the public records, and checks that they hold.
    ///
    /// # Errors
    /// [`KeysError`].
    pub(crate) fn read(home: &Home) -> Result<Self, KeysError> {
        let dir = home.keys();
        let identity = read_identity(&dir.join(IDENTITY))?;
        let (current, node_cert) = identity.verify().map_err(|source| KeysError::Records {
            path: dir.join(IDENTITY),
            source,
        })?;
        Ok(Self {
            identity,
            current,
            node_cert,
            lock: read_lock(&dir.join(LOCK))?,
        })
    }

    /// The realm's id.
    pub(crate) fn realm_id(&self) -> RealmId {
        self.identity.inception.realm_id()
    }

    /// Opens the lock, where there is one.
    ///
    /// # Errors
    /// [`KeysError::Locked`] or [`KeysError::Passphrase`].
    pub(crate) fn unlock(
        &self,
        home: &Home,
        unlock: &Unlock,
    ) -> Result<Option<WrappingKey>, KeysError> {
        let Some(lock) = &self.lock else {
            return Ok(None);
        };
        let opened = lock.open(self.realm_id(), &unlock.passphrase()?);
        opened.map(Some).map_err(|source| KeysError::Locked {
            dir: home.keys(),
            source,
        })
    }
}

/// Everything in `keys/`.
#[derive(Debug)]
pub(crate) struct HomeKeys {
    /// The realm key; none while its owner keeps it elsewhere.
    pub(crate) realm: Option<SigningKey>,
    /// The node key.
    pub(crate) node: SigningKey,
    /// The store key's bytes.
    pub(crate) store: Zeroizing<[u8; 32]>,
    /// What wraps the key files; none where they are plain.
    pub(crate) wrapping: Option<WrappingKey>,
    /// The public records.
    pub(crate) identity: Identity,
}

impl HomeKeys {
    /// Reads the keys, and checks that they belong to each other. A file that is not there is
    /// looked for among systemd's credentials.
    ///
    /// # Errors
    /// [`KeysError`].
    pub(crate) fn read(home: &Home, unlock: &Unlock) -> Result<Self, KeysError> {
        let public = PublicKeys::read(home)?;
        let wrapping = public.unlock(home, unlock)?;
        let reader = Reader {
            dir: home.keys(),
            unlock,
            realm: public.realm_id(),
            wrapping: wrapping.as_ref(),
        };
        let node = reader.signing_key(NODE, public.node_cert.node.as_bytes())?;
        let node = node.ok_or_else(|| unreadable(&reader.dir.join(NODE), absent()))?;
        let realm = reader.signing_key(REALM, &public.current.key)?;
        let store = reader.key(STORE)?;
        let store = store.ok_or_else(|| unreadable(&reader.dir.join(STORE), absent()))?;
        Ok(Self {
            realm,
            node,
            store,
            identity: public.identity,
            wrapping,
        })
    }

    /// The realm's id.
    pub(crate) fn realm_id(&self) -> RealmId {
        self.identity.inception.realm_id()
    }
}

/// Reads the secrets of one home.
struct Reader<'a> {
    dir: PathBuf,
    unlock: &'a Unlock,
    realm: RealmId,
    wrapping: Option<&'a WrappingKey>,
}

impl Reader<'_> {
    /// The key with this public half: from its file, or from the one beside it that waits for the
    /// records to name it; none where there is no file.
    fn signing_key(&self, name: &str, public: &[u8; 32]) -> Result<Option<SigningKey>, KeysError> {
        let path = self.dir.join(name);
        let waiting = keyfile::staged(&self.dir, name);
        let held = self.key(name)?.map(|seed| SigningKey::from_seed(&seed));
        match held {
            Some(key) if key.public() == *public => Ok(Some(key)),
            held => {
                let next = waiting.exists().then(|| self.open(&waiting, name));
                let next = next.transpose()?.map(|seed| SigningKey::from_seed(&seed));
                match next {
                    Some(key) if key.public() == *public => Ok(Some(key)),
                    _ if held.is_none() => Ok(None),
                    _ => Err(KeysError::Foreign { path }),
                }
            }
        }
    }

    fn key(&self, name: &str) -> Result<Option<Zeroizing<[u8; 32]>>, KeysError> {
        let path = self.dir.join(name);
        if path.symlink_metadata().is_ok() {
            let rewrapped = keyfile::rewrapped(&self.dir, name);
            let opened = match self.open(&path, name) {
                Err(KeysError::Foreign { .. }) if rewrapped.exists() => self.open(&rewrapped, name),
                other => other,
            };
            return opened.map(Some);
        }
        let credential = self.unlock.credential(name);
        credential.map(|path| self.open(&path, name)).transpose()
    }

    fn open(&self, path: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>, KeysError> {
        KeyFile::read(path)?.open(path, self.realm, name, self.wrapping)
    }
}

impl Identity {
    /// Checks that the records hold; gives the realm key they leave and what they certify.
    ///
    /// # Errors
    /// [`CertError`].
    pub(crate) fn verify(&self) -> Result<(CurrentKey, NodeCert), CertError> {
        let realm = self.inception.realm_id();
        let current = current_key(&self.inception, &self.successions, realm)?;
        let claimed = self.node_cert.peek()?;
        if claimed.epoch != current.epoch {
            return Err(CertError::Epoch);
        }
        let cert = verify(&self.node_cert, &[current.key])?;
        if cert.realm == realm {
            Ok((current, cert))
        } else {
            Err(CertError::Realm)
        }
    }
}

/// Reads public records.
///
/// # Errors
/// [`KeysError::Unreadable`] or [`KeysError::Identity`].
pub(crate) fn read_identity(path: &Path) -> Result<Identity, KeysError> {
    let bytes = files::read(path).map_err(|source| unreadable(path, source))?;
    cbor::decode(&bytes).map_err(|source| KeysError::Identity {
        path: path.to_owned(),
        source,
    })
}

fn read_lock(path: &Path) -> Result<Option<PassphraseLock>, KeysError> {
    let bytes = match files::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(unreadable(path, source)),
    };
    let lock = cbor::decode(&bytes).map_err(|_| KeysError::Malformed {
        path: path.to_owned(),
    });
    lock.map(Some)
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn unreadable(path: &Path, source: io::Error) -> KeysError {
    KeysError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
