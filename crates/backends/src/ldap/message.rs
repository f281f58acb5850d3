//! What is said to a directory, and what it answers.

use super::ber::{self, Malformed, Reader, tag};

/// Protocol operations and parts of them, by their tags.
mod op {
    pub(super) const BIND: u8 = 0x60;
    pub(super) const BOUND: u8 = 0x61;
    pub(super) const UNBIND: u8 = 0x42;
    pub(super) const SEARCH: u8 = 0x63;
    pub(super) const ENTRY: u8 = 0x64;
    pub(super) const SEARCHED: u8 = 0x65;
    pub(super) const REFERENCE: u8 = 0x73;
    pub(super) const EXTENDED: u8 = 0x77;
    pub(super) const EXTENSION: u8 = 0x78;
    /// A password, and the name of an extension.
    pub(super) const PLAIN: u8 = 0x80;
}

/// The extension that begins TLS.
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// The version of the protocol.
const VERSION: u32 = 3;
/// Aliases are not followed.
const NO_ALIASES: u32 = 0;
/// Asks for no attribute at all.
pub(super) const NO_ATTRIBUTES: &str = "1.1";

/// Which entries a search is about. Values are never written as text with a syntax: there is nothing to
/// escape.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Equals(&'static str, String),
    /// As [`Filter::Equals`], for an attribute that the configuration names.
    Named(String, String),
    /// An attribute, a rule by which it matches, and a value.
    Matches(&'static str, &'static str, String),
}

impl Filter {
    fn encode(&self) -> Vec<u8> {
        let equals = |attribute: &str, value: &str| {
            let parts = [attribute, value].map(|part| ber::text(tag::OCTETS, part));
            ber::all(0xa3, parts)
        };
        match self {
            Self::All(filters) => ber::all(0xa0, filters.iter().map(Self::encode)),
            Self::Any(filters) => ber::all(0xa1, filters.iter().map(Self::encode)),
            Self::Not(filter) => ber::all(0xa2, [filter.encode()]),
            Self::Equals(attribute, value) => equals(attribute, value),
            Self::Named(attribute, value) => equals(attribute, value),
            Self::Matches(attribute, rule, value) => ber::all(
                0xa9,
                [
                    ber::text(0x81, rule),
                    ber::text(0x82, attribute),
                    ber::text(0x83, value),
                ],
            ),
        }
    }
}

/// What a search is for.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    /// Whether entries below the base are meant as well.
    pub(super) deep: bool,
    pub(super) filter: Filter,
    /// Entries at most.
    pub(super) most: u32,
    pub(super) seconds: u32,
    pub(super) attribute: &'a str,
}

/// A message with its number.
fn message(number: u32, operation: Vec<u8>) -> Vec<u8> {
    ber::all(
        tag::SEQUENCE,
        [ber::number(tag::INTEGER, number), operation],
    )
}

pub(super) fn bind(number: u32, dn: &str, password: &str) -> Vec<u8> {
    let parts = [
        ber::number(tag::INTEGER, VERSION),
        ber::text(tag::OCTETS, dn),
        ber::text(op::PLAIN, password),
    ];
    message(number, ber::all(op::BIND, parts))
}

pub(super) fn unbind(number: u32) -> Vec<u8> {
    message(number, ber::tagged(op::UNBIND, &[]))
}

pub(super) fn start_tls(number: u32) -> Vec<u8> {
    let name = ber::text(op::PLAIN, START_TLS);
    message(number, ber::all(op::EXTENDED, [name]))
}

pub(super) fn search(number: u32, search: &Search<'_>) -> Vec<u8> {
    let scope = if search.deep { 2 } else { 0 };
    let attributes = [ber::text(tag::OCTETS, search.attribute)];
    let parts = [
        ber::text(tag::OCTETS, search.base),
        ber::number(tag::ENUMERATED, scope),
        ber::number(tag::ENUMERATED, NO_ALIASES),
        ber::number(tag::INTEGER, search.most),
        ber::number(tag::INTEGER, search.seconds),
        ber::tagged(tag::BOOLEAN, &[0]),
        search.filter.encode(),
        ber::all(tag::SEQUENCE, attributes),
    ];
    message(number, ber::all(op::SEARCH, parts))
}

/// An entry of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    /// The values of the attribute that was asked for, those that are text.
    pub(super) values: Vec<String>,
}

/// What a directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An entry that was found.
    Entry(Entry),
    /// Where else one could ask. Nobody does.
    Reference,
    /// What became of what was asked, as a number; zero is success.
    Done(u32),
}

