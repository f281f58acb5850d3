//! How the parts of one realm work together, without any IO.
