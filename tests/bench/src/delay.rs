//! A TCP link that takes its time: every byte arrives so much later, each way.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Chunks under way on one direction; more are not read.
const UNDER_WAY: usize = 1_024;

/// The near end of the link.
#[derive(Debug)]
pub(crate) struct Delayed {
    address: SocketAddr,
    target: &'static OnceLock<SocketAddr>,
}

impl Delayed {
    /// Listens; what is accepted goes nowhere before [`Delayed::lead_to`]. Threads, not tasks:
    /// timers of the runtime are a millisecond coarse. They end with the program.
    pub(crate) fn new(each_way: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let target: &'static OnceLock<SocketAddr> = Box::leak(Box::new(OnceLock::new()));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Some(target) = target.get() else { continue };
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                if let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) {
                    carry(near, far, each_way);
                    carry(far_too, near_too, each_way);
                }
            }
        });
        Ok(Self { address, target })
    }

    /// The port of the near end.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Names the far end.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        let _ = self.target.set(target);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, chunks) = mpsc::sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let due = Instant::now() + delay;
            if sender.send((due, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, chunk) in chunks {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&chunk).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
