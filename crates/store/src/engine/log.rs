//! The log: batches in the order they were written, in one file.
//!
//! The file has its length from the start: a sync that need not make a new length durable takes
//! about half the time. What follows the last record is zeros, or records of logs before this one.
//!
//! A header of magic and the log's name, then records: the mark of this log's records (8 bytes),
//! length (4 bytes, big-endian), CRC-32 of what follows (4 bytes), and the batch as rows of tree
//! (1 byte), key and value, each after its length (4 bytes); a length of all ones deletes. Values
//! are sealed before they come here; the CRC only tells a write that a crash cut short.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::Batch;
use crate::{EngineError, Tree};

const MAGIC: &[u8; 16] = b"realm store log\n";
const HEADER: usize = 32;
/// Bytes of a log's name that each of its records begins with.
const MARK: usize = 8;
/// Mark, length and checksum before a record.
const PREFIX: usize = MARK + 8;
/// Stands for a length where a key is deleted.
const DELETED: u32 = u32::MAX;

/// What tells a log from those before it: random, and kept in the engine it belongs to.
pub(super) type LogName = [u8; 16];

/// A record in the middle of the log does not hold.
#[derive(Debug, Error)]
#[error("the store's log is damaged at byte {0}")]
struct Damaged(u64);

/// The engine has had a log, and it is not there.
#[derive(Debug, Error)]
#[error("the store's log is missing")]
struct Missing;

/// The open end of a log.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    name: LogName,
    end: u64,
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the file of a log, durably there from now on, with whatever it holds.
    pub(super) fn prepare(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    }

    /// Begins a log of this name, over whatever the file held, durably. It is made as long as a log
    /// may get, where the disk has room for that.
    pub(super) fn begin(file: File, name: &LogName, bytes: u64) -> io::Result<Self> {
        match lengthen(&file, bytes) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
            lengthened => lengthened?,
        }
        file.write_all_at(&[MAGIC.as_slice(), name].concat(), 0)?;
        file.sync_data()?;
        Ok(Self {
            file,
            name: *name,
            end: HEADER as u64,
            buffer: Vec::new(),
        })
    }

    /// Begins anew under another name, in the same file, durably.
    pub(super) fn renew(self, name: &LogName, bytes: u64) -> io::Result<Self> {
        Self::begin(self.file, name, bytes)
    }

    /// Reads the log of this name; nothing if the file is another's or begins no log. A record
    /// that a crash cut short at the end never was. What is read may be in the page cache alone.
    pub(super) fn read(path: &Path, name: &LogName) -> Result<Batch, EngineError> {
        match fs::read(path) {
            Ok(bytes) => replay(&bytes, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(EngineError::Corrupt(Missing.into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Appends a batch. It is on the disk when this returns; after an error the log takes no more.
    pub(super) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.resize(PREFIX, 0);
        encode(batch, &mut self.buffer)?;
        let (prefix, rows) = self.buffer.split_at_mut(PREFIX);
        let length = length(rows)?;
        let sum = crc32fast::hash(rows);
        let parts = [mark(&self.name), &length.to_be_bytes(), &sum.to_be_bytes()];
        prefix.copy_from_slice(&parts.concat());
        self.file.write_all_at(&self.buffer, self.end)?;
        self.file.sync_data()?;
        self.end = self.end.saturating_add(self.buffer.len() as u64);
        Ok(())
    }

    /// Bytes from the log's start to its end.
    pub(super) fn bytes(&self) -> u64 {
        self.end
    }
}

/// Where the log of an engine's files is.
pub(crate) fn path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".log");
    path.into()
}

/// Fills a file up to a length with zeros that the disk has.
fn lengthen(file: &File, bytes: u64) -> io::Result<()> {
    let end = file.metadata()?.len();
    let missing = usize::try_from(bytes.saturating_sub(end)).unwrap_or(usize::MAX);
    file.write_all_at(&vec![0; missing], end)
}

/// All records of a log as one batch; an empty one if it is not the log of this name.
fn replay(bytes: &[u8], name: &LogName) -> Result<Batch, EngineError> {
    let damaged = |at: usize| EngineError::Corrupt(Damaged(at as u64).into());
    let Some((header, _)) = bytes.split_at_checked(HEADER) else {
        return Ok(Batch::default());
    };
    let of_name = header.strip_prefix(MAGIC);
    if of_name != Some(name) {
        // A header is durable before the first record, so what has records begins with one.
        let is_log = of_name.is_some() || bytes.len() == HEADER || *header == [0; HEADER];
        let is_other = is_log && !has_record(bytes, name);
        return if is_other {
            Ok(Batch::default())
        } else {
            Err(damaged(0))
        };
    }
    let mut batch = Batch::default();
    let mut end = HEADER;
    while let Some(rest) = bytes.get(end..).filter(|rest| !rest.is_empty()) {
        let Some(rows) = record(rest, name) else {
            // A record is durable before the next one is begun: only the last can be cut short.
            if has_record(rest.get(1..).unwrap_or_default(), name) {
                return Err(damaged(end));
            }
            break;
        };
        decode(rows, &mut batch).ok_or_else(|| damaged(end))?;
        end = end.saturating_add(PREFIX).saturating_add(rows.len());
    }
    Ok(batch)
}

fn mark(name: &LogName) -> &[u8] {
    name.first_chunk::<MARK>()
        .map_or(&[], <[u8; MARK]>::as_slice)
}

/// The rows of the record that begins here, if it is whole.
fn record<'a>(bytes: &'a [u8], name: &LogName) -> Option<&'a [u8]> {
    let after = bytes.strip_prefix(mark(name))?;
    let (length, after) = after.split_first_chunk()?;
    let (sum, after) = after.split_first_chunk()?;
    let rows = after.get(..u32::from_be_bytes(*length) as usize)?;
    (crc32fast::hash(rows) == u32::from_be_bytes(*sum)).then_some(rows)
}

