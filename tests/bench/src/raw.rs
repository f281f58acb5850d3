//! Raw libp2p: one-way streams over TCP, Noise and yamux, and nothing above them.
//!
//! Each hop has one stream each way, opened by its sender. Frames are four bytes of length and a
//! payload that begins with a number; writers write all that waits before they flush.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _, io::BufReader};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder,
    multiaddr::Protocol,
    noise,
    swarm::{SwarmEvent, dial_opts::DialOpts},
    tcp, yamux,
};
use libp2p_stream::{Behaviour, Control, IncomingStreams};
use tokio::{
    process::Command,
    sync::{mpsc, oneshot},
};

use crate::{load::Call, process::Program, realms::PAYLOAD};

const FORTH: StreamProtocol = StreamProtocol::new("/bench/forth/1");
const BACK: StreamProtocol = StreamProtocol::new("/bench/back/1");
/// Frames waiting for one stream; whoever sends more waits.
const QUEUE: usize = 1_024;
/// Longest frame.
const FRAME: usize = 64 * 1024;

type Frame = Vec<u8>;

/// Nodes of which the last echoes, and this program at their head.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The nodes, the farthest first.
    pub(crate) nodes: Vec<Program>,
    pub(crate) head: Head,
}

impl Chain {
    /// Starts an echoing node with this many relays in front of it.
    pub(crate) async fn new(dir: &Path, relays: usize) -> Result<Self> {
        let mut nodes = Vec::new();
        let mut next = None::<String>;
        for number in 0..=relays {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("raw-node").args(next.take());
            let log = dir.join(format!("raw-{number}.log"));
            let (program, address) = Program::start_and_hear(&mut command, &log).await?;
            nodes.push(program);
            next = Some(address);
        }
        let head = Head::connect(&next.context("no node")?).await?;
        Ok(Self { nodes, head })
    }
}

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    forth: mpsc::Sender<Frame>,
    waiting: Arc<Mutex<BTreeMap<u64, oneshot::Sender<usize>>>>,
    next: Arc<AtomicU64>,
}

impl Head {
    async fn connect(address: &str) -> Result<Self> {
        let (forth, mut back) = hop(address).await?;
        let waiting = Arc::new(Mutex::new(BTreeMap::<u64, oneshot::Sender<usize>>::new()));
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(frame) = back.recv().await {
                let number = frame
                    .first_chunk::<8>()
                    .map(|bytes| u64::from_be_bytes(*bytes));
                let waiting = answered
                    .lock()
                    .ok()
                    .and_then(|mut map| map.remove(&number?));
                if let Some(waiting) = waiting {
                    let _ = waiting.send(frame.len());
                }
            }
        });
        let next = Arc::default();
        Ok(Self {
            forth,
            waiting,
            next,
        })
    }
}

impl Call for Head {
    async fn call(&self) -> Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answered) = oneshot::channel();
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.insert(number, sender);
        }
        let mut frame = vec![b'x'; PAYLOAD];
        frame[..8].copy_from_slice(&number.to_be_bytes());
        self.forth.send(frame).await?;
        ensure!(answered.await? == PAYLOAD, "an answer of another length");
        Ok(())
    }
}

/// A node of the chain: prints its address, then serves whoever connects first.
///
/// # Errors
/// What libp2p says.
pub(crate) async fn serve(next: Option<String>) -> Result<()> {
    let mut swarm = swarm()?;
    let id = *swarm.local_peer_id();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    let mut control = swarm.behaviour().new_control();
    let mut streams = control.accept(FORTH)?;
    let onward = match &next {
        Some(address) => Some(hop(address).await?),
        None => None,
    };
    tokio::spawn(async move {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                println!("{}", address.with(Protocol::P2p(id)));
            }
        }
    });
    let (peer, stream) = streams.next().await.context("no more streams")?;
    let back = control.open_stream(peer, BACK).await?;
    let (from, mut forth) = mpsc::channel(QUEUE);
    let (back_frames, to_write) = mpsc::channel(QUEUE);
    tokio::spawn(read(stream, from));
    tokio::spawn(write(back, to_write));
    match onward {
        None => {
            while let Some(frame) = forth.recv().await {
                back_frames.send(frame).await?;
            }
        }
        Some((onward, mut returning)) => {
            tokio::spawn(async move {
                while let Some(frame) = returning.recv().await {
                    if back_frames.send(frame).await.is_err() {
                        return;
                    }
                }
            });
            while let Some(frame) = forth.recv().await {
                onward.send(frame).await?;
            }
        }
    }
    Ok(())
}

/// Connects to a node: frames to it, frames from it.
async fn hop(address: &str) -> Result<(mpsc::Sender<Frame>, mpsc::Receiver<Frame>)> {
    let address: Multiaddr = address.parse()?;
    let peer = address.iter().find_map(|part| match part {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    });
    let peer: PeerId = peer.context("an address without an id")?;
    let mut swarm = swarm()?;
    let mut control: Control = swarm.behaviour().new_control();
    let mut streams: IncomingStreams = control.accept(BACK)?;
    swarm.dial(DialOpts::peer_id(peer).addresses(vec![address]).build())?;
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let forth = control.open_stream(peer, FORTH).await?;
    let (sender, to_write) = mpsc::channel(QUEUE);
    tokio::spawn(write(forth, to_write));
    // The other side opens its stream when it has seen this one, for which something must be sent.
    let (from, frames) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        if let Some((_, back)) = streams.next().await {
            read(back, from).await;
        }
    });
    Ok((sender, frames))
}

fn swarm() -> Result<Swarm<Behaviour>> {
    let tcp = tcp::Config::default().nodelay(true);
    Ok(SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp, noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| Behaviour::new())?
        .with_swarm_config(|config| {
            config.with_idle_connection_timeout(std::time::Duration::from_secs(3_600))
        })
        .build())
}

async fn write(mut stream: Stream, mut frames: mpsc::Receiver<Frame>) {
    let mut batch = Vec::new();
    while let Some(frame) = frames.recv().await {
        batch.clear();
        append(&mut batch, &frame);
        while batch.len() < FRAME {
            let Ok(frame) = frames.try_recv() else { break };
            append(&mut batch, &frame);
        }
        if stream.write_all(&batch).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

fn append(batch: &mut Vec<u8>, frame: &[u8]) {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(frame);
}

async fn read(stream: Stream, frames: mpsc::Sender<Frame>) {
    let mut stream = BufReader::with_capacity(FRAME, stream);
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME {
            return;
        }
        let mut frame = vec![0; length];
        if stream.read_exact(&mut frame).await.is_err() || frames.send(frame).await.is_err() {
            return;
        }
    }
}
