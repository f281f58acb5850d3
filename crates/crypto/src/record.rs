//! Signed records: verified first, decoded after.

use realm_protocol::{
    NameError, RealmId,
    cbor::CborError,
    limits,
    records::{Record, Signed},
};
use thiserror::Error;

use crate::keys::is_signed_over;

/// Why a record or a chain of records proves nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CertError {
    /// A payload is not the record it should be.
    #[error("malformed record: {0}")]
    Malformed(#[from] CborError),
    /// Signatures are missing, or more than the record has.
    #[error("a signature is missing or superfluous")]
    SignatureCount,
    /// A signature is not by the key that must sign.
    #[error("a signature does not verify")]
    Signature,
    /// A chain has no links.
    #[error("an empty chain")]
    Empty,
    /// A chain is deeper than any realm may stand.
    #[error("a chain deeper than {} realms below its root", limits::PATH_DEPTH)]
    Depth,
    /// A chain is longer than the wire takes.
    #[error("a chain longer than {} bytes", limits::CHAIN_BYTES)]
    TooLong,
    /// The labels make no realm path.
    #[error("the labels make no path: {0}")]
    Path(#[from] NameError),
    /// The chain starts at another root than the one expected.
    #[error("the chain starts at {0}, which is not the root expected")]
    Root(RealmId),
    /// A record names another realm than the one it stands for.
    #[error("a record names another realm")]
    Realm,
    /// A record names another node than the one certified.
    #[error("a record names another node")]
    Node,
    /// A child certificate is missing, or a root has one.
    #[error("a child certificate is missing or out of place")]
    Parentage,
    /// The node may not sign what it signed.
    #[error("the node's certificate lacks the scope")]
    Scope,
    /// A realm certified a child although its own parent did not allow it to.
    #[error("{0} may not certify children")]
    MayNotCertify(RealmId),
    /// More KEM records or successions than a chain may hold.
    #[error("too many records in a chain")]
    TooMany,
    /// Successions are not numbered one after the other from the inception on.
    #[error("successions out of order")]
    Order,
    /// Two different successions have one number. Somebody holds a key they should not.
    #[error("two successions with the number {0}: the realm's history is forked")]
    Fork(u64),
    /// A succession's key is not the one its predecessor committed to.
    #[error("a succession by a key that was not committed to")]
    Commitment,
    /// A node certificate names a succession that the chain does not hold.
    #[error("a certificate of an epoch the chain does not prove")]
    Epoch,
    /// A node certificate was signed by a key since declared compromised.
    #[error("a certificate signed by a compromised key")]
    Voided,
    /// A node certificate by a key that has been succeeded runs longer than that key's last one.
    #[error("a certificate that outlives the key that signed it")]
    Outlived,
    /// A later realm record is known: another node, or the same one restored, serves the realm.
    #[error("a chain of an earlier epoch than one already known")]
    Superseded,
    /// A certificate is not valid yet, beyond what clocks may differ.
    #[error("a certificate that is not valid yet")]
    NotYetValid,
    /// A certificate has run out.
    #[error("an expired certificate")]
    Expired,
    /// The issuer has revoked a certificate.
    #[error("certificate {serial} of {issuer} is revoked")]
    Revoked {
        /// Who issued and revoked it.
        issuer: RealmId,
        /// Its number among the issuer's certificates.
        serial: u64,
    },
}

/// Verifies a record's signatures and decodes it. `keys` holds one Ed25519 public key for each
/// of [`Record::TAGS`], in their order.
///
/// # Errors
/// [`CertError::SignatureCount`] unless every signature is there, [`CertError::Signature`] when
/// one is not by its key, [`CertError::Malformed`] when the payload is another record.
pub fn verify<T: Record>(signed: &Signed<T>, keys: &[[u8; 32]]) -> Result<T, CertError> {
    if keys.len() == T::TAGS.len() {
        verify_signatures(signed, keys)
    } else {
        Err(CertError::SignatureCount)
    }
}

/// Verifies a record that its first signer alone has signed, before it is countersigned.
///
/// # Errors
/// As [`verify`]; [`CertError::SignatureCount`] too when somebody has countersigned already.
pub fn verify_first<T: Record>(signed: &Signed<T>, key: &[u8; 32]) -> Result<T, CertError> {
    verify_signatures(signed, &[*key])
}

fn verify_signatures<T: Record>(signed: &Signed<T>, keys: &[[u8; 32]]) -> Result<T, CertError> {
    if signed.signatures.len() != keys.len() {
        return Err(CertError::SignatureCount);
    }
    for (index, (signature, key)) in signed.signatures.iter().zip(keys).enumerate() {
        let input = signed
            .signed_input(index)
            .ok_or(CertError::SignatureCount)?;
        if !is_signed_over(key, &input, signature) {
            return Err(CertError::Signature);
        }
    }
    Ok(signed.peek()?)
}
