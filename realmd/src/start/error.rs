//! Why a realm does not start, or ended before its time.

use std::{io, path::PathBuf, sync::Arc};

use realm_client::catalogue::Code;
use realm_net::{ListenError, Multiaddr};
use thiserror::Error;

use crate::{
    commands::store::{open_code, open_help},
    failure::Explained,
    random::NoRandomness,
    token::TokenError,
};

/// Why a realm does not start, or ended before its time.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// No runtime.
    #[error("the system gives no threads")]
    Runtime(#[source] io::Error),
    /// No signals.
    #[error("the system gives no signals")]
    Signals(#[source] io::Error),
    /// The store does not open.
    #[error("the store in {} does not open", .dir.display())]
    Store {
        /// Its folder.
        dir: PathBuf,
        /// Why not.
        source: realm_store::OpenError,
    },
    /// The keys are from an old backup.
    #[error("the store has seen a later key of this realm than {} holds", .dir.display())]
    Superseded {
        /// The folder of the keys.
        dir: PathBuf,
    },
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Recover(#[source] realm_store::ReadError),
    /// The net does not start.
    #[error("the network does not start")]
    Net(#[source] realm_net::StartError),
    /// No address is listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The last address tried.
        address: Multiaddr,
        /// Why not.
        source: ListenError,
    },
    /// The socket of the local API.
    #[error("the socket {} cannot be made", .path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The local API over TCP.
    #[error("{address} cannot be listened on for the local API")]
    Http {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Its token.
    #[error("there is no token for the local API over TCP")]
    Token(#[source] TokenError),
    /// No randomness.
    #[error(transparent)]
    Randomness(NoRandomness),
    /// The store failed while the realm ran.
    #[error("the store failed, so the realm stopped: {0}")]
    StoreFailed(Arc<str>),
    /// The loop panicked.
    #[error("the loop that owns the realm panicked; nothing that was promised is lost")]
    Panicked,
}

impl Explained for StartError {
    fn code(&self) -> Code {
        match self {
            Self::Store { source, .. } => open_code(source),
            Self::Superseded { .. } => Code::KeysSuperseded,
            Self::Recover(_) => Code::StoreCorrupt,
            Self::Listen {
                source: ListenError::Unsupported,
                ..
            } => Code::ConfigValue,
            Self::Listen { .. } | Self::Http { .. } => Code::AddressInUse,
            Self::Token(TokenError::Loose(_)) => Code::HomePermissions,
            Self::Token(_) => Code::FileUnreadable,
            Self::Socket { .. } => Code::FileUnreadable,
            Self::StoreFailed(_) => Code::StoreWrite,
            Self::Runtime(_)
            | Self::Signals(_)
            | Self::Net(_)
            | Self::Randomness(_)
            | Self::Panicked => Code::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Superseded { .. } => {
                "put the newest keys back: the folder keys/ of the latest backup, or the records \
                 that were certified last: realmctl key install FILE"
                    .to_owned()
            }
            Self::Store {
                source: realm_store::OpenError::Corrupt(_),
                ..
            }
            | Self::Recover(_) => {
                "realmd store check, then realmd restore BACKUP --home DIR".to_owned()
            }
            Self::Store { source, .. } => return open_help(source),
            Self::Listen { .. } => {
                "set `listen` in realm.toml to a free port: realmd config explain listen".to_owned()
            }
            Self::Http { .. } => {
                "set `http.listen` in realm.toml to a free port: realmd config explain http.listen"
                    .to_owned()
            }
            Self::Socket { path, .. } if path.as_os_str().len() > 107 => {
                "the path is longer than a socket's may be: use a shorter --home".to_owned()
            }
            Self::StoreFailed(_) => "free space on the disk, then start again".to_owned(),
            Self::Panicked => "start again, and report it with the log".to_owned(),
            _ => return None,
        })
    }
}
