//! Making a realm: its keys, its home, and the recovery key that leaves the machine.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use realm_client::catalogue::Code;
use realm_crypto::{PassphraseError, SigningKey, StoreKey, WrappingKey, commit_to, incept};
use realm_net::Multiaddr;
use realm_protocol::{
    Label, NodeId, RealmId, Timestamp, cbor, limits,
    records::{NodeCert, Signed, scopes},
};
use realm_store::EngineKind;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    addresses::{self, Transport},
    config,
    failure::Explained,
    home::{
        Home,
        files::{self, Scratch},
        keyfile,
        keys::{self, Identity},
        passphrase::Passphrase,
    },
    random::{self, NoRandomness},
};

/// Ports tried before there is none free over both transports and both families.
const PORTS_TRIED: usize = 16;

/// What to make, and where.
pub(crate) struct Founding {
    /// What this machine calls the realm.
    pub(crate) name: Label,
    /// The home's folder; must not exist.
    pub(crate) home: PathBuf,
    /// Addresses to listen on; none for a free port on all of them.
    pub(crate) listen: Vec<Multiaddr>,
    /// Where the recovery key goes; none where it is not to be written.
    pub(crate) recovery: Option<PathBuf>,
    /// The engine that keeps the store.
    pub(crate) engine: EngineKind,
    /// The passphrase of the keys; none for plain files.
    pub(crate) passphrase: Option<Passphrase>,
}

/// What was made.
#[derive(Clone, Debug)]
pub(crate) struct Founded {
    /// The realm.
    pub(crate) realm: RealmId,
    /// Its node.
    pub(crate) node: NodeId,
    /// Addresses to listen on.
    pub(crate) listen: Vec<Multiaddr>,
}

