//! The routes, as templates: `{name}` stands for one percent-encoded segment.
//!
//! Lists answer with a [`super::Page`]; failures with a [`super::Problem`]. [`INVOKE`]
//! takes an `Idempotency-Key` header, for seven days; [`APPLY`], [`TICKETS`], [`ALLOW`] and
//! [`DISALLOW`] take one, and remember the last 256 until the daemon stops.

/// GET: [`super::Status`].
pub const STATUS: &str = "/v1/status";
/// GET: [`super::Info`].
pub const INFO: &str = "/v1/info";
/// GET: [`super::Health`].
pub const HEALTH: &str = "/v1/health";
/// GET: [`super::Ready`], with status 503 while it is not.
pub const READY: &str = "/v1/ready";
/// GET: [`super::Doctor`].
pub const DOCTOR: &str = "/v1/doctor";
/// GET: [`super::ConfigView`].
pub const CONFIG: &str = "/v1/config";
/// GET: [`super::ConfigEntry`].
pub const CONFIG_KEY: &str = "/v1/config/{key}";
/// POST [`super::InvokeRequest`]: [`super::InvokeResult`] with status 200 also when the call
/// failed; 202 when detached; server-sent events when streamed.
pub const INVOKE: &str = "/v1/invoke";
/// POST [`super::BroadcastRequest`]: [`super::BroadcastResult`], once it has ended.
pub const BROADCASTS: &str = "/v1/broadcasts";
/// GET with [`super::RunQuery`]: a page of [`super::RunSummary`], the newest first.
pub const RUNS: &str = "/v1/runs";
/// GET: [`super::RunDetail`].
pub const RUN: &str = "/v1/runs/{id}";
/// GET: [`super::Trace`].
pub const RUN_TRACE: &str = "/v1/runs/{id}/trace";
/// GET: [`super::FederatedTrace`].
pub const RUN_FEDERATED: &str = "/v1/runs/{id}/federated";
/// GET: [`super::Frame`], the outermost.
pub const RUN_TREE: &str = "/v1/runs/{id}/tree";
/// GET: server-sent events. `event: trace` carries a [`super::TraceEvent`], its `id` is the
/// event's index; the last is `event: end` with a [`super::InvokeResult`]. `Last-Event-ID`
/// resumes after that index without loss or repeat.
pub const RUN_EVENTS: &str = "/v1/runs/{id}/events";
/// POST [`super::PauseRequest`]: [`super::RunSummary`].
pub const RUN_PAUSE: &str = "/v1/runs/{id}/pause";
/// POST [`super::ResumeRequest`]: [`super::RunSummary`].
pub const RUN_RESUME: &str = "/v1/runs/{id}/resume";
/// GET: [`super::RunExplanation`].
pub const RUN_EXPLAIN: &str = "/v1/runs/{id}/explain";
/// GET with [`super::TranscriptQuery`]: [`super::EvidenceFile`], a transcript, or what one bidder may see of it.
pub const RUN_TRANSCRIPT: &str = "/v1/runs/{id}/transcript";
/// GET with [`super::BidQuery`]: a page of [`super::BidSummary`], the newest first.
pub const BIDS: &str = "/v1/bids";
/// GET with [`super::AuditQuery`]: a page of [`super::AuditEntry`], the newest first.
pub const AUDIT: &str = "/v1/audit";
/// GET with [`super::AuditQuery`]: [`super::AuditFile`].
pub const AUDIT_EXPORT: &str = "/v1/audit/export";
/// GET: a page of [`super::WitnessView`].
pub const WITNESSED: &str = "/v1/audit/witnessed";
/// GET: [`super::WitnessFile`].
pub const WITNESSED_REALM: &str = "/v1/audit/witnessed/{realm}";
/// POST [`super::AcknowledgeRequest`]: a page of the [`super::WitnessView`] of that realm.
pub const WITNESSED_ACKNOWLEDGE: &str = "/v1/audit/witnessed/{realm}/acknowledge";
/// GET with [`super::ReceiptQuery`]: [`super::ReceiptFile`].
pub const RECEIPTS: &str = "/v1/receipts";
/// What this realm makes of bidders.
pub const BIDDERS: &str = "/v1/bidders";
/// GET: [`super::EvidenceFile`], a receipt.
pub const BID: &str = "/v1/bids/{bid}";
/// POST [`super::EraseRequest`]: [`super::EraseResult`].
pub const RUN_ERASE: &str = "/v1/runs/{id}/erase";
/// POST [`super::CancelRequest`]: [`super::CancelResult`].
pub const RUN_CANCEL: &str = "/v1/runs/{id}/cancel";
/// GET with [`super::ApprovalQuery`]: a page of [`super::ApprovalView`], the newest first.
pub const APPROVALS: &str = "/v1/approvals";
/// GET: [`super::ApprovalView`].
pub const APPROVAL: &str = "/v1/approvals/{id}";
/// POST [`super::ApproveCallRequest`]: [`super::ApprovalView`].
pub const APPROVAL_APPROVE: &str = "/v1/approvals/{id}/approve";
/// POST [`super::DenyRequest`]: [`super::ApprovalView`].
pub const APPROVAL_DENY: &str = "/v1/approvals/{id}/deny";
/// GET: a page of [`super::GrantView`]. POST [`super::GrantRequest`]: [`super::GrantView`].
pub const GRANTS: &str = "/v1/grants";
/// POST [`super::HoldRequest`]: [`super::GrantView`].
pub const GRANTS_HELD: &str = "/v1/grants/held";
/// GET, DELETE: [`super::GrantView`].
pub const GRANT: &str = "/v1/grants/{id}";
/// GET: a page of [`super::BreakerView`].
pub const BREAKERS: &str = "/v1/breakers";
/// GET: [`super::BreakerView`].
pub const BREAKER: &str = "/v1/breakers/{name}";
/// POST [`super::ResetRequest`]: [`super::BreakerView`].
pub const BREAKER_RESET: &str = "/v1/breakers/{name}/reset";
/// GET: a page of [`super::RateView`]. POST [`super::RateRequest`]: [`super::RateView`].
pub const RATES: &str = "/v1/rates";
/// GET, DELETE: [`super::RateView`].
pub const RATE: &str = "/v1/rates/{name}";
/// GET: [`super::HaltState`]. POST [`super::HaltRequest`]: [`super::HaltState`].
pub const HALT: &str = "/v1/halt";
/// POST [`super::UnhaltRequest`]: [`super::HaltState`].
pub const UNHALT: &str = "/v1/unhalt";
/// GET with [`super::LoopQuery`]: a page of [`super::LoopSummary`].
pub const LOOPS: &str = "/v1/loops";
/// GET with [`super::LoopQuery`]: [`super::LoopDetail`]. DELETE: [`super::Removed`].
pub const LOOP: &str = "/v1/loops/{id}";
/// GET: a page of [`super::LoopChange`], the oldest first; also of a loop that is gone.
pub const LOOP_HISTORY: &str = "/v1/loops/{id}/history";
/// GET: a page of [`super::StackView`].
pub const STACKS: &str = "/v1/stacks";
/// GET: [`super::StackView`]. DELETE with [`super::RemoveQuery`]: a page of [`super::Removed`].
pub const STACK: &str = "/v1/stacks/{id}";
/// GET: a page of [`super::AgentView`].
pub const AGENTS: &str = "/v1/agents";
/// GET: [`super::AgentView`]. DELETE: [`super::Removed`].
pub const AGENT: &str = "/v1/agents/{id}";
/// GET: a page of [`super::PromptSummary`].
pub const PROMPTS: &str = "/v1/prompts";
/// GET: [`super::PromptDetail`].
pub const PROMPT: &str = "/v1/prompts/{id}";
/// GET with [`super::PromptDiffQuery`]: [`super::PromptDiff`].
pub const PROMPT_DIFF: &str = "/v1/prompts/{id}/diff";
/// POST [`super::PromoteRequest`]: [`super::ApplyResult`].
pub const PROMPT_PROMOTE: &str = "/v1/prompts/{id}/promote";
/// POST [`super::RollbackRequest`]: [`super::ApplyResult`].
pub const PROMPT_ROLLBACK: &str = "/v1/prompts/{id}/rollback";
/// POST [`super::ShareRequest`]: [`super::PromptDetail`].
pub const PROMPT_SHARE: &str = "/v1/prompts/{id}/share";
/// POST [`super::ScoreRequest`]: [`super::PromptDetail`].
pub const PROMPT_SCORE: &str = "/v1/prompts/{id}/score";
/// GET: a page of [`super::StateSummary`].
pub const STATES: &str = "/v1/agents/state";
/// GET with [`super::StateQuery`]: a page of [`super::StateView`]. DELETE: what is gone, likewise.
pub const STATE: &str = "/v1/agents/{id}/state";
/// GET, upgraded to a WebSocket: [`super::AgentMessage`]s there, [`super::RealmMessage`]s back.
pub const ATTACH: &str = "/v1/agents/attach";
/// GET: a page of [`super::BackendView`].
pub const BACKENDS: &str = "/v1/backends";
/// GET: [`super::BackendView`].
pub const BACKEND: &str = "/v1/backends/{id}";
/// POST [`super::ApproveRequest`]: [`super::ApplyResult`].
pub const BACKEND_APPROVE: &str = "/v1/backends/{id}/approve";
/// GET: [`super::ImportResult`].
pub const BACKEND_LOOPS: &str = "/v1/backends/{id}/loops";
/// GET: a page of [`super::ModelToolView`].
pub const LOOP_TOOLS: &str = "/v1/loops/{id}/tools";
/// POST [`super::ApproveRequest`]: [`super::ApplyResult`].
pub const LOOP_TOOLS_APPROVE: &str = "/v1/loops/{id}/tools/approve";
/// POST [`super::ApplyRequest`]: [`super::ApplyResult`].
pub const APPLY: &str = "/v1/apply";
/// POST [`super::ApplyRequest`]: [`super::DiffResult`]; `dryRun` and `force` change nothing.
pub const DIFF: &str = "/v1/diff";
/// POST [`super::ApplyRequest`]: [`super::ValidateResult`].
pub const VALIDATE: &str = "/v1/validate";
/// POST [`super::ApplyRequest`]: [`super::ImportResult`].
pub const IMPORT: &str = "/v1/import";
/// POST [`super::TicketRequest`]: [`super::TicketIssued`].
pub const TICKETS: &str = "/v1/tickets";
/// POST [`super::JoinRequest`]: [`super::Joined`].
pub const JOIN: &str = "/v1/join";
/// GET: a page of [`super::PeerSummary`].
pub const PEERS: &str = "/v1/peers";
/// GET: [`super::PeerDetail`]. DELETE: [`super::Revoked`].
pub const PEER: &str = "/v1/peers/{name}";
/// POST: [`super::Pong`].
pub const PEER_PING: &str = "/v1/peers/{name}/ping";
/// GET: [`super::RealmForest`].
pub const REALMS: &str = "/v1/realms";
/// GET: [`super::RealmDetail`].
pub const REALM: &str = "/v1/realms/{name}";
/// POST [`super::RevokeRequest`]: [`super::Revoked`].
pub const REALM_REVOKE: &str = "/v1/realms/{name}/revoke";
/// POST [`super::AllowRequest`]: [`super::Allowed`].
pub const ALLOW: &str = "/v1/allow";
/// POST [`super::DisallowRequest`]: [`super::Disallowed`].
pub const DISALLOW: &str = "/v1/disallow";
/// GET: a page of [`super::PolicyView`].
pub const POLICIES: &str = "/v1/policies";
/// POST [`super::PolicyText`]: [`super::PolicyChecked`].
pub const POLICY_CHECK: &str = "/v1/policies/check";
/// POST [`super::PolicyApply`]: [`super::PolicyApplied`].
pub const POLICY_APPLY: &str = "/v1/policies/apply";
/// POST [`super::PolicyQuestion`]: [`super::PolicyExplained`].
pub const POLICY_WHY: &str = "/v1/policies/why";
/// POST [`super::PolicyApply`]: [`super::PolicyShadow`].
pub const POLICY_SHADOW: &str = "/v1/policies/shadow";
/// POST [`super::PolicyCases`]: [`super::PolicyTested`].
pub const POLICY_TEST: &str = "/v1/policies/test";
/// GET: [`super::Denial`].
pub const DENIAL: &str = "/v1/denials/{ref}";
/// POST [`super::BackupRequest`]: [`super::BackupReport`].
pub const BACKUP: &str = "/v1/backup";
/// GET: the OpenAPI 3.1 document.
pub const OPENAPI: &str = "/openapi.json";

