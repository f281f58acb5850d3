//! Durations on the command line.

use std::{str::FromStr, time::Duration};

/// A duration: a whole number and `ms`, `s`, `m`, `h`, `d` or `w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(Duration);

impl Span {
    /// The duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The duration in milliseconds.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a duration is a number and a unit: 500ms, 30s, 5m, 24h, 30d, 2w";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| FORM)?;
        let unit: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(FORM),
        };
        let millis = number.checked_mul(unit).ok_or(FORM)?;
        if millis == 0 {
            return Err("a duration is longer than nothing");
        }
        Ok(Self(Duration::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(
            "30d".parse::<Span>().map(Span::as_millis),
            Ok(2_592_000_000)
        );
        assert_eq!("500ms".parse::<Span>().map(Span::as_millis), Ok(500));
        for wrong in [
            "",
            "30",
            "s",
            "0d",
            "-1s",
            "1.5s",
            "99999999999999999999s",
            "9999999999999999w",
        ] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
