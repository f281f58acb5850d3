//! Each wire format against exchanges as its maker documents them, over a real socket.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;

use realm_backends::{Backends, Format, Model, Parts, Progress, Secret};
use realm_executor::{
    BackendError, BackendOutput, BackendReply, BackendRequest, ModelRequest, Price, Prices,
    ToolSpec,
};
use realm_protocol::CallId;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

/// What a server was sent.
struct Sent {
    head: String,
    body: Value,
}

async fn serve_once(listener: TcpListener, answer: Vec<u8>) -> Sent {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the client hung up early");
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if let Ok(body) = serde_json::from_str(body) {
            stream.write_all(&answer).await.unwrap();
            let head = head.to_owned();
            return Sent { head, body };
        }
    }
}

fn model(format: Format, port: u16) -> Model {
    Model {
        format,
        url: format!("http://127.0.0.1:{port}/base"),
        key: Some(Ok(Secret::new("sk-canary"))),
        model: Some("gpt-4o-mini".to_owned()),
        max_tokens: 4096,
        allow_private: vec![format!("127.0.0.1:{port}")],
        price: Some(Price {
            currency: "USD".parse().unwrap(),
            input: 150_000,
            output: 600_000,
        }),
        prices: Prices::new(),
    }
}

fn tools(tools: &Value) -> Vec<ToolSpec> {
    let text = |tool: &Value, name: &str| tool[name].as_str().unwrap().to_owned();
    let tools = tools.as_array().unwrap().iter().map(|tool| ToolSpec {
        name: text(tool, "name"),
        description: text(tool, "description"),
        schema: tool["schema"].clone(),
    });
    tools.collect()
}

fn request(asks: &Value) -> ModelRequest {
    let text = |name: &str| asks.get(name).and_then(Value::as_str).map(str::to_owned);
    ModelRequest {
        backend: "fake".to_owned(),
        model: None,
        system: text("system"),
        prompt: text("prompt").unwrap(),
        max_tokens: asks.get("maxTokens").and_then(Value::as_u64),
        temperature: asks
            .get("temperature")
            .and_then(|it| it.as_number())
            .cloned(),
        schema: asks.get("schema").cloned(),
        tools: asks.get("tools").map_or(Vec::new(), tools),
        turns: serde_json::from_value(asks.get("turns").cloned().unwrap_or(json!([]))).unwrap(),
        key: CallId::new([7; 16]),
        timeout_ms: 10_000,
        stream: asks.get("stream").is_some(),
    }
}

/// What came of one exchange: the answer, what was sent, and what was shown meanwhile.
type Exchanged = (Result<BackendReply, BackendError>, Sent, Vec<String>);

async fn exchange(format: Format, case: &Value) -> Exchanged {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backends = Backends::new();
    backends.set_models(BTreeMap::from([("fake".to_owned(), model(format, port))]));
    let asked = BackendRequest::Model(Box::new(request(&case["asks"])));
    let (to, mut shown) = mpsc::channel(64);
    let parts = Parts::new(CallId::new([7; 16]), to);
    let (reply, sent) = tokio::join!(
        backends.call_telling(asked, Some(&parts), Progress::default()),
        serve_once(listener, answer(case))
    );
    drop(parts);
    let mut texts = Vec::new();
    while let Some((_, _, text)) = shown.recv().await {
        texts.push(text);
    }
    (reply, sent, texts)
}

/// What the server answers: a document, or lines that end with the connection.
fn answer(case: &Value) -> Vec<u8> {
    let status = &case["status"];
    if let Some(lines) = case.get("lines").and_then(Value::as_array) {
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
        let lines = lines.join("\n");
        // One that stays open promises more than it ever sends.
        let end = match case.get("open") {
            Some(_) => "content-length: 100000",
            None => "connection: close",
        };
        return format!("HTTP/1.1 {status} X\r\n{end}\r\n\r\n{lines}\n").into_bytes();
    }
    let body = case["answer"].to_string();
    let pause = case.get("retryAfter").and_then(Value::as_str);
    let pause = pause.map_or(String::new(), |it| format!("retry-after: {it}\r\n"));
    let date = case.get("date").and_then(Value::as_str);
    let pause = date.map_or(pause.clone(), |it| format!("date: {it}\r\n{pause}"));
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{pause}\r\n{body}").into_bytes()
}

/// Whether a fixture says which public page documents its form, and which state of that: the day on which it was read,
/// or the commit.
fn has_source(case: &Value) -> bool {
    let source = case.get("source").and_then(Value::as_str).unwrap_or("");
    let dated = source.strip_suffix(')').and_then(|it| it.rsplit_once(" ("));
    let is_date = |date: &str| {
        let digits = date.bytes().filter(u8::is_ascii_digit).count();
        (date.len(), digits) == (10, 8) && date.split('-').count() == 3
    };
    let is_commit = |part: &str| part.len() == 40 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let states = dated.is_some_and(|(_, date)| is_date(date)) || source.split('/').any(is_commit);
    source.starts_with("https://") && states
}

