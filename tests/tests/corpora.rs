//! Every input that a fuzzer kept, and every seed it began with, against every promise again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use realm_parsers::{PARSERS, corpus, seeds};

/// Bytes of all corpora together.
const MOST_BYTES: usize = 3 * 1024 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_kept_input_and_every_seed_keeps_every_promise() {
    let mut broken = Vec::new();
    for parser in PARSERS {
        let text = fs::read_to_string(root().join(corpus::path(parser.name))).unwrap();
        let kept = corpus::read(&text).unwrap().into_iter();
        let kept: Vec<Vec<u8>> = kept.map(|input| input.bytes).collect();
        for input in seeds(parser, &root()).into_iter().chain(kept) {
            if catch_unwind(|| (parser.judge)(&input)).is_err() {
                broken.push(format!("{}: {}", parser.name, input.escape_ascii()));
            }
        }
    }

    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_parser_has_a_fuzz_target_and_a_corpus_and_there_are_no_others() {
    let names: BTreeSet<String> = PARSERS
        .iter()
        .map(|parser| parser.name.to_owned())
        .collect();

    assert!(names.len() >= 14);
    assert_eq!(stems("tests/fuzz/fuzz_targets"), names);
    assert_eq!(stems("tests/fuzz/corpora"), names);
}

#[test]
fn corpora_are_written_as_they_are_read_and_stay_small() {
    let mut bytes = 0;
    for parser in PARSERS {
        let text = fs::read_to_string(root().join(corpus::path(parser.name))).unwrap();
        bytes += text.len();

        assert_eq!(
            corpus::write(corpus::read(&text).unwrap()),
            text,
            "{}",
            parser.name
        );
    }

    assert!(bytes <= MOST_BYTES, "{bytes} bytes of corpora");
}

fn stems(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}
