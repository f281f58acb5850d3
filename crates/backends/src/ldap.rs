//! People of an LDAP directory or of Active Directory: who somebody is, and in which groups.
//!
//! Nothing is said before TLS has shown who the directory is. A search finds the one entry of a name,
//! a bind as that entry shows the password, and the groups are read, nested ones too. Every message,
//! every search and every exchange has a bound, referrals are not followed, and what somebody types
//! never becomes a part of a filter's text.

pub(crate) mod apart;
mod ber;
mod conversation;
mod dn;
mod message;

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use crate::{
    Account, DirectoryError, Secret,
    people::{NAME, is_plain},
};
use conversation::Conversation;
use message::{Entry, Filter, NO_ATTRIBUTES, Search};

/// Time for a whole exchange.
const EXCHANGE: Duration = Duration::from_secs(10);
/// Seconds that the directory is told to take for one search at most.
const SEARCH_SECONDS: u32 = 5;
/// Groups that a person is in, at most; whoever is in more is not let in.
const GROUPS: usize = 1024;
/// How deep groups lie in each other, at most. What lies deeper gives nothing.
const DEPTH: usize = 5;
/// Names in one search for groups.
const AT_ONCE: usize = 64;
/// Active Directory's rule that follows groups into groups.
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
/// Its rule that looks at one bit, and the bit of an account that is switched off.
const BIT: &str = "1.2.840.113556.1.4.803";
const DISABLED: &str = "2";

/// What kind of directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryKind {
    /// Groups name their members, by `member`, `uniqueMember` or `memberUid`.
    Standard,
    /// Active Directory, which follows groups into groups by itself.
    ActiveDirectory,
}

impl DirectoryKind {
    /// The attribute that holds what people sign in with, unless told otherwise.
    pub const fn name_attribute(self) -> &'static str {
        match self {
            Self::Standard => "uid",
            Self::ActiveDirectory => "sAMAccountName",
        }
    }
}

/// How a directory is reached and read.
#[derive(Clone, Debug)]
pub struct DirectoryTerms {
    /// `ldaps://HOST`, or `ldap://HOST`, where TLS begins by StartTLS.
    pub url: String,
    /// The certificates that its own must lead to; none for those of the system.
    pub authorities: Option<std::path::PathBuf>,
    /// Whom searches are made as.
    pub bind: String,
    /// Their password.
    pub password: Secret,
    /// Below which people and groups stand.
    pub base: String,
    /// What kind it is.
    pub kind: DirectoryKind,
    /// The attribute that holds what people sign in with.
    pub name_attribute: String,
    /// The groups that are of interest, by their names in the directory.
    pub groups: BTreeSet<String>,
}

/// Where a directory is.
#[derive(Clone, Debug)]
struct Server {
    host: String,
    port: u16,
    start_tls: bool,
}

impl Server {
    fn read(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let (port, start_tls) = match url.scheme() {
            "ldaps" => (636, false),
            "ldap" => (389, true),
            _ => return None,
        };
        let nothing_else = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none();
        let host = url
            .host_str()
            .filter(|host| nothing_else && !host.is_empty())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(port),
            start_tls,
        })
    }
}

/// Whether this is where a directory can be: a host behind `ldaps://` or `ldap://`, and nothing else.
pub fn is_directory_url(url: &str) -> bool {
    Server::read(url).is_some()
}

/// A directory that people are looked up in.
#[derive(Debug)]
pub struct Directory {
    terms: DirectoryTerms,
    server: Server,
    tls: Arc<ClientConfig>,
}

impl Directory {
    /// Takes the terms; connects to nothing.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`] where the terms cannot be kept: the address, the certificates.
    pub fn new(terms: DirectoryTerms) -> Result<Self, DirectoryError> {
        let server = Server::read(&terms.url)
            .ok_or_else(|| DirectoryError::unavailable("its address is no ldaps:// or ldap://"))?;
        let tls = trust(terms.authorities.as_deref()).map_err(DirectoryError::unavailable)?;
        Ok(Self {
            terms,
            server,
            tls: Arc::new(tls),
        })
    }

    /// Looks somebody up who shows a password.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Account, DirectoryError> {
        // A directory takes a bind without a password for one of nobody, and lets it in (RFC 4513, 5.1.2).
        if password.is_empty() {
            return Err(DirectoryError::Refused);
        }
        self.look_up(name, Some(password)).await
    }

    /// Looks somebody up.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn account(&self, name: &str) -> Result<Account, DirectoryError> {
        self.look_up(name, None).await
    }

    async fn look_up(&self, name: &str, password: Option<&str>) -> Result<Account, DirectoryError> {
        if name.is_empty() || name.len() > NAME || name.chars().any(char::is_control) {
            return Err(DirectoryError::Refused);
        }
        let exchange = async {
            let mut conversation = conversation::open(&self.server, Arc::clone(&self.tls)).await?;
            let told = Lookup {
                terms: &self.terms,
                conversation: &mut conversation,
            };
            let account = told.run(name, password).await;
            conversation.close().await;
            account
        };
        let ended = tokio::time::timeout(EXCHANGE, exchange).await;
        ended.unwrap_or_else(|_| Err(DirectoryError::unavailable("it takes too long")))
    }
}

