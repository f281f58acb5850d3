//! A provider's answers without a provider.

use realm_protocol::{Timestamp, json};
use serde_json::Value;

use super::{Device, Provider, ProviderTerms, device, identity::Tokens, keys, metadata, token};
use crate::Account;

/// What an answer is taken for, by each reader there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The addresses of a provider that describes itself.
    pub addresses: Vec<String>,
    /// How many keys it shows that are of a known kind.
    pub keys: usize,
    /// A sign-in that it begins.
    pub device: Option<Device>,
    /// Of whom it speaks.
    pub account: Option<Account>,
    /// Whether there is a token in it that one of its keys has signed.
    pub signed: bool,
}

/// Reads a document as each that a provider may give. None where it is no JSON.
pub fn provider(bytes: &[u8], terms: &ProviderTerms, now: Timestamp) -> Option<Said> {
    let said = json::parse(bytes).ok()?;
    let read = metadata::parse(said.clone(), terms).ok();
    let addresses = read.iter().flat_map(|read| {
        let always = [&read.device, &read.token, &read.keys];
        always.into_iter().chain(&read.user_info)
    });
    let addresses = addresses.map(ToString::to_string).collect();
    let provider = Provider::new(terms.clone());
    let account = said.as_object().and_then(|claims| {
        let name = provider.name(claims).ok()?;
        let groups = provider.groups(claims);
        Some(Account { name, groups })
    });
    Some(Said {
        addresses,
        keys: keys::known(&said).map_or(0, |keys| keys.len()),
        device: device::parse(&said),
        account,
        signed: is_signed(&said, terms, now),
    })
}

/// Whether a token in a document is signed by a key in it.
fn is_signed(said: &Value, terms: &ProviderTerms, now: Timestamp) -> bool {
    let Ok(tokens) = serde_json::from_value::<Tokens>(said.clone()) else {
        return false;
    };
    let Some(text) = tokens.id_token() else {
        return false;
    };
    let claims = token::header(text).ok().and_then(|header| {
        let keys = keys::known(said)?;
        let key = keys::fitting(&keys, &header)?;
        let key = jsonwebtoken::DecodingKey::from_jwk(key).ok()?;
        let ours = (terms.issuer.as_str(), terms.client.as_str());
        token::claims((text, &header), &key, ours, now).ok()
    });
    claims.is_some()
}
