//! The edits of `tests/defences`, which `scripts/defences` takes defences out with, fit the code.

use crate::repository::{Files, assert_complaints, assert_none, files, of};

#[test]
fn every_edit_that_takes_a_defence_out_fits_the_code_and_stands_in_the_documents() {
    let files = files();
    let edits = files.keys().filter(|path| is_edit(path)).count();

    assert!(edits >= 10, "only {edits} defences are tried");
    assert_none(&stale(&files));
}

#[test]
fn an_edit_that_no_longer_fits_is_found() {
    let edit = "what: it\nfile: a.rs\ntest: -p a b\n-if bad {\n+if false {\n";
    let in_row = |row, code| {
        let doc = ("docs/security.md", row);
        of(&[("tests/defences/01-it.edit", edit), ("a.rs", code), doc])
    };
    let with = |code| in_row("`a.rs` `b` `tests/defences/01-it.edit`", code);
    let test = "fn b() {}\n";
    let once = format!("{test}    if bad {{\n");
    let twice = format!("{once}if bad {{\n");

    assert_none(&stale(&with(&once)));
    assert_complaints(&stale(&with(&twice)), &["2 lines"]);
    assert_complaints(&stale(&with("if bad {\n")), &["no test"]);
    assert_complaints(&stale(&with(test)), &["0 lines"]);
    let elsewhere = in_row("`b.rs` `b` `tests/defences/01-it.edit`\n`a.rs`", &once);
    assert_complaints(&stale(&elsewhere), &["no row"]);
}

fn is_edit(path: &str) -> bool {
    path.starts_with("tests/defences/") && path.ends_with(".edit")
}

/// What each edit names that is not there.
fn stale(files: &Files) -> Vec<String> {
    let edits = files.iter().filter(|(path, _)| is_edit(path));
    edits
        .flat_map(|(path, edit)| complaints(files, path, edit))
        .collect()
}

fn complaints(files: &Files, path: &str, edit: &str) -> Vec<String> {
    let field = |start: &str| edit.lines().find_map(|line| line.strip_prefix(start));
    let (Some(file), Some(old), Some(test)) = (field("file: "), field("-"), field("test: ")) else {
        return vec![format!("{path}: lacks its file, its test or its line")];
    };
    let mut complaints = Vec::new();
    let lines = files.get(file).map_or("", String::as_str).lines();
    let fitting = lines.filter(|line| line.trim() == old).count();
    if fitting != 1 {
        complaints.push(format!("{path}: {file} has {fitting} lines `{old}`"));
    }
    let name = test.split(' ').next_back().unwrap_or_default();
    let defined = format!("fn {name}()");
    if !files.values().any(|text| text.contains(&defined)) {
        complaints.push(format!("{path}: there is no test {name}"));
    }
    let mut listed = files
        .get("docs/security.md")
        .map_or("", String::as_str)
        .lines();
    let row = [path, file, name].map(|it| format!("`{it}`"));
    if !listed.any(|line| row.iter().all(|it| line.contains(it))) {
        complaints.push(format!(
            "{path}: docs/security.md has no row of it with {file} and {name}"
        ));
    }
    complaints
}
