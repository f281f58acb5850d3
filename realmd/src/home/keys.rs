//! The key files of a home, and the public records beside them.

use std::{
    io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use realm_client::catalogue::Code;
use realm_crypto::{CertError, SigningKey, current_key};
use realm_protocol::{
    NodeId, RealmId,
    cbor::{self, CborError},
    records::{Inception, NodeCert, Signed, Succession},
    wire_map,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Home, files};
use crate::failure::Explained;

/// Names of the files in `keys/`.
pub(crate) const REALM: &str = "realm.key";
pub(crate) const NODE: &str = "node.key";
pub(crate) const STORE: &str = "store.key";
pub(crate) const IDENTITY: &str = "identity";
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
    /// A key file does not hold 64 hexadecimal digits.
    #[error("{} does not hold a key: 64 hexadecimal digits", .path.display())]
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
}

impl Explained for KeysError {
    fn code(&self) -> Code {
        Code::KeysInvalid
    }

    fn help(&self) -> Option<String> {
        Some("restore the folder keys/ from a backup: realmd restore FILE --home DIR".to_owned())
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
    /// The public records.
    pub(crate) identity: Identity,
}

impl HomeKeys {
    /// Reads the keys, and checks that they belong to each other.
    ///
    /// # Errors
    /// [`KeysError`].
    pub(crate) fn read(home: &Home) -> Result<Self, KeysError> {
        let dir = home.keys();
        let identity = read_identity(&dir)?;
        let node = SigningKey::from_seed(&*read_key(&dir.join(NODE))?);
        let named = identity
            .node_cert
            .peek()
            .map_err(|source| KeysError::Identity {
                path: dir.join(IDENTITY),
                source,
            })?;
        if named.node != node.node_id() {
            return Err(KeysError::Foreign {
                path: dir.join(NODE),
            });
        }
        Ok(Self {
            realm: read_realm_key(&dir, &identity)?,
            node,
            store: read_key(&dir.join(STORE))?,
            identity,
        })
    }

    /// The realm's id.
    pub(crate) fn realm_id(&self) -> RealmId {
        self.identity.inception.realm_id()
    }

    /// The node's id.
    pub(crate) fn node_id(&self) -> NodeId {
        self.node.node_id()
    }
}

fn read_realm_key(dir: &Path, identity: &Identity) -> Result<Option<SigningKey>, KeysError> {
    let path = dir.join(REALM);
    if !path.exists() {
        return Ok(None);
    }
    let key = SigningKey::from_seed(&*read_key(&path)?);
    let realm = identity.inception.realm_id();
    let current = current_key(&identity.inception, &identity.successions, realm);
    let current = current.map_err(|source| KeysError::Records {
        path: dir.join(IDENTITY),
        source,
    })?;
    if current.key != key.public() {
        return Err(KeysError::Foreign { path });
    }
    Ok(Some(key))
}

fn read_identity(dir: &Path) -> Result<Identity, KeysError> {
    let path = dir.join(IDENTITY);
    let bytes = files::read(&path).map_err(|source| unreadable(&path, source))?;
    cbor::decode(&bytes).map_err(|source| KeysError::Identity { path, source })
}

/// Reads 32 bytes from a file of hexadecimal text; lines that begin with `#` are comments.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let bytes = files::read(path).map_err(|source| unreadable(path, source))?;
    let bytes = Zeroizing::new(bytes);
    let malformed = || KeysError::Malformed {
        path: path.to_owned(),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    let decoded = HEX.decode(line.unwrap_or_default().as_bytes());
    let decoded = Zeroizing::new(decoded.map_err(|_| malformed())?);
    let mut key = Zeroizing::new([0; 32]);
    if decoded.len() != key.len() {
        return Err(malformed());
    }
    key.copy_from_slice(&decoded);
    Ok(key)
}

/// The text of a key file, ending in a line break.
pub(crate) fn key_text(key: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(data_encoding::HEXLOWER.encode(key));
    text.push('\n');
    text
}

fn unreadable(path: &Path, source: io::Error) -> KeysError {
    KeysError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
