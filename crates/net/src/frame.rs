//! Frames on a lane: a length of four bytes, big-endian, and as many bytes.

use std::{cell::Cell, task::Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use realm_protocol::limits::FRAME_BYTES;
use thiserror::Error;

/// Bytes read at once; more while a long frame arrives.
const READ_BYTES: usize = 16 * 1024;
/// The same at most.
const MOST_READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where bytes arrive before it is known how many: made once, since whoever reads into it wants it
    /// initialised.
    static SPACE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A declared length beyond [`FRAME_BYTES`]. Nothing was allocated for it.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("a frame of {0} bytes declared")]
pub(crate) struct FrameTooLong(pub(crate) u32);

/// Appends a frame, with its length, to `out`. The caller bounds the frame by [`FRAME_BYTES`].
pub(crate) fn encode(frame: &[u8], out: &mut BytesMut) {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    out.reserve(frame.len().saturating_add(4));
    out.put_u32(length);
    out.put_slice(frame);
}

/// Cuts a stream of bytes into frames. Holds what has arrived and no more.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Lets `read` put bytes somewhere, and keeps as many as it says behind those that have arrived.
    /// Where there is nothing to read nothing is allocated.
    pub(crate) fn read_with<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<usize, E>> {
        let arrived = self.buffer.len();
        let space = arrived.clamp(READ_BYTES, MOST_READ_BYTES);
        let mut bytes = SPACE.take();
        bytes.resize(MOST_READ_BYTES, 0);
        let polled = read(bytes.get_mut(..space).unwrap_or_default());
        match &polled {
            Poll::Ready(Ok(read)) => {
                let read = bytes.get(..(*read).min(space)).unwrap_or_default();
                self.buffer.extend_from_slice(read);
            }
            Poll::Ready(Err(_)) | Poll::Pending if arrived == 0 => release(&mut self.buffer),
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        SPACE.set(bytes);
        polled
    }

    /// Gives the next whole frame, if it has arrived: a part of what was read, not a copy. Fails on a
    /// declared length that is too long, as soon as the length itself is there.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Bytes>, FrameTooLong> {
        let Some(&declared) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let declared = u32::from_be_bytes(declared);
        let length = usize::try_from(declared)
            .ok()
            .filter(|length| *length <= FRAME_BYTES)
            .ok_or(FrameTooLong(declared))?;
        let end = length.saturating_add(4);
        if self.buffer.len() < end {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether a frame has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }
}

/// Gives back the memory of an empty buffer: an idle link holds none.
pub(crate) fn release(buffer: &mut BytesMut) {
    *buffer = BytesMut::new();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut_of_the_stream() {
        let frames: Vec<Vec<u8>> = [0, 1, 5, 300, FRAME_BYTES]
            .iter()
            .map(|length| vec![7; *length])
            .collect();
        let mut wire = BytesMut::new();
        for frame in &frames {
            encode(frame, &mut wire);
        }

        for cut in [1, 3, 4, 5, 4096, wire.len()] {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for chunk in wire.chunks(cut) {
                push(&mut decoder, chunk);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame.to_vec());
                }
            }
            assert_eq!(seen, frames, "cut every {cut} bytes");
            assert!(!decoder.is_partial());
        }
    }

    #[test]
    fn a_declared_length_beyond_the_limit_fails_before_its_bytes_and_costs_nothing() {
        for declared in [u32::MAX, FRAME_BYTES as u32 + 1] {
            let mut decoder = Decoder::default();

            push(&mut decoder, &declared.to_be_bytes());

            assert_eq!(decoder.next_frame(), Err(FrameTooLong(declared)));
            assert!(decoder.buffer.capacity() <= READ_BYTES);
        }
    }

    #[test]
    fn a_declared_length_alone_allocates_nothing() {
        let mut decoder = Decoder::default();

        push(&mut decoder, &(FRAME_BYTES as u32).to_be_bytes());

        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.buffer.capacity() <= READ_BYTES);
    }

    #[test]
    fn a_frame_that_has_begun_takes_the_room_of_what_has_arrived() {
        let mut decoder = Decoder::default();

        push(&mut decoder, &[0, 0, 1, 0, 7]);
        let pending = decoder.read_with(|_| Poll::<Result<usize, ()>>::Pending);

        assert!(pending.is_pending());
        assert_eq!(&decoder.buffer[..], [0, 0, 1, 0, 7]);
        assert!(decoder.buffer.capacity() < 1_024);
    }

    /// Reads all of the bytes, which come in one piece if there is space.
    fn push(decoder: &mut Decoder, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let polled = decoder.read_with(|space| {
                let length = space.len().min(bytes.len());
                space[..length].copy_from_slice(&bytes[..length]);
                Poll::Ready(Ok::<_, ()>(length))
            });
            let Poll::Ready(Ok(read)) = polled else {
                panic!("bytes were there");
            };
            bytes = &bytes[read..];
        }
    }
}
