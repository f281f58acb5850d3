//! Commands, real ones: what they print and how they end.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;

use realm_backends::{Backends, ProcessRules};
use realm_executor::{BackendError, BackendOutput, BackendRequest, SandboxLevel};
use realm_protocol::{CallId, limits};
use serde_json::{Value, json};

fn command(argv: &[&str], timeout_ms: u64) -> BackendRequest {
    BackendRequest::Command {
        argv: argv.iter().map(ToString::to_string).collect(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        key: CallId::new([7; 16]),
        cwd: None,
        sandbox: Box::default(),
        timeout_ms,
    }
}

async fn run(argv: &[&str]) -> Value {
    let reply = Backends::new().call(command(argv, 20_000)).await.unwrap();
    match reply.output {
        BackendOutput::Json(output) => output,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_word_reaches_the_program_as_it_is() {
    let hostile = [
        "a b",
        "'\"",
        "; reboot",
        "$(reboot)",
        "`reboot`",
        "a\nb",
        "*",
        "",
        "\\",
        "--",
        "-e",
        "%s",
    ];
    let mut argv = vec!["printf", "[%s]"];
    argv.extend(hostile);

    let output = run(&argv).await;

    let expected: String = hostile.iter().map(|word| format!("[{word}]")).collect();
    assert_eq!(
        output,
        json!({"exitCode": 0, "stdout": expected, "stderr": "", "truncated": false})
    );
}

#[tokio::test]
async fn an_exit_code_is_an_answer_and_a_signal_is_a_failure() {
    let output = run(&["sh", "-c", "echo out; echo err >&2; exit 3"]).await;
    assert_eq!(
        output,
        json!({"exitCode": 3, "stdout": "out\n", "stderr": "err\n", "truncated": false})
    );

    let killed = command(&["sh", "-c", "echo bye >&2; kill -SEGV $$"], 20_000);
    let error = Backends::new().call(killed).await.unwrap_err();
    assert_eq!(error.to_string(), "the process was ended by SIGSEGV: bye");
}

#[tokio::test]
async fn a_flood_is_read_to_its_end_and_told_as_cut() {
    let script = "head -c 9000000 /dev/zero | tr '\\0' x; head -c 90000 /dev/zero | tr '\\0' y >&2; echo z >&2";

    let output = run(&["sh", "-c", script]).await;

    let length = |name: &str| output[name].as_str().unwrap().len();
    assert_eq!(length("stdout"), limits::COMMAND_BYTES);
    assert_eq!(length("stderr"), limits::COMMAND_BYTES);
    assert!(output["stderr"].as_str().unwrap().ends_with("yz\n"));
    assert_eq!(output["truncated"], true);
    assert_eq!(output["exitCode"], 0);
}

#[tokio::test]
async fn bytes_that_are_no_text_and_a_closed_input_harm_nobody() {
    let output = run(&["sh", "-c", "cat; printf '\\377\\000ok'"]).await;

    assert_eq!(output["stdout"], "\u{fffd}\0ok");
}

#[tokio::test]
async fn a_command_that_does_not_end_is_ended_with_what_it_left_behind() {
    let error = Backends::new()
        .call(command(&["sh", "-c", "sleep 60 & sleep 60"], 200))
        .await
        .unwrap_err();

    assert_eq!(error, BackendError::Timeout { after_ms: 200 });
}

#[tokio::test]
async fn the_owners_list_of_programs_holds_for_commands() {
    let backends = Backends::new();
    backends.set_rules(ProcessRules {
        allow: vec!["uptime".to_owned()],
        least: SandboxLevel::None,
    });

    let error = backends.call(command(&["printf", "x"], 5_000)).await;

    let refused = error.unwrap_err();
    assert!(refused.to_string().contains("processes.allow"), "{refused}");
}
