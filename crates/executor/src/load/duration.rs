//! Durations in text: `500ms`, `30s`, `2m`, `1h`, `3d`.

use thiserror::Error;

/// The text is not a duration.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a duration is a whole number with a unit: 500ms, 30s, 2m, 1h, 3d")]
pub(crate) struct NotADuration;

/// Gives milliseconds.
pub(crate) fn parse(text: &str) -> Result<u64, NotADuration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(NotADuration)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(NotADuration),
    };
    let number: u64 = number.parse().map_err(|_| NotADuration)?;
    number.checked_mul(millis).ok_or(NotADuration)
}
