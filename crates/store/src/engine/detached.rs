//! A file seen through an overlay in memory: writes are kept there and never reach the disk.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

/// Bytes in one block of the overlay.
const BLOCK: u64 = 4_096;

#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    /// Bytes of the file that still show through, from its start.
    visible: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let state = Mutex::new(State {
            length,
            visible: length,
            blocks: BTreeMap::new(),
        });
        Ok(Self { file, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A block's bytes, from the overlay or the file.
    fn block(&self, file: &File, number: u64) -> io::Result<Vec<u8>> {
        if let Some(block) = self.blocks.get(&number) {
            return Ok(block.clone());
        }
        let start = number * BLOCK;
        let shown = self.visible.saturating_sub(start).min(BLOCK);
        let mut block = vec![0; BLOCK as usize];
        if let Some(part) = block.get_mut(..shown as usize) {
            file.read_exact_at(part, start)?;
        }
        Ok(block)
    }

    /// Checks that a range lies inside, and gives its blocks: number, first byte, bytes.
    fn blocks_of(&self, offset: u64, length: usize) -> io::Result<Vec<(u64, usize, usize)>> {
        let end = offset.checked_add(length as u64);
        let end = end.filter(|end| *end <= self.length);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut pieces = Vec::new();
        let mut at = offset;
        while at < end {
            let within = at % BLOCK;
            let take = (BLOCK - within).min(end - at);
            pieces.push((at / BLOCK, within as usize, take as usize));
            at += take;
        }
        Ok(pieces)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let mut rest = out;
        for (number, within, take) in state.blocks_of(offset, rest.len())? {
            let block = state.block(&self.file, number)?;
            let (part, after) = rest.split_at_mut(take);
            let bytes = block.get(within..within + take);
            part.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            rest = after;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        if length < state.length {
            state.visible = state.visible.min(length);
            state.blocks.split_off(&length.div_ceil(BLOCK));
            let edge = (length % BLOCK) as usize;
            if let Some(block) = state.blocks.get_mut(&(length / BLOCK)) {
                block.iter_mut().skip(edge).for_each(|byte| *byte = 0);
            }
        }
        state.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let mut rest = data;
        for (number, within, take) in state.blocks_of(offset, rest.len())? {
            let mut block = state.block(&self.file, number)?;
            let (part, after) = rest.split_at(take);
            let bytes = block.get_mut(within..within + take);
            bytes
                .ok_or(io::ErrorKind::UnexpectedEof)?
                .copy_from_slice(part);
            state.blocks.insert(number, block);
            rest = after;
        }
        Ok(())
    }
}
