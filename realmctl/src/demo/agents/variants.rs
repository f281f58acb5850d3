//! The laboratory's child process: calls variants in a patient's reads.
//!
//! Every read is laid where it fits the reference best, the bases are counted position by
//! position, and a position where most reads agree on another base is a variant.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
};

use serde::{Deserialize, Serialize};

use crate::{failure::Failure, output, session::Session};

/// Bytes of input at most.
const INPUT_BYTES: u64 = 1024 * 1024;
/// One mismatch in so many bases is a bad read, which is left out.
const MISMATCH_IN: usize = 5;
/// Reads that must agree on a variant.
const SUPPORT: u32 = 2;

/// What is asked; the patient's record passes through unread.
#[derive(Debug, Deserialize)]
struct Sample {
    reference: String,
    reads: Vec<String>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Called {
    variants: Vec<Variant>,
    placed: usize,
    rejected: usize,
}

/// One position, counted from one, where the reads differ from the reference.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Variant {
    position: usize,
    change: String,
    reads: u32,
    depth: u32,
}

/// Reads a sample from stdin, writes its variants to stdout.
pub(in crate::demo) fn run(session: &Session) -> Result<(), Failure> {
    let mut text = String::new();
    let read = io::stdin().take(INPUT_BYTES).read_to_string(&mut text);
    read.map_err(|error| Failure::System("stdin cannot be read", error))?;
    let not_json = |error| Failure::Json("the sample".to_owned(), error);
    let sample: Sample = serde_json::from_str(&text).map_err(not_json)?;
    session.print_text(&output::json_line(&call(&sample)).map_err(not_json)?)
}

fn call(sample: &Sample) -> Called {
    let reference = sample.reference.as_bytes();
    let mut pile = vec![BTreeMap::new(); reference.len()];
    let mut placed = 0;
    for read in &sample.reads {
        let Some(offset) = place(reference, read.as_bytes()) else {
            continue;
        };
        placed += 1;
        for (counts, base) in pile.iter_mut().skip(offset).zip(read.bytes()) {
            *counts.entry(base).or_insert(0) += 1;
        }
    }
    let positions = (1..).zip(reference.iter().zip(&pile));
    let variants = positions.filter_map(|(at, (base, counts))| variant(at, *base, counts));
    Called {
        variants: variants.collect(),
        placed,
        rejected: sample.reads.len() - placed,
    }
}

/// Where a read fits best; nowhere if it does not fit well.
fn place(reference: &[u8], read: &[u8]) -> Option<usize> {
    if read.is_empty() {
        return None;
    }
    let mismatches = |window: &[u8]| window.iter().zip(read).filter(|(a, b)| a != b).count();
    let windows = reference.windows(read.len()).enumerate();
    let (offset, window) = windows.min_by_key(|(_, window)| mismatches(window))?;
    (mismatches(window) * MISMATCH_IN <= read.len()).then_some(offset)
}

fn variant(position: usize, base: u8, counts: &BTreeMap<u8, u32>) -> Option<Variant> {
    let depth = counts.values().sum();
    let (found, reads) = counts.iter().max_by_key(|(_, count)| **count)?;
    let is_variant = *found != base && *reads >= SUPPORT && *reads * 2 > depth;
    is_variant.then(|| Variant {
        position,
        change: format!("{}>{}", char::from(base), char::from(*found)),
        reads: *reads,
        depth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_reads_agree_on_is_a_variant_and_a_single_error_is_not() {
        let sample = Sample {
            reference: "GATTACAGATTTGC".to_owned(),
            reads: [
                "TTACCGATT",
                "TACCGATTT",
                "ACCGATTTG",
                "GATTACCGA",
                "GATTACCGATAT",
            ]
            .map(str::to_owned)
            .to_vec(),
        };

        let called = call(&sample);

        let change = Variant {
            position: 7,
            change: "A>C".to_owned(),
            reads: 5,
            depth: 5,
        };
        assert_eq!((called.variants, called.placed), (vec![change], 5));
    }

    #[test]
    fn a_read_from_elsewhere_is_left_out() {
        let sample = Sample {
            reference: "AAAAAAAAAA".to_owned(),
            reads: vec!["CCCCC".to_owned(), String::new(), "A".repeat(11)],
        };

        assert_eq!((call(&sample).placed, call(&sample).rejected), (0, 3));
    }
}
