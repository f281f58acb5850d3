//! From tokens to somebody: what the provider says of them, in the token or when asked.

use std::collections::BTreeSet;

use realm_protocol::Now;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Provider,
    exchange::{self, Client},
    metadata::Metadata,
    token,
};
use crate::{
    Account, DirectoryError, Secret,
    people::{NAME, is_plain},
};

/// The claim that is believed only with [`VERIFIED`].
const EMAIL: &str = "email";
const VERIFIED: &str = "email_verified";

/// What a provider gives for a code, or for a refresh token.
#[derive(Deserialize)]
pub(super) struct Tokens {
    #[serde(deserialize_with = "secret")]
    access_token: Secret,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

impl Tokens {
    /// What says who somebody is, where there is one.
    pub(super) fn id_token(&self) -> Option<&str> {
        self.id_token.as_deref()
    }

    /// What the provider is asked by the next time, where that changes.
    pub(super) fn take_refresh(&mut self) -> Option<Secret> {
        self.refresh_token.take().map(Secret::new)
    }
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    String::deserialize(from).map(Secret::new)
}

/// Asks for new tokens.
pub(super) async fn refresh(
    metadata: &Metadata,
    client: &Client<'_>,
    shown: &Secret,
) -> Result<Tokens, DirectoryError> {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", shown.expose()),
    ];
    let place = (&metadata.token, metadata.showing);
    let tokens: Result<Tokens, String> = client.post(place, &form).await?;
    tokens.map_err(|reason| match reason.as_str() {
        // They are gone, or have taken it back (RFC 6749, 5.2).
        "invalid_grant" => DirectoryError::Refused,
        other => exchange::refused(&metadata.token, other),
    })
}

impl Provider {
    /// Who tokens are of; whom the provider knew before by that name, where there was one.
    pub(super) async fn identity(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        before: Option<&str>,
        now: Now,
    ) -> Result<(String, Account), DirectoryError> {
        let mut claims = match (tokens.id_token(), before) {
            (Some(token), _) => self.claims(metadata, token, now).await?,
            // A provider need not give one again (OpenID Connect Core, 12.2).
            (None, Some(before)) => Map::from_iter([("sub".to_owned(), before.into())]),
            (None, None) => return Err(DirectoryError::unavailable("it gives no ID token")),
        };
        let subject = subject(&claims)?.to_owned();
        if before.is_some_and(|before| before != subject) {
            let what = "it gives the tokens of somebody else";
            return Err(DirectoryError::unavailable(what));
        }
        let wanted = [&self.terms.name_claim, &self.terms.groups_claim];
        if wanted
            .into_iter()
            .any(|name| claim(&claims, name).is_none())
            && let Some(url) = &metadata.user_info
        {
            let shown = Some(&tokens.access_token);
            let Value::Object(said) = self.client().get(url, shown).await? else {
                return Err(exchange::wrong(url, "gives no claims"));
            };
            if said.get("sub").and_then(Value::as_str) != Some(&subject) {
                return Err(exchange::wrong(url, "speaks of somebody else"));
            }
            for (name, value) in said {
                claims.entry(name).or_insert(value);
            }
        }
        let account = Account {
            name: self.name(&claims)?,
            groups: self.groups(&claims),
        };
        Ok((subject, account))
    }

    /// The claims of an ID token that is right.
    async fn claims(
        &self,
        metadata: &Metadata,
        text: &str,
        now: Now,
    ) -> Result<Map<String, Value>, DirectoryError> {
        let unavailable = |reason: token::Wrong| DirectoryError::unavailable(reason.to_string());
        let header = token::header(text).map_err(unavailable)?;
        let mut keys = self.keys.lock().await;
        let key = keys
            .find(&header, metadata, &self.client(), now.tick)
            .await?;
        let terms = &self.terms;
        token::claims(
            (text, &header),
            &key,
            (&terms.issuer, &terms.client),
            now.wall,
        )
        .map_err(unavailable)
    }

    pub(super) fn name(&self, claims: &Map<String, Value>) -> Result<String, DirectoryError> {
        let wanted = &self.terms.name_claim;
        let name = claim(claims, wanted).and_then(Value::as_str);
        let name = name.filter(|name| is_plain(name)).ok_or_else(|| {
            let what = format!(
                "it says no name of them: there is no right `{wanted}`, which `oidc.name` asks for"
            );
            DirectoryError::unavailable(what)
        })?;
        // Whoever may type it themselves could be anybody.
        let verified = claims.get(VERIFIED) == Some(&Value::Bool(true));
        let email = wanted.rsplit('.').next() == Some(EMAIL);
        match email && !verified {
            true => Err(DirectoryError::unavailable(format!(
                "it does not say that it has verified their e-mail (`{VERIFIED}`), which `oidc.name` asks for"
            ))),
            false => Ok(name.to_owned()),
        }
    }

    /// Those of their groups that are of interest. Whoever has no such claim is in none.
    pub(super) fn groups(&self, claims: &Map<String, Value>) -> BTreeSet<String> {
        let said = match claim(claims, &self.terms.groups_claim) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        let wanted = self.terms.groups.iter();
        wanted
            .filter(|group| said.contains(&group.as_str()))
            .cloned()
            .collect()
    }
}

fn subject(claims: &Map<String, Value>) -> Result<&str, DirectoryError> {
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.filter(|it| !it.is_empty() && it.len() <= NAME);
    subject.ok_or_else(|| DirectoryError::unavailable("it does not say of whom it speaks"))
}

/// A claim by its name, or by the names on the way to it: `realm_access.roles`.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })
}
