//! Source files: how long, how named.

use std::collections::BTreeMap;

use crate::repository::{Files, assert_complaints, assert_none, files, of};

/// Past this a file is split.
const MOST_LINES: usize = 600;

/// Files that may be longer, up to how many lines, and why.
const LONGER: &[(&str, usize, &str)] = &[];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "utils", "util", "helpers", "helper", "common", "manager", "managers", "misc",
];

/// Gives the sources of the product, each up to the tests that stand in the same file.
pub(crate) fn product(files: &Files) -> BTreeMap<&str, &str> {
    let tests: Vec<String> = files.iter().flat_map(test_modules).collect();
    let is_product = |path: &str| {
        let named_test = path.starts_with("tests/") || path.contains("/tests/");
        let declared_test = || tests.iter().any(|test| path.starts_with(test));
        path.ends_with(".rs") && path.contains("/src/") && !named_test && !declared_test()
    };
    files
        .iter()
        .filter(|(path, _)| is_product(path))
        .map(|(path, text)| (path.as_str(), before_tests(text)))
        .collect()
}

fn before_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
}

/// Gives `path/name.rs` and `path/name/` for every `name` that a file declares for tests alone.
fn test_modules((path, text): (&String, &String)) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or_default();
    let inside = match file {
        "lib.rs" | "main.rs" => folder.to_owned(),
        file => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    text.split("#[cfg(test)]\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("mod ")?.1.split_once(';'))
        .filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .flat_map(|(name, _)| [format!("{inside}/{name}.rs"), format!("{inside}/{name}/")])
        .collect()
}

fn long_files(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in product(files) {
        let exception = LONGER.iter().find(|(longer, _, _)| *longer == path);
        let most = exception.map_or(MOST_LINES, |(_, most, _)| *most);
        let lines = text.lines().count();
        if lines > most {
            complaints.push(format!("{path}: {lines} lines, at most {most}"));
        } else if exception.is_some() && lines <= MOST_LINES {
            complaints.push(format!("{path}: needs no exception any more"));
        }
    }
    complaints
}

fn misnamed_modules(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for path in files.keys().filter(|path| path.ends_with(".rs")) {
        let parts = path.trim_end_matches(".rs").split('/');
        for part in parts {
            if part == "mod" {
                complaints.push(format!("{path}: write name.rs beside name/"));
            } else if EMPTY_NAMES.contains(&part) {
                complaints.push(format!("{path}: {part} says nothing about what is inside"));
            }
        }
    }
    complaints
}

/// Scripts stop at the first failure, of a pipe too.
fn careless_scripts(files: &Files) -> Vec<String> {
    files
        .iter()
        .filter(|(path, _)| path.starts_with("scripts/") || path.starts_with(".ci/"))
        .filter(|(_, text)| {
            text.starts_with("#!") && text.lines().next() != Some("#!/usr/bin/env python3")
        })
        .filter(|(_, text)| !text.contains("\nset -euo pipefail\n"))
        .map(|(path, _)| format!("{path}: lacks `set -euo pipefail`"))
        .collect()
}

#[test]
fn product_files_are_short() {
    assert_none(&long_files(&files()));
}

#[test]
fn modules_are_named_after_what_they_hold() {
    assert_none(&misnamed_modules(&files()));
}

#[test]
fn scripts_stop_at_the_first_failure() {
    assert_none(&careless_scripts(&files()));
}

#[test]
fn a_file_that_is_too_long_is_noticed_and_its_tests_are_not_counted() {
    let long = "x\n".repeat(MOST_LINES + 1);
    let tested = format!("x\n\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    let files = of(&[
        ("a/src/long.rs", &long),
        ("a/src/tested.rs", &tested),
        ("a/src/lib.rs", "#[cfg(test)]\nmod samples;\n"),
        ("a/src/samples.rs", &long),
        ("a/tests/long.rs", &long),
    ]);
    assert_complaints(&long_files(&files), &["a/src/long.rs: 601 lines"]);
}

#[test]
fn names_without_content_are_noticed() {
    let files = of(&[
        ("a/src/mod.rs", ""),
        ("a/src/utils/text.rs", ""),
        ("a/src/module.rs", ""),
    ]);
    assert_complaints(&misnamed_modules(&files), &["name.rs", "utils says"]);
}

#[test]
fn a_script_that_goes_on_after_a_failure_is_noticed() {
    let files = of(&[("scripts/a", "#!/bin/sh\nfalse\ntrue\n")]);
    assert_complaints(&careless_scripts(&files), &["scripts/a"]);
}
