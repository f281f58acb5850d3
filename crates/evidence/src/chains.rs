//! Which node signs for which realm, by the chains in the evidence.

use std::collections::BTreeMap;

use realm_broadcast::log::Proved;
use realm_crypto::{CertError, Trust, VerifiedChain, verify, verify_chain};
use realm_protocol::{
    Place, RealmId, Timestamp,
    cbor::{self, Blob, CborError},
    records::{Chain, Record, Signed, scopes},
};
use thiserror::Error;

use crate::error::EvidenceError;

/// Why something signed proves nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// What was signed does not read.
    #[error("it does not read: {0}")]
    Unreadable(#[from] CborError),
    /// A chain does not hold.
    #[error("the chain does not hold: {0}")]
    Chain(#[source] CertError),
    /// No chain in the evidence proves the realm that should have signed.
    #[error("no chain here proves the realm {realm}", realm = named(.0.as_ref()))]
    Unproven(Option<RealmId>),
    /// It names a bid that nobody counted.
    #[error("it is about a bid that was not counted")]
    NoBid,
    /// The signature is not by a node that may sign for the realm.
    #[error("the signature is not by the realm's node")]
    Signature,
}

fn named(realm: Option<&RealmId>) -> String {
    realm.map_or_else(|| "that nobody names".to_owned(), ToString::to_string)
}

/// The chains of everybody in the evidence.
#[derive(Default)]
pub(crate) struct Chains {
    by_realm: BTreeMap<RealmId, Vec<VerifiedChain>>,
}

impl Chains {
    /// Takes the chains in an announcer's entries, each of which must hold at its time; `proved` gives what an
    /// entry proves, if it is there for that.
    pub(crate) fn of<T>(
        entries: &[T],
        proved: impl Fn(&T) -> Option<&Proved>,
    ) -> Result<Self, EvidenceError> {
        let mut chains = Self::default();
        for (entry, it) in (0..).zip(entries) {
            let Some(it) = proved(it) else {
                continue;
            };
            let proven = chains.prove(&it.chain, it.at);
            proven.map_err(|error| EvidenceError::signature(entry, "a chain", error))?;
        }
        Ok(chains)
    }

    /// Takes a chain that must hold at a time. What was revoked by then the evidence cannot say.
    pub(crate) fn prove(&mut self, encoded: &Blob, at: Timestamp) -> Result<(), SignatureError> {
        let chain: Chain = cbor::decode(encoded)?;
        let root = chain.links.first().map(|link| link.inception.realm_id());
        let trust = Trust {
            root: root.ok_or(SignatureError::Chain(CertError::Empty))?,
            shared: None,
            revoked: &|_, _| false,
            now: at,
        };
        let verified = verify_chain(&chain, &trust).map_err(SignatureError::Chain)?;
        let known = self.by_realm.entry(verified.realm()).or_default();
        known.push(verified);
        Ok(())
    }

    /// Reads a record if the realm at that place has signed it.
    pub(crate) fn check<T: Record>(
        &self,
        signed: &Signed<T>,
        signer: &Place,
    ) -> Result<T, SignatureError> {
        self.check_where(signed, signer, |chain| chain.place().is_at(signer))
    }

    /// Reads a record if the realm at that place has signed it, wherever it stood then.
    pub(crate) fn check_realm<T: Record>(
        &self,
        signed: &Signed<T>,
        signer: &Place,
    ) -> Result<T, SignatureError> {
        self.check_where(signed, signer, |_| true)
    }

    /// Reads a record if a realm has signed it, wherever it stood then.
    pub(crate) fn check_of<T: Record>(
        &self,
        signed: &Signed<T>,
        realm: RealmId,
    ) -> Result<T, SignatureError> {
        let chains = self.by_realm.get(&realm);
        let place = chains.and_then(|chains| chains.first());
        let place = place.ok_or(SignatureError::Unproven(Some(realm)))?.place();
        self.check_realm(signed, place)
    }

    fn check_where<T: Record>(
        &self,
        signed: &Signed<T>,
        signer: &Place,
        stands: impl Fn(&VerifiedChain) -> bool,
    ) -> Result<T, SignatureError> {
        let chains = signer.realm.and_then(|realm| self.by_realm.get(&realm));
        let mut chains = chains
            .into_iter()
            .flatten()
            .filter(|chain| stands(chain))
            .peekable();
        if chains.peek().is_none() {
            return Err(SignatureError::Unproven(signer.realm));
        }
        let may_sign = chains.filter(|chain| chain.scopes() & scopes::MESSAGE != 0);
        let mut read =
            may_sign.filter_map(|chain| verify(signed, &[*chain.node().as_bytes()]).ok());
        read.next().ok_or(SignatureError::Signature)
    }
}
