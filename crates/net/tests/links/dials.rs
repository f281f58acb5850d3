//! Dials and listening.

use realm_net::{AttemptError, DialError, DialId, Event, Limits, ListenError};

use super::node::{LONGER, Node, SHORT, Way, limits, node_id};

pub(crate) async fn a_dial_that_meets_another_node_fails_and_names_it(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let b = Node::start(way, 2, limits()).await;

    a.net
        .dial(DialId(7), node_id(3), vec![b.address.clone()])
        .unwrap();

    let Event::DialFailed {
        dial: DialId(7),
        error: DialError::WrongNode(attempts),
    } = a.event().await
    else {
        panic!("another node was taken for the right one");
    };
    assert!(matches!(
        attempts.0[0].error,
        AttemptError::WrongNode(Some(node)) if node == b.id
    ));
    assert_eq!(attempts.0[0].address, b.address);
}

pub(crate) async fn a_wrong_node_at_one_address_does_not_hide_the_right_one_at_another(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let b = Node::start(way, 2, limits()).await;
    let c = Node::start(way, 3, limits()).await;

    a.net
        .dial(
            DialId(1),
            b.id,
            vec![c.address.clone(), b.address.clone(), c.address.clone()],
        )
        .unwrap();

    let link = a.up().await;
    assert_eq!((link.node, link.dialed), (b.id, Some(DialId(1))));
}

pub(crate) async fn a_dial_says_why_it_failed(way: Way) {
    let brief = Limits {
        dial: LONGER,
        ..limits()
    };
    let mut a = Node::start(way, 1, brief).await;
    let own = a.address.clone();
    let closed = Node::start(way, 2, limits()).await;
    let nobody = closed.address.clone();
    closed.net.stop().await;

    a.net.dial(DialId(1), node_id(2), vec![nobody]).unwrap();
    let refused = a.dial_error().await;
    a.net.dial(DialId(2), node_id(2), vec![]).unwrap();
    let nowhere = a.dial_error().await;
    a.net.dial(DialId(3), a.id, vec![own.clone()]).unwrap();
    let myself = a.dial_error().await;
    a.net.dial(DialId(4), node_id(2), vec![own]).unwrap();
    let disguised = a.dial_error().await;
    a.net
        .dial(
            DialId(5),
            node_id(2),
            vec!["/ip4/127.0.0.1/udp/9".parse().unwrap()],
        )
        .unwrap();
    let unsupported = a.dial_error().await;

    assert!(way.is_unheard(&refused), "{refused}");
    assert!(matches!(nowhere, DialError::NoAddress), "{nowhere}");
    assert!(matches!(myself, DialError::OwnNode), "{myself}");
    assert!(matches!(disguised, DialError::OwnNode), "{disguised}");
    assert!(
        matches!(unsupported, DialError::Unreachable(_)),
        "{unsupported}"
    );
}

pub(crate) async fn a_silent_listener_times_the_dial_out(way: Way) {
    let (_silent, port) = way.taken();
    let mut a = Node::start(
        way,
        1,
        Limits {
            dial: SHORT,
            ..limits()
        },
    )
    .await;

    a.net
        .dial(DialId(1), node_id(2), vec![way.loopback(port)])
        .unwrap();

    let error = a.dial_error().await;
    assert!(matches!(error, DialError::Timeout(_)), "{error}");
}

pub(crate) async fn an_address_in_use_is_reported(way: Way) {
    let (_taken, port) = way.taken();

    let mut a = Node::listen_on(1, limits(), vec![way.loopback(port)]);

    assert!(matches!(
        a.event().await,
        Event::ListenFailed {
            error: ListenError::Io(_),
            ..
        }
    ));
}

pub(crate) async fn an_address_that_others_claim_is_not_dialled_unless_it_is_public(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;

    a.net
        .dial_learned(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();

    let DialError::Unreachable(attempts) = a.dial_error().await else {
        panic!("a private address was dialled");
    };
    assert!(matches!(attempts.0[0].error, AttemptError::NotPublic));
    assert!(b.events.try_recv().is_err());
}

pub(crate) async fn a_node_listens_on_ipv6_as_on_ipv4(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let four = way.loopback(0).to_string();
    let six = four
        .replace("/ip4/127.0.0.1/", "/ip6/::1/")
        .parse()
        .unwrap();
    let mut b = Node::listen_on(2, limits(), vec![six]);
    let Event::Listening(address) = b.event().await else {
        panic!("not listening");
    };

    a.net.dial(DialId(1), b.id, vec![address]).unwrap();

    assert_eq!((a.up().await.node, b.up().await.node), (b.id, a.id));
}
