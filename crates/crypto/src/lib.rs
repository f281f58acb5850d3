//! Who a realm is: sealing, opening, signing, verifying, keys at rest.
//!
//! Start at [`SigningKey`], [`KemKey`] and [`StoreKey`] for secrets, at [`incept`] and
//! [`current_key`] for a realm's own key, at [`verify_chain`] for what proves a realm's name, at
//! [`seal`] and [`sign_flush`] for what goes out, and at [`verify_envelope`] and [`open_sealed`] for what comes in.
//! [`VerifiedChain`], [`Verified`] and [`Opened`] are proofs: nothing else makes them.
//! This crate takes time and randomness as arguments. It must never know clocks, IO, where keys
//! are kept, or what is allowed.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod aead;
mod at_rest;
mod body;
mod chain;
mod ed25519;
mod grant;
mod inception;
mod keys;
mod letter;
mod meter;
mod opening;
mod passphrase;
mod pseudonym;
#[cfg(test)]
mod published;
mod record;
mod sealing;
mod session;
mod signature;

pub use at_rest::{AtRestError, StoreKey, bind};
pub use body::ReplyKey;
pub use chain::{Ancestor, Trust, VerifiedChain, verify_chain, verify_own_chain};
pub use grant::{GrantError, SignedGrant, VerifiedGrants, verify_grant, verify_grants};
pub use inception::{CurrentKey, check_fork, check_known, commit_to, current_key, incept, succeed};
pub use keys::{KemKey, SigningKey};
pub use letter::{Letter, sign_flush};
#[cfg(feature = "meter")]
pub use meter::{Metered, meter, metered};
pub use opening::{OpenError, Opened, open_clear, open_in_session, open_reply, open_sealed};
pub use passphrase::{PASSPHRASE_BYTES, PassphraseError, PassphraseLock, WrappingKey};
pub use pseudonym::PersonKey;
pub use record::{CertError, verify, verify_first};
pub use sealing::{Outgoing, SealError, seal, seal_in_session, seal_reply, write_clear};
pub use session::{Ephemeral, Session, Side};
pub use signature::{RootMemo, RootMemos, Verified, VerifyError, verify_envelope, verify_header};
