//! Which hosts the owner opens to loops though they are not public.
//!
//! A definition says what its loop needs, by `allowPrivate`; who applies it need not be who knows what stands in the
//! owner's network. Both must name a host, and the owner may name networks.

use std::{net::IpAddr, str::FromStr};

use realm_executor::BackendError;
use thiserror::Error;
use url::{Host, Url};

use crate::address;

/// What the owner opens; nothing unless told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened(Vec<OpenedHost>);

/// A host or a network, with a port or all of them: `agent.local:8080`, `127.0.0.1:*`, `10.1.0.0/16:443`, `[fd00::/8]:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedHost {
    text: String,
    place: Place,
    /// None for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A name, lower case: wherever it leads.
    Name(String),
    /// Addresses that begin with the same bits as this one.
    Network(IpAddr, u32),
}

/// The text names no host and port.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no host and port such as 127.0.0.1:8080, agent.local:* or 10.1.0.0/16:443")]
pub struct ParseOpenedError;

impl FromStr for OpenedHost {
    type Err = ParseOpenedError;

    fn from_str(text: &str) -> Result<Self, ParseOpenedError> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseOpenedError)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().map_err(|_| ParseOpenedError)?),
        };
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        Ok(Self {
            text: text.to_owned(),
            place: place(bare.unwrap_or(host)).ok_or(ParseOpenedError)?,
            port,
        })
    }
}

fn place(host: &str) -> Option<Place> {
    let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    if let Some((address, length)) = host.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let length = length.parse().ok().filter(|it| *it <= bits(address))?;
        return Some(Place::Network(address, length));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(Place::Network(address, bits(address)));
    }
    // As a URL writes it, so that both are compared alike.
    let Ok(Host::Domain(name)) = Host::parse(host) else {
        return None;
    };
    (!name.contains('*')).then_some(Place::Name(name))
}

impl OpenedHost {
    fn opens(&self, url: &Url) -> bool {
        let here = match (&self.place, url.host()) {
            (Place::Name(name), Some(Host::Domain(host))) => name == host,
            (Place::Network(network, length), Some(Host::Ipv4(host))) => {
                begins_alike(*network, IpAddr::V4(host), *length)
            }
            (Place::Network(network, length), Some(Host::Ipv6(host))) => {
                begins_alike(*network, IpAddr::V6(host), *length)
            }
            _ => false,
        };
        here && (self.port.is_none() || self.port == url.port_or_known_default())
    }
}

fn begins_alike(network: IpAddr, address: IpAddr, length: u32) -> bool {
    let differ = match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let differ = u32::from(one) ^ u32::from(other);
            differ
                .checked_shr(32_u32.saturating_sub(length))
                .unwrap_or(0)
                .into()
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let differ = u128::from(one) ^ u128::from(other);
            differ
                .checked_shr(128_u32.saturating_sub(length))
                .unwrap_or(0)
        }
        _ => u128::MAX,
    };
    differ == 0
}

impl Opened {
    /// Opens these.
    pub const fn new(hosts: Vec<OpenedHost>) -> Self {
        Self(hosts)
    }

    /// Whether a loop may ask this URL, as far as its text tells: what its `allowPrivate` names, the owner must open.
    ///
    /// # Errors
    /// [`BackendError::NotOpened`] with what to write where the owner does not, and as [`address::target`].
    pub fn permit(&self, url: &str, allow_private: &[String]) -> Result<(), BackendError> {
        let target = address::target(url, allow_private)?;
        if !target.private || self.0.iter().any(|it| it.opens(&target.url)) {
            return Ok(());
        }
        let hosts = self.0.iter().map(|it| &it.text).chain([&target.authority]);
        let hosts: Vec<String> = hosts.map(|host| format!("{host:?}")).collect();
        Err(BackendError::NotOpened {
            line: format!("allow_private = [{}]", hosts.join(", ")),
            host: target.authority,
        })
    }
}
