//! HTTP agents on a real listener.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use realm_backends::{Backends, NamedSecrets, Opened, OpenedHost, Parts, Progress, Secret};
use realm_executor::{BackendError, BackendOutput, BackendReply, BackendRequest, Category};
use realm_protocol::CallId;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers one request with the given bytes and gives back what was asked.
async fn serve_once(listener: TcpListener, answer: Vec<u8>) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let asked = read_request(&mut stream).await;
    // A client that has seen enough hangs up.
    let _ = stream.write_all(&answer).await;
    asked
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut asked = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&asked).contains("\r\n\r\n{") || !asked.ends_with(b"}") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the client hung up early");
        asked.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(asked).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn request(port: u16, host: &str, allow: bool) -> BackendRequest {
    let authority = format!("{host}:{port}");
    BackendRequest::Http {
        key: CallId::new([7; 16]),
        url: format!("http://{authority}/run"),
        headers: BTreeMap::from([("x-agent".to_owned(), "one".to_owned())]),
        bearer: None,
        secrets: BTreeMap::new(),
        body: json!({"n": 1}),
        stream: false,
        timeout_ms: 10_000,
        allow_private: if allow { vec![authority] } else { Vec::new() },
    }
}

/// The same request by https, for what is refused before anything is sent.
fn over_tls(mut request: BackendRequest) -> BackendRequest {
    if let BackendRequest::Http { url, .. } = &mut request {
        *url = url.replace("http://", "https://");
    }
    request
}

/// Backends of an owner who opens this machine to loops.
fn backends() -> Backends {
    let backends = Backends::new();
    let hosts = ["127.0.0.1:*", "localhost:*"];
    let hosts = hosts.map(|host| host.parse().unwrap());
    backends.set_opened(Opened::new(hosts.to_vec()));
    backends
}

fn status(code: u16) -> BackendError {
    BackendError::Status {
        code,
        said: String::new(),
        retry_after_ms: None,
    }
}

async fn call(bytes: Vec<u8>) -> (Result<BackendReply, BackendError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = backends();
    tokio::join!(
        backends.call(request(port, "127.0.0.1", true)),
        serve_once(listener, bytes)
    )
}

