//! Corpora between the text they are kept in and the folders that libFuzzer works on.
//!
//! `corpus unpack PARSER DIR` writes seeds and kept inputs, one file each. `corpus pack PARSER DIR`
//! keeps the inputs of the folder, the shortest first, and what was found before.
#![expect(
    clippy::expect_used,
    reason = "a tool of the fuzzing script, which shows what went wrong"
)]

use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

use realm_parsers::{
    Parser,
    corpus::{self, Input},
    find, seeds,
};
use realm_protocol::Digest;

/// Bytes of one corpus's text; what finds nothing new at this size is not kept.
const MOST_BYTES: usize = 64 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match words.as_slice() {
        ["unpack", name, folder] if let Some(parser) = find(name) => {
            unpack(parser, &root, Path::new(folder));
        }
        ["pack", name, folder] if let Some(parser) = find(name) => {
            pack(parser, &root, Path::new(folder));
        }
        _ => {
            eprintln!("usage: corpus unpack|pack PARSER DIR");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn kept(parser: &Parser, root: &Path) -> Vec<Input> {
    let text = fs::read_to_string(root.join(corpus::path(parser.name))).unwrap_or_default();
    corpus::read(&text).expect("a corpus")
}

fn unpack(parser: &Parser, root: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let kept = kept(parser, root).into_iter().map(|input| input.bytes);
    for input in seeds(parser, root).into_iter().chain(kept) {
        let name = Digest::of(&[&input]).to_string();
        fs::write(folder.join(name), input).expect("a file");
    }
}

fn pack(parser: &Parser, root: &Path, folder: &Path) {
    let mut inputs = kept(parser, root);
    inputs.retain(|input| input.found.is_some());
    let mut known: BTreeSet<Vec<u8>> = seeds(parser, root);
    known.extend(inputs.iter().map(|input| input.bytes.clone()));
    let entries = fs::read_dir(folder).expect("a folder");
    let mut new: Vec<Vec<u8>> = entries
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("a file"))
        .filter(|bytes| !known.contains(bytes))
        .collect();
    new.sort_by_key(|bytes| (bytes.len(), bytes.clone()));
    let mut left = MOST_BYTES.saturating_sub(corpus::write(inputs.clone()).len());
    for bytes in new {
        let input = Input { bytes, found: None };
        let size = corpus::write(vec![input.clone()]).len();
        let Some(rest) = left.checked_sub(size) else {
            break;
        };
        left = rest;
        inputs.push(input);
    }
    let path = root.join(corpus::path(parser.name));
    fs::write(path, corpus::write(inputs)).expect("a file");
}
