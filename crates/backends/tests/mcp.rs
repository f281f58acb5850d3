//! Servers of the Model Context Protocol, as child processes that behave and that do not.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{collections::BTreeMap, path::Path};

use realm_backends::{Backends, Secret, Server, Servers};
use realm_executor::{BackendError, BackendOutput, BackendRequest, Category, Sandbox};
use realm_protocol::Digest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const LONG: u64 = 20_000;

/// A realm with one server, `box`, that behaves in a certain way.
struct Realm {
    backends: Backends,
    kept: tempfile::TempDir,
}

impl Realm {
    fn with(how: &str) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/server.py");
        let lives = kept.path().join("lives");
        let argv = [
            "python3",
            script.to_str().unwrap(),
            how,
            lives.to_str().unwrap(),
        ];
        let server = Server::Stdio {
            argv: argv.map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            secrets: BTreeMap::from([("TOLD".to_owned(), Ok(Secret::new("open sesame")))]),
            cwd: None,
            sandbox: Sandbox::default(),
        };
        let backends = Backends::new();
        backends.set_servers(Servers::from([("box".to_owned(), server)]));
        Self { backends, kept }
    }

    /// How often the server was started.
    fn lives(&self) -> usize {
        std::fs::read_to_string(self.kept.path().join("lives"))
            .unwrap()
            .len()
    }

    async fn approved(&self, tool: &str) -> Option<Digest> {
        let tools = self.backends.tools("box").await.unwrap();
        let found = tools.iter().find(|definition| definition.name == tool);
        found.map(realm_backends::ToolDefinition::digest)
    }

    async fn call(
        &self,
        tool: &str,
        digest: Option<Digest>,
        input: Value,
        timeout_ms: u64,
    ) -> Result<Value, BackendError> {
        let request = BackendRequest::Mcp {
            server: "box".to_owned(),
            tool: tool.to_owned(),
            digest,
            input,
            timeout_ms,
        };
        match self.backends.call(request).await?.output {
            BackendOutput::Json(output) => Ok(output),
            other => panic!("{other:?}"),
        }
    }

    /// Approves `add` as it is, and calls it.
    async fn add(&self) -> Result<Value, BackendError> {
        let approved = self.approved("add").await;
        self.call("add", approved, json!({"a": 1, "b": 2}), LONG)
            .await
    }
}

#[tokio::test]
async fn calls_share_one_process_and_get_structured_content_or_text() {
    let realm = Realm::with("well");

    let sum = realm.add().await.unwrap();
    let approved = realm.approved("say").await;
    let said = |input| realm.call("say", approved, input, LONG);
    let (text, parsed, secret) = tokio::join!(
        said(json!({"text": "hello"})),
        said(json!({"text": "{\"n\": 7}"})),
        said(json!({})),
    );

    assert_eq!(sum, json!({"sum": 3}));
    assert_eq!(text.unwrap(), json!({"text": "hello"}));
    assert_eq!(parsed.unwrap(), json!({"n": 7}));
    assert_eq!(secret.unwrap(), json!({"text": "open sesame"}));
    assert_eq!(realm.lives(), 1);
}

#[tokio::test]
async fn a_tool_that_nobody_approved_or_that_changed_is_not_called() {
    let realm = Realm::with("changes");
    let approved = realm.approved("add").await;
    let input = json!({"a": 1, "b": 2});

    let unapproved = realm.call("add", None, input.clone(), LONG).await;
    let first = realm.call("add", approved, input.clone(), LONG).await;
    let changed = realm.call("add", approved, input.clone(), LONG).await;
    let again = realm.approved("add").await;
    let approved_again = realm.call("add", again, input, LONG).await;

    assert!(matches!(unapproved, Err(BackendError::NotApproved { .. })));
    assert_eq!(first.unwrap(), json!({"sum": 3}));
    let Err(BackendError::ToolChanged { id, tool }) = changed else {
        panic!("{changed:?}");
    };
    assert_eq!((id.as_str(), tool.as_str()), ("box", "add"));
    assert!(approved_again.is_ok());
}

