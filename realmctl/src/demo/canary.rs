//! The secret in the patient's record, and the search for traces of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};

use super::random;
use crate::failure::Failure;

/// Random bytes behind the text.
const RANDOM: usize = 36;
/// This many bytes in a row are a trace.
const RUN: usize = 16;
/// Characters of base64 that such a run fixes, however it is aligned.
const RUN_BASE64: usize = 20;

/// A text that exists nowhere else, and every form in which a part of it would be recognised.
#[derive(Debug)]
pub(super) struct Canary {
    text: String,
    /// Forms of every run, by their length.
    needles: BTreeMap<usize, BTreeSet<Vec<u8>>>,
    /// Whether a needle begins with these two bytes.
    begins: Vec<bool>,
}

impl Canary {
    /// Makes one of the system's randomness.
    pub(super) fn new() -> Result<Self, Failure> {
        let random = random::bytes::<RANDOM>()?;
        Ok(Self::of(BASE64URL_NOPAD.encode(&random)))
    }

    fn of(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut needles: BTreeMap<usize, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let mut add = |form: &[u8], length: usize| {
            let runs = form.windows(length).map(<[u8]>::to_vec);
            needles.entry(length).or_default().extend(runs);
        };
        add(bytes, RUN);
        for encoding in [&HEXLOWER, &HEXUPPER] {
            add(encoding.encode(bytes).as_bytes(), 2 * RUN);
        }
        for encoding in [&BASE64, &BASE64URL] {
            for before in 0..3 {
                add(&aligned(encoding, before, bytes), RUN_BASE64);
            }
        }
        let mut begins = vec![false; 1 << 16];
        for needle in needles.values().flatten() {
            if let Some(begin) = pair(needle).and_then(|pair| begins.get_mut(pair)) {
                *begin = true;
            }
        }
        Self {
            text,
            needles,
            begins,
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a run of the text is there, in any form.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        let pairs = bytes.windows(2).enumerate();
        let mut hits = pairs.filter(|(_, window)| {
            let begins = pair(window).and_then(|pair| self.begins.get(pair));
            begins.copied().unwrap_or(false)
        });
        hits.any(|(at, _)| self.starts_at(bytes, at))
    }

    fn starts_at(&self, bytes: &[u8], at: usize) -> bool {
        self.needles.iter().any(|(length, needles)| {
            let window = bytes.get(at..at.saturating_add(*length));
            window.is_some_and(|window| needles.contains(window))
        })
    }

    /// Searches a file, or every file below a folder; sockets and the like hold nothing.
    pub(super) fn search(&self, path: &Path, found: &mut Search) -> Result<(), Failure> {
        let failed = |error| Failure::File(path.to_owned(), error);
        let kind = fs::symlink_metadata(path).map_err(failed)?.file_type();
        if kind.is_dir() {
            for entry in fs::read_dir(path).map_err(failed)? {
                self.search(&entry.map_err(failed)?.path(), found)?;
            }
        } else if kind.is_file() {
            match fs::read(path) {
                Ok(bytes) => {
                    found.files += 1;
                    found.bytes += bytes.len();
                    if self.is_in(&bytes) {
                        found.traces.push(path.display().to_string());
                    }
                }
                // A daemon at work renames and removes files of its own.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}

/// What a search of files came to.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Files read.
    pub(super) files: usize,
    /// Bytes in them.
    pub(super) bytes: usize,
    /// Files with a trace.
    pub(super) traces: Vec<String>,
}

/// The characters that the text alone decides when `before` other bytes precede it.
fn aligned(encoding: &Encoding, before: usize, text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(text);
    let first = (before * 8).div_ceil(6);
    let whole = bytes.len() * 8 / 6;
    let encoded = encoding.encode(&bytes).into_bytes();
    encoded.get(first..whole).unwrap_or_default().to_vec()
}

fn pair(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [first, second, ..] => Some(usize::from(*first) << 8 | usize::from(*second)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_of_sixteen_bytes_is_found_in_every_form_and_at_every_alignment() {
        let canary = Canary::of("Xq7-zP0_aB9cD8eF6gH5iJ4kL3mN2oQ1rS0tU9vW8xY7zZ6A".to_owned());
        for run in canary.text().as_bytes().windows(RUN) {
            for before in 0..4 {
                let mut bytes = vec![b'{'; before];
                bytes.extend_from_slice(run);
                bytes.extend_from_slice(b"\"}");
                assert!(canary.is_in(&bytes));
                for encoding in [HEXLOWER, HEXUPPER, BASE64, BASE64URL] {
                    let text = format!("<{}>", encoding.encode(&bytes));
                    assert!(canary.is_in(text.as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn fifteen_bytes_are_no_trace() {
        let canary = Canary::of("Xq7-zP0_aB9cD8eF6gH5iJ4kL3mN2oQ1rS0tU9vW8xY7zZ6A".to_owned());
        let run = canary.text().get(7..22).unwrap();

        assert!(!canary.is_in(run.as_bytes()));
        assert!(!canary.is_in(HEXLOWER.encode(run.as_bytes()).as_bytes()));
    }

    #[test]
    fn a_trace_is_found_however_deep_its_file_lies() {
        let canary = Canary::of("Xq7-zP0_aB9cD8eF6gH5iJ4kL3mN2oQ1rS0tU9vW8xY7zZ6A".to_owned());
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("clean"), "nothing").unwrap();
        fs::write(
            deep.join("dirty"),
            HEXUPPER.encode(canary.text().as_bytes()),
        )
        .unwrap();

        let mut found = Search::default();
        canary.search(dir.path(), &mut found).unwrap();

        assert_eq!(found.files, 2);
        assert_eq!(found.traces, [deep.join("dirty").display().to_string()]);
    }
}
