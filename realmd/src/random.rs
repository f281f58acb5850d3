//! Randomness of the operating system: the only place that asks for it.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use thiserror::Error;
use zeroize::Zeroizing;

/// The system gives no random bytes.
#[derive(Clone, Copy, Debug, Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

/// Gives 32 fresh bytes, which erase themselves.
///
/// # Errors
/// [`NoRandomness`].
pub(crate) fn seed() -> Result<Zeroizing<[u8; 32]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// Gives a short random text for the names of temporary files.
///
/// # Errors
/// [`NoRandomness`].
pub(crate) fn suffix() -> Result<String, NoRandomness> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

/// Gives a generator with a fresh seed.
///
/// # Errors
/// [`NoRandomness`].
pub(crate) fn rng() -> Result<ChaCha20Rng, NoRandomness> {
    Ok(ChaCha20Rng::from_seed(*seed()?))
}
