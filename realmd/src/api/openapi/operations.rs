//! Every operation of the API, once.

use realm_client::api::{
    AcknowledgeRequest, AgentView, AllowRequest, Allowed, ApplyRequest, ApplyResult, ApprovalQuery,
    ApprovalView, ApproveCallRequest, ApproveRequest, AuditEntry, AuditFile, AuditQuery,
    BackendView, BackupReport, BackupRequest, BidQuery, BidSummary, BidderTrust, BreakerView,
    BroadcastRequest, BroadcastResult, CancelRequest, CancelResult, ConfigEntry, ConfigView,
    Denial, DenyRequest, DeviceAnswer, DeviceQuestion, DeviceSignIn, DiffResult, DisallowRequest,
    Disallowed, Doctor, EraseRequest, EraseResult, EvidenceFile, FederatedTrace, FrameTree,
    GrantRequest, GrantView, HaltRequest, HaltState, Health, HoldRequest, ImportResult, Info,
    InvokeRequest, InvokeResult, JoinRequest, Joined, LoopChange, LoopDetail, LoopQuery,
    LoopSummary, ModelToolView, PauseRequest, PeerDetail, PeerSummary, PersonView, PolicyApplied,
    PolicyApply, PolicyCases, PolicyChecked, PolicyExplained, PolicyQuestion, PolicyShadow,
    PolicyTested, PolicyText, PolicyView, Pong, PromoteRequest, PromptDetail, PromptDiff,
    PromptDiffQuery, PromptSummary, PseudonymView, RateRequest, RateView, Ready, RealmDetail,
    RealmForest, ReceiptFile, ReceiptQuery, RemoveQuery, Removed, ResetRequest, ResumeRequest,
    RevokeRequest, Revoked, RollbackRequest, RunDetail, RunExplanation, RunQuery, RunSummary,
    ScoreRequest, ShareRequest, SignInRequest, SignedIn, SignedOut, StackView, StateQuery,
    StateSummary, StateView, Status, TicketIssued, TicketRequest, Trace, TraceEvent, TraceQuery,
    TranscriptQuery, UnhaltRequest, ValidateResult, WitnessFile, WitnessView, routes,
};

use super::{
    super::METRICS,
    operation::{Operation, Shape, delete, get, one, page, post, query},
    reference,
};

