//! The device flow (RFC 8628): a code to enter at the provider's page, and what has become of it.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    ProviderTerms, Renewal,
    exchange::{self, Client},
    identity::Tokens,
    metadata::{self, Metadata},
};
use crate::{Account, DirectoryError, Secret};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Letters of what somebody enters, and of the address where.
const CODE: usize = 64;
const URL: usize = 1_024;
/// How often the provider is asked where it does not say, and the ends of what it may say, seconds.
const EVERY: u64 = 5;
const OFTEN: u64 = 1;
const SELDOM: u64 = 60;
/// Longest that a code is good for, seconds.
const LASTS: u64 = 30 * 60;

/// A sign-in that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What the provider is asked by what has become of it.
    pub code: Secret,
    /// What somebody enters.
    pub user_code: String,
    /// Where.
    pub url: String,
    /// Where it is entered already.
    pub link: Option<String>,
    /// Time between two questions at least, milliseconds.
    pub every_ms: u64,
    /// How long the code is good for, milliseconds.
    pub lasts_ms: u64,
}

/// What has become of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// Nobody has entered the code yet.
    Waiting,
    /// Nor this, and it is asked too often.
    SlowDown,
    /// Whoever it was did not want to.
    Denied,
    /// The code is good no more.
    Expired,
    /// Somebody has signed in, and can be asked for again.
    SignedIn(Account, Renewal),
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// Asks for a code.
pub(super) async fn begin(
    terms: &ProviderTerms,
    metadata: &Metadata,
    client: &Client<'_>,
) -> Result<Device, DirectoryError> {
    let scopes = terms.scopes.join(" ");
    let place = (&metadata.device, metadata.showing);
    let begun = client.post(place, &[("scope", &scopes)]).await?;
    let begun: Begun = begun.map_err(|reason| exchange::refused(&metadata.device, &reason))?;
    begun
        .taken()
        .map_err(|what| exchange::wrong(&metadata.device, what))
}

/// A sign-in that a document begins, if it does.
pub(super) fn parse(said: &Value) -> Option<Device> {
    let begun: Begun = serde_json::from_value(said.clone()).ok()?;
    begun.taken().ok()
}

impl Begun {
    /// The sign-in, if somebody can enter the code, or what is wrong with it.
    fn taken(self) -> Result<Device, &'static str> {
        let plain = |c: char| c.is_ascii_graphic() || c == ' ';
        let code = &self.user_code;
        if code.is_empty() || code.len() > CODE || !code.chars().all(plain) {
            return Err("gives a code that nobody can enter");
        }
        let page = |text: &str| {
            let url = Url::parse(text).ok().filter(metadata::is_safe);
            let url = url.map(String::from).filter(|url| url.len() <= URL);
            url.ok_or("gives a page that is no https://")
        };
        let link = self.verification_uri_complete.as_deref();
        Ok(Device {
            url: page(&self.verification_uri)?,
            link: link.map(page).transpose()?,
            code: Secret::new(self.device_code),
            user_code: self.user_code,
            every_ms: self.interval.unwrap_or(EVERY).clamp(OFTEN, SELDOM) * 1_000,
            lasts_ms: self.expires_in.min(LASTS) * 1_000,
        })
    }
}

/// Asks what has become of one: tokens, or what stands in their place.
pub(super) async fn ask(
    metadata: &Metadata,
    client: &Client<'_>,
    code: &Secret,
) -> Result<Result<Tokens, DeviceAnswer>, DirectoryError> {
    let form = [("grant_type", GRANT), ("device_code", code.expose())];
    let place = (&metadata.token, metadata.showing);
    let reason = match client.post(place, &form).await? {
        Ok(tokens) => return Ok(Ok(tokens)),
        Err(reason) => reason,
    };
    match reason.as_str() {
        "authorization_pending" => Ok(Err(DeviceAnswer::Waiting)),
        "slow_down" => Ok(Err(DeviceAnswer::SlowDown)),
        "access_denied" | "authorization_declined" => Ok(Err(DeviceAnswer::Denied)),
        "expired_token" | "invalid_grant" => Ok(Err(DeviceAnswer::Expired)),
        other => Err(exchange::refused(&metadata.token, other)),
    }
}
