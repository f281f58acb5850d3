//! Requests to a provider, and answers of it: bounded, without redirects, to addresses that may be called.

use realm_protocol::json;
use reqwest::{
    RequestBuilder,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{ProviderTerms, metadata};
use crate::{
    DirectoryError, Secret,
    http::{self, Answer, HttpAgents},
};

/// Longest answer of a provider, bytes.
const BYTES: usize = 256 * 1024;
/// Letters of a reason that a provider gives.
const REASON: usize = 64;

/// This realm, as the provider knows it.
pub(super) struct Client<'a> {
    pub(super) terms: &'a ProviderTerms,
    pub(super) http: &'a HttpAgents,
}

/// How a provider wants to be shown the realm's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// In a header.
    Basic,
    /// In the form.
    Form,
}

/// The reason of a refusal (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Client<'_> {
    /// Reads a document.
    pub(super) async fn get(
        &self,
        url: &Url,
        bearer: Option<&Secret>,
    ) -> Result<Value, DirectoryError> {
        let request = |client: &reqwest::Client, url| {
            let request = client.get(url);
            match bearer {
                Some(token) => request.bearer_auth(token.expose()),
                None => request,
            }
        };
        let answer = self.exchange(url, request).await?;
        match answer.status {
            200 => read(&answer),
            status => Err(wrong(url, &format!("answers {status}"))),
        }
    }

    /// Sends a form with what shows who this realm is. Gives what it is answered with, or the reason of a refusal.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        (url, showing): (&Url, Showing),
        form: &[(&str, &str)],
    ) -> Result<Result<T, String>, DirectoryError> {
        let mut form = form.to_vec();
        let mut basic = None;
        match (&self.terms.secret, showing) {
            (Some(secret), Showing::Basic) => basic = Some(secret),
            (Some(secret), Showing::Form) => {
                form.push(("client_id", &self.terms.client));
                form.push(("client_secret", secret.expose()));
            }
            (None, _) => form.push(("client_id", &self.terms.client)),
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = |client: &reqwest::Client, url| {
            let request = client
                .post(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
            match basic {
                // Both are written as in a form first (RFC 6749, 2.3.1).
                Some(secret) => {
                    request.basic_auth(encoded(&self.terms.client), Some(encoded(secret.expose())))
                }
                None => request,
            }
        };
        let answer = self.exchange(url, request).await?;
        match answer.status {
            200 => {
                let said = serde_json::from_value(read(&answer)?);
                said.map(Ok)
                    .map_err(|_| wrong(url, "gives an answer that lacks what it must have"))
            }
            400 | 401 | 403 | 428 | 429 => {
                let refusal: Result<Refusal, _> = serde_json::from_value(read(&answer)?);
                let letter = |c: char| c.is_ascii_lowercase() || c == '_';
                let plain = |word: &str| word.len() <= REASON && word.chars().all(letter);
                match refusal {
                    Ok(Refusal { error }) if plain(&error) => Ok(Err(error)),
                    _ => Err(wrong(url, "refuses without a reason")),
                }
            }
            status => Err(wrong(url, &format!("answers {status}"))),
        }
    }

    async fn exchange(
        &self,
        url: &Url,
        request: impl FnOnce(&reqwest::Client, Url) -> RequestBuilder,
    ) -> Result<Answer, DirectoryError> {
        let target = metadata::target(url.as_str(), &self.terms.allow_private)
            .map_err(DirectoryError::unavailable)?;
        let exchange = async {
            let client = self.http.client(&target)?;
            let request = request(client, target.url.clone()).header(ACCEPT, "application/json");
            http::send(target.clone(), request)
                .await?
                .read_at_most(BYTES)
                .await
        };
        exchange
            .await
            .map_err(|error| DirectoryError::unavailable(error.to_string()))
    }
}

fn read(answer: &Answer) -> Result<Value, DirectoryError> {
    json::parse(&answer.body)
        .map_err(|error| DirectoryError::unavailable(format!("it gives no JSON: {error}")))
}

/// What an address of the provider does wrong; without its query, which nobody needs to see.
pub(super) fn wrong(url: &Url, what: &str) -> DirectoryError {
    let host = url.host_str().unwrap_or_default();
    DirectoryError::unavailable(format!("{host}{} {what}", url.path()))
}

/// A refusal that is nobody's but this realm's own.
pub(super) fn refused(url: &Url, reason: &str) -> DirectoryError {
    wrong(url, &format!("refuses this realm: {reason}"))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
