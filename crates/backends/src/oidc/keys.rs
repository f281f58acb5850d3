//! The keys that a provider signs with. They change: a key that is not known is asked for, once a minute at most.

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use realm_protocol::Tick;
use serde_json::Value;

use super::{
    KEPT_MS,
    exchange::{self, Client},
    metadata::Metadata,
};
use crate::DirectoryError;

/// Keys of a provider that are looked at.
const KEYS: usize = 64;
/// Time between two questions for a key that is not known, milliseconds.
const UNKNOWN_MS: u64 = 60 * 1_000;

/// The keys of a provider, as they were read last.
#[derive(Debug, Default)]
pub(super) struct Keys {
    kept: Vec<Jwk>,
    read: Option<Tick>,
    /// When it was last asked for one that was not known.
    asked: Option<Tick>,
}

impl Keys {
    /// The key that a token's header names.
    pub(super) async fn find(
        &mut self,
        header: &Header,
        metadata: &Metadata,
        client: &Client<'_>,
        now: Tick,
    ) -> Result<DecodingKey, DirectoryError> {
        let is_over = |at: Option<Tick>, ms| at.is_none_or(|at| at.plus(ms) <= now);
        if is_over(self.read, KEPT_MS) {
            self.read(metadata, client, now).await?;
        } else if fitting(&self.kept, header).is_none() && is_over(self.asked, UNKNOWN_MS) {
            self.asked = Some(now);
            self.read(metadata, client, now).await?;
        }
        let key = fitting(&self.kept, header).ok_or_else(|| {
            DirectoryError::unavailable("its ID token is signed with a key that it does not show")
        })?;
        DecodingKey::from_jwk(key)
            .map_err(|_| exchange::wrong(&metadata.keys, "shows a key that is none"))
    }

    /// Asks the provider for its keys.
    pub(super) async fn read(
        &mut self,
        metadata: &Metadata,
        client: &Client<'_>,
        now: Tick,
    ) -> Result<(), DirectoryError> {
        let said = client.get(&metadata.keys, None).await?;
        let known = known(&said);
        self.kept = known.ok_or_else(|| exchange::wrong(&metadata.keys, "shows no keys"))?;
        self.read = Some(now);
        Ok(())
    }
}

/// The keys in a document, as far as they are of a known kind: another does not make them worse.
pub(super) fn known(said: &Value) -> Option<Vec<Jwk>> {
    let all = said.get("keys").and_then(Value::as_array)?;
    let known = all.iter().take(KEYS);
    let known = known.filter_map(|key| serde_json::from_value(key.clone()).ok());
    Some(known.collect())
}

/// The one key that may have signed a token. Without a name in the token it must be the only one of its kind.
pub(super) fn fitting<'k>(keys: &'k [Jwk], header: &Header) -> Option<&'k Jwk> {
    let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let all = keys.iter().filter(named);
    let mut fitting = all.filter(|key| fits(key, header.alg));
    let first = fitting.next();
    first.filter(|_| fitting.next().is_none())
}

/// Whether a key is one of this algorithm: by its kind, and by what it says of itself.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let (kind, name) = match (algorithm, &key.algorithm) {
        (Algorithm::RS256, AlgorithmParameters::RSA(_)) => (true, KeyAlgorithm::RS256),
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(key)) => {
            (key.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
        }
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(key)) => {
            (key.curve == EllipticCurve::Ed25519, KeyAlgorithm::EdDSA)
        }
        _ => return false,
    };
    let common = &key.common;
    let signs = common
        .public_key_use
        .as_ref()
        .is_none_or(|it| *it == PublicKeyUse::Signature);
    kind && signs && common.key_algorithm.is_none_or(|it| it == name)
}
