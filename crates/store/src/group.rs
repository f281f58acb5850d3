//! What one commit wrote of runs and events, as one value.
//!
//! A group is its items, one after the other; an item's place among them is its slot. Each is
//! its kind (1 byte), the run it belongs to (16 bytes), its length (4 bytes) and as many bytes: the
//! state of a run as CBOR, or the index of an event (8 bytes) and a block that begins with it
//! ([`crate::block`]). What was removed leaves an empty item, so that slots stay. Numbers are
//! big-endian.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Range,
    rc::Rc,
};

use realm_protocol::{
    RunId, cbor,
    journal::{Event, Run},
};

use crate::block;

/// Bytes of the pages that a full group takes of an engine which gives powers of two.
const FULL: usize = 128 * 1024;
/// Bytes of the smallest pages that a group is cut to fill.
const SMALL: usize = 16 * 1024;
/// Bytes that sealing, and the engine's page, take beside a group.
const AROUND: usize = 128;

/// Groups that a reader remembers, and their bytes; one of any size is remembered.
const REMEMBERED: usize = 8;
const REMEMBERED_BYTES: usize = 2 * 1024 * 1024;

const REMOVED: u8 = 0;
const RUN: u8 = 1;
const EVENTS: u8 = 2;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The state of a run.
    Run,
    /// Events of a run that follow each other: the first one's index, and how many.
    Events(u64, u32),
}

/// An item of a group that is being written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) run: RunId,
    pub(crate) kind: Kind,
    /// Where it ends among the bytes of all.
    end: usize,
}

/// Writes items, to be cut into groups.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

impl Writer {
    /// Makes room for about so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            items: Vec::new(),
        }
    }

    /// Adds the state of a run.
    pub(crate) fn run(&mut self, run: &Run) {
        let start = self.begin(RUN, run.id);
        let state = cbor::encode(run);
        self.bytes.extend_from_slice(&state);
        self.end(start, run.id, Kind::Run);
    }

    /// Adds the first events of some that are sorted, as many as are one block; gives the rest.
    pub(crate) fn events<'a>(&mut self, events: &'a [Event]) -> &'a [Event] {
        let Some(first) = events.first() else {
            return events;
        };
        let start = self.begin(EVENTS, first.run);
        self.bytes.extend_from_slice(&first.index.to_be_bytes());
        let mut count = 0_u32;
        for event in events.iter().take(block::EVENTS) {
            let follows = Some(event.index) == first.index.checked_add(count.into());
            let is_full = self.bytes.len() - start >= block::BYTES;
            if event.run != first.run || !follows || is_full {
                break;
            }
            block::push(&mut self.bytes, event);
            count += 1;
        }
        self.end(start, first.run, Kind::Events(first.index, count));
        events.get(count as usize..).unwrap_or_default()
    }

    /// Cuts what was written into groups: the items of each, in their slots, and its bytes.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&[Item], &[u8])> {
        let mut items = self.items.as_slice();
        let mut start = 0;
        std::iter::from_fn(move || {
            let room = room(self.bytes.len() - start);
            let fitting = items.iter().take_while(|item| item.end - start <= room);
            let (group, rest) = items.split_at_checked(fitting.count().max(1))?;
            let end = group.last()?.end;
            let bytes = self.bytes.get(start..end)?;
            (items, start) = (rest, end);
            Some((group, bytes))
        })
    }

    fn begin(&mut self, kind: u8, run: RunId) -> usize {
        head(&mut self.bytes, kind, run, 0);
        self.bytes.len()
    }

    fn end(&mut self, start: usize, run: RunId, kind: Kind) {
        let end = self.bytes.len();
        let length = length(end - start).to_be_bytes();
        if let Some(place) = self.bytes.get_mut(start - length.len()..start) {
            place.copy_from_slice(&length);
        }
        self.items.push(Item { run, kind, end });
    }
}

/// How large the first group of so many bytes becomes at most, such that little of its pages stays
/// empty.
fn room(bytes: usize) -> usize {
    let whole = bytes.saturating_add(AROUND);
    if whole <= SMALL {
        return bytes;
    }
    let pages = 1 << whole.ilog2();
    pages.min(FULL) - AROUND
}

