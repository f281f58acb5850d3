//! What somebody without certificates does at the door, one connection a knock.

use std::{io, net::Ipv4Addr, net::SocketAddrV4, sync::Arc, time::Duration};

use futures::{AsyncWriteExt as _, FutureExt as _, future::BoxFuture};
use libp2p::identity::Keypair;
use rand_core::Rng as _;
use realm_protocol::{
    FailureCode, Secret16, TicketId,
    link::{Frame, Join},
    records::Ticket,
};

use super::{
    eve::Eve,
    strikes::beat,
    wire::{Link, begin, dial, shake_hands, until_closed},
};
use crate::{dice::Dice, pace::pause};

/// Longest wait until a wrong word ends a connection.
const SOON: Duration = Duration::from_secs(5);
/// The same for a handshake that does not go on.
const HANDSHAKE: Duration = Duration::from_secs(9);
/// The same for a link that does not show who is there.
const ADMISSION: Duration = Duration::from_secs(14);

/// Who knocks, and where.
pub(crate) struct Door {
    /// Where the victim listens.
    pub(crate) to: SocketAddrV4,
    /// Draws addresses and keys.
    pub(crate) dice: Dice,
    /// An invitation that is open, for whoever knows its secret.
    pub(crate) ticket: Ticket,
}

impl Door {
    /// An address of one's own, out of 131,070.
    pub(crate) fn address(&self) -> Ipv4Addr {
        let host = u32::try_from(self.dice.below(131_070)).unwrap_or_default();
        Ipv4Addr::from_bits(Ipv4Addr::new(10, 202, 0, 1).to_bits() + host)
    }

    /// A realm that nobody knows, at an address of its own.
    fn stranger(&self) -> io::Result<Eve> {
        let seed = self.dice.below(u64::MAX);
        Eve::new(seed, self.address(), self.to).map_err(io::Error::other)
    }

    async fn link(&self, streams: usize) -> io::Result<Link> {
        let keypair = Keypair::generate_ed25519();
        Link::open(self.address(), self.to, &keypair, streams).await
    }
}

type One = fn(Arc<Door>) -> BoxFuture<'static, io::Result<bool>>;

/// One kind of knock.
#[derive(Clone, Copy)]
pub(crate) struct Knock {
    /// What it is.
    pub(crate) name: &'static str,
    /// The counter that counts it; none where only the end of the connection tells.
    pub(crate) counter: Option<&'static str>,
    /// Knocks once; whether the victim did what it should.
    pub(crate) one: One,
}

const fn knock(name: &'static str, counter: Option<&'static str>, one: One) -> Knock {
    Knock { name, counter, one }
}

const HANDSHAKES: Option<&str> = Some("realm_connections_refused_total{reason=\"handshake\"}");
const UNADMITTED: Option<&str> = Some("realm_refused_total{reason=\"notAdmitted\"}");

