//! Who is let in.

use realm_net::{Counted, DialError, DialId, DownReason, Limits};

use super::node::{LONGER, Node, Way, connect, frame, index, limits};

pub(crate) async fn a_stranger_nobody_admits_is_cut_while_an_admitted_one_stays(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let c = Node::start(way, 3, limits()).await;
    let mut b = Node::start(
        way,
        2,
        Limits {
            admission: LONGER,
            ..limits()
        },
    )
    .await;
    let (a_end, mut admitted) = connect(&mut a, &mut b).await;

    c.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();
    let stranger = b.up().await;

    assert_eq!(b.down().await, (stranger.link, DownReason::NotAdmitted));
    a_end.outbox.try_send(frame(5, 4)).unwrap();
    assert_eq!(index(&admitted.inbox.recv().await.unwrap()), 5);
}

pub(crate) async fn strangers_beyond_the_limit_are_closed_and_known_nodes_are_not(way: Way) {
    let mut b = Node::start(
        way,
        2,
        Limits {
            strangers: 1,
            ..limits()
        },
    )
    .await;
    let mut others = Vec::new();
    let mut ends = Vec::new();
    for seed in 3..6 {
        let mut other = Node::start(way, seed, limits()).await;
        other
            .net
            .dial(DialId(1), b.id, vec![b.address.clone()])
            .unwrap();
        ends.push((other.up().await, b.up().await));
        others.push(other);
    }

    b.net.admit(ends[0].1.link, Counted::Stranger).unwrap();
    b.net.admit(ends[1].1.link, Counted::Known).unwrap();
    b.net.admit(ends[2].1.link, Counted::Stranger).unwrap();

    assert_eq!(
        b.down().await,
        (ends[2].1.link, DownReason::TooManyStrangers)
    );
}

pub(crate) async fn uncertified_links_are_limited_and_known_ones_do_not_count(way: Way) {
    let mut b = Node::start(
        way,
        2,
        Limits {
            uncertified: 1,
            ..limits()
        },
    )
    .await;
    let mut a = Node::start(way, 1, limits()).await;
    let (_a_end, _known) = connect(&mut a, &mut b).await;
    let mut c = Node::start(way, 3, limits()).await;
    c.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();
    let (_c_end, _stranger) = (c.up().await, b.up().await);

    let mut d = Node::start(way, 4, limits()).await;
    d.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();

    let error = d.dial_error().await;
    assert!(matches!(error, DialError::NoLink(_)), "{error}");
    assert_eq!(b.net.refused(), 1);
}

pub(crate) async fn a_node_has_at_most_two_links(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
    let (_a1, _b1) = connect(&mut a, &mut b).await;
    let (_a2, _b2) = connect(&mut a, &mut b).await;

    a.net
        .dial(DialId(3), b.id, vec![b.address.clone()])
        .unwrap();

    let error = a.dial_error().await;
    assert!(matches!(error, DialError::TooManyLinks), "{error}");
}

pub(crate) async fn a_process_short_of_memory_takes_no_connection(way: Way) {
    let b = Node::start(
        way,
        2,
        Limits {
            memory: Some(1_000),
            ..limits()
        },
    )
    .await;
    let mut a = Node::start(way, 1, limits()).await;

    a.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();

    let error = a.dial_error().await;
    assert!(matches!(error, DialError::Unreachable(_)), "{error}");
    assert_eq!(b.net.refused(), 1);
}
