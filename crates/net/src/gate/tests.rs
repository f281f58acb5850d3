use super::*;

fn gate() -> (Gate, Instant) {
    (Gate::new(&Limits::default()), Instant::now())
}

fn address(text: &str) -> Multiaddr {
    format!("{text}/tcp/4001").parse().unwrap()
}

#[tokio::test]
async fn one_address_holds_eight_connections_on_trial() {
    let (mut gate, now) = gate();
    let here = address("/ip4/192.0.2.1");
    let held: Vec<_> = (0..8).map(|_| gate.enter(&here, now).unwrap()).collect();

    assert_eq!(gate.enter(&here, now), Err(TooMuch));
    assert!(gate.enter(&address("/ip4/192.0.2.2"), now).is_ok());
    gate.leave(held[0].unwrap());
    assert!(gate.enter(&here, now).is_ok());
}

#[tokio::test]
async fn one_address_begins_ten_handshakes_a_second_and_a_known_one_many_more() {
    let (mut gate, start) = gate();
    let here = address("/ip4/192.0.2.1");
    let burst = |gate: &mut Gate, now| {
        let mut begun = 0;
        while let Ok(source) = gate.enter(&here, now) {
            gate.leave(source.unwrap());
            begun += 1;
        }
        begun
    };

    assert_eq!(burst(&mut gate, start), 10);
    assert_eq!(burst(&mut gate, start + Duration::from_millis(500)), 5);
    gate.note_known(&here, start);
    assert_eq!(burst(&mut gate, start + Duration::from_secs(10)), 500);
    assert_eq!(burst(&mut gate, start + KNOWN_TIME), 10);
}

#[tokio::test]
async fn an_ipv6_network_is_one_address_and_a_mapped_ipv4_address_is_its_own() {
    let (mut gate, now) = gate();
    for host in 1..=8 {
        gate.enter(&address(&format!("/ip6/2001:db8::{host}")), now)
            .unwrap();
        gate.enter(&address("/ip4/192.0.2.1"), now).unwrap();
    }

    assert_eq!(
        gate.enter(&address("/ip6/2001:db8::ffff"), now),
        Err(TooMuch)
    );
    assert!(gate.enter(&address("/ip6/2001:db8:0:1::1"), now).is_ok());
    assert_eq!(
        gate.enter(&address("/ip6/::ffff:192.0.2.1"), now),
        Err(TooMuch)
    );
}

#[tokio::test]
async fn loopback_is_exempt() {
    let (mut gate, now) = gate();

    for _ in 0..1_000 {
        assert_eq!(gate.enter(&address("/ip4/127.0.0.1"), now), Ok(None));
        assert_eq!(gate.enter(&address("/ip6/::1"), now), Ok(None));
    }
}

#[tokio::test]
async fn a_flood_of_addresses_fills_the_book_and_is_then_refused_until_it_ebbs() {
    let (mut gate, now) = gate();
    let flood = |index: usize| address(&format!("/ip4/10.0.{}.{}", index / 256, index % 256));
    for index in 0..ADDRESSES {
        let source = gate.enter(&flood(index), now).unwrap().unwrap();
        gate.leave(source);
    }

    assert_eq!(gate.enter(&flood(ADDRESSES), now), Err(TooMuch));
    assert!(
        gate.enter(&flood(ADDRESSES), now + Duration::from_secs(1))
            .is_ok()
    );
    assert_eq!(gate.sources.len(), 1);
}
