//! What links cost: time and processor a frame, memory a link. Run by hand, in release.

use std::time::Instant;

use bytes::Bytes;
use realm_net::{Counted, DialId, Inbox, Limits, Outbox, SendError};
use tokio::runtime::Handle;

use super::node::{Node, Way, connect, frame, index, limits};

const FRAMES: u32 = 100_000;
const FRAME_BYTES: usize = 1_024;
/// Enough that the pipe is full, few enough that no queue is.
const IN_FLIGHT: u32 = 128;
/// Frames taken from an inbox at once.
const BATCH: usize = 64;
const LINKS: u64 = 1_000;

/// Frames go from one net through another to a third, and back the same way.
#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
pub(crate) async fn frames_through_a_relay(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut relay = Node::start(way, 2, limits()).await;
    let mut b = Node::start(way, 3, limits()).await;
    let (mut a_end, to_a) = connect(&mut a, &mut relay).await;
    let (b_end, to_b) = connect(&mut b, &mut relay).await;
    let runtime = Handle::current();
    let there = runtime.spawn(pass(to_a.inbox, to_b.outbox));
    let back = runtime.spawn(pass(to_b.inbox, to_a.outbox));
    let echo = runtime.spawn(pass(b_end.inbox, b_end.outbox));

    for in_flight in [1, IN_FLIGHT] {
        let rounds = if in_flight == 1 { FRAMES / 10 } else { FRAMES };
        let (begun, cpu) = (Instant::now(), cpu_ms());
        let mut sent = 0;
        for received in 0..rounds {
            while sent < rounds && sent < received + in_flight {
                send(&a_end.outbox, frame(sent, FRAME_BYTES)).await;
                sent += 1;
            }
            assert_eq!(index(&a_end.inbox.recv().await.unwrap()), received);
        }
        let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_ms() - cpu);
        println!(
            "{way:?}, 1 relay, {FRAME_BYTES} bytes, {in_flight} in flight: {:.0} round trips/s, \
             {:.1} µs each, {:.1} µs of processor each",
            f64::from(rounds) / seconds,
            seconds * 1e6 / f64::from(rounds) * f64::from(in_flight),
            cpu * 1e3 / f64::from(rounds),
        );
    }
    for task in [there, back, echo] {
        task.abort();
    }
}

/// Two nets hold many links with each other; both ends are in this process.
pub(crate) async fn memory_of_idle_links(way: Way) {
    let many = Limits {
        per_node: usize::MAX,
        uncertified: usize::MAX,
        ..limits()
    };
    let mut a = Node::start(way, 1, many.clone()).await;
    let mut b = Node::start(way, 2, many).await;
    let warm = connect(&mut a, &mut b).await;
    let before = resident_kb();
    let mut ends = Vec::new();
    for dial in 0..LINKS {
        a.net
            .dial(DialId(dial), b.id, vec![b.address.clone()])
            .unwrap();
        let (a_end, b_end) = (a.up().await, b.up().await);
        a.net.admit(a_end.link, Counted::Known).unwrap();
        b.net.admit(b_end.link, Counted::Known).unwrap();
        ends.push((a_end, b_end));
    }
    println!("{way:?}: {:.1} kB a link, both ends", grown(before));
    for (a_end, b_end) in &mut ends {
        for i in 0..8 {
            send(&a_end.outbox, frame(i, FRAME_BYTES)).await;
            send(&b_end.outbox, frame(i, FRAME_BYTES)).await;
        }
        for i in 0..8 {
            assert_eq!(index(&b_end.inbox.recv().await.unwrap()), i);
            assert_eq!(index(&a_end.inbox.recv().await.unwrap()), i);
        }
    }
    println!("{way:?}: {:.1} kB after traffic", grown(before));
    drop(warm);
}

async fn pass(mut inbox: Inbox, outbox: Outbox) {
    let mut frames = Vec::new();
    while inbox.recv_many(&mut frames, BATCH).await > 0 {
        for frame in frames.drain(..) {
            send(&outbox, frame).await;
        }
    }
}

async fn send(outbox: &Outbox, frame: Bytes) {
    while outbox.try_send(frame.clone()) == Err(SendError::Full) {
        tokio::task::yield_now().await;
    }
}

fn grown(before: f64) -> f64 {
    (resident_kb() - before) / LINKS as f64
}

/// Resident memory of this process.
fn resident_kb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4.096
}

/// Processor time of this process, in clock ticks of 10 ms.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: f64 = after_name
        .split(' ')
        .skip(12)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks * 10.0
}
