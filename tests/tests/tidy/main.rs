//! The repository's own rules: what compilers and linters do not see.
//!
//! Every rule is a function from the repository's files to its complaints, tried on files that
//! break it before it is believed about files that do not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod defences;
mod documents;
mod floors;
mod links;
mod manifests;
mod repository;
mod sources;
mod words;