/// Whom a directory's certificate has to lead to.
fn trust(authorities: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let Some(path) = authorities else {
        let builder = builder.with_platform_verifier();
        let builder = builder.map_err(|error| error.to_string())?;
        return Ok(builder.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"there is no certificate in it"));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// One look at a directory.
struct Lookup<'a, S> {
    terms: &'a DirectoryTerms,
    conversation: &'a mut Conversation<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lookup<'_, S> {
    async fn run(mut self, name: &str, password: Option<&str>) -> Result<Account, DirectoryError> {
        let terms = self.terms;
        let (bind, own) = (&terms.bind, terms.password.expose());
        if !self.conversation.bind(bind, own).await? {
            let reason = format!("it does not let this realm in as {bind}");
            return Err(DirectoryError::unavailable(reason));
        }
        let (dn, name) = self.entry(name).await?;
        let groups = match terms.kind {
            DirectoryKind::ActiveDirectory => self.asked_groups(&dn).await?,
            DirectoryKind::Standard => self.walked_groups(&dn, &name).await?,
        };
        // Last, since from then on the connection is theirs.
        if let Some(password) = password
            && !self.conversation.bind(&dn, password).await?
        {
            return Err(DirectoryError::Refused);
        }
        Ok(Account { name, groups })
    }

    async fn search(
        &mut self,
        base: &str,
        deep: bool,
        filter: Filter,
        (most, attribute): (usize, &str),
    ) -> Result<Vec<Entry>, DirectoryError> {
        let search = Search {
            base,
            deep,
            filter,
            most: u32::try_from(most).unwrap_or(u32::MAX),
            seconds: SEARCH_SECONDS,
            attribute,
        };
        self.conversation.search(&search).await
    }

    /// The one entry of a name, and that name in the one form that it has. However somebody writes it, and
    /// whichever of several they use, they are one person.
    async fn entry(&mut self, name: &str) -> Result<(String, String), DirectoryError> {
        let terms = self.terms;
        let named = Filter::Named(terms.name_attribute.clone(), name.to_owned());
        let person = Filter::Equals("objectClass", "person".to_owned());
        let mut all = vec![person, named];
        if terms.kind == DirectoryKind::ActiveDirectory {
            let off = Filter::Matches("userAccountControl", BIT, DISABLED.to_owned());
            all.push(Filter::Not(Box::new(off)));
        }
        let most = (2, terms.name_attribute.as_str());
        let found = self
            .search(&terms.base, true, Filter::All(all), most)
            .await?;
        let [entry] = found.as_slice() else {
            return Err(DirectoryError::Refused);
        };
        let mut names: Vec<String> = entry.values.iter().map(|it| it.to_lowercase()).collect();
        names.sort_unstable();
        let asked = names.contains(&name.to_lowercase());
        match names.into_iter().next() {
            Some(least) if asked && !entry.dn.is_empty() && is_plain(&least) => {
                Ok((entry.dn.clone(), least))
            }
            _ => Err(DirectoryError::unavailable(
                "it gives an entry of another name",
            )),
        }
    }

    /// The groups of interest that the directory says somebody is in, by whichever way.
    async fn asked_groups(&mut self, dn: &str) -> Result<BTreeSet<String>, DirectoryError> {
        let mut groups = BTreeSet::new();
        for group in &self.terms.groups {
            let filter = Filter::Matches("memberOf", IN_CHAIN, group.clone());
            let found = self.search(dn, false, filter, (1, NO_ATTRIBUTES)).await?;
            match found.as_slice() {
                [] => {}
                [entry] if dn::canonical(&entry.dn) == dn::canonical(dn) => {
                    groups.insert(group.clone());
                }
                _ => {
                    return Err(DirectoryError::unavailable(
                        "it gives an entry of another name",
                    ));
                }
            }
        }
        Ok(groups)
    }

    /// The groups of interest that somebody is in, or that groups are in which they are in, and so on.
    async fn walked_groups(
        &mut self,
        dn: &str,
        name: &str,
    ) -> Result<BTreeSet<String>, DirectoryError> {
        let by_name = Filter::Equals("memberUid", name.to_owned());
        let mut seen = BTreeSet::from([dn::canonical(dn)]);
        let mut members = vec![dn.to_owned()];
        let mut others = Some(by_name);
        for _ in 0..DEPTH {
            let mut next = Vec::new();
            for some in members.chunks(AT_ONCE) {
                let holds = |dn: &String| {
                    let by = |attribute| Filter::Equals(attribute, dn.clone());
                    [by("member"), by("uniqueMember")]
                };
                let filters = some.iter().flat_map(holds).chain(others.take()).collect();
                let most = (GROUPS, NO_ATTRIBUTES);
                let base = &self.terms.base;
                let found = self.search(base, true, Filter::Any(filters), most).await?;
                next.extend(found.into_iter().map(|group| group.dn));
            }
            next.retain(|group| seen.insert(dn::canonical(group)));
            if seen.len() > GROUPS {
                return Err(DirectoryError::unavailable(
                    "somebody is in too many groups",
                ));
            }
            members = next;
            if members.is_empty() {
                break;
            }
        }
        let wanted = self.terms.groups.iter();
        Ok(wanted
            .filter(|group| seen.contains(&dn::canonical(group)))
            .cloned()
            .collect())
    }
}

#[cfg(test)]
mod tests;
