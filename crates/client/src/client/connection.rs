//! One request and its answer over one connection.

use std::{future::Future, pin::Pin, pin::pin};

use bytes::Bytes;
use futures::future::{self, Either};
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;

use super::{ClientError, place::Place};
use crate::api::Problem;

/// Largest answer that is read, bytes; more is [`ClientError::Body`].
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// What drives a connection; it ends with the connection.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sends a request; gives the answer's bytes if it is no error.
pub(super) async fn exchange(
    place: &Place,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Bytes, ClientError> {
    let request = request(method, path, body)?;
    let (response, driver) = send(place, request).await?;
    drive(driver, read(response)).await
}

/// Sends a request; gives the answer's head, and the driver its body needs.
pub(super) async fn send(
    place: &Place,
    mut request: Request<Full<Bytes>>,
) -> Result<(Response<Incoming>, Driver), ClientError> {
    place.address(&mut request)?;
    let io = TokioIo::new(place.open().await?);
    let (mut sender, connection) = http1::handshake(io)
        .await
        .map_err(ClientError::Connection)?;
    // A broken connection shows in the request or the body that waits for it.
    let mut driver: Driver = Box::pin(async move {
        connection.await.ok();
    });
    let response = drive(&mut driver, sender.send_request(request)).await;
    Ok((response.map_err(ClientError::Connection)?, driver))
}

pub(super) fn request(
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(ClientError::Address)
}

/// Reads an answer; an error becomes its problem document.
pub(super) async fn read(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES);
    let bytes = body.collect().await.map_err(ClientError::Body)?.to_bytes();
    if status.is_success() {
        return Ok(bytes);
    }
    match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
        Err(_) => Err(ClientError::Status(status.as_u16())),
    }
}

/// Runs `work` and, until it is done, the connection below it.
pub(super) async fn drive<T>(
    driver: impl Future<Output = ()> + Unpin,
    work: impl Future<Output = T>,
) -> T {
    match future::select(pin!(work), driver).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => work.await,
    }
}
