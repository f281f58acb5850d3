use zeroize::Zeroizing;

use super::*;
use crate::{Config, Net, start};

async fn listening(seed: u8) -> (Net, mpsc::Receiver<Event>, Multiaddr) {
    let (net, mut events) = start(Config {
        seed: Zeroizing::new([seed; 32]),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        limits: Limits {
            memory: None,
            ..Limits::default()
        },
    })
    .unwrap();
    let Some(Event::Listening(address)) = events.recv().await else {
        panic!("not listening");
    };
    (net, events, address)
}

#[tokio::test]
async fn a_panic_ends_every_link_raises_an_alarm_and_the_net_comes_back() {
    let (a, mut a_events, _) = listening(1).await;
    let (b, mut b_events, b_address) = listening(2).await;
    a.dial(DialId(1), b.node(), vec![b_address.clone()])
        .unwrap();
    let Some(Event::Up { link, inbox, .. }) = a_events.recv().await else {
        panic!("not up");
    };
    assert!(matches!(b_events.recv().await, Some(Event::Up { .. })));

    a.panic();

    assert!(matches!(
        a_events.recv().await,
        Some(Event::Down { link: down, reason: DownReason::Restarted }) if down == link
    ));
    assert!(matches!(
        a_events.recv().await,
        Some(Event::Restarted { times: 1 })
    ));
    assert!(matches!(a_events.recv().await, Some(Event::Listening(_))));
    drop(inbox);
    assert!(matches!(b_events.recv().await, Some(Event::Down { .. })));
    a.dial(DialId(2), b.node(), vec![b_address]).unwrap();
    assert!(matches!(a_events.recv().await, Some(Event::Up { .. })));
}
