//! Numbers of results and bids, counted in whole millionths so that every reader gets the same sum.

use realm_protocol::broadcast::MILLION;
use serde_json::{Number, Value};

/// Largest number that counts: 2^53 - 1, in millionths.
const MOST: i128 = ((1 << 53) - 1) * MILLION as i128;
/// Bits of a double's fraction, and what its exponent is biased by.
const FRACTION_BITS: u64 = 52;
const BIAS: u64 = 1_023;

/// A number in whole millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(i128);

impl Micros {
    /// A share that is counted in millionths already.
    pub(crate) fn of_millionths(millionths: u64) -> Self {
        Self(i128::from(millionths))
    }

    /// Reads a JSON number as an IEEE 754 double and rounds it, half to even. None for what is no
    /// number, or one past 2^53 - 1.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let bits = value.as_f64()?.to_bits();
        let (negative, exponent) = (bits >> 63 == 1, (bits >> FRACTION_BITS) & 0x7ff);
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        // The double is `digits` × 2^(`exponent` - BIAS - FRACTION_BITS).
        let (digits, exponent) = match exponent {
            0 => (fraction, 1),
            _ => (fraction | (1 << FRACTION_BITS), exponent),
        };
        // Past 2^53 there are no fractions, and nothing counts.
        let down = (BIAS + FRACTION_BITS).checked_sub(exponent)?;
        let scaled = i128::from(digits).checked_mul(i128::from(MILLION))?;
        let divisor = u32::try_from(down)
            .ok()
            .filter(|down| *down < 126)
            .and_then(|down| 1_i128.checked_shl(down));
        // Below 2^-74 of a whole a millionth is out of sight.
        let micros = divisor.map_or(Some(0), |divisor| divide(scaled, divisor))?;
        let signed = if negative {
            micros.checked_neg()?
        } else {
            micros
        };
        (signed.abs() <= MOST).then_some(Self(signed))
    }

    /// The number in millionths, if it is not below zero.
    pub(crate) fn millionths(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// The number rounded half to even to a whole, if it is not below zero.
    pub(crate) fn rounded(self) -> Option<u64> {
        divide(self.0, i128::from(MILLION)).and_then(|whole| u64::try_from(whole).ok())
    }

    /// Writes a JSON number: without a fraction where it has none, otherwise the nearest double.
    /// None past 2^53 - 1.
    pub(crate) fn write(self) -> Option<Value> {
        if self.0.abs() > MOST {
            return None;
        }
        let million = i128::from(MILLION);
        let (whole, rest) = (self.0.checked_div(million)?, self.0.checked_rem(million)?);
        if rest == 0 {
            return i64::try_from(whole).ok().map(Value::from);
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:06}", whole.abs(), rest.abs());
        Number::from_f64(text.parse().ok()?).map(Value::Number)
    }
}

/// Divides by a positive divisor, half to even.
fn divide(value: i128, divisor: i128) -> Option<i128> {
    let (quotient, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    let up = match rest.checked_mul(2)?.cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient.rem_euclid(2) == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient.checked_add(i128::from(up))
}

/// The sum of numbers, whatever their weights.
pub(crate) fn sum(numbers: impl Iterator<Item = (Micros, u64)>) -> Micros {
    Micros(numbers.fold(0, |sum, (number, _)| sum.saturating_add(number.0)))
}

/// The weighted mean, rounded half to even to a millionth. None without any weight.
pub(crate) fn mean(numbers: impl Iterator<Item = (Micros, u64)>) -> Option<Micros> {
    let (sum, weights) = numbers.fold((0_i128, 0_i128), |(sum, weights), (number, weight)| {
        let weight = i128::from(weight);
        let part = number.0.saturating_mul(weight);
        (sum.saturating_add(part), weights.saturating_add(weight))
    });
    if weights == 0 {
        return None;
    }
    divide(sum, weights).map(Micros)
}

#[cfg(test)]
mod tests;
