//! Child processes, real ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, os::unix::net::UnixListener, path::Path};

use realm_backends::Backends;
use realm_executor::{BackendError, BackendOutput, BackendReply, BackendRequest};
use realm_protocol::CallId;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

fn shell(script: &str, input: Value, timeout_ms: u64) -> BackendRequest {
    BackendRequest::Process {
        key: CallId::new([7; 16]),
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]),
        cwd: None,
        sandbox: Box::default(),
        input,
        timeout_ms,
    }
}

async fn run(script: &str) -> Result<BackendReply, BackendError> {
    Backends::new()
        .call(shell(script, json!({"n": 7}), 20_000))
        .await
}

fn output(reply: BackendReply) -> Value {
    match reply.output {
        BackendOutput::Json(value) => value,
        other => Value::String(format!("{other:?}")),
    }
}

#[tokio::test]
async fn the_input_comes_on_standard_input_and_the_output_goes_to_standard_output() {
    assert_eq!(output(run("cat").await.unwrap()), json!({"n": 7}));
}

#[tokio::test]
async fn nothing_is_inherited_but_what_the_manifest_gives() {
    let reply = run(r#"printf '"%s"' "$(env | cut -d= -f1 | grep -v '^_$\|^PWD$\|^SHLVL$\|^OLDPWD$' | sort | tr '\n' ' ')""#).await;

    assert_eq!(
        output(reply.unwrap()),
        json!("GIVEN LANG PATH REALM_IDEMPOTENCY_KEY ")
    );
}

#[tokio::test]
async fn a_failing_process_tells_its_exit_code_and_the_end_of_its_errors() {
    let script = "head -c 9000 /dev/zero | tr '\\0' x >&2; echo ' the end' >&2; exit 3";

    let Err(BackendError::Exit { code, stderr }) = run(script).await else {
        panic!("the process failed");
    };

    assert_eq!(code, Some(3));
    assert!(stderr.ends_with("x the end"), "{stderr}");
    assert!(stderr.len() <= 4096);
}

#[tokio::test]
async fn a_signal_that_ends_a_process_is_named() {
    let error = run("echo bye >&2; kill -SEGV $$").await.unwrap_err();

    assert_eq!(error.to_string(), "the process was ended by SIGSEGV: bye");
}

#[tokio::test]
async fn a_working_directory_that_is_absent_is_named() {
    let request = BackendRequest::Process {
        key: CallId::new([7; 16]),
        argv: vec!["sh".to_owned()],
        env: BTreeMap::new(),
        cwd: Some("/no/such/folder".to_owned()),
        sandbox: Box::default(),
        input: json!({}),
        timeout_ms: 5_000,
    };

    let error = Backends::new().call(request).await.unwrap_err();

    let text = error.to_string();
    assert!(text.contains("working directory /no/such/folder"), "{text}");
}

#[tokio::test]
async fn output_that_is_not_json_or_too_large_is_refused() {
    assert!(matches!(
        run("echo hello").await,
        Err(BackendError::BadOutput { .. })
    ));
    assert!(matches!(
        run("yes").await,
        Err(BackendError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn a_program_that_is_absent_is_named() {
    let request = BackendRequest::Process {
        key: CallId::new([7; 16]),
        argv: vec!["/no/such/program".to_owned()],
        env: BTreeMap::new(),
        cwd: None,
        sandbox: Box::default(),
        input: json!({}),
        timeout_ms: 1_000,
    };

    let refused = Backends::new().call(request).await.unwrap_err();

    assert!(
        matches!(&refused, BackendError::Spawn { program, .. } if program == "/no/such/program"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_process_that_reads_nothing_and_leaves_others_behind_still_answers() {
    let large = json!({"text": "x".repeat(1 << 20)});
    let request = shell("sleep 1000 & echo '{\"done\":true}'", large, 20_000);

    let reply = Backends::new().call(request).await.unwrap();

    assert_eq!(output(reply), json!({"done": true}));
}

/// A grandchild holds a connection open for as long as it lives; its end closes it.
fn holder(socket: &Path) -> String {
    let connect = format!(
        "import socket,time; s=socket.socket(socket.AF_UNIX); s.connect('{}'); time.sleep(1000)",
        socket.display()
    );
    format!("(python3 -c \"{connect}\" &) ; sleep 1000")
}

fn listen() -> (tempfile::TempDir, UnixListener, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alive");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    (folder, listener, path)
}

async fn accept(listener: UnixListener) -> tokio::net::UnixStream {
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    listener.accept().await.unwrap().0
}

async fn has_ended(mut held: tokio::net::UnixStream) -> bool {
    held.read(&mut [0; 1]).await.unwrap() == 0
}

#[tokio::test]
async fn a_dropped_call_kills_the_whole_process_group() {
    let (_folder, listener, path) = listen();
    let backends = Backends::new();
    let call = backends.call(shell(&holder(&path), json!({}), 600_000));

    let held = tokio::select! {
        held = accept(listener) => held,
        ended = call => panic!("ended early: {ended:?}"),
    };

    assert!(has_ended(held).await);
}

#[tokio::test]
async fn a_call_past_its_time_kills_the_whole_process_group() {
    let (_folder, listener, path) = listen();
    let backends = Backends::new();
    let call = backends.call(shell(&holder(&path), json!({}), 5_000));

    let (ended, held) = tokio::join!(call, accept(listener));

    assert_eq!(
        ended.unwrap_err(),
        BackendError::Timeout { after_ms: 5_000 }
    );
    assert!(has_ended(held).await);
}
