//! Frames on a lane: a length of four bytes, big-endian, and as many bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use realm_protocol::limits::FRAME_BYTES;
use thiserror::Error;

/// Capacity an empty buffer may keep; more is given back.
const KEPT_BYTES: usize = 16 * 1024;

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
    /// Takes bytes as they arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the next whole frame, if it has arrived. Fails on a declared length that is too long,
    /// as soon as the length itself is there.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Bytes>, FrameTooLong> {
        let Some(&declared) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let declared = u32::from_be_bytes(declared);
        let length = usize::try_from(declared)
            .ok()
            .filter(|length| *length <= FRAME_BYTES)
            .ok_or(FrameTooLong(declared))?;
        // A copy, so that a small frame kept for long does not keep a large buffer with it.
        let Some(frame) = self
            .buffer
            .get(4..length.saturating_add(4))
            .map(Bytes::copy_from_slice)
        else {
            return Ok(None);
        };
        self.buffer.advance(length.saturating_add(4));
        release(&mut self.buffer);
        Ok(Some(frame))
    }

    /// Whether a frame has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }
}

/// Gives back the memory of a buffer that is empty and large.
pub(crate) fn release(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > KEPT_BYTES {
        *buffer = BytesMut::new();
    }
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
                decoder.push(chunk);
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

            decoder.push(&declared.to_be_bytes());

            assert_eq!(decoder.next_frame(), Err(FrameTooLong(declared)));
            assert!(decoder.buffer.capacity() < 1024);
        }
    }

    #[test]
    fn a_declared_length_alone_allocates_nothing() {
        let mut decoder = Decoder::default();

        decoder.push(&(FRAME_BYTES as u32).to_be_bytes());

        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.buffer.capacity() < 1024);
    }
}
