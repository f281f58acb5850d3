//! Files and stdin, read within bounds.

mod sources;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

pub(crate) use sources::collect;

use crate::failure::Failure;

/// Largest file that is read, bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Reads an argument's value: `-` is stdin, `@FILE` a file, all else itself.
pub(crate) fn argument(value: &str) -> Result<String, Failure> {
    match value.strip_prefix('@') {
        _ if value == "-" => text(Path::new("-")),
        Some(path) => text(Path::new(path)),
        None => Ok(value.to_owned()),
    }
}

/// Reads a text file, or stdin for `-`.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let read = if path == Path::new("-") {
        bounded(io::stdin().lock())
    } else {
        File::open(path).and_then(bounded)
    };
    read.map_err(|error| Failure::File(path.to_owned(), error))
}

/// The path from the root, without a look at the disk.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::File(path.to_owned(), error))
}

fn bounded(reader: impl Read) -> io::Result<String> {
    let mut text = String::new();
    reader.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "larger than 4 MiB",
        ));
    }
    Ok(text)
}
