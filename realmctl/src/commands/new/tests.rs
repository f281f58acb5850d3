use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::cli::Global;

#[test]
fn a_new_loop_holds_a_program_that_answers_its_example() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Global {
        quiet: true,
        ..Global::default()
    });
    let command = NewCommand::Loop {
        id: "count".to_owned(),
        lang: Language::Sh,
        dir: dir.path().to_owned(),
    };

    run(&session, command).unwrap();

    let folder = dir.path().join("count");
    let input = fs::File::open(folder.join("in.json")).unwrap();
    let size = input.metadata().unwrap().len();
    let output = Command::new("sh")
        .arg("main.sh")
        .current_dir(&folder)
        .stdin(Stdio::from(input))
        .output()
        .unwrap();
    let output: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output, json!({ "bytes": size }));
}

#[test]
fn a_folder_that_exists_is_never_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Global {
        quiet: true,
        ..Global::default()
    });
    fs::create_dir(dir.path().join("taken")).unwrap();
    let command = |id: &str| NewCommand::Loop {
        id: id.to_owned(),
        lang: Language::Python,
        dir: dir.path().to_owned(),
    };

    assert!(matches!(
        run(&session, command("taken")),
        Err(Failure::File(..))
    ));
    assert_eq!(fs::read_dir(dir.path().join("taken")).unwrap().count(), 0);
    assert!(matches!(
        run(&session, command("../out")),
        Err(Failure::Usage(..))
    ));
}
