//! Which addresses a ticket names, the best first.

use std::net::IpAddr;

use realm_net::Multiaddr;
use realm_protocol::limits;

/// Orders what is advertised and what is listened on: advertised first, then global addresses,
/// private ones, and loopback last. Link-local ones are of no use to others and left out.
pub(crate) fn for_tickets(advertised: &[Multiaddr], listened: &[Multiaddr]) -> Vec<String> {
    let mut own: Vec<_> = listened
        .iter()
        .filter_map(|address| Some((rank(ip(address)?)?, address.to_string())))
        .collect();
    own.sort();
    let mut all: Vec<String> = advertised.iter().map(ToString::to_string).collect();
    for (_, address) in own {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all.truncate(limits::ADDRESSES);
    all
}

/// Whether an address is `/ip4/…/tcp/…` or `/ip6/…/tcp/…` and nothing more.
pub(crate) fn is_tcp(address: &Multiaddr) -> bool {
    let text = address.to_string();
    let mut parts = text.split('/').skip(3);
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    ip(address).is_some()
        && parts.next() == Some("tcp")
        && parts.next().is_some_and(is_port)
        && parts.next().is_none()
}

/// The address's first part, which libp2p writes as `/ip4/…` or `/ip6/…`.
fn ip(address: &Multiaddr) -> Option<IpAddr> {
    let text = address.to_string();
    let mut parts = text.split('/').skip(1);
    match parts.next()? {
        "ip4" | "ip6" => parts.next()?.parse().ok(),
        _ => None,
    }
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
            "/ip4/198.51.100.7/tcp/7",
        ]);

        let named = for_tickets(&parse(&["/dns4/realm.example.org/tcp/7420"]), &listened);

        assert_eq!(
            named,
            [
                "/dns4/realm.example.org/tcp/7420",
                "/ip4/198.51.100.7/tcp/7",
                "/ip4/192.168.1.2/tcp/7",
                "/ip4/127.0.0.1/tcp/7",
            ]
        );
    }

    #[test]
    fn only_plain_tcp_addresses_can_be_listened_on() {
        let is_tcp = |text: &str| is_tcp(&text.parse().unwrap());

        assert!(is_tcp("/ip4/0.0.0.0/tcp/7420") && is_tcp("/ip6/::/tcp/0"));
        for wrong in [
            "/ip4/0.0.0.0",
            "/ip4/0.0.0.0/udp/7420/quic-v1",
            "/ip4/0.0.0.0/tcp/7420/ws",
            "/dns/example.org/tcp/7420",
        ] {
            assert!(!is_tcp(wrong), "{wrong}");
        }
    }
}
