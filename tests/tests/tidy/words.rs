//! Words: the repository speaks of the project alone, and says nothing it means to do later.

use crate::repository::{Files, assert_complaints, assert_none, files, of};

/// This file holds the words themselves.
const HERE: &str = "tests/tests/tidy/words.rs";

/// What belongs to the making and not to the thing made, in lower case.
const OFF_STAGE: [&str; 14] = [
    "/work/",
    "as discussed",
    "as instructed",
    "as requested",
    "co-authored-by",
    "first issue",
    "fixme",
    "issue #",
    "next issue",
    "second issue",
    "shared/design",
    "the brief",
    "todo:",
    "todo(",
];

fn words_off_stage(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| *path != HERE) {
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            if let Some(word) = OFF_STAGE.iter().find(|word| line.contains(**word)) {
                complaints.push(format!("{path}:{}: {word:?}", number + 1));
            }
        }
    }
    complaints
}

#[test]
fn the_repository_speaks_of_the_project_alone() {
    assert_none(&words_off_stage(&files()));
}

#[test]
fn words_about_the_making_are_noticed() {
    let files = of(&[(
        "src/lib.rs",
        "//! Fine.\n// As discussed, later.\n// TODO: more\n",
    )]);
    assert_complaints(&words_off_stage(&files), &["lib.rs:2", "lib.rs:3"]);
}
