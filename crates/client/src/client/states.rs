//! What agents keep between calls.

use super::{Client, ClientError, address::Address};
use crate::api::{Page, StateQuery, StateSummary, StateView, routes};

impl Client {
    /// The agents that keep something.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn states(&self) -> Result<Page<StateSummary>, ClientError> {
        self.get(routes::STATES).await
    }

    /// What an agent keeps.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn state(
        &self,
        agent: &str,
        query: &StateQuery,
    ) -> Result<Page<StateView>, ClientError> {
        self.get(&address(agent, query)).await
    }

    /// Removes what an agent keeps; gives it as it was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_state(
        &self,
        agent: &str,
        query: &StateQuery,
    ) -> Result<Page<StateView>, ClientError> {
        self.delete(&address(agent, query)).await
    }
}

fn address(agent: &str, query: &StateQuery) -> String {
    let StateQuery { key } = query;
    let mut path = Address::new(&routes::fill(routes::STATE, &[agent]));
    path.add("key", key.as_ref());
    path.into_text()
}
