//! Billing's HTTP agent: prices procedures by the group's tariff.

use std::{convert::Infallible, net::Ipv4Addr, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{failure::Failure, session::Session};

/// What a procedure costs, cents.
const TARIFF: [(&str, u64); 4] = [
    ("consultation", 8_500),
    ("ecg", 4_000),
    ("echocardiogram", 17_400),
    ("mri", 52_000),
];
/// Bytes of a request at most.
const REQUEST_BYTES: usize = 64 * 1024;
/// Connections at once; at the bound one must end before the next is taken.
const CONNECTIONS: usize = 16;
/// Time for a request's header.
const HEADER: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct Ordered {
    procedures: Vec<String>,
}

/// Serves until the process is ended; says on stdout where.
pub(in crate::demo) async fn serve(session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::System("loopback cannot be listened on", error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    session.print_text(&format!("{at}\n"))?;
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        let (stream, _) = listener.accept().await.map_err(failed)?;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        connections.spawn(connection);
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = Limited::new(request.into_body(), REQUEST_BYTES);
    let priced = match body.collect().await {
        Ok(body) => price(&body.to_bytes()),
        Err(_) => None,
    };
    let status = match priced {
        Some(_) => StatusCode::OK,
        None => StatusCode::BAD_REQUEST,
    };
    let text = priced.unwrap_or_else(|| json!({"error": "no such procedure"}));
    let mut response = Response::new(Full::new(Bytes::from(text.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn price(body: &[u8]) -> Option<Value> {
    let ordered: Ordered = serde_json::from_slice(body).ok()?;
    let cents = |procedure: &String| TARIFF.iter().find(|(name, _)| name == procedure);
    let lines: Option<Vec<_>> = ordered.procedures.iter().map(cents).collect();
    let cents: u64 = lines?.iter().map(|(_, cents)| cents).sum();
    let total = format!("EUR {}.{:02}", cents / 100, cents % 100);
    Some(json!({"procedures": ordered.procedures.len(), "total": total}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_procedures_are_added_up_and_unknown_ones_refused() {
        let priced = price(br#"{"procedures": ["ecg", "echocardiogram"]}"#);

        assert_eq!(
            priced,
            Some(json!({"procedures": 2, "total": "EUR 214.00"}))
        );
        assert_eq!(price(br#"{"procedures": ["haircut"]}"#), None);
    }
}
