//! What is done with keys while no daemon runs: handing the realm on, certifying a node, taking
//! in what was signed elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use realm_client::catalogue::Code;
use realm_crypto::{CertError, SigningKey, commit_to, succeed};
use realm_protocol::{
    RealmId, Timestamp, cbor, limits,
    records::{NodeCert, Signed, SuccessionReason, scopes},
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    failure::Explained,
    home::{
        Home, files,
        keyfile::{self, KeyFile},
        keys::{self, HomeKeys, Identity, KeysError},
    },
    init::{self, InitError},
    random::{self, NoRandomness},
};

/// Why nothing was signed or taken in. What was there is as it was.
#[derive(Debug, Error)]
pub(crate) enum CeremonyError {
    /// A key file or the records.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The file for the next recovery key.
    #[error(transparent)]
    Recovery(#[from] InitError),
    /// The key is not the one that the records commit to.
    #[error("{} is not the recovery key that {realm} committed to last", .path.display())]
    NotCommitted {
        /// The file.
        path: PathBuf,
        /// The realm.
        realm: RealmId,
    },
    /// The key is not the realm's.
    #[error("{} is not the realm key of {realm}", .path.display())]
    NotRealmKey {
        /// The file.
        path: PathBuf,
        /// The realm.
        realm: RealmId,
    },
    /// The realm has been handed on as often as it can be.
    #[error(
        "the realm has been handed on {} times, which is as often as can be",
        limits::SUCCESSIONS
    )]
    TooMany,
    /// The records that were brought are another realm's, another node's, or older.
    #[error("{} cannot be taken in: {why}", .path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// The records do not hold.
    #[error("the records in {} do not hold", .path.display())]
    Records {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: CertError,
    },
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

impl Explained for CeremonyError {
    fn code(&self) -> Code {
        match self {
            Self::Keys(error) => error.code(),
            Self::Recovery(error) => error.code(),
            Self::NotCommitted { .. }
            | Self::NotRealmKey { .. }
            | Self::NotOurs { .. }
            | Self::Records { .. }
            | Self::TooMany => Code::KeysInvalid,
            Self::Write { .. } => Code::FileUnreadable,
            Self::Randomness(_) => Code::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Keys(error) => return error.help(),
            Self::Recovery(error) => return error.help(),
            Self::NotCommitted { .. } => {
                "name the newest recovery file; `realmd key show` gives the digest of its public key"
                    .to_owned()
            }
            Self::NotRealmKey { .. } | Self::NotOurs { .. } | Self::Records { .. } => {
                "realmd key show".to_owned()
            }
            Self::TooMany | Self::Write { .. } | Self::Randomness(_) => return None,
        })
    }
}

/// How a realm is handed on.
#[derive(Clone, Debug)]
pub(crate) struct Handover {
    /// The file with the key that takes over.
    pub(crate) recovery: PathBuf,
    /// Where the key after it goes.
    pub(crate) next: PathBuf,
    /// Why.
    pub(crate) reason: SuccessionReason,
    /// What this machine calls the realm.
    pub(crate) name: String,
}

/// Hands a realm on: the recovery key becomes the realm key, certifies the node anew, and commits
/// to a new recovery key, which is written first.
///
/// # Errors
/// [`CeremonyError`].
pub(crate) fn hand_over(
    identity: &Identity,
    handover: &Handover,
    now: Timestamp,
) -> Result<(Identity, SigningKey), CeremonyError> {
    let realm = identity.inception.realm_id();
    if identity.successions.len() >= limits::SUCCESSIONS {
        return Err(CeremonyError::TooMany);
    }
    let key = plain_key(&handover.recovery)?;
    let broken = |source| CeremonyError::Records {
        path: PathBuf::from(keys::IDENTITY),
        source,
    };
    let (_, held) = identity.verify().map_err(broken)?;
    let committed = identity.successions.last().map_or_else(
        || identity.inception.peek().map(|record| record.next_key),
        |last| last.peek().map(|record| record.next_key),
    );
    if committed.map_err(|error| broken(error.into()))? != commit_to(&key.public()) {
        let path = handover.recovery.clone();
        return Err(CeremonyError::NotCommitted { path, realm });
    }
    let next = SigningKey::from_seed(&*random::seed()?);
    let succession = succeed(
        &identity.inception,
        &identity.successions,
        &key,
        commit_to(&next.public()),
        handover.reason,
        now,
    );
    let mut handed = identity.clone();
    handed.successions.push(succession);
    handed.node_cert = certificate(&key, held, handed.successions.len() as u64, now);
    handed.verify().map_err(broken)?;
    let text = init::recovery_text(&handover.name, realm, &next.seed());
    files::write(&handover.next, text.as_bytes()).map_err(write_at(&handover.next))?;
    Ok((handed, key))
}

