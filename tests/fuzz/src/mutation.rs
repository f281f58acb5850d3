//! Other CBOR from CBOR: the encoding stays right, the meaning does not.

use ciborium::Value;
use realm_protocol::cbor;

/// Numbers at which something may change.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    23,
    24,
    63,
    64,
    255,
    256,
    65_535,
    65_536,
    1_800_000_000_000,
    1 << 32,
    u64::MAX,
];
/// Lengths of byte strings that mean something.
const LENGTHS: [usize; 7] = [0, 4, 8, 16, 31, 32, 64];
const TEXTS: [&str; 7] = [
    "",
    "a",
    "acme",
    "health/cardiology",
    "A",
    "a/",
    "permit(principal, action, resource);",
];

/// Repeatable chance.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u32) -> Self {
        Self(u64::from(seed) | 1 << 32)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// Changes one to three places of a document; none if it is no document.
pub(crate) fn mutated(bytes: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    cbor::check(bytes).ok()?;
    let mut value: Value = ciborium::from_reader(bytes).ok()?;
    for _ in 0..=chance.below(3) {
        let place = chance.below(count(&value));
        let other = nth(&value, chance.below(count(&value)))?.clone();
        change_at(&mut value, place, &other, chance);
    }
    sort(&mut value);
    let mut made = Vec::new();
    ciborium::into_writer(&value, &mut made).ok()?;
    Some(made)
}

/// How many items a value has, itself included, those inside byte strings not.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

fn nth(value: &Value, at: usize) -> Option<&Value> {
    if at == 0 {
        return Some(value);
    }
    let mut left = at - 1;
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    for item in inner {
        let inside = count(item);
        if left < inside {
            return nth(item, left);
        }
        left -= inside;
    }
    None
}

fn change_at(value: &mut Value, at: usize, other: &Value, chance: &mut Chance) {
    if at == 0 {
        return change(value, other, chance);
    }
    let mut left = at - 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Map(entries) => entries.iter_mut().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    for item in inner {
        let inside = count(item);
        if left < inside {
            return change_at(item, left, other, chance);
        }
        left -= inside;
    }
}

fn change(value: &mut Value, other: &Value, chance: &mut Chance) {
    if chance.one_in(12) {
        *value = match chance.below(4) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::from(chance.of(&EDGES)),
            _ => other.clone(),
        };
        return;
    }
    match value {
        Value::Integer(number) => {
            let number = u64::try_from(*number).unwrap_or_default();
            *value = Value::from(match chance.below(4) {
                0 => number.wrapping_add(1),
                1 => number.wrapping_sub(1),
                2 => chance.next() >> chance.below(64),
                _ => chance.of(&EDGES),
            });
        }
        Value::Bytes(bytes) => change_bytes(bytes, chance),
        Value::Text(text) => change_text(text, chance),
        Value::Bool(bool) => *bool = !*bool,
        Value::Array(items) => {
            let at = chance.below(items.len());
            match chance.below(4) {
                0 => items.push(other.clone()),
                1 if !items.is_empty() => items.insert(at, items[at].clone()),
                2 if !items.is_empty() => {
                    items.remove(at);
                }
                _ => {
                    let with = chance.below(items.len());
                    if !items.is_empty() {
                        items.swap(at, with);
                    }
                }
            }
        }
        Value::Map(entries) => {
            let at = chance.below(entries.len());
            let key = Value::from(match chance.below(3) {
                0 => chance.of(&EDGES),
                _ => chance.below(20) as u64,
            });
            match chance.below(4) {
                0 if !entries.is_empty() => {
                    entries.remove(at);
                }
                1 if !entries.is_empty() => entries[at].0 = key,
                2 if !entries.is_empty() => {
                    let from = chance.below(entries.len());
                    entries[at].1 = entries[from].1.clone();
                }
                _ => entries.push((key, other.clone())),
            }
        }
        _ => *value = Value::from(chance.of(&EDGES)),
    }
}

/// Byte strings mostly hold documents, keys, digests or signatures.
fn change_bytes(bytes: &mut Vec<u8>, chance: &mut Chance) {
    if !chance.one_in(8)
        && let Some(made) = mutated(bytes, chance).filter(|_| bytes.len() > 1)
    {
        *bytes = made;
        return;
    }
    let at = chance.below(bytes.len());
    match chance.below(4) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
        1 => bytes.resize(chance.of(&LENGTHS), 0),
        2 => bytes.fill(chance.below(60) as u8),
        _ => bytes.truncate(at),
    }
}

fn change_text(text: &mut String, chance: &mut Chance) {
    match chance.below(4) {
        0 => text.push(chance.of(&['a', '-', '/', 'A', '\0', 'é'])),
        1 => {
            text.pop();
        }
        2 => *text = text.repeat(2 + chance.below(8)),
        _ => *text = chance.of(&TEXTS).to_owned(),
    }
}

/// Puts the keys of maps in order, each once.
fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort),
        Value::Map(entries) => {
            let number = |key: &Value| {
                let key = key.as_integer();
                key.and_then(|key| u64::try_from(key).ok())
                    .unwrap_or_default()
            };
            entries.sort_by_key(|(key, _)| number(key));
            entries.dedup_by_key(|(key, _)| number(key));
            entries.iter_mut().for_each(|(_, value)| sort(value));
        }
        _ => {}
    }
}
