//! Every way, one at a time, to write a document that is not the deterministic one.

use ciborium::Value;

use crate::cbor::CborError;

/// A document with one deviation, and the error it must give.
pub(super) struct Form {
    pub(super) class: &'static str,
    pub(super) site: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) error: CborError,
}

#[derive(Clone, Copy)]
enum Deviation {
    /// A head of `1 << width` argument bytes where fewer do.
    Wider(u32),
    /// A string in one chunk, or a container with a break at its end.
    Indefinite,
    /// Two neighbouring keys change places, values with them.
    Swapped,
    /// A key stands twice.
    Twice,
    /// A key is not an unsigned integer.
    Key(u8),
    /// A byte that starts an item of another type stands where the item stood.
    Instead(&'static [u8]),
    /// The item is tagged.
    Tagged,
    /// The first byte of a text is none of UTF-8.
    NotUtf8,
}

const KEY: CborError = CborError::Expected("an unsigned integer as map key");

const CLASSES: &[(&str, Deviation, CborError)] = &[
    (
        "one byte too many for an argument",
        Deviation::Wider(0),
        CborError::NotShortest,
    ),
    (
        "two bytes too many",
        Deviation::Wider(1),
        CborError::NotShortest,
    ),
    (
        "four bytes too many",
        Deviation::Wider(2),
        CborError::NotShortest,
    ),
    (
        "eight bytes too many",
        Deviation::Wider(3),
        CborError::NotShortest,
    ),
    (
        "indefinite length",
        Deviation::Indefinite,
        CborError::Indefinite,
    ),
    ("keys swapped", Deviation::Swapped, CborError::KeyOrder),
    ("a key twice", Deviation::Twice, CborError::KeyOrder),
    ("a negative key", Deviation::Key(0x20), KEY),
    ("a byte string as key", Deviation::Key(0x40), KEY),
    ("a text as key", Deviation::Key(0x60), KEY),
    ("an array as key", Deviation::Key(0x80), KEY),
    ("a map as key", Deviation::Key(0xa0), KEY),
    ("true as key", Deviation::Key(0xf5), KEY),
    (
        "a half float",
        Deviation::Instead(&[0xf9, 0x3c, 0]),
        CborError::Unsupported,
    ),
    (
        "a single float",
        Deviation::Instead(&[0xfa, 0, 0, 0, 0]),
        CborError::Unsupported,
    ),
    (
        "a double float",
        Deviation::Instead(&[0xfb, 0, 0, 0, 0, 0, 0, 0, 0]),
        CborError::Unsupported,
    ),
    (
        "undefined",
        Deviation::Instead(&[0xf7]),
        CborError::Unsupported,
    ),
    (
        "a simple value",
        Deviation::Instead(&[0xf0]),
        CborError::Unsupported,
    ),
    (
        "a long simple value",
        Deviation::Instead(&[0xf8, 0xff]),
        CborError::Unsupported,
    ),
    (
        "a break without a start",
        Deviation::Instead(&[0xff]),
        CborError::Indefinite,
    ),
    (
        "reserved information 28",
        Deviation::Instead(&[0x1c]),
        CborError::Unsupported,
    ),
    (
        "reserved information 30",
        Deviation::Instead(&[0x5e]),
        CborError::Unsupported,
    ),
    ("a tag", Deviation::Tagged, CborError::Unsupported),
    (
        "text that is not UTF-8",
        Deviation::NotUtf8,
        CborError::Utf8,
    ),
];

/// All deviations of a valid document.
pub(super) fn forms(bytes: &[u8]) -> Vec<Form> {
    let value: Value = ciborium::from_reader(bytes).unwrap();
    let mut forms = Vec::new();
    for (class, deviation, error) in CLASSES {
        for site in 0.. {
            let mut writer = Writer {
                deviation: *deviation,
                left: Some(site),
                bytes: Vec::new(),
            };
            writer.item(&value);
            if writer.left.is_some() {
                break;
            }
            forms.push(Form {
                class,
                site,
                bytes: writer.bytes,
                error: error.clone(),
            });
        }
    }
    for length in 0..bytes.len() {
        forms.push(Form {
            class: "truncated",
            site: length,
            bytes: bytes[..length].to_vec(),
            error: CborError::Truncated,
        });
    }
    for tail in [0x00, 0xa0, 0xf6, 0xff] {
        forms.push(Form {
            class: "trailing",
            site: usize::from(tail),
            bytes: [bytes, &[tail]].concat(),
            error: CborError::Trailing,
        });
    }
    forms
}

/// Writes the deterministic form, but for one place.
struct Writer {
    deviation: Deviation,
    /// Places to pass before the deviation; none once it is written.
    left: Option<usize>,
    bytes: Vec<u8>,
}

impl Writer {
    /// Whether to deviate here, at a place where the deviation is possible.
    fn here(&mut self) -> bool {
        let here = self.left == Some(0);
        self.left = self.left.and_then(|left| left.checked_sub(1));
        here
    }