#[tokio::test]
async fn what_a_tools_schema_refuses_is_not_sent() {
    let realm = Realm::with("dies");
    let approved = realm.approved("add").await;

    let refused = realm.call("add", approved, json!({"a": "one"}), LONG).await;

    let Err(BackendError::ToolInput { faults, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(realm.lives(), 1);
}

#[tokio::test]
async fn a_server_that_dies_is_told_with_its_last_words_and_started_again() {
    let realm = Realm::with("dies-once");

    let died = realm.add().await;
    let again = realm.add().await;

    let Err(BackendError::Server { reason, sent, .. }) = died else {
        panic!("{died:?}");
    };
    assert!(sent);
    assert_eq!(reason, "the process ended with exit code 3: out of luck");
    assert_eq!(again.unwrap(), json!({"sum": 3}));
    assert_eq!(realm.lives(), 2);
}

#[tokio::test]
async fn a_server_that_always_dies_rests_before_it_is_started_again() {
    let realm = Realm::with("dies");
    let approved = realm.approved("add").await;
    let input = json!({"a": 1, "b": 2});
    let call = || realm.call("add", approved, input.clone(), LONG);

    let (first, second, third) = (call().await, call().await, call().await);

    for died in [first, second] {
        assert!(
            matches!(died, Err(BackendError::Server { sent: true, .. })),
            "{died:?}"
        );
    }
    let Err(BackendError::Server {
        sent: false,
        reason,
        retry_after_ms: Some(1..=251),
        ..
    }) = third
    else {
        panic!("{third:?}");
    };
    assert!(reason.ends_with("out of luck"), "{reason}");
    assert_eq!(realm.lives(), 2);
}

#[tokio::test]
async fn what_a_server_does_wrong_has_an_error_of_its_own() {
    for how in ["lies", "keeps-back", "fails", "floods", "dies"] {
        let error = Realm::with(how).add().await.unwrap_err();

        let is_right = match (how, &error) {
            ("lies", BackendError::BadOutput { reason }) => reason.contains("/sum"),
            ("fails", BackendError::ToolFailed { said, .. }) => said == "the well is dry",
            ("keeps-back", BackendError::BadOutput { .. })
            | ("floods", BackendError::TooLarge { .. })
            | ("dies", BackendError::Server { .. }) => true,
            _ => false,
        };
        assert!(is_right, "{how}: {error:?}");
    }
}

#[tokio::test]
async fn nonsense_between_the_lines_and_questions_of_a_server_change_nothing() {
    for how in ["nonsense", "asks"] {
        let realm = Realm::with(how);

        assert_eq!(realm.add().await.unwrap(), json!({"sum": 3}), "{how}");
        assert_eq!(realm.lives(), 1, "{how}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_a_call_its_time_and_no_other_its_process() {
    let realm = Realm::with("hangs");
    let approved = realm.approved("add").await;

    let hung = realm
        .call("add", approved, json!({"a": 1, "b": 2}), 200)
        .await;

    assert_eq!(hung, Err(BackendError::Timeout { after_ms: 200 }));
    assert_eq!(realm.lives(), 1);
    let never = Realm::with("never-agrees");
    let digest = Some(Digest::of(&[]));
    let hung = never.call("add", digest, json!({}), 200).await;
    assert_eq!(hung, Err(BackendError::Timeout { after_ms: 200 }));
}

#[tokio::test]
async fn a_server_that_answers_no_ping_after_a_call_that_hung_is_started_again() {
    let realm = Realm::with("hangs");
    let approved = realm.approved("add").await;

    // Each takes its time, which is many times less than the ping's.
    for _ in 0..150 {
        let call = realm.call("add", approved, json!({"a": 1, "b": 2}), 200);
        assert_eq!(call.await, Err(BackendError::Timeout { after_ms: 200 }));
        if realm.lives() > 1 {
            return;
        }
    }
    panic!("it was never given up");
}

#[tokio::test]
async fn lists_without_end_and_tools_of_one_name_are_refused() {
    for (how, part) in [("endless-list", "more than 512"), ("twice", "two tools")] {
        let error = Realm::with(how).backends.tools("box").await.unwrap_err();

        assert!(error.to_string().contains(part), "{how}: {error}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_helps() {
    let realm = Realm::with("well");
    let digest = Some(Digest::of(&[]));

    let no_tool = realm.call("multiply", digest, json!({}), LONG).await;
    realm.backends.set_servers(Servers::new());
    let no_server = realm.call("add", digest, json!({}), LONG).await;

    let told = no_tool.unwrap_err().to_string();
    assert!(told.contains("realmctl backend show box"), "{told}");
    let told = no_server.unwrap_err().to_string();
    assert!(told.contains("[mcp.box]"), "{told}");
}

#[tokio::test]
async fn what_a_server_was_told_in_secret_stands_in_no_failure() {
    for how in [
        "tells",
        "tells-as-error",
        "tells-by-schema",
        "tells-and-dies",
    ] {
        let realm = Realm::with(how);

        let failure = realm.add().await.unwrap_err();

        let said = format!("{failure} {failure:?}");
        assert!(!said.contains("open sesame"), "{how}: {said}");
        assert!(said.contains('…'), "{how}: {said}");
    }
}

#[tokio::test]
async fn tools_that_have_changed_are_asked_for_again_until_their_list_has_come() {
    let realm = Realm::with("hangs-once-changed");
    let approved = realm.approved("add").await;
    let add = |timeout_ms| realm.call("add", approved, json!({"a": 1, "b": 2}), timeout_ms);

    assert_eq!(add(LONG).await.unwrap(), json!({"sum": 3}));
    let late = add(200).await.unwrap_err();
    let changed = add(LONG).await.unwrap_err();

    assert!(matches!(late, BackendError::Timeout { .. }), "{late}");
    assert!(
        matches!(changed, BackendError::ToolChanged { .. }),
        "{changed}"
    );
}

#[tokio::test]
async fn a_start_goes_on_though_the_call_that_caused_it_has_no_more_time() {
    let realm = Realm::with("waits");
    let any = Some(Digest::of(&[b"any"]));

    let late = realm.call("add", any, json!({"a": 1, "b": 2}), 500).await;
    std::fs::write(realm.kept.path().join("lives.gate"), "").unwrap();

    let late = late.unwrap_err();
    assert!(matches!(late, BackendError::Timeout { .. }), "{late}");
    assert_eq!(realm.add().await.unwrap(), json!({"sum": 3}));
    assert_eq!(realm.lives(), 1);
}

/// What comes of asking a server at an address that answers everything so.
async fn asked_over_http(head: &str) -> BackendError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let backends = Backends::new();
    let server = Server::Http {
        url: format!("http://{authority}/mcp"),
        key: Some(Ok(Secret::new("sk-canary"))),
        allow_private: vec![authority],
    };
    backends.set_servers(Servers::from([("box".to_owned(), server)]));
    let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let serve = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") && stream.read_buf(&mut asked).await.unwrap() > 0 {}
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    };
    tokio::select! {
        told = backends.tools("box") => told.unwrap_err(),
        () = serve => panic!("it serves for ever"),
    }
}

#[tokio::test]
async fn a_server_at_an_address_that_refuses_is_told_by_its_status() {
    let told = asked_over_http("401 Unauthorized\r\nwww-authenticate: Bearer").await;
    assert!(
        matches!(told, BackendError::Status { code: 401, .. }),
        "{told}"
    );
    assert_eq!(told.category(), Category::Permission);
    assert!(told.to_string().contains("`mcp.box.key`"), "{told}");

    let told = asked_over_http("429 Too Many Requests\r\nretry-after: 7").await;
    assert!(
        matches!(told, BackendError::Status { code: 429, .. }),
        "{told}"
    );
    let (category, pause) = (told.category(), told.retry_after_ms());
    assert_eq!((category, pause), (Category::Transient, Some(7_000)));

    let told = asked_over_http("403 Forbidden\r\nwww-authenticate: Bearer scope=\"x\"").await;
    assert!(
        matches!(told, BackendError::Status { code: 403, .. }),
        "{told}"
    );

    let told = asked_over_http("503 Service Unavailable\r\nretry-after: soon").await;
    assert!(
        matches!(told, BackendError::Status { code: 503, .. }),
        "{told}"
    );
    assert_eq!(told.retry_after_ms(), None);
}
