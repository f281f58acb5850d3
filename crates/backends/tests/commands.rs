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

/// What becomes of a command under these rules.
async fn under(
    (allow, least): (&[&str], SandboxLevel),
    argv: &[&str],
    variable: Option<&str>,
) -> Result<(), String> {
    let backends = Backends::new();
    backends.set_rules(ProcessRules {
        allow: allow.iter().map(ToString::to_string).collect(),
        least,
    });
    let mut asked = command(argv, 20_000);
    if let BackendRequest::Command { env, .. } = &mut asked {
        env.extend(variable.map(|name| (name.to_owned(), "/nowhere".to_owned())));
    }
    let ended = backends.call(asked).await;
    ended.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_owners_list_of_programs_holds_for_commands() {
    let listed: &[&str] = &["printf", "/bin/true", "./true"];
    let rules = (listed, SandboxLevel::None);

    for argv in [["printf", "x"], ["/bin/true", "x"]] {
        assert_eq!(under(rules, &argv, None).await, Ok(()));
    }
    // From the loop's own folder, it is whatever lies there.
    for argv in [["uptime", "x"], ["/usr/bin/printf", "x"], ["./true", "x"]] {
        let refused = under(rules, &argv, None).await.unwrap_err();
        assert!(refused.contains("processes.allow"), "{refused}");
    }
}

#[tokio::test]
async fn no_variable_makes_another_program_of_one_that_the_owner_lets_run() {
    let bound: [(&[&str], SandboxLevel); 2] =
        [(&["true"], SandboxLevel::None), (&[], SandboxLevel::Basic)];
    for rules in bound {
        for name in ["PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV"] {
            let refused = under(rules, &["true"], Some(name)).await.unwrap_err();
            assert!(refused.contains("decides what code runs"), "{refused}");
        }
        assert_eq!(under(rules, &["true"], Some("LANG")).await, Ok(()));
    }
    let unbound = (&[] as &[&str], SandboxLevel::None);
    assert_eq!(under(unbound, &["/bin/true"], Some("PATH")).await, Ok(()));
}

#[tokio::test]
async fn what_the_owner_configures_runs_whatever_loops_may() {
    let backends = Backends::new();
    backends.set_rules(ProcessRules {
        allow: vec!["true".to_owned()],
        least: SandboxLevel::Strict,
    });

    let ended = backends
        .call_for_owner(command(&["printf", "x"], 20_000))
        .await;

    assert!(ended.is_ok(), "{ended:?}");
}
