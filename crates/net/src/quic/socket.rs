//! UDP sockets and the addresses that name them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};

/// Gives the socket address of `/ip4/…/udp/…/quic-v1` or `/ip6/…/udp/…/quic-v1`, with or without
/// the node at its end.
pub(super) fn address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Some(Protocol::Udp(port)) = parts.next() else {
        return None;
    };
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::QuicV1), None | Some(Protocol::P2p(_)), None) => {
            Some(SocketAddr::new(ip, port))
        }
        _ => None,
    }
}

/// Writes a socket address as a multiaddr.
pub(super) fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip())
        .with(Protocol::Udp(address.port()))
        .with(Protocol::QuicV1)
}

/// Any address and port of the same family.
pub(super) fn unspecified(like: SocketAddr) -> SocketAddr {
    if like.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    }
}

/// Binds a socket, as TCP does here: one for IPv6 takes IPv6 alone, so that each family has its
/// own, and a net that starts again need not wait for what its former self still says goodbye to.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = socket_with(
        family,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(ipproto::UDP),
    )?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}
