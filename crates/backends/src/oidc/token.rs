//! An ID token: what it must be before anything of it is believed (OpenID Connect Core, 3.1.3.7).

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use realm_protocol::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// What tokens are signed with. None that takes a secret: who checks one could make it.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// How far the provider's clock and this one may differ, seconds.
const SKEW: u64 = 60;
/// How old a token may be, seconds: some providers date them some minutes back, and it comes from the provider
/// itself.
const OLD: u64 = 10 * 60;

/// Why an ID token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Wrong {
    #[error("its ID token cannot be read")]
    Unreadable,
    #[error("its ID token is signed by none of RS256, ES256 and EdDSA")]
    Algorithm,
    #[error("its ID token asks for what is not known here")]
    Critical,
    #[error("its ID token is not signed by it")]
    Signature,
    #[error("its ID token is another's: `iss` is not `oidc.issuer`")]
    Issuer,
    #[error("its ID token is for another: `aud` and `azp` are not `oidc.client`")]
    Audience,
    #[error("its ID token was asked for by another: there is a `nonce`")]
    Nonce,
    #[error("its ID token is over, or the clocks differ by more than a minute")]
    Over,
    #[error("its ID token was not made just now, or the clocks differ by more than a minute")]
    NotNow,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
    nonce: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a token says of its signature, where it may be one.
pub(super) fn header(text: &str) -> Result<Header, Wrong> {
    let header = jsonwebtoken::decode_header(text);
    // One without a signature has an algorithm that is none.
    let header = header.map_err(|_| Wrong::Unreadable)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Wrong::Algorithm);
    }
    match header.crit.is_some() {
        true => Err(Wrong::Critical),
        false => Ok(header),
    }
}

/// The claims of a token that this key has signed for this client, just now.
pub(super) fn claims(
    (text, header): (&str, &Header),
    key: &DecodingKey,
    (issuer, client): (&str, &str),
    now: Timestamp,
) -> Result<Map<String, Value>, Wrong> {
    // The signature alone: the clock is an argument, and every claim is looked at below.
    let mut signature = Validation::new(header.alg);
    signature.required_spec_claims.clear();
    signature.validate_exp = false;
    signature.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Map<String, Value>>(text, key, &signature);
    let all = decoded.map_err(|_| Wrong::Signature)?.claims;
    let claims: Claims =
        serde_json::from_value(Value::Object(all.clone())).map_err(|_| Wrong::Unreadable)?;
    claims.check((issuer, client), now)?;
    Ok(all)
}

impl Claims {
    fn check(&self, (issuer, client): (&str, &str), now: Timestamp) -> Result<(), Wrong> {
        let now = now.as_millis() / 1_000;
        if self.iss != issuer {
            return Err(Wrong::Issuer);
        }
        let audience: BTreeSet<&str> = match &self.aud {
            Audience::One(one) => [one.as_str()].into(),
            Audience::Many(many) => many.iter().map(String::as_str).collect(),
        };
        let party = self
            .azp
            .as_deref()
            .or((audience.len() == 1).then_some(client));
        if !audience.contains(client) || party != Some(client) {
            return Err(Wrong::Audience);
        }
        // The device flow has none, so this would be of another one.
        if self.nonce.is_some() {
            return Err(Wrong::Nonce);
        }
        if self.exp.saturating_add(SKEW) <= now {
            return Err(Wrong::Over);
        }
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        match begins > now + SKEW || self.iat.saturating_add(OLD) < now {
            true => Err(Wrong::NotNow),
            false => Ok(()),
        }
    }
}
