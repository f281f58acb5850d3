//! The upgrade of a request to a WebSocket.

use std::sync::Arc;

use axum::{extract::FromRequestParts, response::Response};
use http::{HeaderValue, StatusCode, header, request::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use realm_client::catalogue::Code;
use realm_protocol::limits;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Gate, problem::Fail};

/// Bytes of one message: an answer of a backend, and what stands around it.
pub(super) const MESSAGE_BYTES: usize = limits::BACKEND_BYTES + 64 * 1024;

/// One connection, texts in both directions.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A request that asks for a WebSocket.
pub(super) struct Upgrade {
    on: OnUpgrade,
    accept: String,
    /// Whom the token is to be shown to, where one is needed.
    pub(super) gate: Option<Arc<Gate>>,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        let text = |name| {
            let value = parts.headers.get(name);
            value.and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let names = |name, what: &str| {
            let mut values = text(name).unwrap_or_default().split(',');
            values.any(|value| value.trim().eq_ignore_ascii_case(what))
        };
        let asked = names(header::CONNECTION, "upgrade")
            && names(header::UPGRADE, "websocket")
            && text(header::SEC_WEBSOCKET_VERSION) == Some("13");
        let key = text(header::SEC_WEBSOCKET_KEY).filter(|_| asked);
        let accept = key.map(|key| derive_accept_key(key.as_bytes()));
        let on = parts.extensions.remove::<OnUpgrade>();
        let (Some(accept), Some(on)) = (accept, on) else {
            let what = "this is a WebSocket of version 13, over HTTP/1.1";
            return Err(Fail::status(426, Code::RequestInvalid, what));
        };
        let gate = parts.extensions.remove();
        Ok(Self { on, accept, gate })
    }
}

impl Upgrade {
    /// The answer that agrees to it.
    pub(super) fn response(&self) -> Response {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }

    /// The connection, once the answer has been given.
    pub(super) async fn socket(self) -> Result<Socket, hyper::Error> {
        let stream = TokioIo::new(self.on.await?);
        let bounds = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Server, Some(bounds)).await)
    }
}
