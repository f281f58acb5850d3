//! Commands: what a caller may choose of them, and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use realm_executor::{Body, Commands, Manifest, Problem, ToldSchema, Tool, load};
use realm_protocol::limits;
use serde_json::{Value, json};

const RUNBOOK: &str = "\
id: runbook
version: 1.0.0
kind: tool
tool:
  implementation: commands
  config:
    commands:
      restart:
        description: Restarts a service.
        argv: [systemctl, restart, {argument: service}]
        arguments: {service: {type: string, maxLength: 10000}}
      tail:
        argv: [tail, -n, {argument: lines}, app.log]
        arguments: {lines: {type: integer, minimum: -5, maximum: 500}}
      find:
        argv: [grep, {argument: flag, dash: true}, --, {argument: words}, app.log]
        arguments: {flag: {enum: [-i, -w], type: string}, words: {type: string}}
    sandbox: strict
";

fn read(text: &str) -> Result<Manifest, Vec<Problem>> {
    let loaded = load("/srv/runbook.yaml", text, &|_| None)?;
    Ok(loaded.loops.into_iter().next().unwrap())
}

fn commands(manifest: &Manifest) -> &Commands {
    match &manifest.body {
        Body::Tool(Tool::Commands(commands)) => commands,
        other => panic!("no commands: {other:?}"),
    }
}

fn fill(input: Value) -> Result<Vec<String>, Vec<String>> {
    commands(&read(RUNBOOK).unwrap()).argv(&input)
}

#[test]
fn an_argument_is_one_word_whatever_it_holds() {
    let hostile = [
        "",
        " ",
        "web queue",
        "web; rm -rf /",
        "$(reboot)",
        "`reboot`",
        "web && reboot | sh > /etc/passwd",
        "\"web\" 'queue'",
        "web\nreboot\r\n",
        "{argument: service}",
        "{{service}}",
        "${PATH}",
        "*",
        "~root",
        "\\",
        "\u{202e}bew",
        "+x",
        "@file",
    ];

    for service in hostile {
        let argv = fill(json!({"command": "restart", "service": service})).unwrap();

        assert_eq!(argv, ["systemctl", "restart", service]);
    }
}

#[test]
fn an_argument_becomes_an_option_only_where_the_command_lets_it() {
    for option in ["-f", "--force", "-", "--"] {
        let faults = fill(json!({"command": "restart", "service": option})).unwrap_err();

        assert_eq!(
            faults,
            [
                "/service: begins with `-`, which would make it an option; the command does not let it"
            ]
        );
    }
    assert!(fill(json!({"command": "tail", "lines": -5})).is_err());
    let argv = fill(json!({"command": "find", "flag": "-i", "words": "-e"})).unwrap();
    assert_eq!(argv, ["grep", "-i", "--", "-e", "app.log"]);
}

#[test]
fn what_no_argument_can_be_is_refused_with_its_place() {
    let long = "x".repeat(limits::ARGUMENT_BYTES + 1);
    let cases = [
        (json!("a\0b"), "/service: no argument holds a NUL"),
        (json!(long), "/service: an argument has at most 8192 bytes"),
        (
            json!(["a", "b"]),
            "/service: an argument is a text or a whole number",
        ),
        (
            json!({"a": 1}),
            "/service: an argument is a text or a whole number",
        ),
        (
            json!(1.5),
            "/service: an argument is a text or a whole number",
        ),
        (
            json!(true),
            "/service: an argument is a text or a whole number",
        ),
        (
            json!(null),
            "/service: an argument is a text or a whole number",
        ),
    ];

    for (service, fault) in cases {
        let faults = fill(json!({"command": "restart", "service": service})).unwrap_err();

        assert_eq!(faults, [fault]);
    }
    let none = fill(json!({"command": "rm", "service": "web"})).unwrap_err();
    assert_eq!(none, ["/command: one of find, restart, tail"]);
}

#[test]
fn the_contract_follows_from_the_commands_and_says_what_is_allowed() {
    let manifest = read(RUNBOOK).unwrap();
    let schema = ToldSchema::new(manifest.input_schema.clone());
    let faults = |input: Value| schema.check(&input).unwrap_err().join("; ");

    assert_eq!(
        schema.check(&json!({"command": "tail", "lines": 20})),
        Ok(())
    );
    let unknown = faults(json!({"command": "rm"}));
    assert!(
        unknown.contains(r#"/command: "rm" is not one of "find", "restart" or "tail""#),
        "{unknown}"
    );
    let large = faults(json!({"command": "tail", "lines": 501}));
    assert!(
        large.contains("/lines: 501 is greater than the maximum of 500"),
        "{large}"
    );
    let missing = faults(json!({"command": "tail"}));
    assert!(
        missing.contains("\"lines\" is a required property"),
        "{missing}"
    );
    let more = faults(json!({"command": "tail", "lines": 1, "service": "web"}));
    assert!(more.contains("'service' was unexpected"), "{more}");
    assert!(schema.check(&json!({"lines": 1})).is_err());
}

#[test]
fn commands_are_read_back_as_they_were_written() {
    let manifest = read(RUNBOOK).unwrap();

    let document = manifest.to_json();

    assert_eq!(document.get("inputSchema"), None);
    assert_eq!(Manifest::from_json(&document).unwrap(), manifest);
    assert_eq!(commands(&manifest).cwd.as_deref(), Some("/srv"));
}

#[test]
fn commands_that_callers_could_bend_are_refused_where_they_stand() {
    let cases = [
        (
            "argv: [{argument: service}]",
            "argv names a program first, which is not of the input",
        ),
        (
            "argv: []",
            "argv names a program first, which is not of the input",
        ),
        (
            "argv: [systemctl, {argument: unit}, {argument: service}]",
            "the argument `unit` has no schema",
        ),
        (
            "argv: [systemctl, restart]",
            "no element of argv is the argument `service`",
        ),
        (
            "argv: [systemctl, {argument: service, shell: true}]",
            "`shell` is not known here",
        ),
    ];
    for (argv, what) in cases {
        let text = RUNBOOK.replace("argv: [systemctl, restart, {argument: service}]", argv);

        let problems = read(&text).unwrap_err();

        let told = |problem: &Problem| problem.what == what && problem.line == 10;
        assert!(problems.iter().any(told), "{problems:?}");
    }
    for (from, to, what) in [
        (
            "{type: string, maxLength: 10000}",
            "{maxLength: 10}",
            "an argument's schema says `type: string` or `type: integer`",
        ),
        (
            "kind: tool\n",
            "kind: tool\ninputSchema: {}\n",
            "`inputSchema` of commands follows from them",
        ),
        (
            "      restart:\n",
            "      \"re start\":\n",
            "`re start` is no name: 1 to 64 of letters, digits and `-_.`",
        ),
    ] {
        let problems = read(&RUNBOOK.replace(from, to)).unwrap_err();

        assert_eq!(problems[0].what, what);
    }
}
