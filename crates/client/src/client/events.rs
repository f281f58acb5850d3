//! A run's events as they happen: server-sent events.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{
    Client, ClientError,
    connection::{self, Driver},
};
use crate::api::{InvokeRequest, InvokeResult, StreamPart, TraceEvent, routes};

/// Largest event that is read, bytes.
const EVENT_BYTES: usize = 16 * 1024 * 1024;

/// What an event stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamItem {
    /// Something happened in the run.
    Event(TraceEvent),
    /// The output is being made of this.
    Part(StreamPart),
    /// The run is over; nothing follows.
    End(Box<InvokeResult>),
}

/// A run's events, in order, without gaps.
pub struct RunEvents {
    body: Incoming,
    driver: Option<Driver>,
    buffer: BytesMut,
}

impl Client {
    /// Listens to a run, from its first event or after the event with index `after`.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `NotFound` where there is no such run.
    pub async fn events(&self, run: &str, after: Option<u64>) -> Result<RunEvents, ClientError> {
        let path = routes::fill(routes::RUN_EVENTS, &[run]);
        let mut request = connection::request(Method::GET, &path, Vec::new())?;
        if let Some(index) = after {
            request
                .headers_mut()
                .insert("last-event-id", HeaderValue::from(index));
        }
        self.follow(request, self.timeout).await
    }

    /// Calls a loop, and shows what its output is being made of until the end is there. Dropping what
    /// this gives takes the call back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invoke_streaming(
        &self,
        request: &InvokeRequest,
    ) -> Result<RunEvents, ClientError> {
        let body = serde_json::to_vec(&InvokeRequest {
            stream: true,
            ..request.clone()
        });
        let body = body.map_err(ClientError::Request)?;
        let posted = connection::request(Method::POST, routes::INVOKE, body)?;
        self.follow(posted, super::runs::patience(request)).await
    }

    async fn follow(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<RunEvents, ClientError> {
        let (response, driver) =
            tokio::time::timeout(timeout, connection::send(&self.place, request))
                .await
                .map_err(|_| ClientError::Timeout { after: timeout })??;
        if response.status().is_success() {
            let body = response.into_body();
            return Ok(RunEvents {
                body,
                driver: Some(driver),
                buffer: BytesMut::new(),
            });
        }
        match connection::drive(driver, connection::read(response)).await {
            Ok(_) => Err(ClientError::Status(0)),
            Err(error) => Err(error),
        }
    }
}

impl RunEvents {
    /// Waits for the next item; none when the daemon closed the stream. Nothing is lost if the
    /// wait is given up.
    ///
    /// # Errors
    /// [`ClientError`] when the stream breaks or is not understood; resume with the last index.
    pub async fn next(&mut self) -> Result<Option<StreamItem>, ClientError> {
        loop {
            while let Some(block) = take_block(&mut self.buffer) {
                if let Some(item) = read_block(&block)? {
                    return Ok(Some(item));
                }
            }
            if self.buffer.len() > EVENT_BYTES {
                return Err(ClientError::EventTooLarge);
            }
            let frame = match &mut self.driver {
                Some(driver) => connection::drive(driver, self.body.frame()).await,
                None => self.body.frame().await,
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::Connection(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

/// Takes one block off the buffer: everything up to an empty line.
fn take_block(buffer: &mut BytesMut) -> Option<BytesMut> {
    let end = buffer.windows(2).position(|pair| pair == b"\n\n")?;
    let block = buffer.split_to(end);
    drop(buffer.split_to(2));
    Some(block)
}

/// Reads one block; none for comments and kinds this version does not know.
fn read_block(block: &[u8]) -> Result<Option<StreamItem>, ClientError> {
    let (mut kind, mut data) = (Vec::new(), Vec::new());
    for line in block.split(|byte| *byte == b'\n') {
        if let Some(value) = field(line, b"event:") {
            kind = value.to_vec();
        } else if let Some(value) = field(line, b"data:") {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(value);
        }
    }
    Ok(match kind.as_slice() {
        b"trace" => Some(StreamItem::Event(parse(&data)?)),
        b"part" => Some(StreamItem::Part(parse(&data)?)),
        b"end" => Some(StreamItem::End(parse(&data)?)),
        _ => None,
    })
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

fn parse<T: DeserializeOwned>(data: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(data).map_err(ClientError::Answer)
}
