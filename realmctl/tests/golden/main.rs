//! What this program prints, as it was last agreed on: `tests/snapshots/`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod board;
mod exports;
mod generate;
mod help;
mod rendering;

use std::{env, fs, path::PathBuf};

/// Compares with `tests/snapshots/NAME`; `UPDATE_SNAPSHOTS=1` writes it instead.
fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let agreed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        agreed == found,
        "{name} differs; look at the change, then UPDATE_SNAPSHOTS=1\n{found}"
    );
}