/// Whether a whole record begins anywhere.
fn has_record(bytes: &[u8], name: &LogName) -> bool {
    let mark = mark(name);
    let marked = bytes.windows(mark.len()).enumerate();
    let mut marked = marked.filter(|(_, window)| *window == mark);
    marked.any(|(at, _)| {
        bytes
            .get(at..)
            .is_some_and(|rest| record(rest, name).is_some())
    })
}

fn encode(batch: &Batch, out: &mut Vec<u8>) -> io::Result<()> {
    for (tree, writes) in batch.trees() {
        for (key, value) in writes {
            out.push(tree.number());
            out.extend_from_slice(&length(key)?.to_be_bytes());
            out.extend_from_slice(key);
            match value {
                Some(value) => {
                    out.extend_from_slice(&length(value)?.to_be_bytes());
                    out.extend_from_slice(value);
                }
                None => out.extend_from_slice(&DELETED.to_be_bytes()),
            }
        }
    }
    Ok(())
}

fn length(bytes: &[u8]) -> io::Result<u32> {
    let length = u32::try_from(bytes.len()).ok();
    let length = length.filter(|length| *length != DELETED);
    length.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Adds a record's rows to a batch; none where they are none.
fn decode(mut rows: &[u8], batch: &mut Batch) -> Option<()> {
    while let Some((tree, rest)) = rows.split_first() {
        let tree = Tree::numbered(*tree)?;
        let (key, rest) = part(rest)?;
        let key = key?.to_vec();
        let (value, rest) = part(rest)?;
        match value {
            Some(value) => batch.put(tree, key, value.to_vec()),
            None => batch.delete(tree, key),
        }
        rows = rest;
    }
    Some(())
}

/// Bytes after their length, none where the length deletes; and what follows.
fn part(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    match u32::from_be_bytes(*length) {
        DELETED => Some((None, rest)),
        length => {
            let (part, rest) = rest.split_at_checked(length as usize)?;
            Some((Some(part), rest))
        }
    }
}
