//! The virtual world, end-to-end tests, vectors and repository rules.
