//! People of a provider: it is asked again who they are by what each of them left here when they signed in.
//!
//! What the provider is asked by is good once, and the next comes with the answer: a question that has begun is followed
//! to its end, also where nobody waits for it any more, and what came with the answer is written down before anything else.

use std::{collections::BTreeSet, fmt, sync::Arc};

use futures::future::BoxFuture;
use realm_backends::{Account, DirectoryError, Provider, ProviderTerms, Renewal};
use realm_protocol::{Digest, Now, Tick};

use super::{
    directories::{Looking, Source},
    renewals::{Renewals, Whose},
};
use crate::{config::OidcConfig, secrets::SecretReader};

/// A provider, and what its people have left.
#[derive(Debug)]
pub(crate) struct Members {
    provider: Arc<Provider>,
    renewals: Arc<Renewals>,
}

impl Members {
    /// Takes what is configured; connects to nothing.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`] where the secret cannot be had.
    pub(crate) fn of(
        config: &OidcConfig,
        groups: BTreeSet<String>,
        secrets: &SecretReader,
        renewals: Arc<Renewals>,
    ) -> Result<Self, DirectoryError> {
        let OidcConfig {
            issuer,
            client,
            secret,
            scopes,
            name,
            groups: groups_claim,
            allow_private,
            session_ms: _,
        } = config.clone();
        let secret = secret.map(|place| secrets.read(&place)).transpose();
        let provider = Provider::new(ProviderTerms {
            issuer,
            client,
            secret: secret.map_err(|reason| DirectoryError::Unavailable { reason })?,
            scopes,
            name_claim: name,
            groups_claim,
            groups,
            allow_private,
        });
        Ok(Self {
            provider: Arc::new(provider),
            renewals,
        })
    }

    #[cfg(test)]
    pub(crate) fn unasked() -> Self {
        let provider = Provider::new(ProviderTerms {
            issuer: "https://id.example.org".to_owned(),
            client: "realm".to_owned(),
            secret: None,
            scopes: Vec::new(),
            name_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
            groups: BTreeSet::new(),
            allow_private: Vec::new(),
        });
        Self {
            provider: Arc::new(provider),
            renewals: Arc::default(),
        }
    }

    /// The provider, for those who sign in.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Keeps what somebody has left who has signed in, for as long as that is good.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where the provider gives the name of one to another.
    pub(crate) fn hold(
        &self,
        name: &str,
        renewal: Renewal,
        until: Tick,
        now: Tick,
    ) -> Result<(), DirectoryError> {
        self.renewals.hold(self.whose(name), renewal, until, now)
    }

    /// Keeps a sign-in of somebody over a restart, with what they have left.
    pub(crate) async fn keep(&self, name: &str, token: Digest, until: Tick, now: Tick) {
        self.renewals.begin(&self.whose(name), token, until, now);
        self.renewals.write().await;
    }

    async fn ask(&self, name: &str, now: Now) -> Result<Account, DirectoryError> {
        let whose = self.whose(name);
        let held = self.renewals.of(&whose, now.tick);
        let held = held.ok_or_else(|| DirectoryError::Unavailable {
            reason: format!(
                "the provider can be asked about {name} when they have signed in again"
            ),
        })?;
        let (provider, renewals) = (Arc::clone(&self.provider), Arc::clone(&self.renewals));
        // What it left holds the question itself.
        let (of, place) = (whose.clone(), Arc::downgrade(&held));
        let question = |mut renewal: Renewal| -> BoxFuture<'static, Answered<Renewal>> {
            Box::pin(async move {
                let before = renewal.clone();
                let answer = provider.renew(&mut renewal, now).await;
                if renewal != before {
                    renewals.renewed(&of, &place, &renewal);
                    renewals.write().await;
                }
                (renewal, answer)
            })
        };
        let answer = held.lock().await.ask(now.tick, question).await;
        match answer {
            Ok(account) if account.name == name => Ok(account),
            Ok(_) | Err(DirectoryError::Refused) => {
                self.renewals.forget(&whose, &held);
                self.renewals.write().await;
                Err(DirectoryError::Refused)
            }
            Err(error) => Err(error),
        }
    }

    /// Names are those of one provider as one client knows it.
    fn whose(&self, name: &str) -> Whose {
        let terms = self.provider.terms();
        [&terms.issuer, &terms.client, name].map(str::to_owned)
    }
}

