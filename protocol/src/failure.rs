//! The closed, numbered set of failures that cross the wire.

use std::fmt;

use serde::Serialize;

use crate::{
    Digest,
    budget::Spend,
    cbor::{Blob, CborError, Reader, Wire, Writer},
    wire_map,
};

macro_rules! failure_codes {
    ($( $(#[$doc:meta])* $name:ident = $number:literal, $on_path:literal; )*) => {
        /// Why a message was not answered as asked. Numbers never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum FailureCode { $( $(#[$doc])* $name = $number, )* }

        impl FailureCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Self] = &[ $( Self::$name, )* ];

            /// The code's number on the wire.
            pub const fn number(self) -> u64 { self as u64 }

            /// The code's name in text.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($name), )* }
            }

            /// Whether it is believed from a realm on the path; all others only from the
            /// destination.
            pub const fn from_path(self) -> bool {
                match self { $( Self::$name => $on_path, )* }
            }
        }
    };
}

failure_codes! {
    /// No link leads closer to the destination, and none did a moment ago.
    NoRoute = 1, true;
    /// The destination is known here and not connected.
    Offline = 2, true;
    /// The message, its key or its deadline is past its time.
    Expired = 3, false;
    /// The message took more hops than the deepest tree needs.
    HopLimit = 4, true;
    /// A bound is reached; try again after the time given.
    Overloaded = 5, true;
    /// Policy does not permit it; the reference leads the decider to its reasons.
    Denied = 6, true;
    /// A body, header or reply is larger than allowed.
    TooLarge = 7, true;
    /// A certificate is wrong, expired or revoked.
    BadCertificate = 8, false;
    /// The message is sealed to a key that its receiver no longer has.
    UnknownKey = 9, false;
    /// The message needs a version that its receiver does not speak.
    VersionMismatch = 10, false;
    /// The input does not match the loop's input schema.
    SchemaInput = 11, false;
    /// The output does not match the loop's output schema.
    SchemaOutput = 12, false;
    /// The loop is absent, or hidden from the caller; both look alike.
    LoopNotFound = 13, false;
    /// The loop ran and failed.
    LoopFailed = 14, false;
    /// A budget of time, depth, frames or money is used up.
    Budget = 15, false;
    /// The realm is halted by its owner.
    Halted = 16, true;
    /// The caller, or somebody with the right, cancelled the call.
    Cancelled = 17, false;
    /// The message is not well-formed.
    Malformed = 18, false;
    /// The idempotency key was used with another contract or input.
    KeyReused = 19, false;
    /// The loop did not answer inside its time.
    Timeout = 20, false;
    /// The realm could not make the promise durable.
    StoreFailed = 21, false;
    /// Fewer bids counted than the announced work asked for.
    TooFewBids = 22, false;
    /// Fewer winners gave a valid result than the announced work asked for.
    TooFewResults = 23, false;
    /// Too few results of the announced work agree.
    NoConsensus = 24, false;
    /// Too few of the winners of the announced work agree.
    NoQuorum = 25, false;
    /// The results of the announced work cannot be made one.
    NotAggregated = 26, false;
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Wire for FailureCode {
    fn write(&self, out: &mut Writer) {
        out.uint(self.number());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let number = from.uint()?;
        let known = Self::ALL.iter().find(|code| code.number() == number);
        known
            .copied()
            .ok_or(CborError::Expected("a known failure code"))
    }
}

wire_map! {
    /// What a Failure message says.
    pub struct Failure {
        /// What went wrong.
        0 => code: FailureCode,
        /// Digest of the header of the request it answers.
        1 => answers: Digest,
        /// For `policy why` at the realm that decided; at most 64 bytes.
        2 => reference: Option<String>,
        /// When to try again, milliseconds from receipt.
        3 => retry_after_ms: Option<u64>,
        /// Detail for the caller; only where the message is sealed to it; at most 4 KiB.
        4 => detail: Option<String>,
        /// Whether the call that it answers has begun nothing: said by the destination alone.
        64 => not_begun: Option<bool>,
        /// What the call that it answers had used before it failed: said by the destination alone.
        65 => spent: Option<Spend>,
        /// The [`crate::receipt::CallReceipt`] of the call that it ends, encoded.
        66 => receipt: Option<Blob>,
    }
}

#[cfg(test)]
mod tests;
