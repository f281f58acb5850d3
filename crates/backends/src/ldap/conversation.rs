//! One connection to a directory: TLS from the first byte of worth, bounded in bytes.

use std::sync::Arc;

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    DirectoryError, Server, ber,
    message::{self, Entry, Said, Search},
};
use crate::address;

/// Bytes of one message.
const MESSAGE: usize = 256 * 1024;
/// Bytes of all that a directory says in one conversation.
const ALL: usize = 4 * 1024 * 1024;

const SUCCESS: u32 = 0;
const NO_SUCH_OBJECT: u32 = 32;
/// What a directory answers where a name or a password is wrong, or may not be used now: a constraint, no
/// such object, another way to sign in, credentials, unwillingness.
const NOT_BELIEVED: [u32; 5] = [19, NO_SUCH_OBJECT, 48, 49, 53];

/// A connection, and how far the exchange on it is.
pub(super) struct Conversation<S> {
    stream: S,
    read: Vec<u8>,
    number: u32,
    left: usize,
}

/// Connects, and gives nothing away before the directory has shown its certificate.
pub(super) async fn open(
    server: &Server,
    tls: Arc<ClientConfig>,
) -> Result<Conversation<TlsStream<TcpStream>>, DirectoryError> {
    let stream = connect(server).await?;
    let stream = match server.start_tls {
        false => stream,
        true => {
            let mut plain = Conversation::new(stream);
            let number = plain.ask(message::start_tls).await?;
            match plain.hear(number, "").await? {
                // What came with the answer was sent before anybody was known.
                Said::Done(SUCCESS) if plain.read.is_empty() => plain.stream,
                _ => return Err(unavailable("it does not begin TLS")),
            }
        }
    };
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| unavailable("its name is none that a certificate has"))?;
    let stream = TlsConnector::from(tls)
        .connect(name, stream)
        .await
        .map_err(|error| unavailable(&format!("TLS: {error}")))?;
    Ok(Conversation::new(stream))
}

async fn connect(server: &Server) -> Result<TcpStream, DirectoryError> {
    let target = (server.host.as_str(), server.port);
    let failed = |error: std::io::Error| unavailable(&error.to_string());
    let found = tokio::net::lookup_host(target).await.map_err(failed)?;
    let mut last = unavailable("its name has no address");
    for candidate in found {
        if let Err(error) = address::check(&server.host, candidate.ip(), true) {
            last = unavailable(&error.to_string());
            continue;
        }
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = failed(error),
        }
    }
    Err(last)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
            number: 0,
            left: ALL,
        }
    }

    /// Shows who one is; gives whether the directory believes it.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<bool, DirectoryError> {
        // Without either, a directory lets in anybody, as nobody.
        if dn.is_empty() || password.is_empty() {
            return Ok(false);
        }
        let number = self
            .ask(|number| message::bind(number, dn, password))
            .await?;
        match self.hear(number, "").await? {
            Said::Done(SUCCESS) => Ok(true),
            Said::Done(code) if NOT_BELIEVED.contains(&code) => Ok(false),
            said => Err(unavailable(&format!("it answered a bind with {said:?}"))),
        }
    }

    /// Searches; gives what was found, in the directory's order. Nothing where the base is not there.
    pub(super) async fn search(
        &mut self,
        search: &Search<'_>,
    ) -> Result<Vec<Entry>, DirectoryError> {
        let number = self.ask(|number| message::search(number, search)).await?;
        let mut found = Vec::new();
        loop {
            match self.hear(number, search.attribute).await? {
                Said::Entry(entry) if found.len() < search.most as usize => found.push(entry),
                Said::Entry(_) => return Err(unavailable("it sends more than it was asked for")),
                Said::Reference => {}
                Said::Done(SUCCESS) => return Ok(found),
                Said::Done(NO_SUCH_OBJECT) => return Ok(Vec::new()),
                Said::Done(code) => {
                    return Err(unavailable(&format!(
                        "it answered a search with code {code}"
                    )));
                }
            }
        }
    }

    /// Says goodbye; nobody waits for an answer.
    pub(super) async fn close(mut self) {
        let _ = self.ask(message::unbind).await;
        let _ = self.stream.shutdown().await;
    }

    async fn ask(&mut self, message: impl FnOnce(u32) -> Vec<u8>) -> Result<u32, DirectoryError> {
        self.number = self.number.saturating_add(1);
        let written = async {
            self.stream.write_all(&message(self.number)).await?;
            self.stream.flush().await
        };
        written
            .await
            .map_err(|error| unavailable(&error.to_string()))?;
        Ok(self.number)
    }

    /// The next thing that is said about what was asked.
    async fn hear(&mut self, number: u32, attribute: &str) -> Result<Said, DirectoryError> {
        let malformed = |_| unavailable("it does not speak LDAP");
        let size = loop {
            match ber::size(&self.read).map_err(malformed)? {
                Some(size) if size > MESSAGE => {
                    return Err(unavailable("it sends too long a message"));
                }
                Some(size) if self.read.len() >= size => break size,
                _ => self.fill().await?,
            }
        };
        let message: Vec<u8> = self.read.drain(..size).collect();
        match message::read(&message, attribute).map_err(malformed)? {
            (about, said) if about == number => Ok(said),
            _ => Err(unavailable("it answers what was not asked")),
        }
    }

    async fn fill(&mut self) -> Result<(), DirectoryError> {
        let mut part = [0; 4096];
        let read = self.stream.read(&mut part).await;
        let read = read.map_err(|error| unavailable(&error.to_string()))?;
        if read == 0 {
            return Err(unavailable("it closed the connection"));
        }
        self.left = self
            .left
            .checked_sub(read)
            .ok_or_else(|| unavailable("it sends too much"))?;
        self.read.extend(part.get(..read).unwrap_or_default());
        Ok(())
    }
}

fn unavailable(reason: &str) -> DirectoryError {
    DirectoryError::Unavailable {
        reason: reason.to_owned(),
    }
}