/// Knocks that end at once.
pub(crate) const QUICK: [Knock; 12] = [
    knock("HTTP on the port", HANDSHAKES, |door| {
        async move { shout(&door, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await }.boxed()
    }),
    knock("64 KiB of noise in the clear", HANDSHAKES, |door| {
        async move { shout(&door, &[0xff; 65_536]).await }.boxed()
    }),
    knock("40 streams at once", None, |door| {
        async move {
            let Ok(mut link) = door.link(40).await else {
                return Ok(true);
            };
            for lane in &mut link.lanes {
                // The victim may hang up before it has seen them all.
                lane.say(&[0; 1_024]).await.ok();
            }
            Ok(link.is_closed(SOON).await)
        }
        .boxed()
    }),
    knock(
        "a second lane",
        Some("realm_connections_refused_total{reason=\"secondLane\"}"),
        |door| {
            async move {
                let mut link = door.link(2).await?;
                if let Some(second) = link.lanes.last_mut() {
                    // The victim hangs up instead of agreeing.
                    second.agree().await.ok();
                }
                Ok(link.is_closed(SOON).await)
            }
            .boxed()
        },
    ),
    knock(
        "a frame of 4 GiB declared",
        Some("realm_connections_refused_total{reason=\"frameTooLong\"}"),
        |door| {
            async move {
                let mut link = door.link(1).await?;
                link.say(&[0xff; 4]).await?;
                Ok(link.is_closed(SOON).await)
            }
            .boxed()
        },
    ),
    knock(
        "garbage for a Hello",
        Some("realm_refused_total{reason=\"malformed\"}"),
        |door| {
            async move {
                let mut link = door.link(1).await?;
                link.send(&[0xff; 300]).await?;
                is_told(&mut link, FailureCode::Malformed).await
            }
            .boxed()
        },
    ),
    knock("a Beat before the Hello", UNADMITTED, |door| {
        async move {
            let mut link = door.link(1).await?;
            link.send(&beat()).await?;
            // It is dropped and counted, and the link has until its admission is due.
            Ok(!link.is_closed(Duration::from_millis(50)).await)
        }
        .boxed()
    }),
    knock("a realm nobody is bound to", UNADMITTED, |door| {
        async move {
            let eve = door.stranger()?;
            let mut link = eve.dial().await.map_err(io::Error::other)?;
            link.send(&eve.hello(eve.chain.clone(), false)).await?;
            is_told(&mut link, FailureCode::Denied).await
        }
        .boxed()
    }),
    knock(
        "a certificate that has expired",
        Some("realm_refused_total{reason=\"certificate\"}"),
        |door| {
            async move {
                let eve = door.stranger()?;
                let mut link = eve.dial().await.map_err(io::Error::other)?;
                link.send(&eve.hello(eve.expired_chain(), true)).await?;
                Ok(link.is_closed(SOON).await)
            }
            .boxed()
        },
    ),
    knock(
        "another node's chain",
        Some("realm_refused_total{reason=\"certificate\"}"),
        |door| {
            async move {
                let (eve, other) = (door.stranger()?, door.stranger()?);
                let mut link = eve.dial().await.map_err(io::Error::other)?;
                link.send(&eve.hello(other.chain, true)).await?;
                Ok(link.is_closed(SOON).await)
            }
            .boxed()
        },
    ),
    knock("a ticket that was never issued", UNADMITTED, |door| {
        async move {
            let mut id = [0; 16];
            door.stranger()?.rng.fill_bytes(&mut id);
            join(&door, TicketId::new(id)).await
        }
        .boxed()
    }),
    knock("an issued ticket, a wrong secret", UNADMITTED, |door| {
        async move { join(&door, door.ticket.id).await }.boxed()
    }),
];

/// Knocks that wait for the victim's patience to end.
pub(crate) const SLOW: [Knock; 5] = [
    knock("nothing said", HANDSHAKES, |door| {
        async move {
            let mut stream = dial(door.address(), door.to).await?;
            Ok(until_closed(&mut stream, HANDSHAKE).await.is_some())
        }
        .boxed()
    }),
    knock("half a handshake", HANDSHAKES, |door| {
        async move {
            let mut stream = dial(door.address(), door.to).await?;
            begin(&mut stream).await?;
            Ok(until_closed(&mut stream, HANDSHAKE).await.is_some())
        }
        .boxed()
    }),
    knock("one byte a second", HANDSHAKES, |door| {
        async move {
            let mut stream = dial(door.address(), door.to).await?;
            for byte in b"\x13/multistr" {
                if stream.write_all(&[*byte]).await.is_err() {
                    return Ok(true);
                }
                pause(Duration::from_secs(1)).await;
            }
            Ok(until_closed(&mut stream, SOON).await.is_some())
        }
        .boxed()
    }),
    knock(
        "a handshake, then no stream",
        Some("realm_connections_refused_total{reason=\"noLanes\"}"),
        |door| {
            async move {
                let keypair = Keypair::generate_ed25519();
                let stream = dial(door.address(), door.to).await?;
                let mut muxer = shake_hands(stream, &keypair).await?;
                let ended = futures::future::poll_fn(|cx| {
                    use libp2p::core::muxing::StreamMuxerExt as _;
                    match muxer.poll_inbound_unpin(cx) {
                        std::task::Poll::Ready(Ok(_)) => {
                            cx.waker().wake_by_ref();
                            std::task::Poll::Pending
                        }
                        other => other.map(|_| ()),
                    }
                });
                Ok(tokio::time::timeout(HANDSHAKE, ended).await.is_ok())
            }
            .boxed()
        },
    ),
    knock(
        "half a frame",
        Some("realm_connections_refused_total{reason=\"notAdmitted\"}"),
        |door| {
            async move {
                let mut link = door.link(1).await?;
                link.say(&[0, 1, 0, 0, 7]).await?;
                Ok(link.is_closed(ADMISSION).await)
            }
            .boxed()
        },
    ),
];

/// Connects and says nothing, or shakes hands and says nothing on the link; ends when the victim
/// hangs up.
pub(crate) async fn crowd_in(
    door: Arc<Door>,
    number: usize,
    shakes_hands: bool,
) -> io::Result<bool> {
    let from = crowd_address(number);
    if !shakes_hands {
        let mut stream = dial(from, door.to).await?;
        return Ok(until_closed(&mut stream, 2 * ADMISSION).await.is_some());
    }
    let keypair = Keypair::generate_ed25519();
    match Link::open(from, door.to, &keypair, 1).await {
        Ok(mut link) => Ok(link.is_closed(2 * ADMISSION).await),
        // Turned away, before the handshake or after it.
        Err(_) => Ok(true),
    }
}

fn crowd_address(number: usize) -> Ipv4Addr {
    let host = u32::try_from(number % 65_000).unwrap_or_default();
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 201, 0, 1).to_bits() + host)
}

/// Connects twenty times from one address, and holds on.
pub(crate) async fn crowd_from_one_address(door: Arc<Door>) -> io::Result<bool> {
    let from = door.address();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(dial(from, door.to).await?);
    }
    let mut refused = 0;
    for stream in &mut streams {
        if until_closed(stream, Duration::from_millis(100))
            .await
            .is_some()
        {
            refused += 1;
        }
    }
    Ok(refused >= 12)
}

async fn shout(door: &Door, words: &[u8]) -> io::Result<bool> {
    let mut stream = dial(door.address(), door.to).await?;
    // The victim may hang up before it has everything.
    stream.write_all(words).await.ok();
    stream.flush().await.ok();
    Ok(until_closed(&mut stream, HANDSHAKE).await.is_some())
}

async fn join(door: &Door, ticket: TicketId) -> io::Result<bool> {
    let eve = door.stranger()?;
    let mut link = eve.dial().await.map_err(io::Error::other)?;
    link.send(&eve.hello(eve.chain.clone(), true)).await?;
    let join = Join {
        ticket,
        secret: Secret16::new([0; 16]),
        admission: None,
        petname: None,
    };
    link.send(&Frame::Join(join).encode()).await?;
    is_told(&mut link, FailureCode::Denied).await
}

/// Whether the victim says goodbye with this code, and hangs up.
async fn is_told(link: &mut Link, code: FailureCode) -> io::Result<bool> {
    let closed = link.is_closed(SOON).await;
    Ok(closed && link.heard().goodbye == Some(code))
}
