//! The system's randomness.

use std::io;

use crate::failure::Failure;

/// So many random bytes.
pub(super) fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], Failure> {
    let mut bytes = [0; COUNT];
    let filled = getrandom::fill(&mut bytes).map_err(io::Error::other);
    filled.map_err(|error| Failure::System("the system gives no random bytes", error))?;
    Ok(bytes)
}
