//! The bytes in `protocol/vectors/`: made here, kept there, and held against code and
//! specification.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod vectors {
    //! One module a file of vectors.

    mod book;
    mod cbor;
    mod chains;
    mod envelopes;
    mod failures;
    mod flushes;
    mod frames;
    mod json;
    mod messages;
    mod names;
    mod raw;
    mod records;
    mod routing;
    mod sealing;
    mod sessions;
    mod signed;
    mod successions;
    mod suite;
    mod tickets;
    mod tree;
}
