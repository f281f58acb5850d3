//! Calls, and the runs they make.

use std::time::Duration;

use http::Method;
use realm_protocol::limits;

use super::{Client, ClientError, address::Address};
use crate::api::{
    BroadcastRequest, BroadcastResult, CancelRequest, CancelResult, Direction, EraseRequest,
    EraseResult, EvidenceFile, FederatedTrace, FrameTree, InvokeRequest, InvokeResult, Page,
    PauseRequest, ResumeRequest, RunDetail, RunExplanation, RunQuery, RunStatus, RunSummary, Trace,
    TraceQuery, TranscriptQuery, routes,
};
use crate::trace::TraceParts;

/// How long a call may take that does not say.
const CALL: Duration = Duration::from_secs(90);
/// How long a call that may be kept waits where it does not say.
const STORED: Duration = Duration::from_millis(limits::STORABLE_TTL_MS).saturating_add(MARGIN);
/// How long all realms of a trace may take to be asked, one after the other.
const FEDERATED: Duration = Duration::from_secs(150);
/// How much longer than the call the client waits, for the daemon to say that time is up.
const MARGIN: Duration = Duration::from_secs(5);

impl Client {
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
            parent,
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
        path.add("parent", parent.as_ref());
        path.add("since", *since);
        path.add("until", *until);
        path.add("limit", *limit);
        path.add("cursor", cursor.as_ref());
        self.get(&path.into_text()).await
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

    /// A run's trace, with what other realms show of it. They are asked now, which can take a while.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn federated(&self, id: &str) -> Result<FederatedTrace, ClientError> {
        let path = routes::fill(routes::RUN_FEDERATED, &[id]);
        self.request(Method::GET, &path, Vec::new(), FEDERATED)
            .await
    }

    /// The calls of a run, nested.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tree(&self, id: &str) -> Result<FrameTree, ClientError> {
        self.get(&routes::fill(routes::RUN_TREE, &[id])).await
    }

    /// Why a run is where it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn explain(&self, id: &str) -> Result<RunExplanation, ClientError> {
        self.get(&routes::fill(routes::RUN_EXPLAIN, &[id])).await
    }

    /// A transcript of a broadcast that a run has announced, or what one bidder may see of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transcript(
        &self,
        id: &str,
        query: &TranscriptQuery,
    ) -> Result<EvidenceFile, ClientError> {
        let TranscriptQuery { call, reader } = query;
        let mut path = Address::new(&routes::fill(routes::RUN_TRANSCRIPT, &[id]));
        path.add("call", call.as_ref());
        path.add("for", reader.as_ref());
        self.get(&path.into_text()).await
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

    /// Erases the content of a run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn erase(
        &self,
        id: &str,
        request: &EraseRequest,
    ) -> Result<EraseResult, ClientError> {
        self.post(&routes::fill(routes::RUN_ERASE, &[id]), request)
            .await
    }

    /// Cancels a run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel(
        &self,
        id: &str,
        request: &CancelRequest,
    ) -> Result<CancelResult, ClientError> {
        self.post(&routes::fill(routes::RUN_CANCEL, &[id]), request)
            .await
    }
}

/// How long a call is waited for.
pub(super) fn patience(request: &InvokeRequest) -> Duration {
    let asked = request.timeout_ms.map(Duration::from_millis);
    let longest = if request.store { STORED } else { CALL };
    asked.map_or(longest, |asked| asked.saturating_add(MARGIN))
}
