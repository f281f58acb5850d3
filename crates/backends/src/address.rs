//! Which hosts an HTTP agent may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use realm_executor::BackendError;
use realm_protocol::is_public;
use url::{Host, Url};

/// Addresses of metadata services, which hand out a machine's credentials to whoever asks.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
/// The same services under prefixes of their own.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// A URL that may be called, as far as its text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URL, normalised.
    pub url: Url,
    /// `host:port`, lower case, as `allowPrivate` names it.
    pub authority: String,
    /// Whether the operator allows addresses that are not public.
    pub private: bool,
}

/// Reads a URL and refuses what its text alone gives away. Names are checked again, by their
/// addresses, when they are resolved to connect.
///
/// # Errors
/// [`BackendError::Refused`] for another scheme than `https`, and `http` where `allow_private` names
/// the host and port; for user and password, and for what is not a URL; [`BackendError::Blocked`]
/// and [`BackendError::Metadata`] for addresses.
pub fn target(url: &str, allow_private: &[String]) -> Result<Target, BackendError> {
    let url = Url::parse(url).map_err(|_| BackendError::Refused {
        reason: "not an absolute URL",
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BackendError::Refused {
            reason: "only http and https are called",
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BackendError::Refused {
            reason: "a URL holds no user and no password",
        });
    }
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(BackendError::Refused {
            reason: "the URL has no host",
        });
    };
    let authority = format!("{host}:{port}");
    let private = allow_private
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(&authority));
    let address = match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
    };
    if let Some(address) = address {
        check(&authority, address, private)?;
    }
    if url.scheme() == "http" && !private {
        return Err(BackendError::Refused {
            reason: "plain http is only for hosts that `allowPrivate` names: write https://, or allowPrivate: [\"HOST:PORT\"]",
        });
    }
    Ok(Target {
        url,
        authority,
        private,
    })
}

/// Checks one address of a host.
///
/// # Errors
/// [`BackendError::Metadata`] always for metadata services; [`BackendError::Blocked`] for what is
/// not public, unless the operator allows it for this host.
pub fn check(host: &str, address: IpAddr, private: bool) -> Result<(), BackendError> {
    if is_metadata(address) {
        Err(BackendError::Metadata {
            address: address.to_string(),
        })
    } else if private || is_public(address) {
        Ok(())
    } else {
        Err(BackendError::Blocked {
            host: host.to_owned(),
            address: address.to_string(),
        })
    }
}

/// Whether an address is, or carries, a metadata service's.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => METADATA_V4.contains(&address),
        IpAddr::V6(address) => {
            let carried = carried(address);
            METADATA_V6.contains(&address)
                || carried.iter().any(|inner| METADATA_V4.contains(inner))
        }
    }
}

/// The IPv4 addresses that an IPv6 address may stand for: in its last 32 bits (mapped, compatible,
/// translated) and behind its first 16 (6to4).
fn carried(address: Ipv6Addr) -> [Ipv4Addr; 2] {
    let [_, b, c, _, _, _, g, h] = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    [inner(g, h), inner(b, c)]
}
