//! Writing: heads in the shortest form, and what follows them.

use super::{
    Wire,
    head::{major, simple},
};

/// Writes items one after the other; or only measures how long they would be.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    length: usize,
    measures: bool,
}

impl Writer {
    /// The encoding of a value, in one allocation of its size.
    pub(super) fn encode<T: Wire>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::length(value));
        Self::append(value, &mut bytes);
        bytes
    }

    /// How long the encoding of a value would be.
    pub(super) fn length<T: Wire>(value: &T) -> usize {
        let mut measure = Self {
            measures: true,
            ..Self::default()
        };
        value.write(&mut measure);
        measure.length
    }

    /// Appends the encoding of a value to the bytes.
    pub(super) fn append<T: Wire>(value: &T, bytes: &mut Vec<u8>) {
        let mut out = Self {
            bytes: std::mem::take(bytes),
            ..Self::default()
        };
        value.write(&mut out);
        *bytes = out.bytes;
    }

    /// Writes an unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.head(major::UINT, value);
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(major::BYTES, bytes.len() as u64);
        self.raw(bytes);
    }

    /// Writes a text.
    pub fn text(&mut self, text: &str) {
        self.head(major::TEXT, text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// Writes true or false.
    pub fn bool(&mut self, value: bool) {
        let value = if value { simple::TRUE } else { simple::FALSE };
        self.head(major::SIMPLE, value);
    }

    /// Writes null.
    pub fn null(&mut self) {
        self.head(major::SIMPLE, simple::NULL);
    }

    /// Begins an array; its items are written next.
    pub fn array(&mut self, items: usize) {
        self.head(major::ARRAY, items as u64);
    }

    /// Begins a map of the keys that are present; its fields are written next.
    pub fn map(&mut self, present: &[bool]) {
        let keys = present.iter().filter(|present| **present).count();
        self.head(major::MAP, keys as u64);
    }

    /// Writes a key and its value, unless the value is absent. Keys come in ascending order.
    pub fn field<T: Wire>(&mut self, key: u64, value: &T) {
        if value.is_present() {
            self.uint(key);
            value.write(self);
        }
    }

    /// Writes bytes that are items in the deterministic form already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        if !self.measures {
            self.bytes.extend_from_slice(bytes);
        }
    }

    #[inline]
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let wide = argument.to_be_bytes();
        let [.., a, b, c, d] = wide;
        match argument {
            0..24 => self.raw(&[major | d]),
            24..0x100 => self.raw(&[major | 24, d]),
            0x100..0x1_0000 => self.raw(&[major | 25, c, d]),
            0x1_0000..0x1_0000_0000 => self.raw(&[major | 26, a, b, c, d]),
            _ => {
                self.raw(&[major | 27]);
                self.raw(&wide);
            }
        }
    }
}
