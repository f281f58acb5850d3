//! One method a route.

use std::time::Duration;

use realm_protocol::limits;
use serde_json::Value;

use super::{Client, ClientError, address::Address};
use crate::api::{
    AgentView, AllowRequest, Allowed, ApplyRequest, ApplyResult, ApproveRequest, BackendView,
    BackupReport, BackupRequest, BidQuery, BidSummary, BidderTrust, BroadcastRequest,
    BroadcastResult, CancelRequest, ConfigEntry, ConfigView, Denial, DiffResult, Direction,
    DisallowRequest, Disallowed, Doctor, EvidenceFile, FrameTree, Health, ImportResult, Info,
    InvokeRequest, InvokeResult, JoinRequest, Joined, LoopChange, LoopDetail, LoopQuery,
    LoopSummary, Page, PauseRequest, PeerDetail, PeerSummary, PolicyCases, PolicyChecked,
    PolicyTested, PolicyText, PolicyView, Pong, Ready, RealmDetail, RealmForest, RemoveQuery,
    Removed, ResumeRequest, RevokeRequest, Revoked, RunDetail, RunExplanation, RunQuery, RunStatus,
    RunSummary, StackView, Status, TicketIssued, TicketRequest, Trace, TraceQuery, TranscriptQuery,
    ValidateResult, routes,
};
use crate::trace::TraceParts;

/// How long a call may take that does not say.
const CALL: Duration = Duration::from_secs(90);
/// How long a call that may be kept waits where it does not say.
const STORED: Duration = Duration::from_millis(limits::STORABLE_TTL_MS).saturating_add(MARGIN);
/// How much longer than the call the client waits, for the daemon to say that time is up.
const MARGIN: Duration = Duration::from_secs(5);

