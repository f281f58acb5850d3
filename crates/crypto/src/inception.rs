//! A realm's own key: its inception, and the successions that hand it on.

use realm_protocol::{
    Digest, RealmId, Timestamp, limits,
    records::{Chain, Inception, NodeCert, Signed, Succession, SuccessionReason},
};

use crate::{
    keys::SigningKey,
    record::{CertError, verify},
};

/// The realm key as the inception and all successions leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentKey {
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// Number of the succession that brought it; 0 for the inception.
    pub epoch: u64,
    /// Certificates of epochs below this one are void, since a key before it was compromised.
    pub voided_before: Option<u64>,
}

/// Commits to a public key that is not to be seen yet.
pub fn commit_to(next_key: &[u8; 32]) -> Digest {
    Digest::of(&[next_key])
}

/// Makes a new realm: its id, and its first record, signed.
pub fn incept(
    key: &SigningKey,
    next_key: Digest,
    created: Timestamp,
) -> (RealmId, Signed<Inception>) {
    let mut signed = Signed::unsigned(&Inception {
        realm_key: key.public(),
        next_key,
        created,
    });
    key.sign(&mut signed);
    (signed.realm_id(), signed)
}

/// Hands a realm over to `key`, which the newest record before committed to; signed by it.
pub fn succeed(
    inception: &Signed<Inception>,
    successions: &[Signed<Succession>],
    key: &SigningKey,
    next_key: Digest,
    reason: SuccessionReason,
    created: Timestamp,
) -> Signed<Succession> {
    let previous = successions
        .last()
        .map_or_else(|| inception.digest(), Signed::digest);
    let mut signed = Signed::unsigned(&Succession {
        realm: inception.realm_id(),
        number: number_after(successions.len()),
        previous,
        realm_key: key.public(),
        next_key,
        reason,
        created,
    });
    key.sign(&mut signed);
    signed
}

/// Follows a realm's key from its inception through all successions.
///
/// # Errors
/// [`CertError`] when a record is not by its key, is not the one its predecessor committed to,
/// is out of order, or shares its number with another.
pub fn current_key(
    inception: &Signed<Inception>,
    successions: &[Signed<Succession>],
    realm: RealmId,
) -> Result<CurrentKey, CertError> {
    KeyHistory::verify(inception, successions, realm).map(|history| history.current)
}

/// Compares two histories of one realm, of which one may have come further.
///
/// # Errors
/// [`CertError::Fork`] when they hold different successions under one number.
pub fn check_fork(
    known: &[Signed<Succession>],
    seen: &[Signed<Succession>],
) -> Result<(), CertError> {
    let mut pairs = known.iter().zip(seen).enumerate();
    match pairs.find(|(_, (known, seen))| known.payload != seen.payload) {
        Some((index, _)) => Err(CertError::Fork(number_after(index))),
        None => Ok(()),
    }
}

/// Holds each link of a chain that was verified against the successions known of its realm, and
/// follows the longer history. A realm's chain need not be new, but its node's certificate must
/// be one that no later key has voided or outlived.
///
/// # Errors
/// [`CertError::Fork`] when a history differs from the one known, [`CertError::Voided`] or
/// [`CertError::Outlived`] when a later key undoes a node's certificate.
pub fn check_known<'a>(
    chain: &Chain,
    known: impl Fn(RealmId) -> &'a [Signed<Succession>],
) -> Result<(), CertError> {
    for link in &chain.links {
        let known = known(link.inception.realm_id());
        check_fork(known, &link.successions)?;
        let longer = if known.len() > link.successions.len() {
            known
        } else {
            &link.successions
        };
        check_epoch(&link.node_cert.peek()?, longer)?;
    }
    Ok(())
}

/// Judges a node's certificate by the successions after its epoch. A key that was succeeded by
/// plan could go on signing: what it signed counts as long as its last certificate may run.
fn check_epoch(cert: &NodeCert, successions: &[Signed<Succession>]) -> Result<(), CertError> {
    let passed = usize::try_from(cert.epoch).map_err(|_| CertError::Epoch)?;
    for (index, signed) in successions.iter().enumerate().skip(passed) {
        let successor = signed.peek()?;
        if successor.reason == SuccessionReason::Compromised {
            return Err(CertError::Voided);
        }
        let life = limits::NODE_CERT_MS.saturating_add(limits::CLOCK_SKEW_MS);
        if index == passed && cert.not_after > successor.created.plus(life) {
            return Err(CertError::Outlived);
        }
    }
    Ok(())
}

/// A realm's keys by epoch.
pub(crate) struct KeyHistory {
    keys: Vec<[u8; 32]>,
    current: CurrentKey,
}

impl KeyHistory {
    pub(crate) fn verify(
        inception: &Signed<Inception>,
        successions: &[Signed<Succession>],
        realm: RealmId,
    ) -> Result<Self, CertError> {
        if successions.len() > limits::SUCCESSIONS {
            return Err(CertError::TooMany);
        }
        if inception.realm_id() != realm {
            return Err(CertError::Realm);
        }
        let first = inception.peek()?;
        verify(inception, &[first.realm_key])?;
        let mut history = Self {
            keys: vec![first.realm_key],
            current: CurrentKey {
                key: first.realm_key,
                epoch: 0,
                voided_before: None,
            },
        };
        let mut commitments = vec![(inception.digest(), first.next_key)];
        for signed in successions {
            let record = history.verify_next(signed, realm, &commitments)?;
            commitments.push((signed.digest(), record.next_key));
            history.follow(&record);
        }
        Ok(history)
    }

    /// Checks a succession by what the record before its number committed to. One that holds
    /// and whose number is taken is a fork: proof that somebody has a key they should not.
    fn verify_next(
        &self,
        signed: &Signed<Succession>,
        realm: RealmId,
        commitments: &[(Digest, Digest)],
    ) -> Result<Succession, CertError> {
        let record = signed.peek()?;
        if record.realm != realm {
            return Err(CertError::Realm);
        }
        let (previous, next_key) = record
            .number
            .checked_sub(1)
            .and_then(|before| usize::try_from(before).ok())
            .and_then(|before| commitments.get(before))
            .ok_or(CertError::Order)?;
        if record.previous != *previous || commit_to(&record.realm_key) != *next_key {
            return Err(CertError::Commitment);
        }
        verify(signed, &[record.realm_key])?;
        let own = usize::try_from(record.number).map_err(|_| CertError::Order)?;
        match commitments.get(own) {
            None => Ok(record),
            Some((taken, _)) if *taken == signed.digest() => Err(CertError::Order),
            Some(_) => Err(CertError::Fork(record.number)),
        }
    }

    /// The key whose certificates of `epoch` still count.
    pub(crate) fn key_of(&self, epoch: u64) -> Result<[u8; 32], CertError> {
        if self
            .current
            .voided_before
            .is_some_and(|first| epoch < first)
        {
            return Err(CertError::Voided);
        }
        let index = usize::try_from(epoch).map_err(|_| CertError::Epoch)?;
        self.keys.get(index).copied().ok_or(CertError::Epoch)
    }

    fn follow(&mut self, record: &Succession) {
        self.keys.push(record.realm_key);
        self.current.key = record.realm_key;
        self.current.epoch = record.number;
        if record.reason == SuccessionReason::Compromised {
            self.current.voided_before = Some(record.number);
        }
    }
}

/// The number that follows `count` successions.
fn number_after(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
}
