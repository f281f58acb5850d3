//! Whoever listens to what goes on, for as long as they may.

use std::{sync::Arc, time::Duration};

use axum::extract::{FromRequestParts, MatchedPath};
use http::{Method, request::Parts};
use tokio::{
    sync::watch,
    time::{Interval, interval},
};

use super::{
    Gate,
    gate::shown_by,
    people::{let_in, unknown, who},
    problem::Fail,
};
use crate::{daemon::Daemon, people::People, serve::Origin};

/// How often it is asked whether they still may, where the configuration says nothing else.
const AGAIN: Duration = Duration::from_secs(20);

/// Somebody who listens, with what they have shown.
pub(super) struct Listener {
    method: Method,
    route: String,
    gate: Option<Arc<Gate>>,
    token: Option<String>,
    origin: Option<Origin>,
    people: watch::Receiver<Arc<People>>,
    beat: Interval,
}

impl FromRequestParts<Arc<Daemon>> for Listener {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        daemon: &Arc<Daemon>,
    ) -> Result<Self, Self::Rejection> {
        let route = parts.extensions.get::<MatchedPath>();
        Ok(Self {
            method: parts.method.clone(),
            route: route.map_or("", |route| route.as_str()).to_owned(),
            gate: parts.extensions.get().cloned(),
            token: shown_by(&parts.headers).map(str::to_owned),
            origin: parts.extensions.get().copied(),
            people: daemon.people.clone(),
            beat: interval(AGAIN),
        })
    }
}

impl Listener {
    /// Ends when it is time to ask again: at once where the configuration names other people, and else every few
    /// seconds.
    pub(super) async fn doubt(&mut self) {
        tokio::select! {
            Ok(()) = self.people.changed() => {}
            _ = self.beat.tick() => {}
        }
    }

    /// Whether they may go on listening.
    ///
    /// # Errors
    /// What they are told who may not, or who are known no more.
    pub(super) async fn check(&self, daemon: &Daemon) -> Result<(), Fail> {
        let gate = self.gate.as_ref();
        let shown = gate.map(|gate| gate.check_token(self.token.as_deref()));
        let person = who(daemon, shown.transpose()?, self.origin).await?;
        let_in(
            daemon,
            &person.ok_or_else(unknown)?,
            &self.method,
            &self.route,
        )
        .await
    }
}
