//! People whom directories know: who they are, and what their groups let them do.
//!
//! What a directory has said of somebody is kept for a minute. After that it is asked again before
//! anything else is done for them, and where it does not answer nothing is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use realm_backends::{
    Account, Device, DeviceAnswer, Directory, DirectoryError, DirectoryTerms, Renewal, Secret,
};
use realm_protocol::{Digest, Now, Tick, limits, records::Role};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{groups::Groups, provider::Members, renewals::Renewals};
use crate::{
    config::{Config, LdapConfig, Origin},
    secrets::SecretReader,
};

/// People whose reading is remembered; one more, and what is old is forgotten.
const READINGS: usize = 4096;
/// Questions to one directory at once; further ones wait.
const AT_ONCE: usize = 8;
/// Questions about people who have not signed in yet at a time.
const STRANGERS_AT_ONCE: usize = 4;

/// Something that knows people.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// Who shows this password; nobody does where none is asked for.
    fn sign_in<'a>(&'a self, _name: &'a str, _password: &'a str) -> Looking<'a> {
        Box::pin(async { Err(DirectoryError::Refused) })
    }

    /// Who that is now.
    fn account<'a>(&'a self, name: &'a str, now: Now) -> Looking<'a>;

    /// Whether it can be asked now: by a name that nobody has.
    fn reach(&self, now: Now) -> BoxFuture<'_, Result<(), DirectoryError>> {
        Box::pin(async move {
            match self.account("realm-doctor", now).await {
                Ok(_) | Err(DirectoryError::Refused) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }
}

/// A look at a directory.
pub(crate) type Looking<'a> = BoxFuture<'a, Result<Account, DirectoryError>>;

impl Source for Directory {
    fn sign_in<'a>(&'a self, name: &'a str, password: &'a str) -> Looking<'a> {
        Box::pin(Self::sign_in(self, name, password))
    }

    fn account<'a>(&'a self, name: &'a str, _: Now) -> Looking<'a> {
        Box::pin(Self::account(self, name))
    }
}

/// Somebody of a directory: `alice@ldap`. No name in the file is such a one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) from: Origin,
    /// What the directory calls them.
    pub(crate) name: String,
}

impl Member {
    /// Reads `alice@ldap`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let (name, from) = text.rsplit_once('@')?;
        let from = Origin::named(from)?;
        let name = name.to_owned();
        Some(Self { from, name })
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.from)
    }
}

/// What a directory has said of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Before it was asked.
    pub(crate) at: Tick,
    /// Those of their groups that the table names.
    pub(crate) groups: BTreeSet<String>,
    /// What these let them do here.
    pub(crate) roles: BTreeSet<Role>,
}

impl Reading {
    /// Until when it is believed.
    pub(crate) fn until(&self) -> Tick {
        self.at.plus(limits::PERSON_READ_MS)
    }
}

/// How often directories were asked, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) known: u64,
    pub(crate) refused: u64,
    pub(crate) unavailable: u64,
}

/// A directory, or why it cannot be used.
type Known = Result<Arc<dyn Source>, DirectoryError>;

/// How many questions about strangers are asked at a time.
#[derive(Debug)]
struct Strangers(Semaphore);

impl Default for Strangers {
    fn default() -> Self {
        Self(Semaphore::new(STRANGERS_AT_ONCE))
    }
}

/// The directories of a realm, and its provider.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    sources: BTreeMap<Origin, (Known, Semaphore)>,
    provider: Option<Result<Arc<Members>, DirectoryError>>,
    /// Places for questions about people who have not signed in yet: whoever asks many of them does not keep those
    /// waiting who have.
    strangers: Strangers,
    /// The same for passwords that are shown.
    passwords: Strangers,
    groups: Groups,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    readings: BTreeMap<Member, Reading>,
    asked: BTreeMap<Origin, Asked>,
}

