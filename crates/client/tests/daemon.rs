//! The client against a daemon that answers with prepared bytes over a real socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, time::Duration};

use realm_client::{
    Client, ClientError, Exit, StreamItem, Unreachable,
    api::{Direction, Problem, RealmForest, RunQuery, Status},
    catalogue::Code,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
};
use utoipa::{PartialSchema as _, ToSchema as _};

/// A socket, and a listener behind it.
fn listen() -> (TempDir, PathBuf, UnixListener) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("realmd.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    (dir, socket, listener)
}

/// Answers the client's first look and then one request; gives the request's head.
async fn answer(listener: UnixListener, pieces: Vec<&str>) -> String {
    drop(listener.accept().await.unwrap());
    answer_next(&listener, pieces).await
}

/// Answers one request; gives the request's head.
async fn answer_next(listener: &UnixListener, pieces: Vec<&str>) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.read_buf(&mut request).await.unwrap();
    }
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn names_and_filters_are_encoded_and_nothing_is_asked_that_was_not_set() {
    let (_dir, socket, listener) = listen();
    let ok = response("200 OK", r#"{"items": [], "next": null}"#);
    let query = RunQuery {
        loop_id: Some("a/b&c".to_owned()),
        direction: Some(Direction::Out),
        parent: Some("06h0".to_owned()),
        ..RunQuery::default()
    };

    let ask = async { Client::connect(&socket).await.unwrap().runs(&query).await };
    let (page, request) = tokio::join!(ask, answer(listener, vec![&ok]));

    assert!(page.unwrap().items.is_empty());
    let line = request.lines().next().unwrap();
    assert_eq!(
        line,
        "GET /v1/runs?loop=a%2Fb%26c&direction=out&parent=06h0 HTTP/1.1"
    );
}

#[tokio::test]
async fn a_trace_that_comes_in_parts_is_put_together() {
    let (_dir, socket, listener) = listen();
    let part = |index: u64, status: &str, next: &str| {
        let at = "2026-01-31T12:00:00.000Z";
        response(
            "200 OK",
            &format!(
                r#"{{"run": {{"id": "r", "callId": "c", "loop": "l", "direction": "local",
                    "status": "{status}", "startedAt": "{at}"}},
                    "events": [{{"index": {index}, "callId": "c", "ts": "{at}", "type": "log",
                    "payload": null}}]{next}}}"#
            ),
        )
    };
    let (first, second) = (
        part(0, "running", r#", "next": "a b""#),
        part(1, "completed", ""),
    );

    let ask = async { Client::connect(&socket).await.unwrap().trace("r").await };
    let answers = async {
        drop(listener.accept().await.unwrap());
        let one = answer_next(&listener, vec![&first]).await;
        (one, answer_next(&listener, vec![&second]).await)
    };
    let (trace, (one, other)) = tokio::join!(ask, answers);

    let trace = trace.unwrap();
    let indexes: Vec<u64> = trace.events.iter().map(|event| event.index).collect();
    assert_eq!((indexes, trace.next), (vec![0, 1], None));
    assert_eq!(trace.run.summary.status.as_str(), "completed");
    assert!(one.starts_with("GET /v1/runs/r/trace HTTP/1.1"), "{one}");
    assert!(
        other.starts_with("GET /v1/runs/r/trace?cursor=a%20b HTTP/1.1"),
        "{other}"
    );
}

#[tokio::test]
async fn a_problem_keeps_its_code_and_decides_the_exit() {
    let (_dir, socket, listener) = listen();
    let problem = Problem::new(Code::Denied, "no").with_hint("ask");
    let body = serde_json::to_string(&problem).unwrap();
    let denied = response("403 Forbidden", &body);

    let ask = async {
        Client::connect(&socket)
            .await
            .unwrap()
            .realm("acme/health")
            .await
    };
    let (answer, request) = tokio::join!(ask, answer(listener, vec![&denied]));

    let error = answer.unwrap_err();
    assert!(matches!(&error, ClientError::Problem(found) if **found == problem));
    assert_eq!(error.exit(), Exit::Denied);
    assert!(request.starts_with("GET /v1/realms/acme%2Fhealth HTTP/1.1"));
}

#[tokio::test]
async fn events_come_whole_however_the_stream_is_cut() {
    let (_dir, socket, listener) = listen();
    let event =
        r#"{"index":4,"callId":"c","ts":"2026-01-31T12:00:00.000Z","type":"log","payload":{}}"#;
    let end = r#"{"runId":"r","callId":"c","loop":"l","status":"ok","startedAt":"2026-01-31T12:00:00.000Z"}"#;
    let stream =
        format!(": hello\n\nid: 4\nevent: trace\ndata: {event}\n\nevent: end\ndata: {end}\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let pieces: Vec<_> = std::iter::once(head)
        .chain(
            stream
                .as_bytes()
                .chunks(7)
                .map(|piece| std::str::from_utf8(piece).unwrap()),
        )
        .collect();

    let listen = async {
        let client = Client::connect(&socket).await.unwrap();
        let mut events = client.events("r", Some(3)).await.unwrap();
        (
            events.next().await.unwrap(),
            events.next().await.unwrap(),
            events.next().await.unwrap(),
        )
    };
    let ((first, second, third), request) = tokio::join!(listen, answer(listener, pieces));

    assert!(matches!(first, Some(StreamItem::Event(event)) if event.index == 4));
    assert!(matches!(second, Some(StreamItem::End(result)) if result.run_id == "r"));
    assert_eq!(third, None);
    assert!(request.contains("last-event-id: 3"));
}

#[tokio::test]
async fn a_silent_daemon_is_a_timeout() {
    let (_dir, socket, _listener) = listen();
    let client = Client::connect(&socket)
        .await
        .unwrap()
        .with_timeout(Duration::ZERO);

    let error = client.status().await.unwrap_err();

    assert!(matches!(error, ClientError::Timeout { .. }));
    assert_eq!(error.exit(), Exit::Timeout);
}

#[tokio::test]
async fn a_socket_left_by_a_crash_is_told_from_none() {
    let (dir, socket, listener) = listen();
    drop(listener);

    let why = |error| match error {
        ClientError::Unreachable { why, .. } => Some(why),
        _ => None,
    };
    let stale = Client::connect(&socket).await.map_err(why).unwrap_err();
    let none = Client::connect(dir.path().join("none"))
        .await
        .map_err(why)
        .unwrap_err();

    assert_eq!(stale, Some(Unreachable::StaleSocket));
    assert_eq!(none, Some(Unreachable::NotRunning));
}

#[test]
fn types_describe_themselves_even_where_they_nest_in_themselves() {
    let schema = serde_json::to_value(RealmForest::schema()).unwrap();
    let mut inner = Vec::new();
    RealmForest::schemas(&mut inner);

    assert_eq!(schema["properties"]["trees"]["type"], "array");
    assert!(inner.iter().any(|(name, _)| name == "RealmNode"));
    assert_eq!(Status::name(), "Status");
}
