//! The rows of runs and events that say where in a group they are.
//!
//! They stand in clear, because they say nothing but that. Whoever changes one gains nothing:
//! what a slot holds says, under the seal, whose it is and which events.

/// The version of such rows: their first byte.
pub(crate) const GROUPED: u8 = 4;

/// Groups of superseded states that a row lists; further ones stay when the run goes.
const EARLIER: usize = 1_024;

/// Where the state of a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunPointer {
    pub(crate) group: u64,
    pub(crate) slot: u32,
    /// How many of the run's first events are in the slot after; they have no row of their own.
    pub(crate) events: u32,
    /// Groups that hold earlier states of the run.
    pub(crate) earlier: Vec<u64>,
}

impl RunPointer {
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        let mut rest = stored.strip_prefix(&[GROUPED])?;
        let group = u64::from_be_bytes(*array(&mut rest)?);
        let slot = u32::from_be_bytes(*array(&mut rest)?);
        let events = u32::from_be_bytes(*array(&mut rest)?);
        let mut earlier = Vec::new();
        while !rest.is_empty() {
            earlier.push(u64::from_be_bytes(*array(&mut rest)?));
        }
        Some(Self {
            group,
            slot,
            events,
            earlier,
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![GROUPED];
        bytes.extend_from_slice(&self.group.to_be_bytes());
        bytes.extend_from_slice(&self.slot.to_be_bytes());
        bytes.extend_from_slice(&self.events.to_be_bytes());
        for group in &self.earlier {
            bytes.extend_from_slice(&group.to_be_bytes());
        }
        bytes
    }

    /// Every group that holds a state of the run.
    pub(crate) fn groups(&self) -> impl Iterator<Item = u64> {
        self.earlier.iter().copied().chain([self.group])
    }

    /// What a later state's row, in another group, lists as earlier.
    pub(crate) fn as_earlier(&self, group: u64) -> Vec<u64> {
        let mut earlier: Vec<_> = self.groups().filter(|known| *known != group).collect();
        earlier.truncate(EARLIER);
        earlier
    }

    /// The row of the first events, which they need once the state is elsewhere.
    pub(crate) fn first_events(&self) -> Option<EventsPointer> {
        (self.events > 0).then(|| EventsPointer {
            group: self.group,
            slot: self.slot.saturating_add(1),
            count: self.events,
        })
    }
}

/// Where events that follow each other are. The first one's index is in the row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventsPointer {
    pub(crate) group: u64,
    pub(crate) slot: u32,
    pub(crate) count: u32,
}

impl EventsPointer {
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        let mut rest = stored.strip_prefix(&[GROUPED])?;
        let pointer = Self {
            group: u64::from_be_bytes(*array(&mut rest)?),
            slot: u32::from_be_bytes(*array(&mut rest)?),
            count: u32::from_be_bytes(*array(&mut rest)?),
        };
        rest.is_empty().then_some(pointer)
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let group = self.group.to_be_bytes();
        let slot = self.slot.to_be_bytes();
        let count = self.count.to_be_bytes();
        [[GROUPED].as_slice(), &group, &slot, &count].concat()
    }
}

fn array<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (found, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(found)
}
