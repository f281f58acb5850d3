//! Which results say the same.

use serde_json::Value;

use super::Valid;

/// Results that say the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    /// The best-ranked of them.
    pub(super) first: &'a Valid<'a>,
    /// How many they are.
    pub(super) size: u64,
}

/// The results by what they say; of each group the best-ranked first.
pub(super) fn groups<'a>(valid: &'a [Valid<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for result in valid {
        let known = groups
            .iter_mut()
            .find(|group| same(group.first.value, result.value));
        match known {
            Some(group) => group.size = group.size.saturating_add(1),
            None => groups.push(Group {
                first: result,
                size: 1,
            }),
        }
    }
    groups
}

/// Whether two values are one: numbers as IEEE 754 doubles, objects whatever their order.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let held = |(name, value)| other.get(name).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(held)
        }
        (one, other) => one == other,
    }
}