    fn head(&mut self, major: u8, argument: u64) {
        let shortest = match argument {
            0..=23 => None,
            24..=0xff => Some(0),
            0x100..=0xffff => Some(1),
            0x1_0000..=0xffff_ffff => Some(2),
            _ => Some(3),
        };
        let mut width = shortest;
        if let Deviation::Wider(wider) = self.deviation
            && shortest.is_none_or(|shortest| wider > shortest)
            && self.here()
        {
            width = Some(wider);
        }
        match width {
            None => self.bytes.push(major << 5 | argument as u8),
            Some(width) => {
                self.bytes.push(major << 5 | (24 + width as u8));
                let bytes = argument.to_be_bytes();
                self.bytes.extend(&bytes[8 - (1 << width)..]);
            }
        }
    }

    fn item(&mut self, value: &Value) {
        let deviation = self.deviation;
        match deviation {
            Deviation::Instead(bytes) if self.here() => return self.bytes.extend(bytes),
            Deviation::Tagged if self.here() => self.bytes.push(0xc1),
            _ => {}
        }
        match value {
            Value::Integer(integer) => self.head(0, u64::try_from(*integer).unwrap()),
            Value::Bytes(bytes) => self.string(2, bytes),
            Value::Text(text) => self.text(text),
            Value::Array(items) => self.array(items),
            Value::Map(entries) => self.map(entries),
            Value::Bool(truth) => self.bytes.push(0xf4 + u8::from(*truth)),
            Value::Null => self.bytes.push(0xf6),
            other => panic!("no sample holds {other:?}"),
        }
    }

    fn text(&mut self, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        if matches!(self.deviation, Deviation::NotUtf8) && !bytes.is_empty() && self.here() {
            bytes[0] = 0xff;
        }
        self.string(3, &bytes);
    }

    fn string(&mut self, major: u8, bytes: &[u8]) {
        let split = matches!(self.deviation, Deviation::Indefinite) && self.here();
        if split {
            self.bytes.push(major << 5 | 31);
        }
        self.head(major, bytes.len() as u64);
        self.bytes.extend(bytes);
        if split {
            self.bytes.push(0xff);
        }
    }

    fn array(&mut self, items: &[Value]) {
        let broken = self.open(4, items.len());
        for item in items {
            self.item(item);
        }
        self.close(broken);
    }

    fn map(&mut self, entries: &[(Value, Value)]) {
        let mut entries = entries.to_vec();
        let swap = matches!(self.deviation, Deviation::Swapped);
        for at in 1..entries.len() {
            if swap && self.here() {
                entries.swap(at - 1, at);
                break;
            }
        }
        let twice = matches!(self.deviation, Deviation::Twice);
        if twice && !entries.is_empty() && self.here() {
            entries.insert(0, entries[0].clone());
        }
        let broken = self.open(5, entries.len());
        let deviation = self.deviation;
        for (key, value) in &entries {
            match deviation {
                Deviation::Key(other) if self.here() => self.bytes.push(other),
                Deviation::Instead(_) | Deviation::Tagged => {
                    self.head(0, u64::try_from(key.as_integer().unwrap()).unwrap());
                }
                _ => self.item(key),
            }
            self.item(value);
        }
        self.close(broken);
    }

    fn open(&mut self, major: u8, length: usize) -> bool {
        let broken = matches!(self.deviation, Deviation::Indefinite) && self.here();
        if broken {
            self.bytes.push(major << 5 | 31);
        } else {
            self.head(major, length as u64);
        }
        broken
    }

    fn close(&mut self, broken: bool) {
        if broken {
            self.bytes.push(0xff);
        }
    }
}
