use realm_client::api::Problem;

use super::*;

#[test]
fn a_problem_is_told_with_code_place_and_a_command_that_helps() {
    let fault = Fault {
        file: Some("loop.yaml".to_owned()),
        line: Some(3),
        column: Some(7),
        rule: Some("loop.kind".to_owned()),
        message: "unknown kind `tol\u{1b}[31m`".to_owned(),
        hint: Some("did you mean `tool`?".to_owned()),
        snippet: Some("kind: tol".to_owned()),
        pointer: None,
    };
    let problem = Problem::new(Code::DefinitionRule, "1 fault, nothing was applied")
        .with_errors(vec![fault])
        .with_hint("realmctl validate loop.yaml");
    let failure = Failure::Client(ClientError::Problem(Box::new(problem)), "lab".to_owned());

    assert_eq!(
        tell(&failure),
        "error[RLM-0302]: 1 fault, nothing was applied\n  \
         loop.yaml:3:7: unknown kind `tol[31m` [loop.kind]\n    \
         3 | kind: tol\n    \
         help: did you mean `tool`?\n\
         help: realmctl validate loop.yaml\n"
    );
    assert_eq!(failure.exit(), 3);
}

#[test]
fn an_unreachable_daemon_is_told_with_the_command_that_starts_it() {
    let failure = Failure::Client(
        ClientError::Unreachable {
            place: "/x/realmd.sock".into(),
            why: Unreachable::StaleSocket,
            source: io::ErrorKind::ConnectionRefused.into(),
        },
        "lab".to_owned(),
    );

    let told = tell(&failure);

    assert!(
        told.starts_with("error[RLM-0502]: the daemon is not running"),
        "{told}"
    );
    assert!(told.ends_with("help: realmd run lab\n"), "{told}");
    assert_eq!(failure.exit(), 4);
}

#[test]
fn a_denied_call_ends_with_the_code_for_denied_and_names_the_reference() {
    let failure = Failure::Call(Box::new(CallError {
        code: "RLM-0106".to_owned(),
        name: "Denied".to_owned(),
        message: "lab/genomics does not permit it".to_owned(),
        details: Vec::new(),
        realm: Some("lab/genomics".to_owned()),
        reference: Some("d-1".to_owned()),
        retry_after_ms: None,
        help: None,
    }));

    assert_eq!(failure.exit(), 6);
    assert!(tell(&failure).ends_with("help: realmctl policy why d-1 (at lab/genomics)\n"));
}
