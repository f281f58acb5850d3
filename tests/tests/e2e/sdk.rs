//! The clients in other languages: they say what the API says, and keep one contract.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    api::start_listening,
    limit::{output_within, skip},
    person::Person,
};

/// Longest that a client's packages may take to install, and its contract to run.
const LONGEST: Duration = Duration::from_secs(180);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds a client with what it needs; none where that is not to be had, which is said.
pub(crate) fn client(name: &str) -> Option<PathBuf> {
    let folder = repository().join("examples").join(name);
    let built = output_within(LONGEST, Command::new(folder.join("build")), "");
    if built.status.success() {
        return Some(folder);
    }
    let why = String::from_utf8_lossy(&built.stderr).into_owned();
    skip(&format!(
        "examples/{name}/build installs no packages: {why}"
    ));
    None
}

#[test]
fn clients_are_written_from_the_document_of_the_api() {
    let mut check = Command::new(repository().join("scripts/sdk"));
    check.arg("--check");

    let checked = output_within(LONGEST, check, "");

    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn every_client_keeps_the_contract() {
    let file = repository().join("tests/sdk/contract.json");
    let contract: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let person = Person::new();
    let market = person.realm("market");
    for (at, parent) in contract["parent"].as_array().unwrap().iter().enumerate() {
        let file = person.write(&format!("parent-{at}.json"), &parent.to_string());
        person
            .ctl(&format!("-r market apply -f {}", file.display()))
            .ok();
    }
    person.ctl("init lab").ok();
    let home = person.home("lab");
    let token = person.agent_token(&home, "contract");
    let (lab, address) = start_listening(&person, &home);
    let ticket = person.ctl("-r market invite lab").ok();
    person.ctl_with("-r lab join -", &ticket).ok();
    person.ctl("-r lab allow agent=contract invoke echo").ok();
    let clients = [
        ("sdk-python", ".venv/bin/python", "contract.py"),
        ("sdk-typescript", "node", "dist/contract.js"),
    ];
    let built = clients.map(|(name, ..)| client(name));
    let there = built.iter().flatten().count();
    assert!(
        there == 0 || there == clients.len(),
        "packages are to be had, and not every client is built: {built:?}"
    );

    for ((name, program, script), folder) in clients.into_iter().zip(built) {
        let Some(folder) = folder else {
            continue;
        };
        let program = match program.strip_prefix('.') {
            Some(_) => folder.join(program),
            None => program.into(),
        };
        let mut run = person.command(program.to_str().unwrap());
        run.arg(folder.join(script))
            .arg(&file)
            .env("REALM_HOME", lab.home())
            .env("CONTRACT_URL", format!("http://{address}"))
            .env("CONTRACT_TOKEN", &token);

        let output = output_within(LONGEST, run, "");

        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}{output:?}");
    }
    lab.stop();
    market.stop();
}

#[test]
fn generated_clients_compile_and_call() {
    let (Some(python), Some(typescript)) = (client("sdk-python"), client("sdk-typescript")) else {
        return;
    };
    let person = Person::new();
    let lab = person.realm("lab");
    let definition = repository().join("examples/process-agent/loop.yaml");
    person
        .ctl(&format!("apply -f {}", definition.display()))
        .ok();
    person.ctl("generate --lang python --out loops.py").ok();
    person.ctl("generate --lang typescript --out loops.ts").ok();
    let calls = "from loops import DescribeSequenceInput, Loops\n\
                 from realm_sdk import Realm\n\
                 with Realm() as realm:\n    \
                 asked = DescribeSequenceInput(sequence=\"GATTACA\")\n    \
                 print(Loops(realm).describe_sequence(asked).length)\n";
    let script = person.write("calls.py", calls);

    let mut compile = person.command("node");
    compile
        .arg(typescript.join("node_modules/typescript/bin/tsc"))
        .args(["--noEmit", "--strict", "--target", "es2022"])
        .arg(person.dir().join("loops.ts"));
    let compiled = output_within(LONGEST, compile, "");
    let mut call = person.command(python.join(".venv/bin/python").to_str().unwrap());
    call.arg(script)
        .env("PYTHONPATH", &python)
        .env("REALM_HOME", lab.home());
    let called = output_within(LONGEST, call, "");

    assert!(compiled.status.success(), "{compiled:?}");
    assert!(called.status.success(), "{called:?}");
    assert_eq!(String::from_utf8_lossy(&called.stdout).trim(), "7");
    lab.stop();
}
