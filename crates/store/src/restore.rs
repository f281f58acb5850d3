//! From a backup to a store, whole or not at all.

use std::{
    io::{self, Read},
    path::Path,
};

use rand_chacha::ChaCha20Rng;
use realm_protocol::{Digest, journal::JournalSeq};
use sha2::{Digest as _, Sha256};

use crate::{
    EngineKind, OpenError, Options, ReadError, RestoreError, Tree, backup,
    engine::{self, Batch, Engine},
    files, meta, plan,
    reader::Reader,
    sealer::{self, Sealer},
};

/// Bytes in a key; a longer one is damage.
const KEY_BYTES: u64 = 64 * 1024;
/// Bytes in a value; a longer one is damage.
const VALUE_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of rows written in one commit.
const COMMIT_BYTES: usize = 4 * 1024 * 1024;

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// The last entry in the backup: numbering goes on from it.
    pub last: JournalSeq,
    /// Rows read.
    pub rows: u64,
}

/// Makes a store out of a backup, in a directory that is empty or not there. The store is marked
/// (see [`crate::Store::restored`]) until new KEM keys are in it.
///
/// # Errors
/// [`RestoreError`] when nothing was restored; then nothing of it stays behind.
pub fn restore(
    dir: &Path,
    options: Options,
    input: &mut impl Read,
) -> Result<RestoreReport, RestoreError> {
    let Options {
        realm,
        key,
        cache_bytes,
        engine: kind,
    } = options;
    let sealer = Sealer::new(realm, key);
    files::create_dir(dir).map_err(OpenError::Io)?;
    if !files::is_vacant(dir).map_err(OpenError::Io)? {
        return Err(RestoreError::NotEmpty);
    }
    let _lock = files::lock(dir)?;
    // Somebody may have been here before the lock was ours.
    if !files::is_vacant(dir).map_err(OpenError::Io)? {
        return Err(RestoreError::NotEmpty);
    }
    files::discard(dir, None).map_err(OpenError::Io)?;
    let report = fill(dir, kind, cache_bytes, &sealer, input).inspect_err(|_| {
        // What cannot be removed now is overwritten by the next attempt.
        let _ = files::discard(dir, None);
    })?;
    files::install(dir, kind).map_err(OpenError::Io)?;
    files::mark(dir, kind).map_err(OpenError::Io)?;
    Ok(report)
}

fn fill(
    dir: &Path,
    kind: EngineKind,
    cache_bytes: usize,
    sealer: &Sealer,
    input: &mut impl Read,
) -> Result<RestoreReport, RestoreError> {
    let mut input = Stream::new(input);
    let last = read_head(&mut input, sealer)?;
    let path = files::partial_path(dir, kind);
    let engine = engine::create(kind, &path, cache_bytes)?;
    let rows = copy_rows(&mut input, sealer, engine.as_ref())?;
    let mut rng = sealer::generator().map_err(OpenError::from)?;
    finish(engine.as_ref(), sealer, &mut rng, last)?;
    Ok(RestoreReport { last, rows })
}

fn read_head<R: Read>(
    input: &mut Stream<'_, R>,
    sealer: &Sealer,
) -> Result<JournalSeq, RestoreError> {
    if input.array()?
        != *backup::MAGIC
            .first_chunk::<13>()
            .ok_or(RestoreError::Damaged)?
    {
        return Err(RestoreError::Damaged);
    }
    let found = u32::from_be_bytes(input.array()?);
    if found > backup::FORMAT {
        let known = backup::FORMAT;
        return Err(RestoreError::Newer { found, known });
    }
    if input.array()? != *sealer.realm().as_bytes() {
        return Err(RestoreError::OtherRealm);
    }
    let last = JournalSeq(u64::from_be_bytes(input.array()?));
    let check = input.block(KEY_BYTES)?;
    let opened = sealer.open(Tree::Meta, backup::CHECK_KEY, &check);
    opened.map_err(|_| RestoreError::WrongKey)?;
    Ok(last)
}

/// Bytes that a row takes in memory beside its own, index rows included.
const ROW_BYTES: usize = 512;

