//! Chains of grants: from the realm whose loops they are for, to the one that calls.

use realm_protocol::{
    Digest, LoopId, NodeId, RealmId, Timestamp,
    cbor::Blob,
    limits,
    records::{Grant, GrantLink, Widened},
};
use thiserror::Error;

use crate::record::{CertError, verify};

/// Why a chain of grants gives nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GrantError {
    /// There is none.
    #[error("no grants")]
    Empty,
    /// There are more than a chain may have.
    #[error("a chain of more than {} grants", limits::GRANT_LINKS)]
    TooLong,
    /// One is not signed by a node of its issuer's.
    #[error("grant {place}: {source}")]
    Signature {
        /// Which, counted from one.
        place: usize,
        /// What is wrong with it.
        source: CertError,
    },
    /// The first hands on another one, which is missing.
    #[error("the first grant hands on another one, which is missing")]
    Headless,
    /// It names more loops than a grant may.
    #[error("grant {0} has no loops, or more than {max}", max = limits::GRANT_LOOPS)]
    Loops(usize),
    /// One gives more than the one before it.
    #[error("grant {place}: {source}")]
    Widened {
        /// Which, counted from one.
        place: usize,
        /// What is wrong with it.
        source: Widened,
    },
    /// Another realm calls than the last one's holder.
    #[error("it was given to another realm")]
    Holder,
    /// It is for other loops.
    #[error("it is not for this loop")]
    Loop,
    /// It is not good yet, or no more.
    #[error("it is not good now: from {from} until {until}", from = .0.0, until = .0.1)]
    Time((Timestamp, Timestamp)),
}

/// A chain of grants that holds: every signature is by whom it should be, and each gives at most what the
/// one before it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedGrants {
    first: (Grant, Digest),
    rest: Vec<Grant>,
}

impl VerifiedGrants {
    /// The first, by the realm whose loops they are for.
    pub const fn first(&self) -> &Grant {
        &self.first.0
    }

    /// The digest of the first.
    pub const fn first_digest(&self) -> &Digest {
        &self.first.1
    }

    /// The last: what the whole chain comes to.
    pub fn last(&self) -> &Grant {
        self.rest.last().unwrap_or(&self.first.0)
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = &Grant> {
        std::iter::once(&self.first.0).chain(&self.rest)
    }

    /// Whether it is for a realm that calls a loop, at whatever time.
    ///
    /// # Errors
    /// What is in the way.
    pub fn covers(&self, caller: RealmId, loop_id: &LoopId) -> Result<(), GrantError> {
        let last = self.last();
        if last.holder != caller {
            Err(GrantError::Holder)
        } else if !last.takes(loop_id) {
            Err(GrantError::Loop)
        } else {
            Ok(())
        }
    }

    /// Whether it is good at a time.
    ///
    /// # Errors
    /// [`GrantError::Time`], where it is not.
    pub fn good_at(&self, now: Timestamp) -> Result<(), GrantError> {
        let last = self.last();
        match last.is_good_at(now) {
            true => Ok(()),
            false => Err(GrantError::Time((last.not_before, last.not_after))),
        }
    }
}

/// A grant that a node of its issuer's has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedGrant {
    grant: Grant,
    digest: Digest,
}

/// Verifies one grant by itself. `signs` says whether a node signs for a realm, by what the reader knows and
/// by the certificates that came with the grant.
///
/// # Errors
/// What `signs` says, or why the signature is not that node's.
pub fn verify_grant(
    link: &GrantLink,
    signs: impl FnOnce(RealmId, NodeId, Option<&Blob>) -> Result<(), CertError>,
) -> Result<SignedGrant, CertError> {
    let claimed = link.grant.peek()?;
    signs(claimed.issuer, claimed.node, link.chain.as_ref())?;
    let grant = verify(&link.grant, &[*claimed.node.as_bytes()])?;
    let digest = link.grant.digest();
    Ok(SignedGrant { grant, digest })
}

/// Verifies a chain of grants. `prove` verifies one of them, or remembers that it did.
///
/// # Errors
/// The first thing that does not hold. No bytes make it panic.
pub fn verify_grants(
    links: &[GrantLink],
    mut prove: impl FnMut(&GrantLink) -> Result<SignedGrant, CertError>,
) -> Result<VerifiedGrants, GrantError> {
    if links.len() > limits::GRANT_LINKS {
        return Err(GrantError::TooLong);
    }
    let mut read: Vec<SignedGrant> = Vec::with_capacity(links.len());
    for (link, place) in links.iter().zip(1_usize..) {
        let signed = prove(link).map_err(|source| GrantError::Signature { place, source })?;
        let grant = &signed.grant;
        if grant.loops.is_empty() || grant.loops.len() > limits::GRANT_LOOPS {
            return Err(GrantError::Loops(place));
        }
        match read.last() {
            None if grant.from.is_some() => return Err(GrantError::Headless),
            None => {}
            Some(before) => grant
                .narrows(&before.grant, &before.digest)
                .map_err(|source| GrantError::Widened { place, source })?,
        }
        read.push(signed);
    }
    let mut read = read.into_iter();
    let first = read.next().ok_or(GrantError::Empty)?;
    let rest = read.map(|signed| signed.grant).collect();
    Ok(VerifiedGrants {
        first: (first.grant, first.digest),
        rest,
    })
}
