//! Loops, agents and stacks, and the files they come from.

use super::{Client, ClientError, address::Address};
use crate::api::{
    AgentView, ApplyRequest, ApplyResult, DiffResult, ImportResult, LoopChange, LoopDetail,
    LoopQuery, LoopSummary, Page, RemoveQuery, Removed, StackView, ValidateResult, routes,
};

impl Client {
    /// Loops of this realm, or those of another that this one may see.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn loops(&self, query: &LoopQuery) -> Result<Page<LoopSummary>, ClientError> {
        self.get(&loop_address(routes::LOOPS.to_owned(), query))
            .await
    }

    /// A loop's contract.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn loop_detail(
        &self,
        id: &str,
        query: &LoopQuery,
    ) -> Result<LoopDetail, ClientError> {
        self.get(&loop_address(routes::fill(routes::LOOP, &[id]), query))
            .await
    }

    /// What was changed of a loop, and by whom.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn loop_history(&self, id: &str) -> Result<Page<LoopChange>, ClientError> {
        self.get(&routes::fill(routes::LOOP_HISTORY, &[id])).await
    }

    /// Removes a loop of this realm, or one version of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_loop(&self, id: &str, query: &RemoveQuery) -> Result<Removed, ClientError> {
        let path = routes::fill(routes::LOOP, &[id]);
        self.delete(&removal_address(&path, query)).await
    }

    /// Who runs the loops of this realm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn agents(&self) -> Result<Page<AgentView>, ClientError> {
        self.get(routes::AGENTS).await
    }

    /// Who runs one loop.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn agent(&self, id: &str) -> Result<AgentView, ClientError> {
        self.get(&routes::fill(routes::AGENT, &[id])).await
    }

    /// Removes who runs a loop, and the loop with it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_agent(
        &self,
        id: &str,
        query: &RemoveQuery,
    ) -> Result<Removed, ClientError> {
        let path = routes::fill(routes::AGENT, &[id]);
        self.delete(&removal_address(&path, query)).await
    }

    /// The stacks of this realm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stacks(&self) -> Result<Page<StackView>, ClientError> {
        self.get(routes::STACKS).await
    }

    /// One stack, with what it announces.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stack(&self, id: &str) -> Result<StackView, ClientError> {
        self.get(&routes::fill(routes::STACK, &[id])).await
    }

    /// Removes a stack, and what only it announces.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_stack(
        &self,
        id: &str,
        query: &RemoveQuery,
    ) -> Result<Page<Removed>, ClientError> {
        let path = routes::fill(routes::STACK, &[id]);
        self.delete(&removal_address(&path, query)).await
    }

    /// Registers definitions; all of them, or none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, ClientError> {
        self.post(routes::APPLY, request).await
    }

    /// What applying definitions would change.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn diff(&self, request: &ApplyRequest) -> Result<DiffResult, ClientError> {
        self.post(routes::DIFF, request).await
    }

    /// Checks definitions.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn validate(&self, request: &ApplyRequest) -> Result<ValidateResult, ClientError> {
        self.post(routes::VALIDATE, request).await
    }

    /// Shows foreign definitions in our own form.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn import(&self, request: &ApplyRequest) -> Result<ImportResult, ClientError> {
        self.post(routes::IMPORT, request).await
    }
}

fn removal_address(path: &str, query: &RemoveQuery) -> String {
    let RemoveQuery { version, force } = query;
    let mut path = Address::new(path);
    path.add("version", version.as_ref());
    path.add("force", force.then_some(true));
    path.into_text()
}

fn loop_address(path: String, query: &LoopQuery) -> String {
    let LoopQuery {
        realm,
        example,
        cursor,
    } = query;
    let mut path = Address::new(&path);
    path.add("realm", realm.as_ref());
    path.add("example", example.then_some(true));
    path.add("cursor", cursor.as_ref());
    path.into_text()
}
