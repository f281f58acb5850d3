//! What a provider says of itself: where it is asked for what.

use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::{
    ProviderTerms,
    exchange::{Client, Showing},
};
use crate::{
    DirectoryError,
    address::{self, Target},
};

/// Where providers say it.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where a provider is asked for what.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) device: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    pub(super) user_info: Option<Url>,
    pub(super) showing: Showing,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    device_authorization_endpoint: Option<String>,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Whether this is where a provider can be: `https://`, or `http://` behind which a literal address of this machine
/// stands, and neither a user nor a query.
pub fn is_issuer(text: &str) -> bool {
    let right = |url: &Url| {
        is_safe(url)
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(text).is_ok_and(|url| right(&url))
}

/// Whether nobody on the way can read or change what is said there.
pub(super) fn is_safe(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) => false,
        None => return false,
    };
    url.scheme() == "https" || url.scheme() == "http" && here
}

/// An address that may be called.
///
/// # Errors
/// Why it may not.
pub(super) fn target(url: &str, allow_private: &[String]) -> Result<Target, String> {
    let target = address::target(url, allow_private).map_err(|error| error.to_string())?;
    match is_safe(&target.url) {
        true => Ok(target),
        false => Err(format!("{} is no https://", target.authority)),
    }
}

/// Asks the provider.
pub(super) async fn read(
    terms: &ProviderTerms,
    client: &Client<'_>,
) -> Result<Metadata, DirectoryError> {
    let place = format!("{}{WELL_KNOWN}", terms.issuer.trim_end_matches('/'));
    let place = Url::parse(&place)
        .map_err(|_| DirectoryError::unavailable("`oidc.issuer` is no address"))?;
    parse(client.get(&place, None).await?, terms)
}

/// Takes what a provider says.
pub(super) fn parse(said: Value, terms: &ProviderTerms) -> Result<Metadata, DirectoryError> {
    let Document {
        issuer,
        device_authorization_endpoint,
        token_endpoint,
        jwks_uri,
        userinfo_endpoint,
        token_endpoint_auth_methods_supported: shown,
    } = serde_json::from_value(said).map_err(|_| {
        DirectoryError::unavailable("what it says of itself lacks what it must have")
    })?;
    if issuer != terms.issuer {
        let what = "it calls itself otherwise than `oidc.issuer` does, to the letter";
        return Err(DirectoryError::unavailable(what));
    }
    let device = device_authorization_endpoint
        .ok_or_else(|| DirectoryError::unavailable("it has no device flow"))?;
    let url = |text: &str| {
        let target = target(text, &terms.allow_private).map_err(DirectoryError::unavailable);
        target.map(|target| target.url)
    };
    let takes = |way: &str| {
        shown
            .as_ref()
            .is_some_and(|all| all.iter().any(|it| it == way))
    };
    Ok(Metadata {
        device: url(&device)?,
        token: url(&token_endpoint)?,
        keys: url(&jwks_uri)?,
        user_info: userinfo_endpoint.as_deref().map(url).transpose()?,
        // Without a word, in a header (OpenID Connect Discovery, 3).
        showing: match takes("client_secret_post") && !takes("client_secret_basic") {
            true => Showing::Form,
            false => Showing::Basic,
        },
    })
}
