//! People of an OpenID Connect provider: who somebody is, and in which groups.
//!
//! They sign in by the device flow (RFC 8628): the provider gives a code, they enter it at the provider's
//! page, and meanwhile the provider is asked whether they have. What it then says is an ID token, whose
//! signature and every claim are checked, and a refresh token, by which it is asked again who they are now.
//! Every body and every exchange has a bound, redirects are not followed, and the addresses that the
//! provider names are checked like every other that is called.

pub(crate) mod apart;
mod device;
mod exchange;
mod identity;
mod keys;
mod metadata;
mod token;

use std::{collections::BTreeSet, fmt, time::Duration};

use realm_protocol::{Now, Tick};
use tokio::sync::Mutex;

use crate::{Account, DirectoryError, Secret, http::HttpAgents};
use exchange::Client;
use keys::Keys;
use metadata::Metadata;

pub use device::{Device, DeviceAnswer};
pub use metadata::is_issuer;

/// Time for a whole exchange, all its requests together.
const EXCHANGE: Duration = Duration::from_secs(10);
/// How long what the provider says of itself is kept, milliseconds: its addresses and its keys.
const KEPT_MS: u64 = 60 * 60 * 1_000;

/// How a provider is reached and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderTerms {
    /// Its address, as its tokens name it.
    pub issuer: String,
    /// What this realm is called there.
    pub client: String,
    /// What this realm shows there, unless it shows nothing.
    pub secret: Option<Secret>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claim that holds what people are called.
    pub name_claim: String,
    /// The claim that holds their groups.
    pub groups_claim: String,
    /// The groups that are of interest, by their names at the provider.
    pub groups: BTreeSet<String>,
    /// Hosts and ports that may be reached though their addresses are not public.
    pub allow_private: Vec<String>,
}

/// What the provider is asked by again who somebody is.
#[derive(Clone, PartialEq, Eq)]
pub struct Renewal {
    /// What the provider knows them by, for good.
    subject: String,
    token: Secret,
}

impl Renewal {
    /// Takes what the provider knows somebody by, and the refresh token.
    pub fn new(subject: impl Into<String>, token: Secret) -> Self {
        Self {
            subject: subject.into(),
            token,
        }
    }

    /// What the provider knows them by.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The refresh token.
    pub const fn token(&self) -> &Secret {
        &self.token
    }

    /// Whether this is of the same person as another.
    pub fn is_of(&self, other: &Self) -> bool {
        self.subject == other.subject
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// A provider that people sign in at.
#[derive(Debug)]
pub struct Provider {
    terms: ProviderTerms,
    http: HttpAgents,
    metadata: Mutex<Option<(Tick, Metadata)>>,
    keys: Mutex<Keys>,
}

impl Provider {
    /// Takes the terms; connects to nothing.
    pub fn new(terms: ProviderTerms) -> Self {
        Self {
            terms,
            http: HttpAgents::default(),
            metadata: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// The terms that it was made with.
    pub const fn terms(&self) -> &ProviderTerms {
        &self.terms
    }

    /// Begins a sign-in: gives the code that somebody enters, and where.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn begin(&self, now: Now) -> Result<Device, DirectoryError> {
        in_time(async {
            let metadata = self.metadata(now.tick).await?;
            device::begin(&self.terms, &metadata, &self.client()).await
        })
        .await
    }

    /// Asks what has become of a sign-in.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn ask(&self, code: &Secret, now: Now) -> Result<DeviceAnswer, DirectoryError> {
        in_time(async {
            let metadata = self.metadata(now.tick).await?;
            let mut tokens = match device::ask(&metadata, &self.client(), code).await? {
                Ok(tokens) => tokens,
                Err(answer) => return Ok(answer),
            };
            let token = tokens.take_refresh().ok_or_else(|| {
                let what = "it gives no refresh token, by which it could be asked again: let this client have one, \
                            perhaps by `offline_access` in `oidc.scopes`";
                DirectoryError::unavailable(what)
            })?;
            let (subject, account) = self.identity(&metadata, &tokens, None, now).await?;
            Ok(DeviceAnswer::SignedIn(account, Renewal::new(subject, token)))
        })
        .await
    }

    /// Asks who somebody is now. What it is asked by next time may be another, whatever comes of this.
    ///
    /// # Errors
    /// [`DirectoryError`]: refused, where the provider lets them in no more.
    pub async fn renew(&self, renewal: &mut Renewal, now: Now) -> Result<Account, DirectoryError> {
        in_time(async {
            let metadata = self.metadata(now.tick).await?;
            let mut tokens = identity::refresh(&metadata, &self.client(), &renewal.token).await?;
            if let Some(token) = tokens.take_refresh() {
                renewal.token = token;
            }
            let before = Some(renewal.subject.as_str());
            let (_, account) = self.identity(&metadata, &tokens, before, now).await?;
            Ok(account)
        })
        .await
    }

    /// Asks the provider for what it says of itself, and for its keys.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn reach(&self, now: Now) -> Result<(), DirectoryError> {
        in_time(async {
            let metadata = self.read_metadata(now.tick).await?;
            self.keys
                .lock()
                .await
                .read(&metadata, &self.client(), now.tick)
                .await
        })
        .await
    }

    fn client(&self) -> Client<'_> {
        Client {
            terms: &self.terms,
            http: &self.http,
        }
    }

    /// What the provider says of itself.
    async fn metadata(&self, now: Tick) -> Result<Metadata, DirectoryError> {
        let kept = self.metadata.lock().await.clone();
        match kept {
            Some((at, metadata)) if at.plus(KEPT_MS) > now => Ok(metadata),
            _ => self.read_metadata(now).await,
        }
    }

    async fn read_metadata(&self, now: Tick) -> Result<Metadata, DirectoryError> {
        let metadata = metadata::read(&self.terms, &self.client()).await?;
        *self.metadata.lock().await = Some((now, metadata.clone()));
        Ok(metadata)
    }
}

/// Does work in the time that an exchange has.
async fn in_time<T>(
    work: impl Future<Output = Result<T, DirectoryError>>,
) -> Result<T, DirectoryError> {
    let ended = tokio::time::timeout(EXCHANGE, work).await;
    ended.unwrap_or_else(|_| Err(DirectoryError::unavailable("it takes too long")))
}

#[cfg(test)]
mod tests;
