//! Every parser of outside bytes, as a function that panics where a promise is broken.
//!
//! [`PARSERS`] is the list. A parser's `judge` takes any bytes at all and holds what it accepts
//! against its promises: what was read can be written and read again, and one meaning has one
//! encoding. The fuzzer in `tests/fuzz` calls them with bytes nobody thought of, and
//! `tests/tests/corpora.rs` with those that were interesting once. [`seeds()`] gives inputs to
//! start from, [`corpus`] reads and writes the files they are kept in.
//! This crate must never know private items of any crate.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise fails the run that found it"
)]

mod broadcasts;
mod chains;
pub mod corpus;
#[cfg(feature = "daemon")]
mod daemon;
mod opening;
mod records;
mod seeds;
mod texts;
mod wire;

pub use seeds::seeds;

/// One parser of outside bytes.
#[derive(Clone, Copy, Debug)]
pub struct Parser {
    /// Its name: that of its fuzz target and of its corpus.
    pub name: &'static str,
    /// How inputs are made from other inputs.
    pub form: Form,
    /// Judges one input.
    ///
    /// # Panics
    /// When a promise is broken.
    pub judge: fn(&[u8]),
}

/// What most inputs of a parser look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Deterministic CBOR.
    Cbor,
    /// A ticket's text, with CBOR and a checksum inside.
    Ticket,
    /// Text.
    Text,
}

macro_rules! parsers {
    ($( $(#[$condition:meta])* $name:literal $form:ident $judge:path, )*) => {
        /// Every parser of outside bytes.
        pub const PARSERS: &[Parser] = &[
            $( $(#[$condition])* Parser { name: $name, form: Form::$form, judge: $judge }, )*
        ];
    };
}

parsers! {
    "cbor" Cbor wire::cbor,
    "frame" Cbor wire::frame,
    "envelope" Cbor wire::envelope,
    "header" Cbor wire::header,
    "hop" Cbor wire::hop,
    "message" Cbor wire::message,
    "journal" Cbor wire::journal,
    "announcement" Cbor broadcasts::announcement,
    "bid" Cbor broadcasts::bid,
    "close" Cbor broadcasts::close,
    "log" Cbor broadcasts::log,
    "evidence" Cbor broadcasts::evidence,
    "identity" Cbor records::identity,
    "certificate" Cbor records::certificate,
    "peering" Cbor records::peering,
    "ceiling" Cbor records::ceiling,
    "revocation" Cbor records::revocation,
    "chain" Cbor chains::chain,
    "opening" Cbor opening::opening,
    "ticket" Ticket texts::ticket,
    "name" Text texts::name,
    "json" Text texts::json,
    "schema" Text texts::schema,
    "manifest" Text texts::manifest,
    "policy" Text texts::policy,
    "request" Text texts::request,
    #[cfg(feature = "daemon")]
    "config" Text daemon::config,
    #[cfg(feature = "daemon")]
    "directory" Text daemon::directory,
    #[cfg(feature = "daemon")]
    "provider" Text daemon::provider,
    #[cfg(feature = "daemon")]
    "model" Text daemon::model,
    #[cfg(feature = "daemon")]
    "server" Text daemon::server,
}

/// Finds a parser by its name.
pub fn find(name: &str) -> Option<&'static Parser> {
    PARSERS.iter().find(|parser| parser.name == name)
}
