//! Private files: made once, for their owner alone, through no link.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Longest private file that is read, bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Makes a folder for its owner alone; its parent must exist.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(dir)
}

/// Makes the folders above and including `dir`, new ones for their owner alone.
pub(crate) fn make_dirs(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens a new file for writing; it must not exist, not even as a link.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(flags);
    options.open(path)
}

/// Writes a new file, durably.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a file that is no link and of sensible size.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "the file is too large",
        ));
    }
    Ok(bytes)
}

/// Makes what happened in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A folder that removes itself unless it is kept.
#[derive(Debug)]
pub(crate) struct Scratch<'a> {
    dir: &'a Path,
    kept: bool,
}

impl<'a> Scratch<'a> {
    /// Makes the folder.
    pub(crate) fn make(dir: &'a Path) -> io::Result<Self> {
        make_dir(dir)?;
        Ok(Self { dir, kept: false })
    }

    /// Moves the folder to its place, where nothing may be, and makes the move durable.
    pub(crate) fn place(mut self, to: &Path) -> io::Result<()> {
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            self.dir,
            rustix::fs::CWD,
            to,
            rustix::fs::RenameFlags::NOREPLACE,
        )?;
        self.kept = true;
        to.parent().map_or(Ok(()), sync_dir)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is in nobody's way: its name is never used again.
            let _ = fs::remove_dir_all(self.dir);
        }
    }
}