impl Directories {
    /// Takes what is configured; connects to nothing.
    pub(crate) fn of(config: &Config, secrets: &SecretReader, renewals: &Arc<Renewals>) -> Self {
        let groups = Groups::of(&config.groups);
        let mut sources = Vec::new();
        if let Some(ldap) = &config.ldap {
            let source = ldap_of(ldap, groups.named(Origin::Ldap), secrets);
            if let Err(error) = &source {
                tracing::warn!(%error, "nobody can sign in at `ldap.url`");
            }
            sources.push((Origin::Ldap, source));
        }
        let provider = config.oidc.as_ref().map(|oidc| {
            let groups = groups.named(Origin::Oidc);
            Members::of(oidc, groups, secrets, Arc::clone(renewals)).map(Arc::new)
        });
        if let Some(provider) = &provider {
            if let Err(error) = provider {
                tracing::warn!(%error, "nobody can sign in at `oidc.issuer`");
            }
            let source = provider.clone().map(|it| it as Arc<dyn Source>);
            sources.push((Origin::Oidc, source));
        }
        Self {
            provider,
            ..Self::new(sources, groups)
        }
    }

    fn new(sources: Vec<(Origin, Known)>, groups: Groups) -> Self {
        let places = |(from, source)| (from, (source, Semaphore::new(AT_ONCE)));
        Self {
            sources: sources.into_iter().map(places).collect(),
            provider: None,
            strangers: Strangers::default(),
            passwords: Strangers::default(),
            groups,
            kept: Mutex::default(),
        }
    }

