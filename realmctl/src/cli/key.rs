//! Idempotency keys on the command line.

use std::str::FromStr;

/// An idempotency key: 1 to 255 printable ASCII characters, as a header can carry them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key's text.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if printable && (1..=255).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a key has 1 to 255 printable ASCII characters")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_printable_and_not_empty() {
        assert!("order 17/a".parse::<Key>().is_ok());
        for wrong in ["", "a\nb", "\u{e9}", "\u{1b}[1m", &"a".repeat(256)] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong:?}");
        }
    }
}
