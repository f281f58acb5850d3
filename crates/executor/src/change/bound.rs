//! Bounds of numbers, lengths and sizes.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// Largest magnitude up to which every integer is a floating-point number.
const EXACT: i128 = 1 << 53;

/// A bound that a schema sets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// `minimum` and `exclusiveMinimum`, whichever is tighter.
    Minimum,
    /// `maximum` and `exclusiveMaximum`.
    Maximum,
    /// A least length or size.
    AtLeast(&'static str),
    /// A greatest length or size.
    AtMost(&'static str),
}

/// A number, and whether it is outside itself.
type Limit<'a> = (&'a Number, bool);

impl Bound {
    /// Whether the bound of `sup` follows from that of `sub`; none if that cannot be told.
    pub(super) fn follows(
        self,
        sub: &Map<String, Value>,
        sup: &Map<String, Value>,
    ) -> Option<bool> {
        match self {
            Self::AtLeast(name) => {
                let sub = sub.get(name).map_or(Some(0), Value::as_u64)?;
                Some(sub >= sup.get(name).map_or(Some(0), Value::as_u64)?)
            }
            Self::AtMost(name) => {
                let most = |schema: &Map<String, Value>| {
                    schema.get(name).map_or(Some(u64::MAX), Value::as_u64)
                };
                Some(most(sub)? <= most(sup)?)
            }
            Self::Minimum | Self::Maximum => {
                let Some(wanted) = self.limit(sup)? else {
                    return Some(true);
                };
                let Some(given) = self.limit(sub)? else {
                    return Some(false);
                };
                Some(self.tightness(given, wanted)? != Ordering::Less)
            }
        }
    }

    /// The bound as a schema sets it.
    pub(super) fn told(self, schema: &Map<String, Value>) -> String {
        match self {
            Self::AtLeast(name) | Self::AtMost(name) => schema
                .get(name)
                .map_or_else(|| "absent".to_owned(), Value::to_string),
            Self::Minimum | Self::Maximum => match self.limit(schema).flatten() {
                None => "absent".to_owned(),
                Some((limit, false)) => limit.to_string(),
                Some((limit, true)) => format!("{limit} exclusively"),
            },
        }
    }

    /// The tighter of both keywords; none inside if there is neither, none at all if one is not
    /// understood.
    fn limit(self, schema: &Map<String, Value>) -> Option<Option<Limit<'_>>> {
        let [inclusive, exclusive] = match self {
            Self::Minimum => ["minimum", "exclusiveMinimum"],
            _ => ["maximum", "exclusiveMaximum"],
        };
        let read = |name: &str, outside: bool| match schema.get(name) {
            None => Some(None),
            Some(Value::Number(number)) => Some(Some((number, outside))),
            Some(_) => None,
        };
        match (read(inclusive, false)?, read(exclusive, true)?) {
            (Some(a), Some(b)) => Some(Some(match self.tightness(a, b)? {
                Ordering::Less => b,
                _ => a,
            })),
            (a, b) => Some(a.or(b)),
        }
    }

    /// Whether the first limit leaves less.
    fn tightness(self, a: Limit<'_>, b: Limit<'_>) -> Option<Ordering> {
        let numbers = compare(a.0, b.0)?;
        let numbers = match self {
            Self::Minimum => numbers,
            _ => numbers.reverse(),
        };
        Some(numbers.then(a.1.cmp(&b.1)))
    }
}

/// Compares two numbers; none where floating point would blur them.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    let whole = |number: &Number| {
        let signed = number.as_i64().map(i128::from);
        signed.or_else(|| number.as_u64().map(i128::from))
    };
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (whole_a, whole_b) => {
            let exact = |whole: Option<i128>| whole.is_none_or(|whole| whole.abs() <= EXACT);
            let (x, y) = (a.as_f64()?, b.as_f64()?);
            let exact = exact(whole_a) && exact(whole_b);
            exact.then_some(())?;
            x.partial_cmp(&y)
        }
    }
}