impl Client {
    /// Where the realm stands now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get(routes::STATUS).await
    }

    /// What the daemon is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn info(&self) -> Result<Info, ClientError> {
        self.get(routes::INFO).await
    }

    /// Whether the process answers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get(routes::HEALTH).await
    }

    /// What `doctor` finds.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn doctor(&self) -> Result<Doctor, ClientError> {
        self.get(routes::DOCTOR).await
    }

    /// The configuration in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn config(&self) -> Result<ConfigView, ClientError> {
        self.get(routes::CONFIG).await
    }

    /// One key of the configuration.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn config_key(&self, key: &str) -> Result<ConfigEntry, ClientError> {
        self.get(&routes::fill(routes::CONFIG_KEY, &[key])).await
    }

    /// A run with its payload.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run(&self, id: &str) -> Result<RunDetail, ClientError> {
        self.get(&routes::fill(routes::RUN, &[id])).await
    }

    /// This realm's half of a run's trace, whole.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::TraceTooLong`] for one that is not held whole.
    pub async fn trace(&self, id: &str) -> Result<Trace, ClientError> {
        let first = self.trace_part(id, &TraceQuery::default()).await?;
        let mut parts = TraceParts::new(first);
        while let Some(cursor) = parts.next() {
            let cursor = Some(cursor.to_owned());
            parts.add(self.trace_part(id, &TraceQuery { cursor }).await?)?;
        }
        Ok(parts.whole())
    }

    /// One part of a trace.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trace_part(&self, id: &str, query: &TraceQuery) -> Result<Trace, ClientError> {
        let TraceQuery { cursor } = query;
        let mut path = Address::new(&routes::fill(routes::RUN_TRACE, &[id]));
        path.add("cursor", cursor.as_ref());
        self.get(&path.into_text()).await
    }

    /// The calls of a run, nested.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tree(&self, id: &str) -> Result<FrameTree, ClientError> {
        self.get(&routes::fill(routes::RUN_TREE, &[id])).await
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

    /// The model backends of the realm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backends(&self) -> Result<Page<BackendView>, ClientError> {
        self.get(routes::BACKENDS).await
    }

    /// One model backend.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backend(&self, id: &str) -> Result<BackendView, ClientError> {
        self.get(&routes::fill(routes::BACKEND, &[id])).await
    }

    /// Approves tools of an MCP server for the loops that call them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve(
        &self,
        id: &str,
        request: &ApproveRequest,
    ) -> Result<ApplyResult, ClientError> {
        self.post(&routes::fill(routes::BACKEND_APPROVE, &[id]), request)
            .await
    }

    /// Loops for the tools of an MCP server.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backend_loops(&self, id: &str) -> Result<ImportResult, ClientError> {
        self.get(&routes::fill(routes::BACKEND_LOOPS, &[id])).await
    }

    /// The realms next to this one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peers(&self) -> Result<Page<PeerSummary>, ClientError> {
        self.get(routes::PEERS).await
    }

    /// A realm next to this one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peer(&self, name: &str) -> Result<PeerDetail, ClientError> {
        self.get(&routes::fill(routes::PEER, &[name])).await
    }

    /// The trees known here.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn realms(&self) -> Result<RealmForest, ClientError> {
        self.get(routes::REALMS).await
    }

    /// A realm, as far as known here.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn realm(&self, name: &str) -> Result<RealmDetail, ClientError> {
        self.get(&routes::fill(routes::REALM, &[name])).await
    }

    /// The policies.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policies(&self) -> Result<Page<PolicyView>, ClientError> {
        self.get(routes::POLICIES).await
    }

    /// A denial of this realm, explained.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn denial(&self, reference: &str) -> Result<Denial, ClientError> {
        self.get(&routes::fill(routes::DENIAL, &[reference])).await
    }

    /// The OpenAPI document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn openapi(&self) -> Result<Value, ClientError> {
        self.get(routes::OPENAPI).await
    }

    /// Whether the realm can serve calls.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `NotReady` while it cannot.
    pub async fn ready(&self) -> Result<Ready, ClientError> {
        self.get(routes::READY).await
    }

    /// Calls a loop and waits for its end, unless detached.
    ///
    /// # Errors
    /// [`ClientError`]; that the call failed is no error here but part of the result.
    pub async fn invoke(&self, request: &InvokeRequest) -> Result<InvokeResult, ClientError> {
        self.post_within(routes::INVOKE, request, patience(request))
            .await
    }

    /// Announces work without an address, and waits for its outcome.
    ///
    /// # Errors
    /// [`ClientError`]; that the broadcast failed is no error here but part of the result.
    pub async fn broadcast(
        &self,
        request: &BroadcastRequest,
    ) -> Result<BroadcastResult, ClientError> {
        let longest = request.window_ms.saturating_add(request.execution_ms);
        let timeout = Duration::from_millis(longest).saturating_add(MARGIN);
        self.post_within(routes::BROADCASTS, request, timeout).await
    }

    /// Runs that match, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn runs(&self, query: &RunQuery) -> Result<Page<RunSummary>, ClientError> {
        let RunQuery {
            loop_id,
            peer,
            status,
            direction,
            since,
            until,
            limit,
            cursor,
        } = query;
        let mut path = Address::new(routes::RUNS);
        path.add("loop", loop_id.as_ref());
        path.add("peer", peer.as_ref());
        path.add("status", status.map(RunStatus::as_str));
        path.add("direction", direction.map(Direction::as_str));
        path.add("since", *since);
        path.add("until", *until);
        path.add("limit", *limit);
        path.add("cursor", cursor.as_ref());
        self.get(&path.into_text()).await
    }

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

    /// Sends a message to a realm and waits for it to come back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ping(&self, name: &str) -> Result<Pong, ClientError> {
        self.post(
            &routes::fill(routes::PEER_PING, &[name]),
            &serde_json::json!({}),
        )
        .await
    }

    /// Removes a loop of this realm, or one version of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_loop(&self, id: &str, query: &RemoveQuery) -> Result<Removed, ClientError> {
        let path = routes::fill(routes::LOOP, &[id]);
        self.delete(&removal_address(&path, query)).await
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

    /// Ends a peering, or cuts off a child.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_peer(&self, name: &str) -> Result<Revoked, ClientError> {
        self.delete(&routes::fill(routes::PEER, &[name])).await
    }

    /// Holds a run where it stands.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pause(&self, id: &str, request: &PauseRequest) -> Result<RunSummary, ClientError> {
        self.post(&routes::fill(routes::RUN_PAUSE, &[id]), request)
            .await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resume(
        &self,
        id: &str,
        request: &ResumeRequest,
    ) -> Result<RunSummary, ClientError> {
        self.post(&routes::fill(routes::RUN_RESUME, &[id]), request)
            .await
    }

    /// Why a run is where it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn explain(&self, id: &str) -> Result<RunExplanation, ClientError> {
        self.get(&routes::fill(routes::RUN_EXPLAIN, &[id])).await
    }

    /// A transcript of a broadcast that a run has announced.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transcript(
        &self,
        id: &str,
        query: &TranscriptQuery,
    ) -> Result<EvidenceFile, ClientError> {
        let TranscriptQuery { call } = query;
        let mut path = Address::new(&routes::fill(routes::RUN_TRANSCRIPT, &[id]));
        path.add("call", call.as_ref());
        self.get(&path.into_text()).await
    }

    /// The bids that this realm has made.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bids(&self, query: &BidQuery) -> Result<Page<BidSummary>, ClientError> {
        let BidQuery { limit } = query;
        let mut path = Address::new(routes::BIDS);
        path.add("limit", *limit);
        self.get(&path.into_text()).await
    }

    /// What this realm makes of bidders, the least trusted first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bidders(&self) -> Result<Page<BidderTrust>, ClientError> {
        self.get(routes::BIDDERS).await
    }

    /// The receipt of a bid.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipt(&self, bid: &str) -> Result<EvidenceFile, ClientError> {
        self.get(&routes::fill(routes::BID, &[bid])).await
    }

    /// Cancels a run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel(
        &self,
        id: &str,
        request: &CancelRequest,
    ) -> Result<RunSummary, ClientError> {
        self.post(&routes::fill(routes::RUN_CANCEL, &[id]), request)
            .await
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

    /// What was changed of a loop, and by whom.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn loop_history(&self, id: &str) -> Result<Page<LoopChange>, ClientError> {
        self.get(&routes::fill(routes::LOOP_HISTORY, &[id])).await
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

    /// Opens an invitation.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invite(&self, request: &TicketRequest) -> Result<TicketIssued, ClientError> {
        self.post(routes::TICKETS, request).await
    }

    /// Redeems a ticket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn join(&self, request: &JoinRequest) -> Result<Joined, ClientError> {
        self.post(routes::JOIN, request).await
    }

    /// Cuts off a child for good.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(
        &self,
        name: &str,
        request: &RevokeRequest,
    ) -> Result<Revoked, ClientError> {
        self.post(&routes::fill(routes::REALM_REVOKE, &[name]), request)
            .await
    }

    /// Gives a permission.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn allow(&self, request: &AllowRequest) -> Result<Allowed, ClientError> {
        self.post(routes::ALLOW, request).await
    }

    /// Takes permissions back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disallow(&self, request: &DisallowRequest) -> Result<Disallowed, ClientError> {
        self.post(routes::DISALLOW, request).await
    }

    /// Checks Cedar text.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn check_policy(&self, request: &PolicyText) -> Result<PolicyChecked, ClientError> {
        self.post(routes::POLICY_CHECK, request).await
    }

    /// Asks the policy questions with known answers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn test_policy(&self, request: &PolicyCases) -> Result<PolicyTested, ClientError> {
        self.post(routes::POLICY_TEST, request).await
    }

    /// Writes a backup while the daemon runs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backup(&self, request: &BackupRequest) -> Result<BackupReport, ClientError> {
        self.post(routes::BACKUP, request).await
    }
}

/// How long a call is waited for.
pub(super) fn patience(request: &InvokeRequest) -> Duration {
    let asked = request.timeout_ms.map(Duration::from_millis);
    let longest = if request.store { STORED } else { CALL };
    asked.map_or(longest, |asked| asked.saturating_add(MARGIN))
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