    /// Who signs in with a password, and what they may do in the realm of this name.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub(crate) async fn sign_in(
        &self,
        from: Origin,
        (name, password): (&str, &str),
        (realm, now): (&str, Now),
    ) -> Result<(Member, Reading), DirectoryError> {
        let _stranger = self.passwords.0.acquire().await;
        let (source, _place) = self.turn(from).await?;
        let account = self.counted(from, source.sign_in(name, password).await)?;
        let member = Member {
            from,
            name: account.name.clone(),
        };
        let reading = self.keep(&member, account, (realm, now.tick));
        Ok((member, reading))
    }

    /// Begins a sign-in at the provider; none where too many begin right now.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub(crate) async fn begin(&self, now: Now) -> Result<Option<Device>, DirectoryError> {
        let members = self.members()?;
        let Ok(_place) = self.strangers.0.try_acquire() else {
            return Ok(None);
        };
        members.provider().begin(now).await.map(Some)
    }

    /// What has become of one.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub(crate) async fn become_of(
        &self,
        code: &Secret,
        now: Now,
    ) -> Result<DeviceAnswer, DirectoryError> {
        let members = self.members()?;
        let Ok(_place) = self.strangers.0.try_acquire() else {
            return Ok(DeviceAnswer::Waiting);
        };
        let answer = members.provider().ask(code, now).await;
        match answer {
            Ok(DeviceAnswer::SignedIn(..)) | Err(_) => self.counted(Origin::Oidc, answer),
            Ok(_) => answer,
        }
    }

    /// Takes somebody in who has signed in at the provider, with what they left to be asked about by. Nothing of it is
    /// kept of whom no group lets do anything here.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where the provider calls another so already.
    pub(crate) fn take_in(
        &self,
        (account, renewal): (Account, Renewal),
        until: Tick,
        (realm, now): (&str, Tick),
    ) -> Result<(Member, Reading), DirectoryError> {
        let member = Member {
            from: Origin::Oidc,
            name: account.name.clone(),
        };
        let reading = self.read_of(&member, account, (realm, now));
        if !reading.roles.is_empty() {
            self.members()?.hold(&member.name, renewal, until, now)?;
            self.remember(&member, &reading);
        }
        Ok((member, reading))
    }

    /// Keeps a sign-in at the provider over a restart.
    pub(crate) async fn keep_sign_in(&self, name: &str, token: Digest, until: Tick, now: Tick) {
        if let Ok(members) = self.members() {
            members.keep(name, token, until, now).await;
        }
    }

    fn members(&self) -> Result<&Members, DirectoryError> {
        match &self.provider {
            Some(Ok(members)) => Ok(members),
            Some(Err(error)) => Err(error.clone()),
            None => Err(not_configured()),
        }
    }

    /// What is known of somebody: no older than so many milliseconds, a minute at most.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is let be by what was known before.
    pub(crate) async fn read(
        &self,
        member: &Member,
        age_ms: u64,
        (realm, now): (&str, Now),
    ) -> Result<Reading, DirectoryError> {
        let age_ms = age_ms.min(limits::PERSON_READ_MS);
        let fresh = |reading: &Reading| reading.at.plus(age_ms) > now.tick;
        if let Some(reading) = self.reading(member).filter(fresh) {
            return Ok(reading);
        }
        let (source, _place) = self.turn(member.from).await?;
        let asked = source.account(&member.name, now).await;
        match self.counted(member.from, asked) {
            Ok(account) if account.name == member.name => {
                Ok(self.keep(member, account, (realm, now.tick)))
            }
            // The name is another's by now.
            Ok(_) | Err(DirectoryError::Refused) => {
                self.kept().readings.remove(member);
                Err(DirectoryError::Refused)
            }
            Err(error) => Err(error),
        }
    }

    /// What was last known of somebody, however old it is.
    pub(crate) fn reading(&self, member: &Member) -> Option<Reading> {
        self.kept().readings.get(member).cloned()
    }

    /// The directories that are configured, with what came of asking them.
    pub(crate) fn asked(&self) -> Vec<(Origin, Asked)> {
        let kept = self.kept();
        let asked = |from: &Origin| (*from, kept.asked.get(from).copied().unwrap_or_default());
        self.sources.keys().map(asked).collect()
    }

    /// Whether each directory can be asked now.
    pub(crate) async fn reach(&self, now: Now) -> Vec<(Origin, Result<(), String>)> {
        let mut reached = Vec::new();
        for from in self.sources.keys() {
            let answer = match self.turn(*from).await {
                Ok((source, _place)) => self.counted(*from, source.reach(now).await),
                Err(error) => Err(error),
            };
            reached.push((*from, answer.map_err(|error| error.to_string())));
        }
        reached
    }

    /// One of them, when it is its turn.
    async fn turn(
        &self,
        from: Origin,
    ) -> Result<(Arc<dyn Source>, SemaphorePermit<'_>), DirectoryError> {
        let (source, places) = self.sources.get(&from).ok_or_else(not_configured)?;
        let source = source.clone()?;
        match places.acquire().await {
            Ok(place) => Ok((source, place)),
            Err(_) => Err(not_configured()),
        }
    }

    /// Counts what came of asking one of them.
    fn counted<T>(
        &self,
        from: Origin,
        answer: Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        let mut kept = self.kept();
        let count = kept.asked.entry(from).or_default();
        let count = match &answer {
            Ok(_) => &mut count.known,
            Err(DirectoryError::Refused) => &mut count.refused,
            Err(DirectoryError::Unavailable { .. }) => &mut count.unavailable,
        };
        *count = count.saturating_add(1);
        answer
    }

    fn keep(&self, member: &Member, account: Account, (realm, now): (&str, Tick)) -> Reading {
        let reading = self.read_of(member, account, (realm, now));
        self.remember(member, &reading);
        reading
    }

    /// What an account lets a member do.
    fn read_of(&self, member: &Member, account: Account, (realm, now): (&str, Tick)) -> Reading {
        let groups = account.groups;
        Reading {
            at: now,
            roles: self.groups.roles(member.from, &groups, realm),
            groups,
        }
    }

    fn remember(&self, member: &Member, reading: &Reading) {
        let mut kept = self.kept();
        if kept.readings.len() >= READINGS {
            kept.readings.retain(|_, it| it.until() > reading.at);
        }
        if kept.readings.len() < READINGS {
            kept.readings.insert(member.clone(), reading.clone());
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_configured() -> DirectoryError {
    DirectoryError::Unavailable {
        reason: "it is not configured".to_owned(),
    }
}

fn ldap_of(config: &LdapConfig, groups: BTreeSet<String>, secrets: &SecretReader) -> Known {
    let LdapConfig {
        url,
        authorities,
        bind,
        password,
        base,
        kind,
        name,
        session_ms: _,
    } = config.clone();
    let password = secrets
        .read(&password)
        .map_err(|reason| DirectoryError::Unavailable { reason })?;
    let directory = Directory::new(DirectoryTerms {
        url,
        authorities: authorities.map(|path| secrets.at_home(&path)),
        bind,
        password,
        base,
        kind,
        name_attribute: name,
        groups,
    })?;
    Ok(Arc::new(directory))
}

#[cfg(test)]
mod tests;
