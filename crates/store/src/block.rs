//! Events of one run that were committed together, as one value.
//!
//! A block stands at the place of its first event, and the others follow in their order without a
//! gap; so run and index are not repeated. Each event is its call (16 bytes), its time
//! (milliseconds, 8 bytes), its type and its payload, both after their length (4 bytes). Numbers
//! are big-endian.

use realm_protocol::{CallId, RunId, Timestamp, cbor::Blob, journal::Event};

/// Events in one block; more begin another one.
pub(crate) const EVENTS: usize = 64;
/// Bytes after which a block takes no further event.
pub(crate) const BYTES: usize = 32 * 1024;

/// Appends an event to a block.
pub(crate) fn push(block: &mut Vec<u8>, event: &Event) {
    block.extend_from_slice(event.call.as_bytes());
    block.extend_from_slice(&event.at.as_millis().to_be_bytes());
    let parts: [&[u8]; 2] = [event.kind.as_bytes(), &event.payload];
    for part in parts {
        // Entries are far smaller than 4 GiB; were one not, the block would not open as a whole.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        block.extend_from_slice(&length.to_be_bytes());
        block.extend_from_slice(part);
    }
}

/// Reads a block that begins with a run's event at `first`; none where it is no block.
pub(crate) fn read(run: RunId, first: u64, mut block: &[u8]) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    while !block.is_empty() {
        events.push(Event {
            run,
            index: first.checked_add(events.len() as u64)?,
            call: CallId::new(*array(&mut block)?),
            at: Timestamp::from_millis(u64::from_be_bytes(*array(&mut block)?)),
            kind: String::from_utf8(part(&mut block)?.to_vec()).ok()?,
            payload: Blob::from(part(&mut block)?.to_vec()),
        });
    }
    Some(events)
}

fn array<'a, const N: usize>(block: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (found, rest) = block.split_first_chunk()?;
    *block = rest;
    Some(found)
}

fn part<'a>(block: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(*array(block)?);
    let (found, rest) = block.split_at_checked(length as usize)?;
    *block = rest;
    Some(found)
}
