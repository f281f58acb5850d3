//! Files and stdin, read within bounds.

mod sources;

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

pub(crate) use sources::collect;

use crate::failure::Failure;

/// Largest file that is read, bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Largest exported trace that is read, bytes.
const EXPORT_BYTES: u64 = 512 * 1024 * 1024;

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
        bounded(io::stdin().lock(), FILE_BYTES)
    } else {
        File::open(path).and_then(|file| bounded(file, FILE_BYTES))
    };
    read.map_err(|error| Failure::File(path.to_owned(), error))
}

/// The path from the root, without a look at the disk.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::File(path.to_owned(), error))
}

/// Reads an exported trace.
pub(crate) fn export(path: &Path) -> Result<String, Failure> {
    let read = File::open(path).and_then(|file| bounded(file, EXPORT_BYTES));
    read.map_err(|error| Failure::File(path.to_owned(), error))
}

/// Reads a file of evidence.
pub(crate) fn evidence(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = File::open(path).and_then(|file| bounded_bytes(file, EXPORT_BYTES));
    read.map_err(|error| Failure::File(path.to_owned(), error))
}

/// Writes a file for this user alone, in place of what may be there.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::File(path.to_owned(), error))
}

/// As [`replace`], with the folders that it lies in, which are for this user alone as well.
pub(crate) fn replace_in(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut folders = DirBuilder::new();
    folders.recursive(true).mode(0o700);
    let made = path
        .parent()
        .map_or(Ok(()), |folder| folders.create(folder));
    made.map_err(|error| Failure::File(path.to_owned(), error))?;
    // A file that was there keeps its mode: none is written into that others can read.
    remove(path)?;
    replace(path, content)
}

/// Removes a file, if there is one.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::File(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

/// Reads a file that nobody else may read; none where there is none.
pub(crate) fn own(path: &Path) -> Result<Option<String>, Failure> {
    let wrong = |error| Failure::File(path.to_owned(), error);
    let mode = match std::fs::metadata(path) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    if mode & 0o077 != 0 {
        let loose = "others can read it: sign in again";
        return Err(wrong(io::Error::new(
            io::ErrorKind::PermissionDenied,
            loose,
        )));
    }
    text(path).map(Some)
}

fn bounded(reader: impl Read, limit: u64) -> io::Result<String> {
    let bytes = bounded_bytes(reader, limit)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

fn bounded_bytes(reader: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("larger than {} MiB", limit / 1_048_576);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