/// Why no realm was made. Nothing of it stays behind.
#[derive(Debug, Error)]
pub(crate) enum InitError {
    /// The folder exists.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The recovery file exists.
    #[error("the recovery file {} exists already", .0.display())]
    RecoveryExists(PathBuf),
    /// The recovery key would lie beside the keys that it is to replace.
    #[error("the recovery file {} would lie inside the home, where it protects nothing", .0.display())]
    RecoveryInside(PathBuf),
    /// A file or folder cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An address that this version cannot listen on.
    #[error("{0} cannot be listened on: only TCP and QUIC are spoken")]
    Unsupported(Multiaddr),
    /// No port is free.
    #[error("no port is free on this machine")]
    NoPort(#[source] io::Error),
    /// The passphrase.
    #[error("the passphrase cannot be used")]
    Passphrase(#[from] PassphraseError),
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Explained for InitError {
    fn code(&self) -> Code {
        match self {
            Self::Exists(_)
            | Self::RecoveryExists(_)
            | Self::RecoveryInside(_)
            | Self::Passphrase(_)
            | Self::Unsupported(_) => Code::Usage,
            Self::Write { .. } => Code::FileUnreadable,
            Self::NoPort(_) => Code::AddressInUse,
            Self::Randomness(_) => Code::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Exists(dir) => Some(format!(
                "name another realm, or run this one: realmd run --home {}",
                dir.display()
            )),
            Self::Unsupported(_) => Some(
                "name an address such as --listen /ip4/0.0.0.0/tcp/7420 or \
                 --listen /ip4/0.0.0.0/udp/7420/quic-v1"
                    .to_owned(),
            ),
            Self::RecoveryExists(_) | Self::RecoveryInside(_) => {
                Some("name another file, best on a removable disk: --recovery FILE".to_owned())
            }
            _ => None,
        }
    }
}

/// Makes a realm, all of it or nothing.
///
/// # Errors
/// [`InitError`].
pub(crate) fn init(founding: &Founding, now: Timestamp) -> Result<Founded, InitError> {
    let Founding {
        name,
        home,
        listen,
        recovery,
        engine,
        passphrase,
    } = founding;
    if fs::symlink_metadata(home).is_ok() {
        return Err(InitError::Exists(home.clone()));
    }
    if let Some(address) = listen
        .iter()
        .find(|address| addresses::socket(address).is_none())
    {
        return Err(InitError::Unsupported(address.clone()));
    }
    let recovery = recovery
        .as_deref()
        .map(|path| verify_recovery(path, home))
        .transpose()?;
    let listen = match listen.as_slice() {
        [] => free_addresses()?,
        given => given.to_vec(),
    };
    let made = Secrets::make(now)?;
    let parent = home.parent().unwrap_or(Path::new("/"));
    files::make_dirs(parent).map_err(write_at(parent))?;
    let partial = parent.join(format!(".{name}.partial-{}", random::suffix()?));
    let scratch = Scratch::make(&partial).map_err(write_at(&partial))?;
    fill(
        &Home::new(&partial),
        name,
        &listen,
        *engine,
        &made,
        recovery.as_deref(),
        passphrase.as_ref(),
    )?;
    if let Some(path) = &recovery {
        let realm = made.identity.inception.realm_id();
        let text = recovery_text(name.as_str(), realm, &made.next.seed());
        files::write(path, text.as_bytes()).map_err(write_at(path))?;
    }
    if let Err(source) = scratch.place(home) {
        if let Some(path) = &recovery {
            // The key in it belongs to a realm that was never made.
            let _ = fs::remove_file(path);
        }
        return Err(write_at(home)(source));
    }
    Ok(Founded {
        realm: made.identity.inception.realm_id(),
        node: made.node.node_id(),
        listen,
    })
}

/// The keys of a new realm.
struct Secrets {
    realm: SigningKey,
    next: SigningKey,
    node: SigningKey,
    store: StoreKey,
    identity: Identity,
}

impl Secrets {
    fn make(now: Timestamp) -> Result<Self, NoRandomness> {
        let key = || random::seed().map(|seed| SigningKey::from_seed(&seed));
        let (realm, next, node) = (key()?, key()?, key()?);
        let (id, inception) = incept(&realm, commit_to(&next.public()), now);
        let mut node_cert = Signed::unsigned(&NodeCert {
            serial: 1,
            realm: id,
            node: node.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::NODE_CERT_MS),
            epoch: 0,
        });
        realm.sign(&mut node_cert);
        Ok(Self {
            realm,
            next,
            node,
            store: StoreKey::from_bytes(*random::seed()?),
            identity: Identity {
                inception,
                successions: Vec::new(),
                node_cert,
            },
        })
    }
}

fn fill(
    home: &Home,
    name: &Label,
    listen: &[Multiaddr],
    engine: EngineKind,
    made: &Secrets,
    recovery: Option<&Path>,
    passphrase: Option<&Passphrase>,
) -> Result<(), InitError> {
    for dir in [home.keys(), home.data()] {
        files::make_dir(&dir).map_err(write_at(&dir))?;
    }
    let write = |path: PathBuf, bytes: &[u8]| files::write(&path, bytes).map_err(write_at(&path));
    let keys = home.keys();
    let realm = made.identity.inception.realm_id();
    let wrapping = match passphrase {
        Some(passphrase) => {
            let mut rng = random::rng()?;
            let wrapping = WrappingKey::generate(&mut rng);
            let lock = wrapping.lock(&mut rng, realm, passphrase)?;
            write(keys.join(keys::LOCK), &cbor::encode(&lock))?;
            Some(wrapping)
        }
        None => None,
    };
    for (name, key) in [
        (keys::REALM, made.realm.seed()),
        (keys::NODE, made.node.seed()),
        (keys::STORE, made.store.bytes()),
    ] {
        let text = keyfile::text(&key, realm, name, wrapping.as_ref())?;
        write(keys.join(name), text.as_bytes())?;
    }
    write(keys.join(keys::IDENTITY), &cbor::encode(&made.identity))?;
    if let Some(path) = recovery {
        write(
            keys.join(keys::RECOVERY),
            path.as_os_str().as_encoded_bytes(),
        )?;
    }
    write(
        home.config(),
        config::template(name, listen, engine).as_bytes(),
    )?;
    files::sync_dir(&keys).map_err(write_at(&keys))?;
    files::sync_dir(home.dir()).map_err(write_at(home.dir()))
}

/// Makes the path absolute, and sees that it is free and outside the home.
///
/// # Errors
/// [`InitError::RecoveryInside`] or [`InitError::RecoveryExists`].
pub(crate) fn verify_recovery(path: &Path, home: &Path) -> Result<PathBuf, InitError> {
    let path = std::path::absolute(path).map_err(write_at(path))?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    // The home does not exist yet: its own parent is what may hide behind links.
    let real = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let home = std::path::absolute(home).map_err(write_at(home))?;
    let beside = real(home.parent().unwrap_or(Path::new("/")));
    let inside = beside.join(home.file_name().unwrap_or_default());
    if path.starts_with(&home) || real(parent).starts_with(inside) {
        return Err(InitError::RecoveryInside(path));
    }
    if fs::symlink_metadata(&path).is_ok() {
        return Err(InitError::RecoveryExists(path));
    }
    Ok(path)
}

/// The text of a recovery file.
pub(crate) fn recovery_text(name: &str, realm: RealmId, seed: &[u8; 32]) -> Zeroizing<String> {
    let seed = Zeroizing::new(data_encoding::HEXLOWER.encode(seed));
    Zeroizing::new(format!(
        "# Recovery key of the realm `{name}`, {realm}.\n\
         # It takes the realm back when its key is lost or stolen. Whoever holds it owns the realm:\n\
         # keep it off this machine, on paper or on a disk in a drawer, and delete this file.\n\
         {}\n",
        seed.as_str()
    ))
}

/// Picks a port that is free now over TCP and QUIC, on IPv4 and, where the machine speaks it, on
/// IPv6. It stays in the configuration.
fn free_addresses() -> Result<Vec<Multiaddr>, InitError> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let families = match addresses::probe(v6, Transport::Tcp) {
        Ok(_) => vec![v4, v6],
        Err(_) => vec![v4],
    };
    let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..PORTS_TRIED {
        let port = addresses::probe(v4, Transport::Tcp).map_err(InitError::NoPort)?;
        let all = families.iter().flat_map(|family| {
            let socket = SocketAddr::new(family.ip(), port);
            [(socket, Transport::Tcp), (socket, Transport::Quic)]
        });
        let probed: io::Result<Vec<_>> = all
            .map(|(socket, transport)| {
                addresses::probe(socket, transport)?;
                Ok(addresses::multiaddr(socket, transport))
            })
            .collect();
        match probed {
            Ok(free) => return Ok(free),
            Err(error) => taken = error,
        }
    }
    Err(InitError::NoPort(taken))
}

fn write_at(path: &Path) -> impl Fn(io::Error) -> InitError + use<> {
    let path = path.to_owned();
    move |source| InitError::Write {
        path: path.clone(),
        source,
    }
}
