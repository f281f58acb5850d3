//! The examples, each as it stands in its folder.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    limit::{output_within, skip},
    person::{Person, programs},
    sdk::client,
};

/// Longest an example may take: one takes 100,000 steps.
const LONGEST: Duration = Duration::from_secs(240);

/// Folders beside the examples that are none: containers, and libraries with tests of their own.
const WITHOUT: [&str; 3] = ["compose", "sdk-python", "sdk-typescript"];

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the examples find python3 by the path"
)]
fn every_example_runs_and_ends_well() {
    let python = Command::new("python3").arg("--version").output().is_ok();
    if !python {
        skip("some examples need python3: apt-get install python3");
    }
    let docker = Command::new("docker").arg("info").output();
    let engine = docker.is_ok_and(|docker| docker.status.success());
    if !engine {
        skip("container-agent needs a Docker engine: apt-get install docker.io");
    }
    let clients = [
        ("attached-python", "sdk-python"),
        ("attached-typescript", "sdk-typescript"),
    ];
    let missing: Vec<&str> = clients
        .into_iter()
        .filter_map(|(example, name)| client(name).is_none().then_some(example))
        .collect();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let folders = std::fs::read_dir(&examples).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let folders: BTreeSet<PathBuf> = folders.filter(|entry| entry.is_dir()).collect();
    let (runs, others): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) = folders
        .into_iter()
        .partition(|folder| folder.join("run").exists());
    let others: Vec<_> = others.iter().filter_map(|it| it.file_name()).collect();
    assert_eq!(others, WITHOUT, "an example is run by its `run`");
    for folder in runs {
        let needs_python = [
            "process-agent",
            "http-agent",
            "model",
            "mcp-host",
            "verify-python",
            "proof",
        ]
        .iter()
        .any(|name| folder.ends_with(name));
        let needs_engine = folder.ends_with("container-agent");
        let lacks = missing.iter().any(|name| folder.ends_with(name));
        if (needs_python && !python) || (needs_engine && !engine) || lacks {
            continue;
        }
        let person = Person::new();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", programs().display());
        let mut run = Command::new(folder.join("run"));
        let docker = std::env::var_os("DOCKER_HOST");
        run.env_clear()
            .envs(docker.map(|host| ("DOCKER_HOST", host)))
            .env("PATH", path)
            .env("HOME", person.dir())
            .env("TMPDIR", person.dir());

        let output = output_within(LONGEST, run, "");

        assert!(output.status.success(), "{}: {output:?}", folder.display());
        let said = String::from_utf8_lossy(&output.stdout);
        for why in said
            .lines()
            .filter_map(|line| line.strip_prefix("SKIPPED: "))
        {
            let name = folder.file_name().unwrap_or_default();
            skip(&format!("{}: {why}", name.display()));
        }
        assert!(
            !output.stdout.is_empty(),
            "{} says nothing",
            folder.display()
        );
    }
}
