//! Child processes, real ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, os::unix::net::UnixListener, path::Path};

use realm_backends::{Backends, Parts, Progress, Secret};
use realm_executor::{BackendError, BackendOutput, BackendReply, BackendRequest, Category};
use realm_protocol::CallId;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, sync::mpsc};

fn shell(script: &str, input: Value, timeout_ms: u64) -> BackendRequest {
    BackendRequest::Process {
        key: CallId::new([7; 16]),
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]),
        secrets: BTreeMap::new(),
        cwd: None,
        sandbox: Box::default(),
        input,
        lines: false,
        stream: false,
        timeout_ms,
    }
}

/// A script that answers in lines, and whether its words are wanted.
fn in_lines(script: &str, wanted: bool) -> BackendRequest {
    let mut request = shell(script, json!({"n": 7}), 20_000);
    if let BackendRequest::Process { lines, stream, .. } = &mut request {
        (*lines, *stream) = (true, wanted);
    }
    request
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
async fn a_program_has_the_secrets_that_its_loop_names_and_nobody_hears_them_when_it_fails() {
    let mut asks = shell(
        r#"echo "no $TOKEN" >&2; test "$TOKEN" = sk-lab && exit 3"#,
        json!({}),
        20_000,
    );
    if let BackendRequest::Process { secrets, .. } = &mut asks {
        secrets.insert("TOKEN".to_owned(), "lab".to_owned());
    }
    let backends = Backends::new();
    let missing = backends.call(asks.clone()).await.unwrap_err();
    assert!(matches!(&missing, BackendError::NoSecret { name, .. } if name == "lab"));
    backends.set_secrets([("lab".to_owned(), Ok(Secret::new("sk-lab")))].into());

    let failed = backends.call(asks).await.unwrap_err();

    let BackendError::Exit { code, stderr } = failed else {
        panic!("{failed}");
    };
    assert_eq!((code, stderr.as_str()), (Some(3), "no …"));
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
        secrets: BTreeMap::new(),
        cwd: Some("/no/such/folder".to_owned()),
        sandbox: Box::default(),
        input: json!({}),
        lines: false,
        stream: false,
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
        secrets: BTreeMap::new(),
        cwd: None,
        sandbox: Box::default(),
        input: json!({}),
        lines: false,
        stream: false,
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

/// Answers, and leaves a process behind that holds all it was given open, in a group of its own.
const LEAVES_A_HOLDER: &str = "
import os, socket, sys
reads, writes = os.pipe()
if os.fork() == 0:
    os.setsid()
    link = socket.socket(socket.AF_UNIX)
    link.connect(sys.argv[1])
    os.write(writes, b'x')
    link.recv(1)
    os._exit(0)
os.read(reads, 1)
print('7')
";

#[tokio::test]
async fn a_program_that_has_answered_and_ended_waits_for_nobody_who_holds_its_output() {
    let (_folder, _listener, path) = listen();
    let argv = ["python3", "-c", LEAVES_A_HOLDER, path.to_str().unwrap()].map(str::to_owned);
    // More than a pipe holds, and nobody reads it.
    let mut answers = shell("", json!({"text": "x".repeat(1 << 20)}), 20_000);
    if let BackendRequest::Process { argv: of_it, .. } = &mut answers {
        *of_it = argv.to_vec();
    }
    let command = BackendRequest::Command {
        argv: argv.to_vec(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        key: CallId::new([7; 16]),
        cwd: None,
        sandbox: Box::default(),
        timeout_ms: 20_000,
    };

    let answered = Backends::new().call(answers).await;
    let printed = Backends::new().call(command).await;

    assert_eq!(output(answered.unwrap()), 7);
    assert_eq!(output(printed.unwrap())["stdout"], "7\n");
}

#[tokio::test]
async fn a_program_that_answers_in_lines_shows_its_words_and_how_it_goes() {
    let call = CallId::new([7; 16]);
    let (to, mut words) = mpsc::channel(8);
    let (heard, mut told) = mpsc::channel(8);
    let script = r#"
        echo '{"type": "part", "text": "Good "}'
        echo '{"type": "progress", "progress": {"half": true}}'
        echo '{"type": "part", "text": "day"}'
        printf '{"type": "output", "output": %s}' "$(cat)"
    "#;
    let (parts, progress) = (Parts::new(call, to), Progress::new(call, heard));

    let reply = Backends::new()
        .call_telling(in_lines(script, true), Some(&parts), progress)
        .await;

    assert_eq!(output(reply.unwrap()), json!({"n": 7}));
    drop(parts);
    let mut said = String::new();
    while let Some((_, _, text)) = words.recv().await {
        said += &text;
    }
    assert_eq!(said, "Good day");
    assert_eq!(told.recv().await, Some((call, json!({"half": true}))));
}

#[tokio::test]
async fn words_that_nobody_wants_go_nowhere() {
    let (to, mut words) = mpsc::channel(1);
    let parts = Parts::new(CallId::new([7; 16]), to);
    let script = r#"
        for word in a b c d; do echo "{\"type\": \"part\", \"text\": \"$word\"}"; done
        echo '{"type": "output", "output": 4}'
    "#;

    let reply = Backends::new()
        .call_telling(in_lines(script, false), Some(&parts), Progress::default())
        .await;

    assert_eq!(output(reply.unwrap()), json!(4));
    drop(parts);
    assert!(words.recv().await.is_none());
}

#[tokio::test]
async fn what_a_program_says_wrongly_in_lines_is_refused() {
    let refused = [
        (
            r#"echo '{"type": "part", "text": "a"}'"#,
            "without a line of type `output`",
        ),
        ("echo '7'", "what it says while it works"),
        ("echo 'Good day'", "expected value"),
        (r#"echo '{"type": "shout", "text": "a"}'"#, "shout"),
        (
            r#"echo '{"type": "output", "output": 1}'; echo '{"type": "output", "output": 2}'"#,
            "more after its output",
        ),
    ];
    for (script, why) in refused {
        let reply = Backends::new().call(in_lines(script, true)).await;

        let Err(BackendError::BadOutput { reason }) = reply else {
            panic!("{script} is refused, and not {reply:?}");
        };
        assert!(reason.contains(why), "{script}: {reason}");
    }
}

#[tokio::test]
async fn a_failure_in_lines_has_the_category_that_it_names() {
    let script = r#"echo '{"type": "failure", "message": "full", "category": "transient", "retryAfterMs": 500}'"#;

    let reply = Backends::new().call(in_lines(script, true)).await;

    let Err(BackendError::Reported {
        message,
        category,
        retry_after_ms,
    }) = reply
    else {
        panic!("a failure, and not {reply:?}");
    };
    assert_eq!((message.as_str(), retry_after_ms), ("full", Some(500)));
    assert_eq!(category, Category::Transient);
}

#[tokio::test]
async fn a_program_that_fails_after_its_output_has_failed() {
    let script = r#"echo '{"type": "output", "output": 1}'; echo lost >&2; exit 3"#;

    let reply = Backends::new().call(in_lines(script, true)).await;

    assert!(
        matches!(&reply, Err(BackendError::Exit { code: Some(3), stderr }) if stderr == "lost"),
        "{reply:?}"
    );
}