#[tokio::test]
async fn the_input_is_posted_and_the_answer_is_the_output() {
    let (reply, asked) = call(answer("200 OK", "", r#"{"ok":true}"#)).await;

    assert_eq!(
        reply.unwrap().output,
        BackendOutput::Json(json!({"ok": true}))
    );
    assert!(asked.starts_with("POST /run HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.contains("content-type: application/json\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-agent: one\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{\"n\":1}"), "{asked}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (reply, _) = call(answer(
        "302 Found",
        "location: http://169.254.169.254/\r\n",
        "",
    ))
    .await;

    assert_eq!(reply.unwrap_err(), status(302));
}

#[tokio::test]
async fn answers_that_are_not_success_or_not_json_are_errors() {
    let (failed, _) = call(answer("500 Internal Server Error", "", "{}")).await;
    let (text, _) = call(answer("200 OK", "", "hello")).await;
    let (twice, _) = call(answer("200 OK", "", r#"{"a":1,"a":2}"#)).await;

    assert_eq!(failed.unwrap_err(), status(500));
    assert!(matches!(text, Err(BackendError::BadOutput { .. })));
    assert!(matches!(twice, Err(BackendError::BadOutput { .. })));
}

#[tokio::test]
async fn an_answer_past_the_limit_is_refused_by_its_length_and_by_its_bytes() {
    let (declared, _) =
        call(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{".to_vec()).await;
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"".to_vec();
    endless.resize(realm_protocol::limits::BACKEND_BYTES + 4096, b'x');
    let (streamed, _) = call(endless).await;

    assert!(matches!(declared, Err(BackendError::TooLarge { .. })));
    assert!(matches!(streamed, Err(BackendError::TooLarge { .. })));
}

#[tokio::test]
async fn a_name_is_judged_by_its_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = backends();

    let call = |host| backends.call(over_tls(request(port, host, false)));
    let refused = call("localhost").await.unwrap_err();
    let literal = call("127.0.0.1").await.unwrap_err();

    assert!(
        matches!(&refused, BackendError::Blocked { host, .. } if *host == format!("localhost:{port}")),
        "{refused}"
    );
    assert!(matches!(literal, BackendError::Blocked { .. }));
}

#[tokio::test]
async fn what_a_definition_opens_and_the_owner_does_not_is_never_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = Backends::new();
    let other = "10.0.0.0/8:*".parse().unwrap();
    backends.set_opened(Opened::new(vec![other]));

    for host in ["127.0.0.1", "localhost"] {
        let error = backends.call(request(port, host, true)).await.unwrap_err();
        assert!(!error.may_have_begun());
        let said = error.to_string();
        let line = format!("allow_private = [\"10.0.0.0/8:*\", \"{host}:{port}\"]");
        assert!(said.ends_with(&line), "{said}");
    }
    // Nor what the owner opens and the definition does not name.
    let this = "127.0.0.0/8:*".parse().unwrap();
    backends.set_opened(Opened::new(vec![this]));
    let unnamed = over_tls(request(port, "127.0.0.1", false));
    let error = backends.call(unnamed).await.unwrap_err();
    assert!(matches!(error, BackendError::Blocked { .. }), "{error}");
    let asked = listener.into_std().unwrap().accept();
    assert_eq!(asked.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_owner_opens_hosts_and_networks_on_one_port_or_all() {
    let permits = |opened: &str, host: &str| {
        let opened = Opened::new(vec![opened.parse().unwrap()]);
        let url = format!("http://{host}/run");
        opened.permit(&url, &[host.to_owned()]).is_ok()
    };
    for (opened, host, open) in [
        ("127.0.0.1:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "127.0.0.1:8081", false),
        ("127.0.0.1:*", "127.0.0.1:8081", true),
        ("127.0.0.1:*", "127.0.0.2:8081", false),
        ("10.1.0.0/16:443", "10.1.200.3:443", true),
        ("10.1.0.0/16:443", "10.2.200.3:443", false),
        ("10.1.0.0/16:*", "[::ffff:a01:3]:80", false),
        ("[fd00::/8]:*", "[fd12::1]:8080", true),
        ("[fd00::/8]:*", "[fc12::1]:8080", false),
        ("[::1]:8080", "[::1]:8080", true),
        ("agent.local:*", "agent.local:8080", true),
        ("Agent.Local:8080", "agent.local:8080", true),
        ("agent.local:*", "evil.agent.local:8080", false),
        ("0.0.0.0/0:*", "10.9.9.9:1", true),
        ("0.0.0.0/0:*", "agent.local:8080", false),
    ] {
        assert_eq!(permits(opened, host), open, "{opened} {host}");
    }
    for wrong in [
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:70000",
        "10.0.0.0/33:1",
        ":80",
        "*:80",
        "a b:80",
        "10.0.0/8:1",
    ] {
        assert!(wrong.parse::<OpenedHost>().is_err(), "{wrong}");
    }
    // A metadata service is nobody's to open.
    assert!(!permits("169.254.0.0/16:*", "169.254.169.254:80"));
}

#[tokio::test]
async fn an_allowed_name_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = backends();

    let served = serve_once(listener, answer("200 OK", "", "[1]"));
    let (reply, _) = tokio::join!(backends.call(request(port, "localhost", true)), served);

    assert_eq!(reply.unwrap().output, BackendOutput::Json(json!([1])));
}

#[tokio::test]
async fn an_agent_that_never_answers_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = backends();

    let mut asked = request(port, "127.0.0.1", true);
    if let BackendRequest::Http { timeout_ms, .. } = &mut asked {
        *timeout_ms = 20;
    }

    let refused = backends.call(asked).await.unwrap_err();

    assert_eq!(refused, BackendError::Timeout { after_ms: 20 });
}

#[tokio::test]
async fn headers_of_the_exchange_itself_cannot_be_set() {
    for name in ["Host", "content-length", "Transfer-Encoding", "bad name"] {
        let request = BackendRequest::Http {
            key: CallId::new([7; 16]),
            url: "https://example.org/".to_owned(),
            headers: BTreeMap::from([(name.to_owned(), "x".to_owned())]),
            bearer: None,
            secrets: BTreeMap::new(),
            body: json!({}),
            stream: false,
            timeout_ms: 1,
            allow_private: Vec::new(),
        };
        let refused = backends().call(request).await.unwrap_err();
        assert!(
            matches!(refused, BackendError::Refused { .. }),
            "{name}: {refused}"
        );
    }
}

/// What came of a call whose words are wanted, what was asked, and the words.
async fn told(bytes: Vec<u8>) -> (Result<BackendReply, BackendError>, String, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = backends();
    let mut asks = request(port, "127.0.0.1", true);
    if let BackendRequest::Http { stream, .. } = &mut asks {
        *stream = true;
    }
    let (to, mut written) = tokio::sync::mpsc::channel(64);
    let parts = Parts::new(CallId::new([7; 16]), to);
    let (reply, asked) = tokio::join!(
        backends.call_telling(asks, Some(&parts), Progress::default()),
        serve_once(listener, bytes)
    );
    drop(parts);
    let mut words = Vec::new();
    while let Some((_, _, text)) = written.recv().await {
        words.push(text);
    }
    (reply, asked, words)
}

/// An answer in events, which ends with the connection.
fn events(events: &[serde_json::Value]) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let events: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    format!("{head}: an event follows\n\n{events}").into_bytes()
}

#[tokio::test]
async fn an_agent_that_answers_in_events_shows_its_words_before_its_output() {
    let (reply, asked, words) = told(events(&[
        json!({"type": "part", "text": "Good "}),
        json!({"type": "progress", "progress": {"half": true}}),
        json!({"type": "part", "text": "day"}),
        json!({"type": "output", "output": {"text": "Good day"}}),
        json!({"type": "part", "text": " and so on"}),
    ]))
    .await;

    assert!(
        asked.contains("accept: text/event-stream, application/json\r\n"),
        "{asked}"
    );
    let output = BackendOutput::Json(json!({"text": "Good day"}));
    assert_eq!(reply.unwrap().output, output);
    assert_eq!(words, ["Good ", "day"]);
}

#[tokio::test]
async fn an_agent_that_is_asked_for_events_may_answer_in_one_piece() {
    let (reply, _, words) = told(answer("200 OK", "", r#"{"ok":true}"#)).await;

    assert!(reply.is_ok());
    assert!(words.is_empty());
}

#[tokio::test]
async fn events_that_end_without_an_output_or_say_why_there_is_none_are_failures() {
    let part = json!({"type": "part", "text": "Good "});
    let failure = json!({
        "type": "failure", "message": "out of paper", "category": "business", "retryAfterMs": 500,
    });
    let (broken, _, words) = told(events(std::slice::from_ref(&part))).await;
    let (failed, ..) = told(events(&[part, failure])).await;

    assert_eq!(words, ["Good "]);
    let broken = broken.unwrap_err();
    assert!(
        matches!(broken, BackendError::Unreachable { .. }),
        "{broken}"
    );
    let reported = BackendError::Reported {
        message: "out of paper".to_owned(),
        category: Category::Business,
        retry_after_ms: Some(500),
    };
    assert_eq!(failed.unwrap_err(), reported);
}

#[tokio::test]
async fn work_has_not_begun_at_an_agent_that_could_not_be_connected_to() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = closed.local_addr().unwrap();
    drop(closed);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs_up = silent.local_addr().unwrap();
    let ask = |to: std::net::SocketAddr| async move {
        let request = BackendRequest::Http {
            url: format!("http://{to}/"),
            headers: BTreeMap::new(),
            bearer: None,
            secrets: BTreeMap::new(),
            key: CallId::new([7; 16]),
            body: json!({}),
            stream: false,
            timeout_ms: 10_000,
            allow_private: vec![to.to_string()],
        };
        backends().call(request).await.unwrap_err()
    };

    let refused = ask(refusing).await;
    let hang_up = async { drop(silent.accept().await) };
    let (broken, ()) = tokio::join!(ask(hangs_up), hang_up);

    assert!(!refused.may_have_begun(), "{refused}");
    assert!(broken.may_have_begun(), "{broken}");
}

#[tokio::test]
async fn events_that_nobody_has_heard_of_are_bad_outputs() {
    let long = "w".repeat(realm_protocol::limits::STREAM_BYTES + 1);
    for wrong in [
        json!({"type": "song", "text": "la"}),
        json!({"type": "part", "words": "la"}),
        json!({"type": "part", "text": long}),
        json!({"type": "failure", "message": "no", "category": "weather"}),
        json!(7),
    ] {
        let (reply, ..) = told(events(std::slice::from_ref(&wrong))).await;
        let error = reply.unwrap_err();
        assert!(
            matches!(error, BackendError::BadOutput { .. }),
            "{wrong}: {error}"
        );
    }
}

/// A call of an agent that is shown two secrets, and backends that have these.
fn with_secrets(port: u16, held: NamedSecrets) -> (Backends, BackendRequest) {
    let mut asks = request(port, "127.0.0.1", true);
    if let BackendRequest::Http {
        bearer, secrets, ..
    } = &mut asks
    {
        *bearer = Some("lab".to_owned());
        secrets.insert("x-api-key".to_owned(), "desk".to_owned());
    }
    let backends = backends();
    backends.set_secrets(held);
    (backends, asks)
}

fn secret(name: &str, text: &str) -> (String, Result<Secret, String>) {
    (name.to_owned(), Ok(Secret::new(text)))
}

#[tokio::test]
async fn an_agent_is_shown_the_secrets_that_its_loop_names_and_nobody_hears_them_from_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let held = [secret("lab", "sk-lab"), secret("desk", "sk-desk")];
    let (backends, asks) = with_secrets(port, held.into());
    let said = json!({
        "type": "failure", "message": "sk-lab and sk-desk are worn out", "category": "business",
    });

    let (answered, asked) =
        tokio::join!(backends.call(asks), serve_once(listener, events(&[said])));

    assert!(
        asked.contains("authorization: Bearer sk-lab\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-api-key: sk-desk\r\n"), "{asked}");
    let told = answered.unwrap_err().to_string();
    assert!(told.contains("worn out") && !told.contains("sk-"), "{told}");
}

#[tokio::test]
async fn an_agent_whose_secret_cannot_be_had_is_not_asked() {
    let unreadable = ("lab".to_owned(), Err("keys/lab has mode 0644".to_owned()));
    for lab in [None, Some(unreadable)] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let held = lab.into_iter().chain([secret("desk", "sk-desk")]);
        let port = listener.local_addr().unwrap().port();
        let (backends, asks) = with_secrets(port, held.collect());

        let answered = backends.call(asks).await;

        assert!(matches!(&answered, Err(BackendError::NoSecret { name, .. }) if name == "lab"));
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    }
}
