//! Every error by number, with the page that explains it.
//!
//! 01nn are failures on the wire, nn being the number of the failure code; 02nn configuration,
//! 03nn definitions of loops, 04nn policy, 05nn daemon and machine, 06nn tickets and joining,
//! 07nn the store, 08nn broadcasts, 09nn attached agents. Numbers never change and are never used again.

mod pages;

use std::{fmt, str::FromStr};

use realm_protocol::FailureCode;
use thiserror::Error;

pub use pages::Code;

/// A text is no code of the catalogue.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no error code; codes look like RLM-0106")]
pub struct UnknownCode(pub String);

impl Code {
    /// The entry of a failure on the wire.
    pub fn of_failure(failure: FailureCode) -> Self {
        let number = u64::from(WIRE) + failure.number();
        let found = Self::ALL
            .iter()
            .find(|code| u64::from(code.number()) == number);
        found.copied().unwrap_or(Self::Internal)
    }

    /// The entry of a failure's name on the wire, `SchemaInput`.
    pub fn of_failure_name(name: &str) -> Option<Self> {
        let failure = FailureCode::ALL.iter().find(|code| code.name() == name)?;
        Some(Self::of_failure(*failure))
    }

    /// The entry's failure on the wire, if it is one.
    pub fn failure(self) -> Option<FailureCode> {
        let number = u64::from(self.number().checked_sub(WIRE)?);
        FailureCode::ALL
            .iter()
            .find(|code| code.number() == number)
            .copied()
    }
}

/// Where the numbers of wire failures begin.
const WIRE: u16 = 100;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RLM-{:04}", self.number())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let upper = text.to_ascii_uppercase();
        let digits = upper
            .strip_prefix("RLM-")
            .filter(|text| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<u16>().ok());
        let found = Self::ALL.iter().find(|code| Some(code.number()) == number);
        found
            .copied()
            .ok_or_else(|| UnknownCode(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests;
