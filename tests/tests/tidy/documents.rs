//! Documents: decisions have a status, changes say something, and named tests and files exist.

use crate::repository::{Files, assert_complaints, assert_none, files, of};

const DECISIONS: &str = "docs/decisions/";
const INDEX: &str = "docs/decisions/README.md";
const UNRELEASED: &str = "docs/changes/unreleased/";
const SECURITY: &str = "docs/security.md";

/// Decisions are numbered without gaps, have a status, and stand in their index.
fn unfinished_decisions(files: &Files) -> Vec<String> {
    let decisions = files
        .iter()
        .filter(|(path, _)| path.starts_with(DECISIONS) && *path != INDEX);
    let index = files.get(INDEX).map_or("", String::as_str);
    let mut complaints = Vec::new();
    for (at, (path, text)) in decisions.enumerate() {
        let name = path.trim_start_matches(DECISIONS);
        if !name.starts_with(&format!("{:04}-", at + 1)) {
            complaints.push(format!("{path}: should be number {}", at + 1));
        }
        let status = text.lines().find_map(|line| line.strip_prefix("Status: "));
        let known = status.is_some_and(|status| {
            status.starts_with("accepted") || status.starts_with("superseded by ")
        });
        if !known {
            complaints.push(format!(
                "{path}: lacks `Status: accepted` or `superseded by`"
            ));
        }
        if !index.contains(&format!("({name})")) {
            complaints.push(format!("{INDEX}: lacks {name}"));
        }
    }
    complaints
}

fn empty_changes(files: &Files) -> Vec<String> {
    files
        .iter()
        .filter(|(path, _)| path.starts_with(UNRELEASED))
        .filter(|(path, text)| !path.ends_with(".md") || text.trim().is_empty())
        .map(|(path, _)| format!("{path}: a change is a .md file that says what it is"))
        .collect()
}

/// Documents name sources as `path/file.rs` and tests as `path/file.rs::name`.
fn names_of_nothing(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    let documents = files
        .iter()
        .filter(|(path, _)| path.starts_with("docs/") && path.ends_with(".md"));
    for (document, text) in documents {
        for (path, test) in names(text) {
            let found = files.get(path);
            let function = test.map(|test| format!("fn {test}("));
            match (found, function) {
                (None, _) => complaints.push(format!("{document}: no {path}")),
                (Some(text), Some(function)) if !text.contains(&function) => {
                    complaints.push(format!("{document}: no {function}…) in {path}"));
                }
                _ => {}
            }
        }
    }
    complaints
}

/// Gives what stands in code spans and is a path to a source, with the test where one is named.
fn names(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let spans = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    spans
        .map(|span| match span.split_once("::") {
            Some((path, test)) => (path, Some(test)),
            None => (span, None),
        })
        .filter(|(path, _)| path.ends_with(".rs") && path.contains('/'))
}

/// What an actor cannot do is shown by a test, or said to be without one.
fn promises_without_a_test(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut cannot = false;
    for promise in items(files.get(SECURITY).map_or("", String::as_str)) {
        match promise.as_str() {
            "cannot" => cannot = true,
            "" => cannot = false,
            promise => {
                let tested = promise.contains(".rs::") || promise.contains("no test yet");
                if cannot && !tested {
                    complaints.push(format!("{SECURITY}: no test is named: {promise}"));
                }
            }
        }
    }
    complaints
}

/// Joins the lines of each list item; "cannot" opens a list of promises and "" ends one.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        if line == "**cannot**" {
            items.push("cannot".to_owned());
        } else if line.starts_with("**") || line.starts_with('#') {
            items.push(String::new());
        } else if line.starts_with("- ") {
            items.push(line.to_owned());
        } else if let Some(item) = items.last_mut().filter(|item| item.starts_with("- ")) {
            item.push(' ');
            item.push_str(line.trim());
        }
    }
    items
}

#[test]
fn decisions_are_numbered_indexed_and_have_a_status() {
    assert_none(&unfinished_decisions(&files()));
}

#[test]
fn every_unreleased_change_says_what_it_is() {
    assert_none(&empty_changes(&files()));
}

#[test]
fn sources_and_tests_that_documents_name_exist() {
    assert_none(&names_of_nothing(&files()));
}

#[test]
fn what_an_actor_cannot_do_is_shown_by_a_test() {
    assert_none(&promises_without_a_test(&files()));
}

#[test]
fn a_decision_without_status_number_or_index_is_noticed() {
    let files = of(&[
        (INDEX, "[1](0001-a.md)"),
        ("docs/decisions/0001-a.md", "# A\n\nStatus: accepted\n"),
        ("docs/decisions/0003-b.md", "# B\n\nStatus: perhaps\n"),
        ("docs/changes/unreleased/c.md", "\n"),
    ]);
    let parts = ["should be number 2", "lacks `Status", "lacks 0003-b.md"];
    assert_complaints(&unfinished_decisions(&files), &parts);
    assert_complaints(&empty_changes(&files), &["c.md"]);
}

#[test]
fn names_of_missing_tests_and_promises_without_any_are_noticed() {
    let files = of(&[
        (
            SECURITY,
            "## A\n\n**can**\n\n- look\n\n**cannot**\n\n- touch\n  (`a/b.rs::c`)\n- smell\n\
             - taste (`a/b.rs::d`)\n- hear (`a/e.rs`)\n",
        ),
        ("a/b.rs", "fn c() {}"),
    ]);
    assert_complaints(&names_of_nothing(&files), &["no fn d(", "no a/e.rs"]);
    assert_complaints(&promises_without_a_test(&files), &["smell", "hear"]);
}