fn head(bytes: &mut Vec<u8>, kind: u8, run: RunId, length: u32) {
    bytes.push(kind);
    bytes.extend_from_slice(run.as_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
}

/// Entries are far smaller than 4 GiB; were one not, its group would not open as a whole.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A group that was opened.
#[derive(Debug)]
pub(crate) struct Group {
    bytes: Vec<u8>,
    items: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    kind: u8,
    run: RunId,
    body: Range<usize>,
}

impl Group {
    /// Finds the items of a group; none where it is no group.
    pub(crate) fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut items = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((kind, after)) = rest.split_first() {
            let (run, after) = after.split_first_chunk::<16>()?;
            let (length, after) = after.split_first_chunk()?;
            let length = u32::from_be_bytes(*length) as usize;
            let (_, after) = after.split_at_checked(length)?;
            let end = bytes.len() - after.len();
            items.push(Found {
                kind: *kind,
                run: RunId::new(*run),
                body: end - length..end,
            });
            rest = after;
        }
        Some(Self { bytes, items })
    }

    /// The state of a run in a slot; none where another thing is there.
    pub(crate) fn run(&self, slot: u32, id: RunId) -> Option<Run> {
        let run: Run = cbor::decode(self.body(slot, RUN, id)?).ok()?;
        (run.id == id).then_some(run)
    }

    /// The events of a run in a slot, from `first` on; none where another thing is there.
    pub(crate) fn events(&self, slot: u32, run: RunId, first: u64) -> Option<Vec<Event>> {
        let (found, block) = self.body(slot, EVENTS, run)?.split_first_chunk()?;
        if u64::from_be_bytes(*found) != first {
            return None;
        }
        block::read(run, first, block)
    }

    /// The items that were not removed: slot, run, and what it is with the first event's index.
    pub(crate) fn items(&self) -> impl Iterator<Item = (u32, RunId, Option<u64>)> {
        (0_u32..).zip(&self.items).filter_map(|(slot, item)| {
            let first = || {
                Some(u64::from_be_bytes(
                    *self.bytes.get(item.body.clone())?.first_chunk()?,
                ))
            };
            match item.kind {
                RUN => Some((slot, item.run, None)),
                EVENTS => Some((slot, item.run, Some(first()?))),
                _ => None,
            }
        })
    }

    /// The group without all that belongs to some runs; none where nothing else is left.
    pub(crate) fn without(&self, runs: &BTreeSet<RunId>) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut left = false;
        for item in &self.items {
            if item.kind == REMOVED || runs.contains(&item.run) {
                head(&mut bytes, REMOVED, RunId::new([0; 16]), 0);
                continue;
            }
            let body = self.bytes.get(item.body.clone()).unwrap_or_default();
            head(&mut bytes, item.kind, item.run, length(body.len()));
            bytes.extend_from_slice(body);
            left = true;
        }
        left.then_some(bytes)
    }

    fn body(&self, slot: u32, kind: u8, run: RunId) -> Option<&[u8]> {
        let item = self.items.get(slot as usize)?;
        let is_it = item.kind == kind && item.run == run;
        self.bytes.get(item.body.clone()).filter(|_| is_it)
    }
}

/// The groups that were opened last, so that what lies together is opened once.
#[derive(Debug, Default)]
pub(crate) struct Remembered(VecDeque<(u64, Rc<Group>)>);

impl Remembered {
    pub(crate) fn get(&mut self, number: u64) -> Option<Rc<Group>> {
        let at = self.0.iter().position(|(known, _)| *known == number)?;
        let found = self.0.remove(at)?;
        let group = Rc::clone(&found.1);
        self.0.push_front(found);
        Some(group)
    }

    pub(crate) fn add(&mut self, number: u64, group: &Rc<Group>) {
        self.0.push_front((number, Rc::clone(group)));
        let bytes = |this: &Self| {
            this.0
                .iter()
                .map(|(_, group)| group.bytes.len())
                .sum::<usize>()
        };
        while self.0.len() > REMEMBERED || self.0.len() > 1 && bytes(self) > REMEMBERED_BYTES {
            self.0.pop_back();
        }
    }
}
