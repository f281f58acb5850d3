//! A disk in memory that keeps what was written apart from what was synced.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use redb::StorageBackend;

/// What a power loss keeps or loses as one.
const SECTOR: usize = 512;

/// What goes wrong, counted in operations that change the disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// One operation fails; a failed sync loses what it should have kept, for good.
    Once(usize),
    /// From this operation on everything fails.
    From(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    current: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
    operations: usize,
    fault: Option<Fault>,
    faults_met: usize,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    pub(super) fn holding(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            current: image.clone(),
            synced: image,
            ..State::default()
        })))
    }

    /// Sets a fault, counted from now on.
    pub(super) fn set_fault(&self, fault: Fault) {
        let mut state = self.state();
        state.operations = 0;
        state.fault = Some(fault);
    }

    pub(super) fn has_met_a_fault(&self) -> bool {
        self.state().faults_met > 0
    }

    /// What is left after the power fails: what was synced, and any part of what was not.
    pub(super) fn after_power_loss(&self, seed: u64) -> Vec<u8> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let state = self.state();
        let mut image = state.synced.clone();
        for change in &state.unsynced {
            for part in change.sectors() {
                if rng.next_u32() % 2 == 0 {
                    part.apply(&mut image);
                }
            }
        }
        image
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn count(&mut self) -> io::Result<()> {
        self.operations += 1;
        let fails = match self.fault {
            None => false,
            Some(Fault::Once(at)) => self.operations == at,
            Some(Fault::From(at)) => self.operations >= at,
        };
        self.faults_met += usize::from(fails);
        if fails {
            Err(io::Error::other("injected"))
        } else {
            Ok(())
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Bytes(offset, bytes) => {
                let end = offset + bytes.len();
                image.resize(image.len().max(end), 0);
                image[*offset..end].copy_from_slice(bytes);
            }
        }
    }

    /// The parts that a power loss keeps or loses apart.
    fn sectors(&self) -> Vec<Self> {
        match self {
            Self::Length(length) => vec![Self::Length(*length)],
            Self::Bytes(offset, bytes) => {
                let first = (SECTOR - offset % SECTOR).min(bytes.len());
                let (head, rest) = bytes.split_at(first);
                let starts = (offset + first..).step_by(SECTOR);
                let tail = starts.zip(rest.chunks(SECTOR));
                let parts = std::iter::once((*offset, head)).chain(tail);
                parts
                    .map(|(offset, part)| Self::Bytes(offset, part.to_vec()))
                    .collect()
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = offset as usize;
        let bytes = state.current.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.change(Change::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let counted = state.count();
        let unsynced = std::mem::take(&mut state.unsynced);
        counted?;
        for change in &unsynced {
            change.apply(&mut state.synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.change(Change::Bytes(offset as usize, data.to_vec()));
        Ok(())
    }
}
