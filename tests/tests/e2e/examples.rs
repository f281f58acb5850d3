//! The examples, each as it stands in its folder.

use std::{path::Path, process::Command};

use crate::{
    limit::{PATIENCE, output_within, skip},
    person::{Person, programs},
};

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the examples find python3 by the path"
)]
fn every_example_runs_and_ends_well() {
    let python = Command::new("python3").arg("--version").output().is_ok();
    if !python {
        skip("two examples need python3: apt-get install python3");
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut ran = 0;
    for entry in std::fs::read_dir(&examples).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("run").exists() || (!python && !folder.ends_with("hello")) {
            continue;
        }
        let person = Person::new();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", programs().display());
        let mut run = Command::new(folder.join("run"));
        run.env_clear()
            .env("PATH", path)
            .env("HOME", person.dir())
            .env("TMPDIR", person.dir());

        let output = output_within(PATIENCE, run, "");

        assert!(output.status.success(), "{}: {output:?}", folder.display());
        assert!(
            !output.stdout.is_empty(),
            "{} says nothing",
            folder.display()
        );
        ran += 1;
    }
    assert!(ran >= 1);
}
