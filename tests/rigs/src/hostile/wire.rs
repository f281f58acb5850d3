//! A peer on plain libp2p that shakes hands well and does what it likes afterwards, or before.

use std::{
    collections::BTreeMap,
    future::{pending, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddrV4},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{
    core::{
        muxing::{StreamMuxerBox, StreamMuxerExt as _, SubstreamBox},
        upgrade::OutboundConnectionUpgrade as _,
    },
    identity::Keypair,
    noise,
    tcp::tokio::TcpStream,
    yamux,
};
use realm_protocol::{Failure, FailureCode, Kind, cbor, link::Frame, message::Plaintext};
use tokio::{
    net::TcpSocket,
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// What both sides of a stream say to agree on what follows.
const NOISE: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";
const YAMUX: &[u8] = b"\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n";
const LANE: &[u8] = b"\x13/multistream/1.0.0\n\x0e/realm/lane/1\n";
/// Longest wait for the other side within a handshake.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest frame read.
const FRAME: u32 = 256 * 1024;
/// Frames kept for whoever waits for one; more are forgotten.
const HEARD: usize = 64;

/// What a stream of a connection is.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Opens a connection from an address of this machine.
pub(crate) async fn dial(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    let stream = timeout(PATIENCE, socket.connect(to.into())).await??;
    stream.set_nodelay(true)?;
    Ok(TcpStream(stream))
}

/// Says the first half of a handshake: which protocol is to follow, and that a message of 32 bytes
/// is on its way.
pub(crate) async fn begin(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(NOISE).await?;
    stream.write_all(&[0, 32, 1, 2, 3]).await?;
    stream.flush().await
}

/// Reads until the other side hangs up; how much came.
pub(crate) async fn until_closed(stream: &mut TcpStream, within: Duration) -> Option<usize> {
    let mut read = Vec::new();
    match timeout(within, stream.read_to_end(&mut read)).await {
        Ok(_) => Some(read.len()),
        Err(_) => None,
    }
}

async fn agree(stream: &mut impl Stream, on: &[u8]) -> io::Result<()> {
    stream.write_all(on).await?;
    stream.flush().await?;
    let mut answer = vec![0; on.len()];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await??;
    if answer == on {
        Ok(())
    } else {
        Err(io::Error::other("another protocol"))
    }
}

/// Authenticates, and lays streams over one connection.
pub(crate) async fn shake_hands(
    mut stream: TcpStream,
    keypair: &Keypair,
) -> io::Result<StreamMuxerBox> {
    agree(&mut stream, NOISE).await?;
    let noise = noise::Config::new(keypair).map_err(io::Error::other)?;
    let secured = timeout(PATIENCE, noise.upgrade_outbound(stream, "/noise")).await?;
    let (_, mut secured) = secured.map_err(io::Error::other)?;
    agree(&mut secured, YAMUX).await?;
    let yamux = yamux::Config::default();
    let muxer = yamux.upgrade_outbound(secured, "/yamux/1.0.0").await?;
    Ok(StreamMuxerBox::new(muxer))
}

/// What the other side has said on a link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Failures, by code.
    pub(crate) failures: BTreeMap<FailureCode, u64>,
    /// The code of its goodbye.
    pub(crate) goodbye: Option<FailureCode>,
}

/// A link with both lanes, or with as many as were asked for.
#[derive(Debug)]
pub(crate) struct Link {
    /// Streams this side opened; the first is its lane.
    pub(crate) lanes: Vec<Lane>,
    frames: mpsc::Receiver<Frame>,
    heard: Arc<Mutex<Heard>>,
    frozen: watch::Sender<bool>,
    driver: JoinHandle<()>,
    reader: JoinHandle<()>,
}

/// A stream this side opened.
pub(crate) struct Lane(Pin<Box<dyn Stream>>);

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lane")
    }
}

impl Lane {
    /// Agrees that this is a lane.
    pub(crate) async fn agree(&mut self) -> io::Result<()> {
        agree(&mut self.0, LANE).await
    }

    /// Sends bytes as they are.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let said = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        timeout(PATIENCE, said).await?
    }
}