/// Certifies the node that the records name, by the realm key in a file.
///
/// # Errors
/// [`CeremonyError`].
pub(crate) fn certify(
    identity: &Identity,
    key: &Path,
    now: Timestamp,
) -> Result<Identity, CeremonyError> {
    let signer = plain_key(key)?;
    let checked = identity.verify().map_err(|source| CeremonyError::Records {
        path: PathBuf::from(keys::IDENTITY),
        source,
    });
    let (current, held) = checked?;
    if current.key != signer.public() {
        return Err(CeremonyError::NotRealmKey {
            path: key.to_owned(),
            realm: identity.inception.realm_id(),
        });
    }
    let mut certified = identity.clone();
    certified.node_cert = certificate(&signer, held, current.epoch, now);
    Ok(certified)
}

/// Reads records that were signed elsewhere, and sees that they continue those that are here.
///
/// # Errors
/// [`CeremonyError`].
pub(crate) fn read_certified(path: &Path, held: &Identity) -> Result<Identity, CeremonyError> {
    let brought = keys::read_identity(path)?;
    let checked = brought.verify().map_err(|source| CeremonyError::Records {
        path: path.to_owned(),
        source,
    });
    let (_, cert) = checked?;
    let refuse = |why| CeremonyError::NotOurs {
        path: path.to_owned(),
        why,
    };
    if brought.inception.realm_id() != held.inception.realm_id() {
        return Err(refuse("it is another realm's"));
    }
    if !brought.successions.starts_with(&held.successions) {
        return Err(refuse(
            "its history of keys is not a continuation of the one here",
        ));
    }
    let here = held
        .node_cert
        .peek()
        .map_err(|_| refuse("there is nothing to compare it with"))?;
    if cert.node != here.node {
        return Err(refuse("it certifies another node"));
    }
    let older = brought.successions.len() == held.successions.len() && cert.serial < here.serial;
    if older {
        return Err(refuse("it is older than what is here"));
    }
    Ok(brought)
}

/// Puts new records in place. A realm key that comes with them waits beside the old one until
/// the records name it.
///
/// # Errors
/// [`CeremonyError::Write`].
pub(crate) fn install(
    home: &Home,
    keys: &HomeKeys,
    identity: &Identity,
    realm_key: Option<&SigningKey>,
) -> Result<(), CeremonyError> {
    let dir = home.keys();
    if let Some(key) = realm_key {
        let waiting = keyfile::staged(&dir, keys::REALM);
        let (realm, wrapping) = (keys.realm_id(), keys.wrapping.as_ref());
        let text = keyfile::text(&key.seed(), realm, keys::REALM, wrapping)?;
        keyfile::replace(&waiting, text.as_bytes()).map_err(write_at(&waiting))?;
    }
    let path = dir.join(keys::IDENTITY);
    keyfile::replace(&path, &cbor::encode(identity)).map_err(write_at(&path))
}

/// Writes public records to a new file.
///
/// # Errors
/// [`CeremonyError::Write`].
pub(crate) fn write_out(path: &Path, identity: &Identity) -> Result<(), CeremonyError> {
    files::write(path, &cbor::encode(identity)).map_err(write_at(path))
}

/// Notes where the recovery key was written, so that `doctor` can look for it.
///
/// # Errors
/// [`CeremonyError::Write`].
pub(crate) fn note_recovery(home: &Home, recovery: &Path) -> Result<(), CeremonyError> {
    let path = home.keys().join(keys::RECOVERY);
    keyfile::replace(&path, recovery.as_os_str().as_encoded_bytes()).map_err(write_at(&path))
}

/// Sees that a recovery file is free and outside the home.
///
/// # Errors
/// [`CeremonyError::Recovery`].
pub(crate) fn verify_recovery(path: &Path, home: &Home) -> Result<PathBuf, CeremonyError> {
    Ok(init::verify_recovery(path, home.dir())?)
}

fn certificate(key: &SigningKey, held: NodeCert, epoch: u64, now: Timestamp) -> Signed<NodeCert> {
    let mut cert = Signed::unsigned(&NodeCert {
        serial: held.serial.saturating_add(1),
        scopes: scopes::MESSAGE | scopes::ISSUE,
        not_before: now.minus(limits::CLOCK_SKEW_MS),
        not_after: now.plus(limits::NODE_CERT_MS),
        epoch,
        ..held
    });
    key.sign(&mut cert);
    cert
}

/// The key in a file that no passphrase of a home protects.
fn plain_key(path: &Path) -> Result<SigningKey, CeremonyError> {
    let seed: Zeroizing<[u8; 32]> = match KeyFile::read(path)? {
        KeyFile::Plain(seed) => seed,
        KeyFile::Wrapped(_) => {
            let path = path.to_owned();
            return Err(KeysError::NoLock { path }.into());
        }
    };
    Ok(SigningKey::from_seed(&seed))
}

fn write_at(path: &Path) -> impl Fn(io::Error) -> CeremonyError + use<> {
    let path = path.to_owned();
    move |source| CeremonyError::Write {
        path: path.clone(),
        source,
    }
}

/// Whether a file is there.
pub(crate) fn is_here(home: &Home, name: &str) -> bool {
    fs::symlink_metadata(home.keys().join(name)).is_ok()
}