/// Copies rows up to the trailer, which must vouch for them; gives their number.
fn copy_rows<R: Read>(
    input: &mut Stream<'_, R>,
    sealer: &Sealer,
    engine: &dyn Engine,
) -> Result<u64, RestoreError> {
    let mut rows = 0_u64;
    let mut batch = Batch::default();
    let mut bytes = 0;
    let mut last = None;
    // What the groups and rows written so far hold.
    let mut reader = None;
    loop {
        let digest = input.digest();
        let [number] = input.array()?;
        if number == backup::END {
            engine.write(batch.into())?;
            check_trailer(input, sealer, rows, digest)?;
            return Ok(rows);
        }
        let tree = Tree::numbered(number).filter(|tree| backup::TREES.contains(tree));
        let tree = tree.ok_or(RestoreError::Damaged)?;
        let key = input.block(KEY_BYTES)?;
        let value = input.block(VALUE_BYTES)?;
        // A row that points into a group comes after it, and finds it written.
        if bytes >= COMMIT_BYTES || last.replace(tree) != Some(tree) {
            drop(reader.take());
            engine.write(std::mem::take(&mut batch).into())?;
            bytes = 0;
        }
        let reader = match &mut reader {
            Some(reader) => reader,
            none => none.insert(Reader::new(engine.snapshot()?, sealer)),
        };
        bytes += key.len() + value.len() + ROW_BYTES;
        rows += 1;
        add(&mut batch, reader, tree, key, value)?;
    }
}

/// Adds a row that opens, and the index rows that follow from it.
fn add(
    batch: &mut Batch,
    reader: &Reader<'_>,
    tree: Tree,
    key: Vec<u8>,
    value: Vec<u8>,
) -> Result<(), RestoreError> {
    if !backup::is_kept(tree, &key) {
        return Err(RestoreError::Damaged);
    }
    reader.prove(tree, &key, &value).map_err(damaged)?;
    match tree {
        Tree::Records => plan::put_record(batch, key, value),
        Tree::Runs => {
            let run = reader.open_run(&key, &value).map_err(damaged)?;
            plan::put_run(batch, &run, value);
        }
        _ => batch.put(tree, key, value),
    }
    Ok(())
}

fn check_trailer<R: Read>(
    input: &mut Stream<'_, R>,
    sealer: &Sealer,
    rows: u64,
    digest: Digest,
) -> Result<(), RestoreError> {
    let trailer = input.block(KEY_BYTES)?;
    let opened = sealer.open(Tree::Meta, backup::TRAILER_KEY, &trailer);
    let expected = [rows.to_be_bytes().as_slice(), digest.as_bytes()].concat();
    if opened.map_err(damaged)? == expected {
        Ok(())
    } else {
        Err(RestoreError::Damaged)
    }
}

fn finish(
    engine: &dyn Engine,
    sealer: &Sealer,
    rng: &mut ChaCha20Rng,
    last: JournalSeq,
) -> Result<(), RestoreError> {
    let mut batch = Batch::default();
    meta::begin(&mut batch, sealer, rng, last);
    meta::mark_restored(&mut batch, sealer, rng);
    Ok(engine.write(batch.into())?)
}

fn damaged(error: ReadError) -> RestoreError {
    match error {
        ReadError::Newer { found, known, .. } => RestoreError::Newer {
            found: found.into(),
            known: known.into(),
        },
        _ => RestoreError::Damaged,
    }
}

/// Input that is hashed on its way.
struct Stream<'a, R> {
    inner: &'a mut R,
    hasher: Sha256,
}

impl<'a, R: Read> Stream<'a, R> {
    fn new(inner: &'a mut R) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(cut_short)?;
        self.hasher.update(bytes);
        Ok(bytes)
    }

    /// Reads bytes after their length; memory grows with what really comes.
    fn block(&mut self, longest: u64) -> Result<Vec<u8>, RestoreError> {
        let length = u64::from(u32::from_be_bytes(self.array()?));
        if length > longest {
            return Err(RestoreError::Damaged);
        }
        let mut bytes = Vec::new();
        let mut part = self.inner.by_ref().take(length);
        part.read_to_end(&mut bytes).map_err(RestoreError::Read)?;
        if bytes.len() as u64 != length {
            return Err(RestoreError::Damaged);
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn digest(&self) -> Digest {
        Digest::new(self.hasher.clone().finalize().into())
    }
}

fn cut_short(error: io::Error) -> RestoreError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        RestoreError::Damaged
    } else {
        RestoreError::Read(error)
    }
}