async fn check(format: Format, cases: &str) {
    let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        assert!(
            has_source(case),
            "{name}: where is that documented, and when or at which commit?"
        );
        let (reply, sent, shown) = exchange(format, case).await;
        let parts = case.get("shows").cloned().unwrap_or(json!([]));
        assert_eq!(json!(shown), parts, "{name}");
        if let Some(path) = case.get("path").and_then(Value::as_str) {
            let line = format!("POST /base{path} HTTP/1.1\r\n");
            assert!(sent.head.starts_with(&line), "{name}: {}", sent.head);
            assert_eq!(sent.body, case["sent"], "{name}");
            for (header, value) in case["headers"].as_object().unwrap() {
                let header = format!("\r\n{header}: {}", value.as_str().unwrap());
                assert!(sent.head.contains(&header), "{name}: {}", sent.head);
            }
        }
        match (reply, case.get("fails").and_then(Value::as_str)) {
            (Ok(reply), None) => assert_eq!(given(&reply), case["gives"], "{name}"),
            (Err(error), Some(says)) => {
                assert_eq!(error.to_string(), says, "{name}");
                let pause = case.get("retryAfterMs").and_then(Value::as_u64);
                assert_eq!(error.retry_after_ms(), pause, "{name}");
                assert!(!format!("{error:?}").contains("sk-canary"), "{name}");
            }
            (reply, _) => panic!("{name}: {reply:?}"),
        }
    }
}

fn given(reply: &BackendReply) -> Value {
    let mut given = match &reply.output {
        BackendOutput::Text(text) => json!({"text": text}),
        BackendOutput::Json(value) => json!({"json": value}),
        BackendOutput::Calls { said, calls } => json!({"said": said, "calls": calls}),
    };
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            given[name] = value;
        }
    };
    add("inputTokens", reply.input_tokens.map(Value::from));
    add("outputTokens", reply.output_tokens.map(Value::from));
    add("model", reply.model.clone().map(Value::from));
    add("micros", reply.cost.as_ref().map(|it| it.micros.into()));
    given
}

#[test]
fn a_fixture_without_its_source_is_none() {
    let page = "https://docs.ollama.com/api/errors";
    let commit = "01e52d24bc00defcd9bcc6d995b11df0f08bc6f1";
    for (source, has) in [
        (json!(format!("{page} (2026-11-23)")), true),
        (
            json!(format!(
                "https://github.com/ollama/ollama/blob/{commit}/docs/api.md"
            )),
            true,
        ),
        (json!(page), false),
        (json!(format!("{page} (lately)")), false),
        (json!("the manual (2026-11-23)"), false),
        (Value::Null, false),
    ] {
        assert_eq!(has_source(&json!({"source": source})), has, "{source}");
    }
    assert!(!has_source(&json!({"name": "text"})));
}

#[tokio::test]
async fn chat_completions_are_asked_and_read_as_documented() {
    check(Format::OpenAi, include_str!("models/openai.json")).await;
}

#[tokio::test]
async fn responses_are_asked_and_read_as_documented() {
    check(Format::Responses, include_str!("models/responses.json")).await;
}

#[tokio::test]
async fn messages_are_asked_and_read_as_documented() {
    check(Format::Anthropic, include_str!("models/anthropic.json")).await;
}

#[tokio::test]
async fn chats_are_asked_and_read_as_documented() {
    check(Format::Ollama, include_str!("models/ollama.json")).await;
}

#[tokio::test]
async fn what_is_not_configured_or_has_no_key_is_asked_for_nothing() {
    let backends = Backends::new();
    let asked = || BackendRequest::Model(Box::new(request(&json!({"prompt": "Tell."}))));
    let unknown = backends.call(asked()).await.unwrap_err();
    assert!(
        matches!(unknown, BackendError::Unconfigured { .. }),
        "{unknown}"
    );

    let keyless = Model {
        key: Some(Err("keys/fake cannot be read".to_owned())),
        ..model(Format::OpenAi, 1)
    };
    backends.set_models(BTreeMap::from([("fake".to_owned(), keyless)]));
    let error = backends.call(asked()).await.unwrap_err();
    assert!(matches!(error, BackendError::NoKey { .. }), "{error}");

    let inside = Model {
        allow_private: Vec::new(),
        url: "https://127.0.0.1:1/base".to_owned(),
        ..model(Format::OpenAi, 1)
    };
    backends.set_models(BTreeMap::from([("fake".to_owned(), inside)]));
    let error = backends.call(asked()).await.unwrap_err();
    assert!(matches!(error, BackendError::Blocked { .. }), "{error}");
}
