//! What crosses the local API's socket: JSON, camelCase, under `/v1`.
//!
//! Requests refuse unknown members; answers may gain members in later versions. Times are
//! [`Time`], durations are milliseconds unless the name says otherwise, realms and loops go by
//! the names a person uses on this machine.

mod approvals;
mod attach;
mod audit;
mod backends;
mod backup;
mod bids;
mod breakers;
mod broadcasts;
mod budget;
mod config;
mod doctor;
mod federated;
mod grants;
mod halt;
mod invoke;
mod loops;
mod page;
mod peers;
mod people;
mod policy;
mod problem;
mod prompts;
mod rates;
mod receipts;
pub mod routes;
mod runs;
mod stacks;
mod states;
mod status;
mod tickets;
mod time;

pub use approvals::{
    ApprovalDecision, ApprovalQuery, ApprovalState, ApprovalTerms, ApprovalView,
    ApproveCallRequest, DenyRequest,
};
pub use attach::{AgentMessage, Attach, AttachedLoop, FailureCategory, RealmMessage, ServedLoop};
pub use audit::{
    AcknowledgeRequest, AuditEntry, AuditFile, AuditOutcome, AuditQuery, ContradictionKind,
    ContradictionView, HeadView, WitnessFile, WitnessView,
};
pub use backends::{ApproveRequest, BackendView, ImageView, ModelToolView, ToolState, ToolView};
pub use backup::{BackupReport, BackupRequest};
pub use bids::{BidQuery, BidSummary, BidderTrust, EvidenceFile, TranscriptQuery, TrustEvent};
pub use breakers::{BreakerState, BreakerView, ResetRequest};
pub use broadcasts::{
    Aggregate, BroadcastRequest, BroadcastResult, Enough, Levels, Select, SlotResult, WaitFor,
    Weights, Wider,
};
pub use budget::{Amount, Budget, NotAnAmount, Spend};
pub use config::{ConfigEntry, ConfigView};
pub use doctor::{Check, CheckGroup, Doctor, Finding};
pub use federated::{FederatedPart, FederatedTrace, PartDigests, PartOutcome};
pub use grants::{GrantKept, GrantRequest, GrantStep, GrantView, HoldRequest};
pub use halt::{
    AboveHalt, BelowHalt, Halt, HaltChange, HaltRequest, HaltState, LoopHalt, UnhaltRequest,
};
pub use invoke::{CallError, InvokeRequest, InvokeResult, InvokeStatus, StreamPart};
pub use loops::{
    AgentView, Applied, AppliedRestriction, ApplyAction, ApplyRequest, ApplyResult, Compatibility,
    DiffResult, ImportResult, Imported, LoopChange, LoopDetail, LoopDiff, LoopQuery, LoopSummary,
    RemoveQuery, Removed, RestrictionDiff, RestrictionKind, SourceFile, ValidateResult, Validated,
};
pub use page::Page;
pub use peers::{
    PeerDetail, PeerKind, PeerSummary, Pong, RealmDetail, RealmForest, RealmNode, RevokeRequest,
    Revoked,
};
pub use people::{
    DeviceAnswer, DeviceQuestion, DeviceSignIn, PersonSource, PersonView, PseudonymView,
    SignInRequest, SignedIn, SignedOut,
};
pub use policy::{
    AllowRequest, Allowed, Denial, DisallowRequest, Disallowed, Expectation, PolicyApplied,
    PolicyApply, PolicyCase, PolicyCaseResult, PolicyCases, PolicyChange, PolicyChecked,
    PolicyExplained, PolicyLevel, PolicyQuestion, PolicyShadow, PolicyTested, PolicyText,
    PolicyView,
};
pub use problem::{Fault, PROBLEM_TYPE, Problem};
pub use prompts::{
    PromoteRequest, PromptDetail, PromptDiff, PromptDiffQuery, PromptEvent, PromptMean,
    PromptScore, PromptShare, PromptSummary, PromptVersion, RollbackRequest, ScoreKind,
    ScoreRequest, ShareRequest,
};
pub use rates::{RateRequest, RateView};
pub use receipts::{ReceiptFile, ReceiptQuery};
pub use runs::{
    AcceptedCall, AcceptedStage, CancelRequest, CancelResult, Direction, EraseRequest, EraseResult,
    Erasure, Frame, FrameTree, PauseRequest, ResumeDecision, ResumeRequest, RunDetail,
    RunExplanation, RunQuery, RunStatus, RunSummary, Trace, TraceEvent, TraceQuery, Wait, WaitsOn,
    Withdrawal,
};
pub use stacks::{StackInput, StackPart, StackView};
pub use states::{StateQuery, StateSummary, StateView};
pub use status::{
    CallCounts, ChildCounts, Expiry, Health, Info, LinkState, LinkView, Ready, RealmView, Status,
    StoreState, StoreView,
};
pub use tickets::{InviteKind, JoinRequest, Joined, TicketIssued, TicketRequest};
pub use time::Time;
