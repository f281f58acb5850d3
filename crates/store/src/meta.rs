//! What the store knows about itself: its format, its key's check value, how far it has come.

use rand_chacha::ChaCha20Rng;
use realm_protocol::journal::JournalSeq;

use crate::{
    OpenError, ReadError, Tree,
    engine::{Batch, LOG_KEY, Snapshot},
    sealer::Sealer,
};

/// Newest format of the store as a whole.
pub(crate) const FORMAT: u32 = 4;

/// In clear, so that a newer store is known for one without its key.
const FORMAT_KEY: &[u8] = b"format";
const CHECK_KEY: &[u8] = b"check";
const SEQ_KEY: &[u8] = b"seq";
const RESTORED_KEY: &[u8] = b"restored";
const ERASED_KEY: &[u8] = b"erased";

const CHECK: &[u8] = b"realm/store";

/// What an existing store says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) last: JournalSeq,
}

impl Meta {
    /// Reads it, refusing newer formats and other keys.
    pub(crate) fn read(snapshot: &dyn Snapshot, sealer: &Sealer) -> Result<Self, OpenError> {
        let found = format(snapshot)?;
        if found > FORMAT {
            let known = FORMAT;
            return Err(OpenError::Newer { found, known });
        }
        let check = required(snapshot, CHECK_KEY)?;
        match sealer.open(Tree::Meta, CHECK_KEY, &check) {
            Ok(opened) if opened == CHECK => {}
            _ => return Err(OpenError::WrongKey),
        }
        let stored = required(snapshot, SEQ_KEY)?;
        let last = sealer.open(Tree::Meta, SEQ_KEY, &stored);
        let last = last.map_err(|error| OpenError::Corrupt(Some(error.into())))?;
        let last = last.try_into().map_err(|_| OpenError::Corrupt(None))?;
        Ok(Self {
            last: JournalSeq(u64::from_be_bytes(last)),
        })
    }
}

/// Writes what makes a store out of empty trees.
pub(crate) fn begin(batch: &mut Batch, sealer: &Sealer, rng: &mut ChaCha20Rng, last: JournalSeq) {
    set_format(batch, FORMAT);
    let check = sealer.seal(rng, Tree::Meta, CHECK_KEY, CHECK);
    batch.put(Tree::Meta, CHECK_KEY.to_vec(), check);
    advance(batch, sealer, rng, last);
}

/// Writes how far the journal has been applied.
pub(crate) fn advance(batch: &mut Batch, sealer: &Sealer, rng: &mut ChaCha20Rng, last: JournalSeq) {
    let seq = sealer.seal(rng, Tree::Meta, SEQ_KEY, &last.0.to_be_bytes());
    batch.put(Tree::Meta, SEQ_KEY.to_vec(), seq);
}

/// Marks the store as restored from a backup.
pub(crate) fn mark_restored(batch: &mut Batch, sealer: &Sealer, rng: &mut ChaCha20Rng) {
    let mark = sealer.seal(rng, Tree::Meta, RESTORED_KEY, &[]);
    batch.put(Tree::Meta, RESTORED_KEY.to_vec(), mark);
}

/// Takes the mark away.
pub(crate) fn unmark_restored(batch: &mut Batch) {
    batch.delete(Tree::Meta, RESTORED_KEY.to_vec());
}

/// Says whether the mark stands.
pub(crate) fn is_restored(snapshot: &dyn Snapshot) -> Result<bool, ReadError> {
    Ok(snapshot.get(Tree::Meta, RESTORED_KEY)?.is_some())
}

/// Marks the files as holding what was erased from the store.
pub(crate) fn mark_erased(batch: &mut Batch, sealer: &Sealer, rng: &mut ChaCha20Rng) {
    let mark = sealer.seal(rng, Tree::Meta, ERASED_KEY, &[]);
    batch.put(Tree::Meta, ERASED_KEY.to_vec(), mark);
}

/// Whether they do.
pub(crate) fn has_erased(snapshot: &dyn Snapshot) -> Result<bool, ReadError> {
    Ok(snapshot.get(Tree::Meta, ERASED_KEY)?.is_some())
}

/// Whether a row of the tree is that mark.
pub(crate) fn is_erased_mark(key: &[u8]) -> bool {
    key == ERASED_KEY
}

/// Opens a row of the tree; format and name of the log alone are in clear.
pub(crate) fn check_row(sealer: &Sealer, key: &[u8], value: &[u8]) -> Result<(), ReadError> {
    if key == FORMAT_KEY || key == LOG_KEY {
        return Ok(());
    }
    sealer.open(Tree::Meta, key, value).map(|_| ())
}

/// The store's format. The only thing that is read of a store of any age.
pub(crate) fn format(snapshot: &dyn Snapshot) -> Result<u32, OpenError> {
    let stored = required(snapshot, FORMAT_KEY)?;
    let bytes = stored.try_into().map_err(|_| OpenError::Corrupt(None))?;
    match u32::from_be_bytes(bytes) {
        0 => Err(OpenError::Corrupt(None)),
        found => Ok(found),
    }
}

/// Writes the store's format.
pub(crate) fn set_format(batch: &mut Batch, format: u32) {
    let format = format.to_be_bytes().to_vec();
    batch.put(Tree::Meta, FORMAT_KEY.to_vec(), format);
}

fn required(snapshot: &dyn Snapshot, key: &[u8]) -> Result<Vec<u8>, OpenError> {
    let value = snapshot.get(Tree::Meta, key)?;
    value.ok_or(OpenError::Corrupt(None))
}