/// Reads a message; gives the number of what it answers.
pub(super) fn read(bytes: &[u8], attribute: &str) -> Result<(u32, Said), Malformed> {
    let mut message = Reader::new(bytes).enter(tag::SEQUENCE)?;
    let number = message.number(tag::INTEGER)?;
    let said = match message.peek() {
        Some(op::ENTRY) => Said::Entry(entry(message.enter(op::ENTRY)?, attribute)?),
        Some(op::REFERENCE) => Said::Reference,
        Some(tag @ (op::BOUND | op::SEARCHED | op::EXTENSION)) => {
            Said::Done(message.enter(tag)?.number(tag::ENUMERATED)?)
        }
        _ => return Err(Malformed),
    };
    Ok((number, said))
}

fn entry(mut entry: Reader<'_>, wanted: &str) -> Result<Entry, Malformed> {
    let dn = entry.text(tag::OCTETS)?.to_owned();
    let mut values = Vec::new();
    let mut attributes = entry.enter(tag::SEQUENCE)?;
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(tag::SEQUENCE)?;
        let name = attribute.text(tag::OCTETS)?;
        let mut found = attribute.enter(tag::SET)?;
        while !found.is_empty() {
            let value = found.take(tag::OCTETS)?;
            if let (true, Ok(value)) = (name.eq_ignore_ascii_case(wanted), str::from_utf8(value)) {
                values.push(value.to_owned());
            }
        }
    }
    Ok(Entry { dn, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_written_as_the_standard_says() {
        let written = bind(1, "cn=a", "pw");
        let expected = [
            &[0x30, 0x12, 0x02, 0x01, 0x01, 0x60, 0x0d, 0x02, 0x01, 0x03][..],
            &[0x04, 0x04],
            b"cn=a",
            &[0x80, 0x02],
            b"pw",
        ];
        assert_eq!(written, expected.concat());
    }

    #[test]
    fn what_somebody_types_stays_a_value_whatever_it_looks_like() {
        let typed = "*)(uid=admin)(\\00";
        let filter = Filter::Named("uid".to_owned(), typed.to_owned());
        let encoded = Filter::All(vec![filter]).encode();
        let mut all = Reader::new(&encoded).enter(0xa0).unwrap();
        let mut equals = all.enter(0xa3).unwrap();
        assert_eq!(equals.text(tag::OCTETS), Ok("uid"));
        assert_eq!(equals.text(tag::OCTETS), Ok(typed));
        assert!(equals.is_empty() && all.is_empty());
    }

    #[test]
    fn entries_ends_and_references_are_told_apart() {
        let attribute = |name: &str, value: &[u8]| {
            let values = ber::all(tag::SET, [ber::tagged(tag::OCTETS, value)]);
            ber::all(tag::SEQUENCE, [ber::text(tag::OCTETS, name), values])
        };
        let attributes = [
            attribute("UID", b"alice"),
            attribute("uid", &[0xff]),
            attribute("cn", b"Alice"),
        ];
        let entry = [
            ber::text(tag::OCTETS, "uid=alice,dc=x"),
            ber::all(tag::SEQUENCE, attributes),
        ];
        let (number, said) = read(&message(7, ber::all(op::ENTRY, entry)), "uid").unwrap();
        let expected = Entry {
            dn: "uid=alice,dc=x".to_owned(),
            values: vec!["alice".to_owned()],
        };
        assert_eq!((number, said), (7, Said::Entry(expected)));

        let done = ber::all(op::SEARCHED, [ber::number(tag::ENUMERATED, 32)]);
        assert_eq!(read(&message(2, done), "uid"), Ok((2, Said::Done(32))));
        let reference = ber::all(op::REFERENCE, [ber::text(tag::OCTETS, "ldap://evil")]);
        assert_eq!(
            read(&message(3, reference), "uid"),
            Ok((3, Said::Reference))
        );
        let request = bind(4, "", "");
        assert_eq!(read(&request, "uid"), Err(Malformed));
    }

    #[test]
    fn answers_that_are_cut_short_or_changed_in_any_byte_are_read_or_refused_and_no_more() {
        let values = ber::all(tag::SET, [ber::text(tag::OCTETS, "alice")]);
        let attribute = ber::all(tag::SEQUENCE, [ber::text(tag::OCTETS, "uid"), values]);
        let entry = [
            ber::text(tag::OCTETS, "uid=alice,dc=x"),
            ber::all(tag::SEQUENCE, [attribute]),
        ];
        let whole = message(7, ber::all(op::ENTRY, entry));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end], "uid"), Err(Malformed), "{end}");
        }
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut changed = whole.clone();
                changed[at] = byte;
                let longer = read(&changed, "uid").is_ok_and(|(_, said)| match said {
                    Said::Entry(entry) => {
                        let values = entry.values.iter().map(String::len);
                        entry.dn.len() + values.sum::<usize>() > whole.len()
                    }
                    Said::Reference | Said::Done(_) => false,
                });
                assert!(!longer, "{at} {byte}");
            }
        }
    }
}
