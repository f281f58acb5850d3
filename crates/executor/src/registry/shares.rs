//! Several versions of a loop at once: each gets its share of the calls that name none.

use std::sync::Arc;

use realm_protocol::{CallId, Digest, LoopId, limits};
use thiserror::Error;

use super::{Registered, Registry};

/// What part of the calls a revision gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The revision.
    pub digest: Digest,
    /// Its part of the sum of all.
    pub weight: u32,
}

/// Why calls are not shared out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ShareError {
    /// The loop, or one of its revisions, is not here.
    #[error("there is no such version of it that can be called")]
    NotFound,
    /// Callers would not know which contract they get.
    #[error(
        "versions that share calls have one contract, and these differ in input, output or effects"
    )]
    Contracts,
    /// Too many, none, or the same twice.
    #[error(
        "1 to {} different versions share calls, each with a weight of at least 1",
        limits::LOOP_SHARES
    )]
    Count,
}

impl Registry {
    /// Lets revisions of a loop share the calls that name no version. One alone, if it is the current
    /// one, gets all as if this had not been said.
    ///
    /// # Errors
    /// [`ShareError`]; the registry is then as before.
    pub fn share(&mut self, id: &LoopId, shares: Vec<Share>) -> Result<(), ShareError> {
        let mut digests: Vec<&Digest> = shares.iter().map(|share| &share.digest).collect();
        digests.sort();
        digests.dedup();
        let bounded = (1..=limits::LOOP_SHARES).contains(&shares.len());
        let weights = shares.iter().all(|share| share.weight > 0);
        if !bounded || !weights || digests.len() != shares.len() {
            return Err(ShareError::Count);
        }
        let current = self.loops.get(id).ok_or(ShareError::NotFound)?;
        for share in &shares {
            let found = self.offered_revision(id, &share.digest);
            let found = found.ok_or(ShareError::NotFound)?;
            if found.contract != current.contract {
                return Err(ShareError::Contracts);
            }
        }
        if shares.iter().all(|share| share.digest == current.digest) {
            self.shares.remove(id);
        } else {
            self.shares.insert(id.clone(), shares);
        }
        Ok(())
    }

    /// The revisions that share a loop's calls; none where the current one gets all.
    pub fn shares(&self, id: &LoopId) -> &[Share] {
        self.shares.get(id).map_or(&[], Vec::as_slice)
    }

    /// Lets the current revision have all calls.
    pub(super) fn forget_shares(&mut self, id: &LoopId) {
        self.shares.remove(id);
    }

    /// As [`Registry::find`]; where versions share the calls, the one that this call's id leads to.
    pub fn find_for(
        &self,
        call: CallId,
        id: &LoopId,
        version: Option<&str>,
    ) -> Option<&Arc<Registered>> {
        let found = self.find(id, version)?;
        if version.is_some() {
            return Some(found);
        }
        let shares = self.shares(&found.manifest.id);
        let sum: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
        let hash = Digest::of(&[b"realm/1/share", call.as_bytes()]);
        let (first, _) = hash.as_bytes().split_first_chunk::<8>()?;
        let mut left = u64::from_be_bytes(*first).checked_rem(sum).unwrap_or(0);
        for share in shares {
            match left.checked_sub(u64::from(share.weight)) {
                Some(rest) => left = rest,
                None => return self.by_digest(&share.digest).or(Some(found)),
            }
        }
        Some(found)
    }

    /// The revision of a loop that a digest names, current or one that can be asked for.
    fn offered_revision(&self, id: &LoopId, digest: &Digest) -> Option<&Arc<Registered>> {
        let mut offered = self.offered(id);
        offered.find(|known| known.digest == *digest)
    }
}