impl Link {
    /// Connects, opens `streams` streams, and agrees on the lanes of both sides.
    pub(crate) async fn open(
        from: Ipv4Addr,
        to: SocketAddrV4,
        keypair: &Keypair,
        streams: usize,
    ) -> io::Result<Self> {
        let mut muxer = shake_hands(dial(from, to).await?, keypair).await?;
        let mut lanes = Vec::new();
        for _ in 0..streams {
            let stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await;
            lanes.push(Lane(Box::pin(stream.map_err(io::Error::other)?)));
        }
        let (frozen, thawed) = watch::channel(false);
        let (inbound, mut streams) = mpsc::channel(1);
        let driver = Handle::current().spawn(drive(muxer, inbound, thawed));
        let (sender, frames) = mpsc::channel(HEARD);
        let heard = Arc::default();
        let mut inbound = timeout(PATIENCE, streams.recv())
            .await?
            .ok_or(io::ErrorKind::ConnectionReset)?;
        agree(&mut inbound, LANE).await?;
        if let Some(lane) = lanes.first_mut() {
            lane.agree().await?;
        }
        let reader = Handle::current().spawn(listen(inbound, sender, Arc::clone(&heard)));
        Ok(Self {
            lanes,
            frames,
            heard,
            frozen,
            driver,
            reader,
        })
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let bytes = [&length.to_be_bytes(), frame].concat();
        self.say(&bytes).await
    }

    /// Sends bytes on its lane, without a length.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let lane = self.lanes.first_mut().ok_or(io::ErrorKind::NotConnected)?;
        lane.say(bytes).await
    }

    /// Waits for a frame of which something is wanted.
    pub(crate) async fn wait_for<T>(
        &mut self,
        mut wanted: impl FnMut(Frame) -> Option<T>,
    ) -> io::Result<T> {
        let waited = async {
            while let Some(frame) = self.frames.recv().await {
                if let Some(found) = wanted(frame) {
                    return Ok(found);
                }
            }
            Err(io::ErrorKind::ConnectionReset.into())
        };
        timeout(PATIENCE, waited).await?
    }

    /// What the other side has said until now.
    pub(crate) fn heard(&self) -> Heard {
        let heard = self.heard.lock();
        heard.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the other side has hung up, after waiting for it.
    pub(crate) async fn is_closed(&mut self, within: Duration) -> bool {
        timeout(within, &mut self.driver).await.is_ok()
    }

    /// Stops or goes on reading and writing; the connection stays open meanwhile.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.frozen.send_replace(is_frozen);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
        self.reader.abort();
    }
}

/// Moves what can be moved until the connection ends.
async fn drive(
    mut muxer: StreamMuxerBox,
    inbound: mpsc::Sender<SubstreamBox>,
    mut frozen: watch::Receiver<bool>,
) {
    loop {
        if *frozen.borrow_and_update() {
            if frozen.changed().await.is_err() {
                return pending().await;
            }
            continue;
        }
        tokio::select! {
            _ = frozen.changed() => {}
            event = poll_fn(|cx| {
                // Both keep the connection moving; the end comes out of either.
                if let std::task::Poll::Ready(Err(_)) = muxer.poll_unpin(cx) {
                    return std::task::Poll::Ready(None);
                }
                muxer.poll_inbound_unpin(cx).map(Result::ok)
            }) => match event {
                Some(stream) => {
                    // Whoever listens takes the first; the others end here.
                    inbound.try_send(stream).ok();
                }
                None => return,
            },
        }
    }
}

/// Reads frames, and counts what went wrong by its code.
async fn listen(mut stream: SubstreamBox, frames: mpsc::Sender<Frame>, heard: Arc<Mutex<Heard>>) {
    while let Ok(Some(frame)) = read_frame(&mut stream).await {
        {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            match &frame {
                Frame::Bye(bye) => heard.goodbye = bye.code,
                frame => {
                    if let Some(code) = failure(frame) {
                        *heard.failures.entry(code).or_default() += 1;
                    }
                }
            }
        }
        frames.try_send(frame).ok();
    }
}

async fn read_frame(stream: &mut SubstreamBox) -> io::Result<Option<Frame>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length).min(FRAME);
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await?;
    Ok(Frame::decode(&Bytes::from(frame)).ok())
}

/// The code of a failure that anybody may read.
fn failure(frame: &Frame) -> Option<FailureCode> {
    let Frame::Envelope(envelope) = frame else {
        return None;
    };
    if envelope.peek().ok()?.kind != Kind::Failure {
        return None;
    }
    let plaintext: Plaintext = cbor::decode(&envelope.body).ok()?;
    let failure: Failure = cbor::decode(&plaintext.content).ok()?;
    Some(failure.code)
}
