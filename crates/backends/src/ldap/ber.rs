//! The few encodings that LDAP is made of, each with its length before it.
//!
//! Reading takes no memory and goes as deep as whoever reads: what a directory sends decides about
//! neither.

/// What stands in front of each kind of content.
pub(super) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTETS: u8 = 0x04;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// Most bytes of a length, after the one that counts them.
const LENGTH_BYTES: usize = 4;
/// Lengths from here on take more than one byte.
const LONG: u8 = 0x80;

/// What was read is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Content under a tag.
pub(super) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    let length = bytes.get(skipped..).unwrap_or_default();
    let mut encoded = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < LONG => encoded.push(short),
        // A length has eight bytes at most.
        _ => {
            encoded.push(LONG | u8::try_from(length.len()).unwrap_or_default());
            encoded.extend(length);
        }
    }
    encoded.extend(content);
    encoded
}

/// Several encodings as the content of one.
pub(super) fn all(tag: u8, parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    tagged(tag, &parts.into_iter().collect::<Vec<_>>().concat())
}

/// A text.
pub(super) fn text(tag: u8, text: &str) -> Vec<u8> {
    tagged(tag, text.as_bytes())
}

/// A number that is not negative.
pub(super) fn number(tag: u8, number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    // The first bit is that of the sign.
    let content = [&[0], bytes.get(skipped..).unwrap_or_default()].concat();
    let signed = content.get(1).is_some_and(|first| *first < LONG);
    tagged(tag, content.get(usize::from(signed)..).unwrap_or_default())
}

/// Reads one encoding after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of what comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// What comes next, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let (found, rest) = self.0.split_first().ok_or(Malformed)?;
        let (length, rest) = length(rest).ok_or(Malformed)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        if *found != tag {
            return Err(Malformed);
        }
        self.0 = rest;
        Ok(content)
    }

    /// What comes next, to be read in turn.
    pub(super) fn enter(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.take(tag).map(Self)
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, Malformed> {
        let content = self.take(tag)?;
        let small = (1..=LENGTH_BYTES).contains(&content.len()) && content[0] < LONG;
        let digit = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        small
            .then(|| content.iter().fold(0, digit))
            .ok_or(Malformed)
    }

    pub(super) fn text(&mut self, tag: u8) -> Result<&'a str, Malformed> {
        str::from_utf8(self.take(tag)?).map_err(|_| Malformed)
    }
}

/// The length that bytes begin with, and what follows it. One without an end is none.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < LONG {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(first & !LONG);
    if !(1..=LENGTH_BYTES).contains(&count) {
        return None;
    }
    let (length, rest) = rest.split_at_checked(count)?;
    let digit = |number: usize, byte: &u8| number << 8 | usize::from(*byte);
    Some((length.iter().fold(0, digit), rest))
}

/// How many bytes the message has that begins with these, its head included; none while that cannot be told.
pub(super) fn size(head: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some((tag, rest)) = head.split_first() else {
        return Ok(None);
    };
    let count = match rest.first() {
        Some(first) if *first >= LONG => usize::from(first & !LONG),
        Some(_) => 0,
        None if *tag == tag::SEQUENCE => return Ok(None),
        None => return Err(Malformed),
    };
    if *tag != tag::SEQUENCE || count > LENGTH_BYTES {
        return Err(Malformed);
    }
    if rest.len() <= count {
        return Ok(None);
    }
    let (length, after) = length(rest).ok_or(Malformed)?;
    Ok(Some(head.len() - after.len() + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_whatever_its_length() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let encoded = tagged(tag::OCTETS, &content);
            let mut reader = Reader::new(&encoded);
            assert_eq!(reader.take(tag::OCTETS), Ok(content.as_slice()), "{length}");
            assert!(reader.is_empty(), "{length}");
        }
        for value in [0, 1, 127, 128, 255, 256, 32_768, 0x7fff_ffff] {
            let encoded = number(tag::INTEGER, value);
            assert_eq!(Reader::new(&encoded).number(tag::INTEGER), Ok(value));
        }
        assert_eq!(number(tag::INTEGER, 128), [2, 2, 0, 128]);
        assert_eq!(number(tag::INTEGER, 0), [2, 1, 0]);
    }

    #[test]
    fn what_is_cut_short_has_no_end_or_claims_too_much_is_not_read() {
        for wrong in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 1, 7],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[4, 0x81],
        ] {
            assert_eq!(
                Reader::new(wrong).take(tag::OCTETS),
                Err(Malformed),
                "{wrong:?}"
            );
        }
        for wrong in [&[2, 0][..], &[2, 1, 0x80], &[2, 5, 0, 0, 0, 0, 1]] {
            assert_eq!(
                Reader::new(wrong).number(tag::INTEGER),
                Err(Malformed),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn the_size_of_a_message_is_told_as_soon_as_its_head_is_there() {
        assert_eq!(size(&[]), Ok(None));
        assert_eq!(size(&[0x30]), Ok(None));
        assert_eq!(size(&[0x30, 5]), Ok(Some(7)));
        assert_eq!(size(&[0x30, 0x84, 0, 0, 0]), Ok(None));
        assert_eq!(size(&[0x30, 0x84, 0, 0, 1, 0, 9]), Ok(Some(262)));
        assert_eq!(size(&[0x30, 0x89]), Err(Malformed));
        assert_eq!(size(&[0x31, 5]), Err(Malformed));
        assert_eq!(size(b"HTTP/1.1"), Err(Malformed));
    }
}
