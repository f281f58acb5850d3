//! Addresses that somebody else claims: only those of the public internet are dialled, so that no
//! stranger can point this node at the machines around it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use realm_protocol::{is_public, limits::ADDRESSES};
use tokio::net::lookup_host;

use crate::{Attempt, AttemptError};

/// Gives the public addresses among those claimed, and why the others are not dialled. Names are
/// replaced by their addresses: what was judged is what is dialled, whatever the name says next.
pub(crate) async fn public(claimed: &[Multiaddr]) -> (Vec<Multiaddr>, Vec<Attempt>) {
    let (mut public, mut refused) = (Vec::new(), Vec::new());
    for address in claimed {
        match judge(address).await {
            Ok(found) => public.extend(found),
            Err(error) => refused.push(Attempt {
                address: address.clone(),
                error,
            }),
        }
    }
    public.truncate(ADDRESSES);
    (public, refused)
}

async fn judge(address: &Multiaddr) -> Result<Vec<Multiaddr>, AttemptError> {
    let (name, wanted): (_, fn(&IpAddr) -> bool) = match address.iter().next() {
        Some(Protocol::Ip4(ip)) if is_public(ip.into()) => return Ok(vec![address.clone()]),
        Some(Protocol::Ip6(ip)) if is_public(ip.into()) => return Ok(vec![address.clone()]),
        Some(Protocol::Dns(name)) => (name, |_| true),
        Some(Protocol::Dns4(name)) => (name, IpAddr::is_ipv4),
        Some(Protocol::Dns6(name)) => (name, IpAddr::is_ipv6),
        // A zone is this machine's own; a `dnsaddr` leads anywhere.
        _ => return Err(AttemptError::NotPublic),
    };
    let answers = lookup_host((name.as_ref(), 0))
        .await
        .map_err(AttemptError::Failed)?;
    let ips: Vec<_> = answers
        .map(|answer: SocketAddr| answer.ip())
        .filter(wanted)
        .take(ADDRESSES)
        .collect();
    if ips.is_empty() {
        return Err(AttemptError::Failed(io::ErrorKind::NotFound.into()));
    }
    let found: Vec<_> = ips
        .into_iter()
        .filter(|ip| is_public(*ip))
        .map(|ip| {
            let rest = address.iter().skip(1);
            std::iter::once(Protocol::from(ip)).chain(rest).collect()
        })
        .collect();
    if found.is_empty() {
        return Err(AttemptError::NotPublic);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_public_addresses_are_left_of_those_claimed() {
        let claimed = |texts: &[&str]| -> Vec<Multiaddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let good = claimed(&[
            "/ip4/1.1.1.1/tcp/7420",
            "/ip4/8.8.8.8/udp/7420/quic-v1",
            "/ip6/2606:4700::1111/tcp/7420",
        ]);
        let bad = claimed(&[
            "/ip4/127.0.0.1/tcp/7420",
            "/ip4/0.0.0.0/tcp/7420",
            "/ip4/10.0.0.1/udp/7420/quic-v1",
            "/ip4/100.64.0.1/tcp/7420",
            "/ip4/169.254.169.254/tcp/80",
            "/ip4/192.168.1.1/tcp/7420",
            "/ip4/224.0.0.1/udp/7420/quic-v1",
            "/ip4/255.255.255.255/udp/7420/quic-v1",
            "/ip6/::1/tcp/7420",
            "/ip6/::/tcp/7420",
            "/ip6/::ffff:8.8.8.8/tcp/7420",
            "/ip6/64:ff9b::a00:1/tcp/7420",
            "/ip6/2002:a00:1::1/tcp/7420",
            "/ip6/2001:0:a00:1::1/tcp/7420",
            "/ip6/fd00::1/tcp/7420",
            "/ip6/fe80::1/tcp/7420",
            "/ip6/ff02::1/udp/7420/quic-v1",
            "/ip6zone/eth0/ip6/fe80::1/tcp/7420",
            "/ip6zone/eth0/ip6/2606:4700::1111/tcp/7420",
            "/dnsaddr/example.org",
            "/dns/localhost/tcp/7420",
            "/dns4/localhost/udp/7420/quic-v1",
            "/unix/socket",
        ]);

        let (public, refused) = public(&[good.clone(), bad.clone()].concat()).await;

        assert_eq!(public, good);
        let refused: Vec<_> = refused
            .into_iter()
            .map(|attempt| {
                assert!(matches!(attempt.error, AttemptError::NotPublic));
                attempt.address
            })
            .collect();
        assert_eq!(refused, bad);
    }
}