/// POST [`super::SignInRequest`]: [`super::SignedIn`]; needs no token. DELETE: [`super::SignedOut`], of the token
/// that is shown.
pub const SIGN_IN: &str = "/v1/sign-in";
/// POST: [`super::DeviceSignIn`]; needs no token.
pub const SIGN_IN_DEVICE: &str = "/v1/sign-in/device";
/// POST [`super::DeviceQuestion`]: [`super::DeviceAnswer`]; needs no token.
pub const SIGN_IN_DEVICE_ASK: &str = "/v1/sign-in/device/ask";
/// GET: a page of [`super::PersonView`], by name.
pub const PEOPLE: &str = "/v1/people";
/// GET: [`super::PersonView`].
pub const PERSON: &str = "/v1/people/{name}";
/// GET: a page of [`super::PseudonymView`], of whoever is called so here or elsewhere.
pub const PSEUDONYM: &str = "/v1/pseudonyms/{name}";
/// POST [`super::EraseRequest`]: a page of [`super::PseudonymView`], what was forgotten.
pub const PSEUDONYM_ERASE: &str = "/v1/pseudonyms/{name}/erase";

/// Fills a template's segments in order, percent-encoded. Surplus segments are left out.
pub fn fill(template: &str, segments: &[&str]) -> String {
    let mut segments = segments.iter();
    let parts = template.split('/').map(|part| {
        if part.starts_with('{') {
            segments
                .next()
                .map_or_else(String::new, |text| encode(text))
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    out
}
