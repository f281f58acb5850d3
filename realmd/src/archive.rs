//! A backup file: named parts one after the other, and a digest of everything.
//!
//! `realm archive 1\n`; then for each part the length of its name in two bytes, the name, the
//! length of its content in eight bytes, the content; a name of length zero ends the parts and is
//! followed by the SHA-256 of all bytes before the digest. Numbers are big-endian.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::home::files;

const MAGIC: &[u8] = b"realm archive 1\n";
/// Bytes in a part's name.
const NAME_BYTES: usize = 255;
/// Bytes in a part that is read whole.
const SMALL_BYTES: u64 = 1024 * 1024;

/// Why an archive was not written or read.
#[derive(Debug, Error)]
pub(crate) enum ArchiveError {
    /// The file exists.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no archive, was cut, or was changed.
    #[error("{} is no backup, or a damaged one", .0.display())]
    Damaged(PathBuf),
}

/// An archive being written. It vanishes unless it is finished.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
    finished: bool,
}

impl Writer {
    /// Makes the file, for its owner alone; it must not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, ArchiveError> {
        let file = files::create(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => ArchiveError::Exists(path.to_owned()),
            _ => write_at(path)(source),
        })?;
        let mut writer = Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            hasher: Sha256::new(),
            bytes: 0,
            finished: false,
        };
        writer.put(MAGIC).map_err(write_at(path))?;
        Ok(writer)
    }

    /// Adds a part that is in memory.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), ArchiveError> {
        let path = self.path.clone();
        let mut add = || {
            self.head(name, content.len() as u64)?;
            self.put(content)
        };
        add().map_err(write_at(&path))
    }

    /// Adds a part of the length given, copied from a file.
    pub(crate) fn copy(
        &mut self,
        name: &str,
        length: u64,
        content: impl Read,
    ) -> Result<(), ArchiveError> {
        let path = self.path.clone();
        let copy = || {
            self.head(name, length)?;
            let copied = io::copy(&mut content.take(length), &mut Sink(self))?;
            if copied == length {
                Ok(())
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        };
        copy().map_err(write_at(&path))
    }

    /// Adds the digest and makes the file durable; gives its length.
    pub(crate) fn finish(mut self) -> Result<u64, ArchiveError> {
        let path = self.path.clone();
        let mut finish = || {
            self.put(&[0, 0])?;
            let digest = self.hasher.clone().finalize();
            self.put(&digest)?;
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            path.parent().map_or(Ok(()), files::sync_dir)
        };
        finish().map_err(write_at(&path))?;
        self.finished = true;
        Ok(self.bytes)
    }

    fn head(&mut self, name: &str, length: u64) -> io::Result<()> {
        let name_length = u16::try_from(name.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.put(&name_length.to_be_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&length.to_be_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // A rest that cannot be removed has no digest and is never taken for a backup.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where copied content goes.
struct Sink<'a>(&'a mut Writer);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is read only to be hashed.
struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One part: its name, and where its content lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    start: u64,
    length: u64,
}

/// An archive whose digest holds.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    parts: Vec<Part>,
}

impl Archive {
    /// Opens an archive and checks its digest before anything of it is believed.
    pub(crate) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let read = read_at(path);
        let file = File::open(path).map_err(&read)?;
        let length = file.metadata().map_err(&read)?.len();
        let damaged = || ArchiveError::Damaged(path.to_owned());
        let end = length.checked_sub(32).ok_or_else(damaged)?;
        let mut hasher = Hasher(Sha256::new());
        io::copy(&mut BufReader::new(&file).take(end), &mut hasher).map_err(&read)?;
        let mut digest = [0; 32];
        file.read_exact_at(&mut digest, end).map_err(&read)?;
        if digest != <[u8; 32]>::from(hasher.0.finalize()) {
            return Err(damaged());
        }
        let parts = list(&file, end).ok_or_else(damaged)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            parts,
        })
    }

    /// The parts, in order.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// A small part's content, whole.
    pub(crate) fn read(&self, part: &Part) -> Result<Vec<u8>, ArchiveError> {
        if part.length > SMALL_BYTES {
            return Err(ArchiveError::Damaged(self.path.clone()));
        }
        let mut content = Vec::new();
        self.stream(part)?
            .read_to_end(&mut content)
            .map_err(read_at(&self.path))?;
        Ok(content)
    }

    /// A part's content, bit by bit.
    pub(crate) fn stream(&self, part: &Part) -> Result<impl Read + '_, ArchiveError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(part.start))
            .map_err(read_at(&self.path))?;
        Ok(BufReader::new(file).take(part.length))
    }
}

/// Walks the parts up to the one without a name; none if they do not end there.
fn list(file: &File, end: u64) -> Option<Vec<Part>> {
    let mut magic = vec![0; MAGIC.len()];
    file.read_exact_at(&mut magic, 0).ok()?;
    if magic != MAGIC {
        return None;
    }
    let mut at = MAGIC.len() as u64;
    let mut parts = Vec::new();
    loop {
        let mut short = [0; 2];
        file.read_exact_at(&mut short, at).ok()?;
        at = at.checked_add(2)?;
        let name_length = usize::from(u16::from_be_bytes(short));
        if name_length == 0 {
            return (at == end).then_some(parts);
        }
        if name_length > NAME_BYTES {
            return None;
        }
        let mut name = vec![0; name_length];
        file.read_exact_at(&mut name, at).ok()?;
        at = at.checked_add(name_length as u64)?;
        let mut long = [0; 8];
        file.read_exact_at(&mut long, at).ok()?;
        let (start, length) = (at.checked_add(8)?, u64::from_be_bytes(long));
        at = start.checked_add(length).filter(|at| *at <= end)?;
        let name = String::from_utf8(name).ok()?;
        parts.push(Part {
            name,
            start,
            length,
        });
    }
}

fn write_at(path: &Path) -> impl Fn(io::Error) -> ArchiveError + use<> {
    let path = path.to_owned();
    move |source| ArchiveError::Write {
        path: path.clone(),
        source,
    }
}

fn read_at(path: &Path) -> impl Fn(io::Error) -> ArchiveError + use<> {
    let path = path.to_owned();
    move |source| ArchiveError::Read {
        path: path.clone(),
        source,
    }
}
