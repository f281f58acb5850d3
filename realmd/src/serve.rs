//! The local API's sockets: an own accept loop, because every phase of a request has a limit.

use std::{io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{api, people::People};

/// How many connections there are at once.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Connections that are served everything.
    all: usize,
    /// Connections beyond them, which are served what is answered at once: whoever looks at a daemon
    /// that is full, or stops what fills it, gets through. Once these are taken too, no further
    /// one is accepted until one ends.
    at_once: usize,
}

const ROOM: Room = Room {
    all: 1_536,
    at_once: 64,
};
/// Time for a request's header.
const HEADER: Duration = Duration::from_secs(5);
/// Time between pings of an HTTP/2 connection, and for its answer.
const PING: Duration = Duration::from_secs(20);
/// Time for answers under way once the daemon stops.
const GOODBYE: Duration = Duration::from_secs(2);
/// Headers in one request.
const HEADERS: usize = 64;
/// Bytes of a request's header.
const HEADER_BYTES: usize = 64 * 1024;

/// Binds the socket, for this user alone.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    // The process's umask keeps others out from the first moment.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// This user of the machine.
    User(u32),
    /// Whoever reaches a port; every request says who.
    Network,
}

/// Where connections come from.
pub(crate) trait Accept {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next one; none where it is turned away at once.
    fn accept(&self) -> impl Future<Output = io::Result<Option<(Self::Stream, Origin)>>> + Send;
}

/// The socket in the home, and who may come in there.
pub(crate) struct Socket {
    listener: UnixListener,
    people: watch::Receiver<Arc<People>>,
}

impl Socket {
    /// Lets in whom the realm knows.
    pub(crate) fn new(listener: UnixListener, people: watch::Receiver<Arc<People>>) -> Self {
        Self { listener, people }
    }
}

impl Accept for Socket {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<(UnixStream, Origin)>> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred().ok().map(|peer| peer.uid());
        let known = user.filter(|user| self.people.borrow().by_uid(*user).is_some());
        if let Some(user) = known {
            return Ok(Some((stream, Origin::User(user))));
        }
        tracing::warn!(?user, "another user was turned away from the socket");
        Ok(None)
    }
}

/// Who connects is asked for a token by every route.
impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<Option<(TcpStream, Origin)>> {
        let (stream, _) = Self::accept(self).await?;
        Ok(Some((stream, Origin::Network)))
    }
}

/// Serves until told to stop, then lets answers under way end for a moment.
pub(crate) async fn serve<L: Accept>(listener: L, router: Router, stop: CancellationToken) {
    serve_within(ROOM, listener, router, stop).await;
}

async fn serve_within<L: Accept>(room: Room, listener: L, router: Router, stop: CancellationToken) {
    let all = Arc::new(Semaphore::new(room.all));
    let at_once = Arc::new(Semaphore::new(room.at_once));
    let crowded = api::at_once(router.clone());
    let mut connections = JoinSet::new();
    loop {
        let (permit, router) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            permit = Arc::clone(&all).acquire_owned() => (permit, &router),
            permit = Arc::clone(&at_once).acquire_owned() => (permit, &crowded),
        };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(Some((stream, origin))) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    connection((stream, origin), router, stop).await;
                });
            }
            Ok(None) => {}
            // Out of file descriptors, most likely: whoever connects next tries again.
            Err(error) => tracing::warn!(%error, "a connection was not accepted"),
        }
    }
    drop(listener);
    let ends = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GOODBYE, ends).await;
}

async fn connection<S>((stream, origin): (S, Origin), router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(origin);
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(32)
        .max_header_list_size(64 * 1024);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection of the local API ended");
    }
}

#[cfg(test)]
mod tests;
