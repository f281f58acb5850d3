//! The whole path: a client on the caller's socket, and a child process at the callee.

use std::sync::Arc;

use anyhow::{Result, ensure};
use realm_client::{Client, api::InvokeRequest};
use serde_json::Value;

use crate::{
    load::Call,
    realms::{Daemon, Ground, payload},
};

/// Caller, root and callee, each a process of its own; this program is the client.
#[derive(Debug)]
pub(crate) struct Whole {
    daemons: [Daemon; 3],
}

impl Whole {
    /// Sets the three up, with a loop whose agent is this program again.
    pub(crate) async fn new(ground: &Ground) -> Result<Self> {
        let root = ground.daemon("root", "").await?;
        let caller = ground.daemon("caller", "").await?;
        let callee = ground.daemon("callee", "").await?;
        for child in [&caller, &callee] {
            child.join(root.invite(&child.name).await?).await?;
        }
        callee.allow("root/caller").await?;
        let agent = std::env::current_exe()?;
        callee
            .apply(&format!(
                "id: agent\nversion: 1.0.0\nkind: tool\ndescription: Echoes by a child process.\n\
                 inputSchema: {{type: object}}\noutputSchema: {{type: object}}\neffects: none\n\
                 tool: {{implementation: process, config: {{argv: ['{}', agent]}}}}\n",
                agent.display()
            ))
            .await?;
        Ok(Self {
            daemons: [caller, root, callee],
        })
    }

    /// Process ids of the daemons.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        self.daemons.iter().map(Daemon::pid).collect()
    }

    /// Calls from this program.
    pub(crate) fn calls(&self) -> ClientCall {
        let [caller, ..] = &self.daemons;
        ClientCall::new(caller, "agent@root/callee")
    }
}

/// A call that waits for its answer.
pub(crate) fn request(address: &str) -> InvokeRequest {
    InvokeRequest {
        address: address.to_owned(),
        input: payload(),
        version: None,
        timeout_ms: Some(60_000),
        idempotency_key: None,
        detach: false,
        store: false,
        stream: false,
        budget: None,
        backend: None,
    }
}

/// Calls over the socket.
#[derive(Clone, Debug)]
pub(crate) struct ClientCall {
    client: Client,
    request: Arc<InvokeRequest>,
    answer: Arc<Value>,
}

impl ClientCall {
    /// Calls of a loop from this program.
    pub(crate) fn new(daemon: &Daemon, address: &str) -> Self {
        let request = request(address);
        Self {
            client: daemon.client.clone(),
            answer: Arc::new(request.input.clone()),
            request: Arc::new(request),
        }
    }

    /// The same, of a loop that answers with something else than its input.
    pub(crate) fn answered(self, answer: Value) -> Self {
        let answer = Arc::new(answer);
        Self { answer, ..self }
    }
}

impl Call for ClientCall {
    async fn call(&self) -> Result<()> {
        let result = self.client.invoke(&self.request).await?;
        let same = result.output.as_ref() == Some(&*self.answer);
        ensure!(same, "not the answer: {:?}", result.error);
        Ok(())
    }
}