/// Every operation of the API.
pub(super) const OPERATIONS: &[Operation] = &[
    get(
        routes::STATUS,
        "Says where the realm stands now.",
        one::<Status>(),
    ),
    get(routes::INFO, "Says what the daemon is.", one::<Info>()),
    get(
        routes::HEALTH,
        "Says whether the process answers.",
        one::<Health>(),
    ),
    get(
        routes::READY,
        "Says whether the realm can serve calls.",
        one::<Ready>(),
    ),
    get(routes::DOCTOR, "Examines everything.", one::<Doctor>()),
    get(
        routes::CONFIG,
        "Shows the configuration in force.",
        one::<ConfigView>(),
    ),
    get(
        routes::CONFIG_KEY,
        "Explains one key of the configuration.",
        one::<ConfigEntry>(),
    ),
    post(
        routes::INVOKE,
        "Calls a loop.",
        one::<InvokeRequest>(),
        one::<InvokeResult>(),
    ),
    post(
        routes::BROADCASTS,
        "Announces work without an address, and waits for its outcome.",
        one::<BroadcastRequest>(),
        one::<BroadcastResult>(),
    ),
    get(
        routes::RUNS,
        "Lists runs, the newest first.",
        page::<RunSummary>(),
    )
    .with(query::<RunQuery>),
    get(routes::RUN, "Shows a run.", one::<RunDetail>()),
    get(
        routes::RUN_TRACE,
        "Shows this realm's half of a trace, part by part.",
        one::<Trace>(),
    )
    .with(query::<TraceQuery>),
    get(
        routes::RUN_FEDERATED,
        "Follows a run's trace through the realms that it led to.",
        one::<FederatedTrace>(),
    ),
    get(
        routes::RUN_TREE,
        "Shows the calls of a run, nested.",
        one::<FrameTree>(),
    ),
    get(
        routes::RUN_EVENTS,
        "Tells a run's events as they become durable; the last is `end`.",
        Shape::Events(reference::<TraceEvent>),
    ),
    get(
        routes::RUN_EXPLAIN,
        "Says why a run is where it is.",
        one::<RunExplanation>(),
    ),
    get(
        routes::RUN_TRANSCRIPT,
        "Gives a transcript of a broadcast that a run has announced, or what one bidder may see of it.",
        one::<EvidenceFile>(),
    )
    .with(query::<TranscriptQuery>),
    get(
        routes::AUDIT,
        "Lists entries of the audit log, the newest first.",
        page::<AuditEntry>(),
    )
    .with(query::<AuditQuery>),
    get(
        routes::AUDIT_EXPORT,
        "Gives a part of the audit log that proves itself.",
        one::<AuditFile>(),
    )
    .with(query::<AuditQuery>),
    get(
        routes::WITNESSED,
        "Lists what this realm keeps of the audit logs of its children and peers.",
        page::<WitnessView>(),
    ),
    get(
        routes::WITNESSED_REALM,
        "Gives what proves that the audit log of a realm is not what it was.",
        one::<WitnessFile>(),
    ),
    post(
        routes::WITNESSED_ACKNOWLEDGE,
        "Takes note that an owner has seen what contradicts the audit log of a realm.",
        one::<AcknowledgeRequest>(),
        page::<WitnessView>(),
    ),
    get(
        routes::RECEIPTS,
        "Gives receipts of calls that prove themselves.",
        one::<ReceiptFile>(),
    )
    .with(query::<ReceiptQuery>),
    get(
        routes::BIDS,
        "Lists the bids that this realm has made, the newest first.",
        page::<BidSummary>(),
    )
    .with(query::<BidQuery>),
    get(
        routes::BIDDERS,
        "Lists what this realm makes of bidders, the least trusted first, and why.",
        page::<BidderTrust>(),
    ),
    get(
        routes::BID,
        "Gives the receipt of a bid.",
        one::<EvidenceFile>(),
    ),
    get(
        routes::APPROVALS,
        "Lists calls that wait for people to approve them, the newest first.",
        page::<ApprovalView>(),
    )
    .with(query::<ApprovalQuery>),
    get(
        routes::APPROVAL,
        "Shows exactly what is to be approved.",
        one::<ApprovalView>(),
    ),
    post(
        routes::APPROVAL_APPROVE,
        "Lets the call begin, once, as it was shown.",
        one::<ApproveCallRequest>(),
        one::<ApprovalView>(),
    ),
    post(
        routes::APPROVAL_DENY,
        "Ends the call before it begins.",
        one::<DenyRequest>(),
        one::<ApprovalView>(),
    ),
    get(
        routes::GRANTS,
        "Lists what this realm has granted others, and what it was granted.",
        page::<GrantView>(),
    ),
    post(
        routes::GRANTS,
        "Grants another realm something.",
        one::<GrantRequest>(),
        one::<GrantView>(),
    ),
    post(
        routes::GRANTS_HELD,
        "Takes what another realm has granted this one.",
        one::<HoldRequest>(),
        one::<GrantView>(),
    ),
    get(
        routes::GRANT,
        "Shows a grant, and who gave whom.",
        one::<GrantView>(),
    ),
    delete(
        routes::GRANT,
        "Takes a grant back, or lets one go that is held; gives it as it was.",
        one::<GrantView>(),
    ),
    post(
        routes::RUN_PAUSE,
        "Holds a run where it stands.",
        one::<PauseRequest>(),
        one::<RunSummary>(),
    ),
    post(
        routes::RUN_RESUME,
        "Lets a paused run go on.",
        one::<ResumeRequest>(),
        one::<RunSummary>(),
    ),
    post(
        routes::RUN_ERASE,
        "Erases the content of a run that has ended, and says what went.",
        one::<EraseRequest>(),
        one::<EraseResult>(),
    ),
    post(
        routes::RUN_CANCEL,
        "Cancels a run.",
        one::<CancelRequest>(),
        one::<CancelResult>(),
    ),
    get(
        routes::BREAKERS,
        "Lists the breakers of all that has failed lately.",
        page::<BreakerView>(),
    ),
    get(
        routes::BREAKER,
        "Says how a breaker stands, and why.",
        one::<BreakerView>(),
    ),
    post(
        routes::BREAKER_RESET,
        "Closes a breaker: what it guards is asked again at once.",
        one::<ResetRequest>(),
        one::<BreakerView>(),
    ),
    post(
        routes::SIGN_IN,
        "Signs somebody in whom the directory knows; needs no token.",
        one::<SignInRequest>(),
        one::<SignedIn>(),
    ),
    delete(
        routes::SIGN_IN,
        "Ends the sign-in whose token is shown.",
        one::<SignedOut>(),
    ),
    post(
        routes::SIGN_IN_DEVICE,
        "Begins a sign-in at the provider: gives the code that somebody enters there; needs no token.",
        Shape::Any,
        one::<DeviceSignIn>(),
    ),
    post(
        routes::SIGN_IN_DEVICE_ASK,
        "Asks what has become of a sign-in at the provider; needs no token.",
        one::<DeviceQuestion>(),
        one::<DeviceAnswer>(),
    ),
    get(
        routes::PEOPLE,
        "Lists who uses the realm: those whom its configuration names, and those who have signed in.",
        page::<PersonView>(),
    ),
    get(
        routes::PERSON,
        "Says who somebody is, and what they may do.",
        one::<PersonView>(),
    ),
    get(
        routes::PSEUDONYM,
        "Says what the realms of other roots call somebody, by their name here or by one of those.",
        page::<PseudonymView>(),
    ),
    post(
        routes::PSEUDONYM_ERASE,
        "Takes away what leads from pseudonyms to somebody; gives those that there were.",
        one::<EraseRequest>(),
        page::<PseudonymView>(),
    ),
    get(
        routes::RATES,
        "Lists how often calls of others begin.",
        page::<RateView>(),
    ),
    post(
        routes::RATES,
        "Puts a rate in force, over the one of its name that was applied before.",
        one::<RateRequest>(),
        one::<RateView>(),
    ),
    get(
        routes::RATE,
        "Shows a rate, and what it has done.",
        one::<RateView>(),
    ),
    delete(
        routes::RATE,
        "Lets a rate go that was applied; gives it as it was.",
        one::<RateView>(),
    ),
    get(routes::HALT, "Shows what stands still.", one::<HaltState>()),
    post(
        routes::HALT,
        "Lets something stand still.",
        one::<HaltRequest>(),
        one::<HaltState>(),
    ),
    post(
        routes::UNHALT,
        "Lets something go on.",
        one::<UnhaltRequest>(),
        one::<HaltState>(),
    ),
    get(routes::LOOPS, "Lists loops.", page::<LoopSummary>()).with(query::<LoopQuery>),
    get(routes::LOOP, "Shows a loop.", one::<LoopDetail>()).with(query::<LoopQuery>),
    delete(routes::LOOP, "Removes a loop.", one::<Removed>()).with(query::<RemoveQuery>),
    get(
        routes::LOOP_HISTORY,
        "Shows what was changed of a loop.",
        page::<LoopChange>(),
    ),
    get(routes::STACKS, "Lists stacks.", page::<StackView>()),
    get(routes::STACK, "Shows a stack.", one::<StackView>()),
    delete(
        routes::STACK,
        "Removes a stack, and what only it announces.",
        page::<Removed>(),
    )
    .with(query::<RemoveQuery>),
    get(
        routes::AGENTS,
        "Lists who runs the loops.",
        page::<AgentView>(),
    ),
    get(routes::AGENT, "Shows who runs a loop.", one::<AgentView>()),
    get(
        routes::STATES,
        "Lists the agents that keep something between calls.",
        page::<StateSummary>(),
    ),
    get(
        routes::STATE,
        "Shows what an agent keeps between calls.",
        page::<StateView>(),
    )
    .with(query::<StateQuery>),
    delete(
        routes::STATE,
        "Removes what an agent keeps between calls; gives it as it was.",
        page::<StateView>(),
    )
    .with(query::<StateQuery>),
    get(
        routes::ATTACH,
        "Attaches an agent: a WebSocket of JSON texts, AgentMessage there and RealmMessage back.",
        Shape::Socket,
    ),
    get(
        routes::PROMPTS,
        "Lists prompts and their versions.",
        page::<PromptSummary>(),
    ),
    get(
        routes::PROMPT,
        "Shows a prompt with its scores and what was done with it.",
        one::<PromptDetail>(),
    ),
    get(
        routes::PROMPT_DIFF,
        "Shows in what two versions of a prompt differ.",
        one::<PromptDiff>(),
    )
    .with(query::<PromptDiffQuery>),
    post(
        routes::PROMPT_PROMOTE,
        "Lets a version of a prompt be called from now on.",
        one::<PromoteRequest>(),
        one::<ApplyResult>(),
    ),
    post(
        routes::PROMPT_ROLLBACK,
        "Lets the version of a prompt be called again that was before.",
        one::<RollbackRequest>(),
        one::<ApplyResult>(),
    ),
    post(
        routes::PROMPT_SHARE,
        "Lets versions of a prompt share its calls.",
        one::<ShareRequest>(),
        one::<PromptDetail>(),
    ),
    post(
        routes::PROMPT_SCORE,
        "Says how good a version of a prompt was found.",
        one::<ScoreRequest>(),
        one::<PromptDetail>(),
    ),
    get(
        routes::BACKENDS,
        "Lists the model backends and MCP servers.",
        page::<BackendView>(),
    ),
    get(
        routes::BACKEND,
        "Shows a model backend, or an MCP server with its tools.",
        one::<BackendView>(),
    ),
    post(
        routes::BACKEND_APPROVE,
        "Approves tools of an MCP server, as they were shown, for the loops that call them.",
        one::<ApproveRequest>(),
        one::<ApplyResult>(),
    ),
    get(
        routes::BACKEND_LOOPS,
        "Writes loops for the tools of an MCP server; applying them approves the tools.",
        one::<ImportResult>(),
    ),
    get(
        routes::LOOP_TOOLS,
        "Lists the loops that a prompt's model may call; other realms are asked what theirs are.",
        page::<ModelToolView>(),
    ),
    post(
        routes::LOOP_TOOLS_APPROVE,
        "Approves loops of other realms, as they were shown, for the prompt whose model calls them.",
        one::<ApproveRequest>(),
        one::<ApplyResult>(),
    ),
    delete(
        routes::AGENT,
        "Removes who runs a loop, and the loop.",
        one::<Removed>(),
    )
    .with(query::<RemoveQuery>),
    post(
        routes::APPLY,
        "Registers loops, all or none.",
        one::<ApplyRequest>(),
        one::<ApplyResult>(),
    ),
    post(
        routes::DIFF,
        "Says what registering loops would change.",
        one::<ApplyRequest>(),
        one::<DiffResult>(),
    ),
    post(
        routes::VALIDATE,
        "Checks definitions.",
        one::<ApplyRequest>(),
        one::<ValidateResult>(),
    ),
    post(
        routes::IMPORT,
        "Shows foreign definitions in our own form.",
        one::<ApplyRequest>(),
        one::<ImportResult>(),
    ),
    post(
        routes::TICKETS,
        "Opens an invitation.",
        one::<TicketRequest>(),
        one::<TicketIssued>(),
    ),
    post(
        routes::JOIN,
        "Redeems a ticket.",
        one::<JoinRequest>(),
        one::<Joined>(),
    ),
    get(
        routes::PEERS,
        "Lists the realms next to this one.",
        page::<PeerSummary>(),
    ),
    get(
        routes::PEER,
        "Shows a realm next to this one.",
        one::<PeerDetail>(),
    ),
    delete(
        routes::PEER,
        "Ends a peering, or cuts off a child.",
        one::<Revoked>(),
    ),
    post(
        routes::PEER_PING,
        "Measures the way to a realm and back.",
        Shape::Any,
        one::<Pong>(),
    ),
    get(
        routes::REALMS,
        "Shows the trees known here.",
        one::<RealmForest>(),
    ),
    get(
        routes::REALM,
        "Shows a realm, as far as known here.",
        one::<RealmDetail>(),
    ),
    post(
        routes::REALM_REVOKE,
        "Cuts off a child.",
        one::<RevokeRequest>(),
        one::<Revoked>(),
    ),
    post(
        routes::ALLOW,
        "Gives a permission.",
        one::<AllowRequest>(),
        one::<Allowed>(),
    ),
    post(
        routes::DISALLOW,
        "Takes permissions back.",
        one::<DisallowRequest>(),
        one::<Disallowed>(),
    ),
    get(
        routes::POLICIES,
        "Lists the policies.",
        page::<PolicyView>(),
    ),
    post(
        routes::POLICY_CHECK,
        "Checks Cedar text.",
        one::<PolicyText>(),
        one::<PolicyChecked>(),
    ),
    post(
        routes::POLICY_APPLY,
        "Takes Cedar text into force.",
        one::<PolicyApply>(),
        one::<PolicyApplied>(),
    ),
    post(
        routes::POLICY_SHADOW,
        "Tells which decisions of the past Cedar text would change.",
        one::<PolicyApply>(),
        one::<PolicyShadow>(),
    ),
    post(
        routes::POLICY_WHY,
        "Asks the policy a question, and why it answers so.",
        one::<PolicyQuestion>(),
        one::<PolicyExplained>(),
    ),
    post(
        routes::POLICY_TEST,
        "Asks the policy questions with known answers.",
        one::<PolicyCases>(),
        one::<PolicyTested>(),
    ),
    get(routes::DENIAL, "Explains a denial.", one::<Denial>()),
    post(
        routes::BACKUP,
        "Writes a backup.",
        one::<BackupRequest>(),
        one::<BackupReport>(),
    ),
    get(routes::OPENAPI, "Gives this document.", Shape::Any),
    get(
        METRICS,
        "Gives counters as Prometheus reads them.",
        Shape::Text,
    ),
];
