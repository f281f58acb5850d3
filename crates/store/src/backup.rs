//! A backup: the store's sealed values as they are, in one stream.
//!
//! Magic, format, realm, journal number and a sealed check value; then rows of tree, key and
//! value, groups before the rows that point into them; then a sealed trailer with the number of rows and the digest of everything before.
//! Index rows are left out: restoring makes them anew from the runs and records.

use std::io::{self, Write};

use realm_protocol::{
    Digest,
    journal::{JournalSeq, Table},
};
use sha2::{Digest as _, Sha256};

use crate::{
    BackupError, OpenError, ReadError, Tree,
    layout::{self, KeyRange},
    meta::Meta,
    reader::Reader,
    sealer::{self, NoRandomness},
};

pub(crate) const MAGIC: &[u8] = b"realm backup\n";
/// Newest format of a backup.
pub(crate) const FORMAT: u32 = 3;
/// Stands where a row's tree would.
pub(crate) const END: u8 = u8::MAX;
/// The trees whose rows a backup holds.
pub(crate) const TREES: &[Tree] = &[Tree::Records, Tree::Groups, Tree::Runs, Tree::Events];
/// The places of the check value and the trailer: no row of the store has these keys.
pub(crate) const CHECK_KEY: &[u8] = b"backup check";
pub(crate) const TRAILER_KEY: &[u8] = b"backup trailer";

/// Tables that never leave the realm: see [`crate::Store::backup`].
const LEFT_OUT: [Table; 3] = [Table::Kem, Table::Replay, Table::SignIns];

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The last entry in it.
    pub last: JournalSeq,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
}

pub(crate) fn write(
    reader: &Reader<'_>,
    out: &mut impl Write,
) -> Result<BackupReport, BackupError> {
    let mut rng = sealer::generator()?;
    let sealer = reader.sealer();
    let last = Meta::read(reader.snapshot(), sealer)
        .map_err(unreadable)?
        .last;
    let mut out = Stream::new(out);
    out.put(MAGIC)?;
    out.put(&FORMAT.to_be_bytes())?;
    out.put(sealer.realm().as_bytes())?;
    out.put(&last.0.to_be_bytes())?;
    out.put_block(&sealer.seal(&mut rng, Tree::Meta, CHECK_KEY, &[]))?;
    let rows = write_rows(reader, &mut out)?;
    let digest = out.digest();
    let trailer = [rows.to_be_bytes().as_slice(), digest.as_bytes()].concat();
    out.put(&[END])?;
    out.put_block(&sealer.seal(&mut rng, Tree::Meta, TRAILER_KEY, &trailer))?;
    out.inner.flush()?;
    Ok(BackupReport {
        last,
        rows,
        bytes: out.bytes,
    })
}

/// Says whether a row belongs in a backup.
pub(crate) fn is_kept(tree: Tree, key: &[u8]) -> bool {
    let table = key.first().copied();
    let left_out = |left: &Table| table == Some(layout::table_prefix(*left));
    tree != Tree::Records || !LEFT_OUT.iter().any(left_out)
}

fn write_rows<W: Write>(reader: &Reader<'_>, out: &mut Stream<'_, W>) -> Result<u64, BackupError> {
    let mut count = 0_u64;
    for tree in TREES {
        for row in reader.rows(*tree, &KeyRange::all())? {
            let (key, value) = row.map_err(ReadError::Engine)?;
            if !is_kept(*tree, &key) {
                continue;
            }
            // A backup of damage would replace a good one: every value must open.
            reader.prove(*tree, &key, &value)?;
            out.put(&[tree.number()])?;
            out.put_block(&key)?;
            out.put_block(&value)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Output that is counted and hashed on its way.
struct Stream<'a, W> {
    inner: &'a mut W,
    hasher: Sha256,
    bytes: u64,
}

impl<'a, W: Write> Stream<'a, W> {
    fn new(inner: &'a mut W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes bytes after their length.
    fn put_block(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }

    fn digest(&self) -> Digest {
        Digest::new(self.hasher.clone().finalize().into())
    }
}

fn unreadable(error: OpenError) -> BackupError {
    let error = match error {
        OpenError::Io(source) => ReadError::Engine(source.into()),
        _ => ReadError::Damaged(Tree::Meta),
    };
    BackupError::Read(error)
}

impl From<NoRandomness> for BackupError {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}
