//! Which addresses a ticket names, the best first.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use realm_net::Multiaddr;
use realm_protocol::limits;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, ipproto, listen, socket_with,
    sockopt,
};

/// Orders what is advertised and what is listened on: advertised first, then global addresses,
/// private ones, and loopback last, each over TCP before QUIC. Link-local ones are of no use to
/// others and left out.
pub(crate) fn for_tickets(advertised: &[Multiaddr], listened: &[Multiaddr]) -> Vec<String> {
    let mut own: Vec<_> = listened
        .iter()
        .filter_map(|address| {
            let (socket, transport) = socket(address)?;
            Some((rank(socket.ip())?, transport, address.to_string()))
        })
        .collect();
    own.sort();
    let mut all: Vec<String> = advertised.iter().map(ToString::to_string).collect();
    for (_, _, address) in own {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all.truncate(limits::ADDRESSES);
    all
}

/// What carries links to an address; TCP is the first choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    /// `/tcp/PORT`.
    Tcp,
    /// `/udp/PORT/quic-v1`.
    Quic,
}

/// Reads `/ip4/…/tcp/…`, `/ip4/…/udp/…/quic-v1` and the same of `/ip6`; none if it is anything
/// else, or anything more.
pub(crate) fn socket(address: &Multiaddr) -> Option<(SocketAddr, Transport)> {
    let text = address.to_string();
    let parts: Vec<&str> = text.split('/').skip(1).collect();
    let (ip, port, transport) = match parts.as_slice() {
        ["ip4" | "ip6", ip, "tcp", port] => (ip, port, Transport::Tcp),
        ["ip4" | "ip6", ip, "udp", port, "quic-v1"] => (ip, port, Transport::Quic),
        _ => return None,
    };
    let socket = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
    Some((socket, transport))
}

/// Writes what [`socket`] reads.
pub(crate) fn multiaddr(socket: SocketAddr, transport: Transport) -> Multiaddr {
    let ip = Multiaddr::from(socket.ip());
    let text = match transport {
        Transport::Tcp => format!("{ip}/tcp/{}", socket.port()),
        Transport::Quic => format!("{ip}/udp/{}/quic-v1", socket.port()),
    };
    // Both forms are multiaddrs.
    text.parse().unwrap_or(ip)
}

/// Tries whether a socket can be had, and gives its port; IPv6 alone where it is IPv6.
pub(crate) fn probe(socket: SocketAddr, transport: Transport) -> io::Result<u16> {
    let (kind, protocol) = match transport {
        Transport::Tcp => (SocketType::STREAM, ipproto::TCP),
        Transport::Quic => (SocketType::DGRAM, ipproto::UDP),
    };
    let family = if socket.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let probe = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
    if socket.is_ipv6() {
        sockopt::set_ipv6_v6only(&probe, true)?;
    }
    if transport == Transport::Tcp {
        // What a connection leaves behind in the port's name is nobody's.
        sockopt::set_socket_reuseaddr(&probe, true)?;
    }
    bind(&probe, &socket)?;
    if transport == Transport::Tcp {
        // Two may bind the port of a stopped listener; only one may listen.
        listen(&probe, 1)?;
    }
    let bound = SocketAddr::try_from(getsockname(&probe)?)?;
    Ok(bound.port())
}

/// Smaller is more useful to somebody else; none is useless.
fn rank(ip: IpAddr) -> Option<u8> {
    match ip {
        ip if ip.is_unspecified() => None,
        IpAddr::V4(ip) if ip.is_link_local() => None,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => None,
        IpAddr::V4(ip) if ip.is_loopback() => Some(4),
        IpAddr::V6(ip) if ip.is_loopback() => Some(5),
        IpAddr::V4(ip) if ip.is_private() => Some(2),
        IpAddr::V6(ip) if ip.is_unique_local() => Some(3),
        IpAddr::V4(_) => Some(0),
        IpAddr::V6(_) => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_names_advertised_then_global_then_private_then_loopback_addresses() {
        let parse = |texts: &[&str]| -> Vec<Multiaddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let listened = parse(&[
            "/ip4/127.0.0.1/tcp/7",
            "/ip6/fe80::1/tcp/7",
            "/ip4/192.168.1.2/tcp/7",
            "/ip4/198.51.100.7/udp/7/quic-v1",
            "/ip4/198.51.100.7/tcp/7",
        ]);

        let named = for_tickets(&parse(&["/dns4/realm.example.org/tcp/7420"]), &listened);

        assert_eq!(
            named,
            [
                "/dns4/realm.example.org/tcp/7420",
                "/ip4/198.51.100.7/tcp/7",
                "/ip4/198.51.100.7/udp/7/quic-v1",
                "/ip4/192.168.1.2/tcp/7",
                "/ip4/127.0.0.1/tcp/7",
            ]
        );
    }

    #[test]
    fn only_plain_addresses_of_tcp_and_quic_can_be_listened_on() {
        let socket = |text: &str| socket(&text.parse().unwrap()).map(|(_, transport)| transport);

        assert_eq!(socket("/ip4/0.0.0.0/tcp/7420"), Some(Transport::Tcp));
        assert_eq!(socket("/ip6/::/udp/0/quic-v1"), Some(Transport::Quic));
        for wrong in [
            "/ip4/0.0.0.0",
            "/ip4/0.0.0.0/udp/7420",
            "/ip4/0.0.0.0/udp/7420/quic",
            "/ip4/0.0.0.0/tcp/7420/ws",
            "/ip6zone/eth0/ip6/fe80::1/tcp/7420",
            "/dns/example.org/tcp/7420",
        ] {
            assert_eq!(socket(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_port_that_somebody_holds_is_noticed_over_both_transports() {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let tcp = std::net::TcpListener::bind(loopback(0)).unwrap();
        let udp = std::net::UdpSocket::bind(loopback(0)).unwrap();

        for (taken, transport) in [
            (tcp.local_addr().unwrap(), Transport::Tcp),
            (udp.local_addr().unwrap(), Transport::Quic),
        ] {
            let error = probe(taken, transport).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        assert_ne!(probe(loopback(0), Transport::Quic).unwrap(), 0);
    }
}
