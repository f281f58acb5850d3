//! The bytes in `protocol/vectors/`: made here, kept there, and held against code and
//! specification.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod vectors {
    //! One module a file of vectors.

    mod aggregation;
    mod audit;
    mod book;
    mod broadcast;
    mod calls;
    mod cbor;
    mod chains;
    mod envelopes;
    mod failures;
    mod fanout;
    mod flushes;
    mod frames;
    mod json;
    mod messages;
    mod names;
    mod ranking;
    mod raw;
    mod receipts;
    mod records;
    mod routing;
    mod sealing;
    mod sessions;
    mod signed;
    mod successions;
    mod suite;
    mod tampered;
    mod tickets;
    mod traces;
    mod transcripts;
    mod tree;
    mod versions;
    mod views;
}