impl Source for Members {
    fn account<'a>(&'a self, name: &'a str, now: Now) -> Looking<'a> {
        Box::pin(self.ask(name, now))
    }

    fn reach(&self, now: Now) -> BoxFuture<'_, Result<(), DirectoryError>> {
        Box::pin(self.provider.reach(now))
    }
}

/// What comes of a question, and what the next is asked by.
type Answered<R> = (R, Result<Account, DirectoryError>);

/// What one person has left.
pub(super) struct Held<R> {
    renewal: R,
    /// A question that has begun, and when.
    under_way: Option<(Tick, BoxFuture<'static, Answered<R>>)>,
    /// What came of the last one, and when that began.
    last: Option<(Tick, Account)>,
}

impl<R> fmt::Debug for Held<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl<R: Clone> Held<R> {
    pub(super) fn new(renewal: R) -> Self {
        Self {
            renewal,
            under_way: None,
            last: None,
        }
    }

    /// What is said of them now, or was since.
    async fn ask(
        &mut self,
        now: Tick,
        question: impl FnOnce(R) -> BoxFuture<'static, Answered<R>>,
    ) -> Result<Account, DirectoryError> {
        // Whoever began it may have gone away since.
        let _ = self.finish().await;
        // Others asked while this one waited.
        if let Some((at, account)) = &self.last
            && *at >= now
        {
            return Ok(account.clone());
        }
        self.under_way = Some((now, question(self.renewal.clone())));
        let answer = self.finish().await;
        answer.unwrap_or(Err(DirectoryError::Refused))
    }

    /// Follows the question that is under way to its end.
    async fn finish(&mut self) -> Option<Result<Account, DirectoryError>> {
        let (at, question) = self.under_way.as_mut()?;
        let (at, (renewal, answer)) = (*at, question.await);
        self.under_way = None;
        self.renewal = renewal;
        self.last = answer.as_ref().ok().map(|account| (at, account.clone()));
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, channel::oneshot};

    use super::*;

    const START: Tick = Tick::from_millis(1_000);

    fn ann() -> Account {
        Account {
            name: "ann".to_owned(),
            groups: BTreeSet::new(),
        }
    }

    #[tokio::test]
    async fn what_comes_with_an_answer_that_nobody_waited_for_is_what_the_next_question_is_asked_by()
     {
        let mut held = Held::new(1);
        let (answers, answer) = oneshot::channel();
        let first = held.ask(START, |shown| {
            assert_eq!(shown, 1);
            async { (2, answer.await.unwrap()) }.boxed()
        });
        // Whoever asked goes away before the answer comes.
        assert_eq!(first.now_or_never(), None);
        answers.send(Ok(ann())).unwrap();

        let second = held.ask(START.plus(1), |shown| {
            assert_eq!(shown, 2);
            async { (3, Err(DirectoryError::Refused)) }.boxed()
        });
        assert_eq!(second.await, Err(DirectoryError::Refused));
        assert_eq!(held.renewal, 3);
    }

    #[tokio::test]
    async fn an_answer_serves_whoever_asked_before_it_was_asked_for_and_nobody_later() {
        let mut held = Held::new(1);
        let answer = |shown: u32| async move { (shown + 1, Ok(ann())) }.boxed();
        held.ask(START.plus(5), answer).await.unwrap();
        held.ask(START.plus(5), answer).await.unwrap();
        assert_eq!(held.renewal, 2);
        held.ask(START.plus(6), answer).await.unwrap();
        assert_eq!(held.renewal, 3);
    }
}
