"""The types of the local API, and its operations. Written by scripts/sdk from docs/openapi.json; do not edit."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypeAlias, TypedDict, TypeVar
from urllib.parse import quote

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: NotRequired[str]


class AboveHalt(TypedDict):
    """The word of a realm above."""

    realm: str
    """The realm that said it to this one."""
    by: str
    """The realm whose owner said it first."""
    at: Time
    """When it came."""
    why: NotRequired[str | None]
    """Why."""


class AcceptedCall(TypedDict):
    """A call of a run that another realm has accepted."""

    loop: str
    """The loop with its realm, as it was asked for."""
    runId: str
    """The run there."""
    since: Time
    """When it was accepted."""
    stage: AcceptedStage
    """How it stood there when last that was told."""


class AcknowledgeRequest(TypedDict):
    """Somebody has seen what contradicts the audit log of a realm."""

    why: NotRequired[str | None]
    """Why it is no more to be told of, for those who read the audit log later."""


class AgentMessageOutput(TypedDict):
    """Ends a call with an output."""

    call: int
    """The call's number."""
    output: Any
    """The output; the loop's schema is for it."""
    state: NotRequired[dict[str, Any] | None]
    """What changes of the state that the call was given: `{KEY: {value}}`, or null for what is to be
    forgotten. Kept with the output, or not at all."""
    type: Literal["output"]


class AgentMessageFailure(TypedDict):
    """Ends a call without one."""

    call: int
    """The call's number."""
    message: str
    """What went wrong, for a person."""
    category: NotRequired[FailureCategory | None]
    retryAfterMs: NotRequired[int | None]
    """When the work may be tried again at the earliest, milliseconds."""
    type: Literal["failure"]


class AgentMessageAsk(TypedDict):
    """Ends a call with a question to people: its run waits, over restarts, and the call is made again with what they have
    said. Only where the loop's definition says whom it may ask."""

    call: int
    """The call's number."""
    question: str
    """What people read, at most 2,000 characters."""
    about: NotRequired[Any]
    """What it is about, at most 16 KiB."""
    type: Literal["ask"]


class AgentMessagePart(TypedDict):
    """Shows text that the output is being made of; at most 64 KiB. It is shown to whoever called, if they want to see
    it, and is never the output."""

    call: int
    """The call's number."""
    text: str
    """What comes next of the text."""
    type: Literal["part"]


class AgentMessageProgress(TypedDict):
    """Says how a call goes; an event `log` of the run's trace. At most 4 KiB and 256 a call are kept."""

    call: int
    """The call's number."""
    progress: Any
    """Anything."""
    type: Literal["progress"]


class AgentMessageDetach(TypedDict):
    """Asks for no more calls; the realm closes the connection once the last is answered."""

    type: Literal["detach"]


class AgentView(TypedDict):
    """Who runs a loop."""

    loop: str
    """The loop's id."""
    version: str
    """The loop's version."""
    builtin: NotRequired[bool]
    """Whether it comes with the realm and cannot be removed."""
    backend: str
    """`mock`, `builtin`, `http`, `process`, `attached` or `composite`."""
    target: NotRequired[str | None]
    """What is called: an address, the arguments of a program as JSON, a model."""
    running: int
    """Calls it works on now."""
    concurrency: NotRequired[int | None]
    """Calls it may work on at once."""
    attached: NotRequired[int | None]
    """Instances of the agent that are attached now; absent for what does not attach."""


class AllowRequest(TypedDict):
    """A permission to give."""

    caller: str
    """Realm by name, with all below it; or `agent=NAME`, an agent of this realm with a token of its own."""
    action: str
    """`invoke`, `discover`, `relay`, `announce`, `bid`, `award` or `read-trace`."""
    loop: str
    """Loop id or `pattern*`, of another realm with `@REALM`; `*` for `relay`, which is about the realm."""
    forMs: NotRequired[int | None]
    """For how long, milliseconds; for ever unless told."""
    dryRun: NotRequired[bool]
    """Show the policy, add nothing."""


class Allowed(TypedDict):
    """A permission given."""

    policyId: str
    """Its id, for `disallow`."""
    cedar: str
    """The policy, Cedar text."""
    expiresAt: NotRequired[Time | None]
    warnings: NotRequired[list[str]]
    """What will refuse all the same, and the command that helps."""
    dryRun: bool
    """Whether nothing was added."""


class Amount(TypedDict):
    """An amount of money."""

    currency: str
    """Three upper-case letters."""
    micros: int
    """Millionths of the currency."""


class Applied(TypedDict):
    """One definition that was applied."""

    id: str
    """The loop's id."""
    version: str
    """Its version."""
    action: ApplyAction
    """What was done."""
    digest: str
    """The revision: SHA-256 of the definition's canonical JSON."""
    replaces: NotRequired[str | None]
    """The version whose place it takes."""
    compatibility: NotRequired[Compatibility | None]
    reasons: NotRequired[list[str]]
    """Why it is not compatible, each `"<JSON Pointer>: <what was and is>"`."""
    advised: NotRequired[str | None]
    """The version that would tell callers of the break, where this one does not."""
    target: NotRequired[str | None]
    """What it calls: an address, the arguments of a program as JSON, a model."""
    file: NotRequired[str | None]
    """The file it came from."""


class AppliedRestriction(TypedDict):
    """What became of a policy or a rate that a file of another system asks for."""

    id: str
    """Its id: the format, the document, and what it is called there."""
    kind: RestrictionKind
    """What it is kept as."""
    action: ApplyAction
    """What was done."""


class ApplyRequest(TypedDict):
    """Files to register: the definitions, and those they refer to by `$file`."""

    files: NotRequired[list[SourceFile]]
    """The files; a relative `$file` is looked up beside the file that names it."""
    dryRun: NotRequired[bool]
    """Check everything, change nothing."""
    force: NotRequired[bool]
    """Go on where a version would break its own contract, or other loops need what would go."""
    prune: NotRequired[bool]
    """Remove every loop that the files do not define."""
    stage: NotRequired[bool]
    """Keep new versions of loops that are there beside the current ones, which stay what they are."""
    why: NotRequired[str | None]
    """Why, for the history."""


class ApplyResult(TypedDict):
    """What `apply` did; all of it, or nothing."""

    applied: NotRequired[list[Applied]]
    """The definitions, in order."""
    restrictions: NotRequired[list[AppliedRestriction]]
    """The policies and rates that files of other systems become."""
    dryRun: bool
    """Whether nothing was changed."""
    warnings: NotRequired[list[Fault]]
    """What will not do what it seems to."""


class ApprovalDecision(TypedDict):
    """What somebody has said of a call that waits."""

    person: str
    """Who."""
    roles: list[str]
    """The roles that they had then."""
    granted: bool
    """Whether the call may begin."""
    reason: NotRequired[str | None]
    """Why."""
    at: Time
    """When."""


class ApprovalTerms(TypedDict):
    """What has to be met before a call begins."""

    role: str
    """The role that those have who approve; owners always may."""
    count: int
    """How many different people."""
    distinctFromRequester: NotRequired[bool]
    """Whether whoever asked for the work may not be one of them."""
    escalatesTo: NotRequired[str | None]
    """The role of those who may approve as well, later."""
    escalatesAt: NotRequired[Time | None]


class ApprovalView(TypedDict):
    """A call that waits for people to approve it, or did."""

    id: str
    """The request."""
    state: ApprovalState
    """Where it stands."""
    loop: str
    """The loop that would be called, with its realm where that is another one."""
    version: NotRequired[str | None]
    """The loop's version; of another realm's, the one asked for."""
    revision: NotRequired[str | None]
    """The revision of a loop of this realm."""
    input: NotRequired[Any]
    """The arguments, while the call waits."""
    inputDigest: str
    """SHA-256 of the arguments."""
    budget: NotRequired[Budget | None]
    cost: NotRequired[Spend | None]
    share: NotRequired[Budget | None]
    action: str
    """What names exactly this call: realm, run, call, loop, revision and arguments."""
    runId: str
    """The run."""
    callId: str
    """The call."""
    frames: NotRequired[list[str]]
    """The loops that led to it, the outermost first."""
    caller: NotRequired[str | None]
    """On whose behalf the run is."""
    rules: list[ApprovalTerms]
    """What has to be met, all of it."""
    requestedAt: Time
    """When it was asked for."""
    expiresAt: Time
    """When it expires."""
    decisions: NotRequired[list[ApprovalDecision]]
    """What people have said."""
    usedAt: NotRequired[Time | None]


class ApproveCallRequest(TypedDict):
    """Lets a call begin."""

    reason: NotRequired[str | None]
    """Why."""


class ApproveRequest(TypedDict):
    """Which tools are approved as they are."""

    tools: dict[str, str]
    """Digests by tool, as they were shown."""


class Attach(TypedDict):
    """Who attaches."""

    agent: str
    """What the agent calls itself, as loops are called. Instances of one agent share its calls."""
    token: NotRequired[str | None]
    """The realm's token, over TCP."""
    loops: list[AttachedLoop]
    """The loops it serves: ids of registered ones, or definitions to register."""
    concurrency: NotRequired[int | None]
    """Calls it takes at once, 1 to 64; 8 unless told."""


class AuditEntry(TypedDict):
    """An entry of the audit log."""

    index: int
    """Its place in the log, from 0."""
    at: Time
    """When it was written."""
    action: str
    """What was done: `call.served`, `policy.allowed`, …."""
    outcome: AuditOutcome
    """How it ended."""
    error: NotRequired[str | None]
    """Why, where it did not end well."""
    subject: NotRequired[str | None]
    """What it was done to."""
    realm: NotRequired[str | None]
    """The other realm's name."""
    person: NotRequired[str | None]
    """The person who asked."""
    runId: NotRequired[str | None]
    """The run here."""
    callId: NotRequired[str | None]
    """The call."""
    parentRunId: NotRequired[str | None]
    """The run that caused it, at the caller."""
    contract: NotRequired[str | None]
    """Digest of the contract that was kept to."""
    receipt: NotRequired[str | None]
    """Digest of the receipt that both ends have signed."""
    inputDigest: NotRequired[str | None]
    """SHA-256 of the input."""
    outputDigest: NotRequired[str | None]
    """SHA-256 of the output."""
    currency: NotRequired[str | None]
    """Currency of the cost."""
    costMicros: NotRequired[int | None]
    """What it cost, millionths of the currency."""
    times: NotRequired[int | None]
    """How often it happened, where one entry stands for several."""
    why: NotRequired[str | None]
    """Why it was done, as who did it says."""
    previous: str
    """Digest of the entry before."""
    digest: str
    """Digest of the entry."""
    erased: bool
    """Whether person, digests and reason have been erased."""


class AuditFile(TypedDict):
    """A part of the log that proves itself."""

    first: int
    """The place of its first entry."""
    count: int
    """How many entries the log has where the file ends."""
    shown: int
    """How many entries it shows; of the others it has digests."""
    evidence: str
    """The bytes, in base64url without padding."""


class BackendView(TypedDict):
    """A model backend, or an MCP server; its key is never shown."""

    id: str
    """What loops call it."""
    format: str
    """How it is spoken to: `mock`, `openai`, `anthropic`, `ollama`, `mcp`, or `docker`."""
    url: NotRequired[str | None]
    """Where it is served; absent for what is part of the daemon."""
    argv: NotRequired[str | None]
    """The program that it is, as JSON."""
    model: NotRequired[str | None]
    """The model that answers where a loop names none."""
    key: NotRequired[str | None]
    """Where its key is: `file:keys/openai`; absent where it wants none."""
    maxTokens: NotRequired[int | None]
    """Most tokens of an answer where a loop does not say."""
    price: NotRequired[str | None]
    """What a million tokens cost, read and written: `USD 0.15 0.60`; absent where nobody knows."""
    fault: NotRequired[str | None]
    """What can be told about it that will not work; of one alone also what asking it came to."""
    tools: NotRequired[list[ToolView]]
    """The tools that it has, where it is an MCP server and was asked for alone."""
    images: NotRequired[list[ImageView]]
    """The images that loops need, where it is the container engine and was asked for alone."""


class BackupReport(TypedDict):
    """A backup that was written and is whole."""

    path: str
    """The file."""
    bytes: int
    """Its size."""
    records: int
    """Records in it."""
    runs: int
    """Runs in it."""
    events: int
    """Events in it."""
    seq: int
    """Journal position it stands for."""
    durationMs: int
    """Milliseconds it took."""


class BackupRequest(TypedDict):
    """Where to write a backup."""

    path: str
    """Absolute path of a file that does not exist."""


class BelowHalt(TypedDict):
    """A realm below that is told to stand still, or to go on."""

    realm: str
    """The realm."""
    halted: bool
    """Whether it is to stand still, and not to go on."""
    subtree: bool
    """Whether every realm below it is meant as well."""
    at: Time
    """Since when."""
    confirmedAt: NotRequired[Time | None]
    runs: int
    """Runs that stand still there."""
    own: bool
    """Whether its own work stands still as well, and not only what it does for others."""
    confirmed: NotRequired[list[str]]
    """Realms below it that have confirmed, as it says."""
    unconfirmed: NotRequired[list[str]]
    """Realms below it that have not."""
    unnamed: NotRequired[int]
    """Realms below it that it did not name."""


class BidSummary(TypedDict):
    """A bid that this realm has made."""

    bid: str
    """Digest of the bid."""
    broadcastId: str
    """The broadcast."""
    announcer: str
    """Who announced it."""
    loop: str
    """The loop whose work it was."""
    agent: str
    """The loop here that would do it."""
    currency: NotRequired[str | None]
    """Currency of the price; none for nothing."""
    priceMicros: int
    """Price, millionths of the currency."""
    timeMs: int
    """Time to the result, milliseconds."""
    confidence: int
    """Confidence, millionths."""
    createdAt: Time
    """When it was made."""
    awarded: bool
    """Whether it was awarded a slot."""
    closed: bool
    """Whether the announcer has closed the broadcast."""


class BidderTrust(TypedDict):
    """What this realm makes of a bidder by what it did with work that it had confirmed."""

    realmId: str
    """The bidder's id."""
    trust: int
    """How it is trusted now, millionths; half is what nobody is known by, and what all fade to."""
    events: list[TrustEvent]
    """What it did last, the oldest first."""
    newcomers: NotRequired[int | None]
    """How realms below it are trusted of which nothing is known, millionths; absent where none below has done anything."""


class BreakerView(TypedDict):
    """The breaker of a backend, an agent, another organisation or a loop."""

    name: str
    """Whose: `backend/ID`, `agent/NAME`, `peer/NAME` or `loop/ID`."""
    state: BreakerState
    """How it stands."""
    reason: NotRequired[str | None]
    """Why it opened."""
    since: NotRequired[Time | None]
    until: NotRequired[Time | None]
    calls: NotRequired[int | None]
    """While it is closed: how many of the latest calls are known."""
    failed: NotRequired[int | None]
    """While it is closed: how many of those went wrong."""


class BroadcastRequest(TypedDict):
    """What is announced, to whom, and how bids and results are chosen."""

    loop: str
    """The loop whose contract the work has; it is registered here."""
    capabilities: NotRequired[list[str]]
    """If any, loops that declare all of these may do it, whatever they are called."""
    input: Any
    """Input, as the loop's input schema has it. It leaves with a lease alone."""
    down: NotRequired[int]
    """Levels below this realm that are asked; 1 is its children."""
    up: NotRequired[int]
    """Levels above it whose other subtrees are asked."""
    across: NotRequired[int]
    """Levels of each peer's tree that are asked; 1 is the peers themselves."""
    realms: NotRequired[list[str]]
    """If any, only realms at or below these are asked, and those besides."""
    besides: NotRequired[Levels | None]
    wider: NotRequired[Wider | None]
    currency: NotRequired[str | None]
    """Currency of prices, three upper-case letters; none where nothing is paid."""
    maxPriceMicros: NotRequired[int | None]
    """Highest price, millionths of the currency."""
    maxTimeMs: NotRequired[int | None]
    """Longest time to the result that a bid may offer, milliseconds."""
    minConfidence: NotRequired[int | None]
    """Lowest confidence of a bid, millionths."""
    budget: NotRequired[Budget | None]
    windowMs: int
    """How long bids are taken, milliseconds, 1 to 60,000; it ends earlier once everybody has
    answered."""
    executionMs: int
    """How long the work may take in all, milliseconds."""
    awardMs: NotRequired[int | None]
    """How long after the bids awards are made, milliseconds; as long as the work may take unless told, and at most."""
    personMs: NotRequired[int | None]
    """How long a person is waited for who has to say whether work that may have begun is given out again, milliseconds; as
    long as the work may take unless told, and at most."""
    subLoops: NotRequired[bool | None]
    """Whether the work may call loops and announce work of its own; it may unless told."""
    select: NotRequired[Select]
    """How bids are ranked."""
    weights: NotRequired[Weights | None]
    winners: int
    """How many bids win."""
    standbys: NotRequired[int]
    """How many further bids may win in place of one that falls out."""
    atOnce: NotRequired[int | None]
    """How many winners work at a time; all of them unless told."""
    minBids: int
    """Fewest bids."""
    maxBids: NotRequired[int | None]
    """Most bids; 8,192 unless told."""
    perRealm: NotRequired[int | None]
    """Most bids of one realm of this tree with all below it; none for no bound."""
    enough: NotRequired[Enough | None]
    aggregate: NotRequired[Aggregate]
    """How results are made one."""
    aggregator: NotRequired[str | None]
    """The loop here that makes them one; with `loop`, and only there."""
    wait: NotRequired[WaitFor]
    """How many results are waited for."""
    quorum: NotRequired[int | None]
    """Share of all winners that a quorum needs, millionths; with `aggregate` or `wait` as
    `quorum`."""
    threshold: NotRequired[int | None]
    """Share of the valid results that a consensus needs, millionths; with `consensus`, and only
    there."""
    minResults: NotRequired[int | None]
    """Fewest results; 1 unless told."""
    minResultConfidence: NotRequired[int | None]
    """Lowest confidence of a result that counts, millionths."""
    field: NotRequired[list[str]]
    """Members on the way to the value that is compared or counted; none for the whole output."""
    detach: NotRequired[bool]
    """Answer as soon as the broadcast is on the disk, with its run and status `running`."""


class BroadcastResult(TypedDict):
    """What became of a broadcast."""

    runId: str
    """The run here."""
    broadcastId: str
    """The broadcast."""
    loop: str
    """The loop's id."""
    status: InvokeStatus
    """How it ended."""
    output: NotRequired[Any]
    """Output, if it ended well."""
    error: NotRequired[CallError | None]
    bids: int
    """Bids that counted."""
    slots: list[SlotResult]
    """Everybody who won a slot, by slot."""
    durationMs: int
    """Milliseconds from announcement to outcome."""


class Budget(TypedDict):
    """What a call and all that it causes may use. What is absent has no bound."""

    money: NotRequired[Amount | None]
    tokens: NotRequired[int | None]
    """Tokens of models, read and written."""
    calls: NotRequired[int | None]
    """How often a model, a tool, another realm or bidders may be asked."""


class CallCounts(TypedDict):
    """Calls in flight."""

    outgoing: int
    """Called here, run elsewhere."""
    incoming: int
    """Run here, whoever called."""


class CallError(TypedDict):
    """Why a call failed."""

    code: str
    """Catalogue code, `RLM-0111`."""
    name: str
    """Name of the failure on the wire: `SchemaInput`."""
    message: str
    """What happened."""
    details: NotRequired[list[str]]
    """Single faults, `<instance path or (root)>: <message>`."""
    realm: NotRequired[str | None]
    """The realm that raised it, where known."""
    reference: NotRequired[str | None]
    """For `policy why` at the realm that decided."""
    retryAfterMs: NotRequired[int | None]
    """When to try again, milliseconds from now."""
    help: NotRequired[str | None]
    """What helps; a command where there is one."""


class Check(TypedDict):
    """One check."""

    code: str
    """Its name: `clock.skew`."""
    status: Finding
    """How it ended."""
    title: str
    """What was checked."""
    evidence: str
    """What was seen."""
    fix: NotRequired[str | None]
    """The command or change that helps."""


class CheckGroup(TypedDict):
    """Checks of one matter."""

    name: str
    """`config`, `keys`, `clock`, `store`, `ports`, `parent and peers`, `backends`, `policy`, `halts`."""
    checks: NotRequired[list[Check]]
    """The checks, in order."""


class ChildCounts(TypedDict):
    """Children in numbers."""

    certified: int
    """With a valid certificate."""
    connected: int
    """With a live link."""


class ConfigEntry(TypedDict):
    """One key of the configuration."""

    key: str
    """The key: `store.cache`."""
    value: Any
    """Its value; secrets are redacted."""
    source: str
    """Where the value comes from: `default`, `realm.toml:7`, `REALMD_STORE__CACHE`, `--listen`."""
    default: Any
    """Its value if nothing sets it."""
    meaning: str
    """What it does."""
    reloads: bool
    """Whether SIGHUP applies a change."""


class ConfigView(TypedDict):
    """The whole configuration."""

    file: str
    """The file it was read from."""
    entries: NotRequired[list[ConfigEntry]]
    """The keys, sorted."""


class ContradictionView(TypedDict):
    """Two heads of one log that cannot both be of a log that only grew."""

    kind: ContradictionKind
    """How the later one contradicts the other."""
    known: HeadView
    """The head that was kept."""
    shown: HeadView
    """The later one."""
    shownAt: Time
    """When that was shown, by this realm's clock."""
    acknowledgedAt: NotRequired[Time | None]


class Denial(TypedDict):
    """A denial, explained to the realm that decided."""

    reference: str
    """Its reference."""
    at: Time
    """When it was decided."""
    caller: str
    """Who asked."""
    action: str
    """To do what."""
    resource: str
    """With what."""
    level: str
    """Which level denied: `own`, or the realm above by name."""
    determining: NotRequired[list[str]]
    """Ids of the policies that forbid; none where nothing permits."""
    errors: NotRequired[list[str]]
    """Policies that failed, and so denied."""
    suggestion: NotRequired[str | None]
    """The command that would permit it."""


class DenyRequest(TypedDict):
    """Ends a call before it begins."""

    reason: NotRequired[str | None]
    """Why; whoever made the call is told."""


class DeviceAnswer(TypedDict):
    """What has become of a sign-in at the provider: one of both."""

    signedIn: NotRequired[SignedIn | None]
    againInMs: NotRequired[int | None]
    """Nobody has entered the code yet: when to ask again, in milliseconds."""


class DeviceQuestion(TypedDict):
    """Asks what has become of a sign-in at the provider."""

    device: str
    """What its beginning gave."""


class DeviceSignIn(TypedDict):
    """A sign-in at the provider that has begun: somebody enters a code at its page."""

    device: str
    """What is asked by what has become of it; whoever has this signs in."""
    code: str
    """What is entered."""
    url: str
    """Where."""
    link: NotRequired[str | None]
    """Where it is entered already."""
    againInMs: int
    """When to ask what has become of it, in milliseconds."""
    until: Time
    """Until when it can be entered."""


class DiffResult(TypedDict):
    """What `apply` would change."""

    differs: bool
    """Whether anything would change."""
    loops: NotRequired[list[LoopDiff]]
    """The loops, in order."""
    restrictions: NotRequired[list[RestrictionDiff]]
    """The policies and rates that files of other systems become."""
    warnings: NotRequired[list[Fault]]
    """What will not do what it seems to."""


class DisallowRequest(TypedDict):
    """A permission to take back: by its id, or by what it permits."""

    policyId: NotRequired[str | None]
    """Its id."""
    caller: NotRequired[str | None]
    """Realm by name; alone, all that it was allowed."""
    action: NotRequired[str | None]
    """The action."""
    loop: NotRequired[str | None]
    """Loop id or pattern."""
    dryRun: NotRequired[bool]
    """Show what would be removed, remove nothing."""


class Disallowed(TypedDict):
    """Permissions taken back."""

    removed: NotRequired[list[PolicyView]]
    """The policies."""
    dryRun: bool
    """Whether nothing was removed."""


class Doctor(TypedDict):
    """All that `doctor` found."""

    status: Finding
    """The worst of all."""
    groups: NotRequired[list[CheckGroup]]
    """The groups, in order."""


class Enough(TypedDict):
    """Which bids are good, and how many of them are enough."""

    bids: int
    """How many."""
    priceMicros: NotRequired[int | None]
    """Highest price of a good one, millionths of the currency."""
    timeMs: NotRequired[int | None]
    """Longest time to the result of a good one, milliseconds."""
    confidence: NotRequired[int | None]
    """Lowest confidence of a good one, millionths."""


class EraseRequest(TypedDict):
    """The content of a run is to be erased."""

    dryRun: NotRequired[bool]
    """Whether only to say what would go."""
    why: NotRequired[str | None]
    """Why, for those who read the audit log later."""


class EraseResult(TypedDict):
    """What was erased of a run, or would be."""

    run: RunSummary
    """The run as it stands now."""
    inputDigest: NotRequired[str | None]
    """SHA-256 of the input that went."""
    outputDigest: NotRequired[str | None]
    """SHA-256 of the output that went."""
    bytes: int
    """Bytes of input and output."""
    events: int
    """Events of its trace, which lose what they say of contents."""
    answers: int
    """Answers kept under idempotency keys that went with it."""
    dryRun: bool
    """Whether nothing was erased yet."""


class Erasure(TypedDict):
    """That the content of a run was erased."""

    at: Time
    """When."""
    by: str
    """By whom."""


class EvidenceFile(TypedDict):
    """A file that proves how a broadcast went, by itself."""

    broadcastId: str
    """The broadcast."""
    evidence: str
    """The bytes, in base64url without padding."""


class Expiry(TypedDict):
    """A certificate or key that will expire."""

    name: str
    """What it is: `node certificate`, `child certificate from acme`, `peering with lab`."""
    notAfter: Time
    """When it is no longer valid."""
    renewsAt: NotRequired[Time | None]


class Fault(TypedDict):
    """One fault, at its place."""

    pointer: NotRequired[str | None]
    """JSON pointer into the request or document."""
    file: NotRequired[str | None]
    """File, as named in the request."""
    line: NotRequired[int | None]
    """Line, from one."""
    column: NotRequired[int | None]
    """Column, from one, in characters."""
    rule: NotRequired[str | None]
    """The rule that was broken, by name or link."""
    message: str
    """What is wrong."""
    hint: NotRequired[str | None]
    """What helps."""
    snippet: NotRequired[str | None]
    """The line of the file."""


FederatedPart = TypedDict(
    "FederatedPart",
    {
    "realm": "str",
    "callId": "str",
    "loop": "str",
    "from": NotRequired["int | None"],
    "outcome": "PartOutcome",
    "reason": NotRequired["str | None"],
    "digests": NotRequired["PartDigests | None"],
    "signedEvents": NotRequired["int | None"],
    "runId": NotRequired["str | None"],
    "hidden": NotRequired["int"],
    "events": NotRequired["list[TraceEvent]"],
    },
)
"""What another realm shows of the run that served a call."""


class FederatedTrace(TypedDict):
    """A run's trace, followed through the realms that it led to."""

    run: RunDetail
    """This realm's run."""
    events: NotRequired[list[TraceEvent]]
    """This realm's events, in order."""
    parts: NotRequired[list[FederatedPart]]
    """The calls of other realms; whoever led to one stands before it."""


class Frame(TypedDict):
    """One call of a run. Members that nothing was recorded for are left out."""

    callId: str
    """The call."""
    loop: str
    """The loop's id."""
    version: NotRequired[str | None]
    """The loop's version, once known."""
    contract: NotRequired[str | None]
    """Digest of the loop's contract."""
    realm: NotRequired[str | None]
    """The realm that runs it; none for this one."""
    caller: NotRequired[str | None]
    """The realm that asked for it, where that is not this one."""
    step: NotRequired[int | None]
    """The step of the calling loop, from zero."""
    branch: NotRequired[int | None]
    """The branch of a parallel step, from zero."""
    item: NotRequired[int | None]
    """The item of a `forEach` step, from zero."""
    fallback: NotRequired[bool]
    """Whether it ran because another loop had failed."""
    status: RunStatus
    """Where it stands."""
    startedAt: Time
    """When it began."""
    durationMs: NotRequired[int | None]
    """Milliseconds it took."""
    error: NotRequired[str | None]
    """Name of the failure, if it failed."""
    message: NotRequired[str | None]
    """What happened, if it failed."""
    category: NotRequired[str | None]
    """What may be done about the failure: `transient`, `validation`, …."""
    attempts: NotRequired[int | None]
    """How often it was tried; none before this was counted."""
    backend: NotRequired[str | None]
    """The backend that answered."""
    model: NotRequired[str | None]
    """The model that answered."""
    promptVersion: NotRequired[str | None]
    """Version of the prompt."""
    inputTokens: NotRequired[int | None]
    """Tokens that went in, over all attempts."""
    outputTokens: NotRequired[int | None]
    """Tokens that came out, over all attempts."""
    costMicros: NotRequired[int | None]
    """Cost over all attempts, in millionths of the currency the backend bills in."""
    budget: NotRequired[Budget | None]
    spent: NotRequired[Spend | None]
    tool: NotRequired[str | None]
    """What carries it out, where that is a tool: `builtin:echo`, `http`, `process`."""
    toolCalls: NotRequired[int | None]
    """How often the tool was called."""
    inputDigest: NotRequired[str | None]
    """Digest of the input."""
    outputDigest: NotRequired[str | None]
    """Digest of the output."""
    input: NotRequired[Any]
    """Input; never in a [`FrameTree`]."""
    output: NotRequired[Any]
    """Output; never in a [`FrameTree`]."""


GrantRequest = TypedDict(
    "GrantRequest",
    {
    "holder": "str",
    "loops": "list[str]",
    "uses": NotRequired["int | None"],
    "budget": NotRequired["Budget | None"],
    "forMs": NotRequired["int | None"],
    "from": NotRequired["str | None"],
    },
)
"""Something to grant."""


class GrantStep(TypedDict):
    """One grant of a chain."""

    id: str
    """Its id."""
    issuer: str
    """Who gave it, as this realm calls it, or by its id."""
    holder: str
    """Who may use it."""
    loops: list[str]
    """The loops."""
    uses: NotRequired[int | None]
    """How many calls may begin by it."""
    budget: NotRequired[Budget | None]
    until: Time
    """When it is good no more."""


class GrantView(TypedDict):
    """A grant."""

    id: str
    """Its id: what it is taken back by."""
    kept: GrantKept
    """Why this realm knows it."""
    realm: str
    """The realm whose loops it is for."""
    holder: str
    """Who may use it."""
    loops: list[str]
    """The loops."""
    uses: NotRequired[int | None]
    """How many calls may begin by it."""
    used: int
    """How many have: where it was given those of all that was handed on of it too, where it is held those
    of this realm since the daemon began."""
    budget: NotRequired[Budget | None]
    since: Time
    """When it was given."""
    until: Time
    """When it is good no more."""
    revoked: NotRequired[Time | None]
    chain: list[GrantStep]
    """Who gave whom: the realm's own grant first, this one last."""
    grant: NotRequired[str | None]
    """The line for its holder; only when it was just given, or is asked for by its id."""


class Halt(TypedDict):
    """A word that lets something stand still."""

    by: str
    """Who said it."""
    at: Time
    """When."""
    why: NotRequired[str | None]
    """Why."""
    loops: NotRequired[list[str]]
    """Loops that go on all the same."""
    runs: NotRequired[list[str]]
    """Runs that go on all the same."""


class HaltChange(TypedDict):
    """One change of what stands still."""

    number: int
    """Its number."""
    at: Time
    """When it was made."""
    by: str
    """Who made it."""
    halted: bool
    """Whether something stands still since, and does not go on."""
    what: str
    """What it is about."""
    why: NotRequired[str | None]
    """Why."""


class HaltRequest(TypedDict):
    """Something to stand still; this realm and every realm below it unless told otherwise."""

    loop: NotRequired[str | None]
    """This loop alone."""
    realm: NotRequired[str | None]
    """This realm alone: this one, or one below."""
    subtree: NotRequired[str | None]
    """This realm and every realm below it."""
    why: NotRequired[str | None]
    """Why, for those who read it later."""
    waitMs: NotRequired[int | None]
    """How long to wait for realms below to confirm, milliseconds; at most a minute."""


class HaltState(TypedDict):
    """What stands still."""

    all: NotRequired[Halt | None]
    tree: NotRequired[bool]
    """Whether every realm below is meant with the whole realm."""
    loops: NotRequired[list[LoopHalt]]
    """Loops."""
    above: NotRequired[list[AboveHalt]]
    """Realms above that let this one stand still, for what it does for others or through the tree."""
    below: NotRequired[list[BelowHalt]]
    """Realms below that are told to stand still, or to go on."""
    runs: int
    """Runs that stand still by that."""
    changes: NotRequired[list[HaltChange]]
    """What was changed, the newest first."""


class HeadView(TypedDict):
    """Where an audit log stood."""

    count: int
    """How many entries there were."""
    root: str
    """The root of the tree of all of them."""
    signedAt: Time
    """When that was signed, by the clock of that realm."""


class Health(TypedDict):
    """Whether the process answers."""

    status: str
    """`ok`."""
    version: str
    """Version of the daemon."""


class HoldRequest(TypedDict):
    """A grant of another realm's."""

    grant: str
    """The line that its giver was shown."""


class ImageView(TypedDict):
    """An image of containers."""

    image: str
    """What names it."""
    fault: NotRequired[str | None]
    """Why containers cannot be made from it now; absent if they can."""
    loops: list[str]
    """The loops that run in it."""


class ImportResult(TypedDict):
    """What `import` made."""

    documents: NotRequired[list[Imported]]
    """The definitions, in order."""


class Imported(TypedDict):
    """One foreign definition in our own form."""

    id: str
    """The loop's id."""
    format: str
    """The format it was written in."""
    text: str
    """The definition, YAML."""
    document: Any
    """The definition."""
    notes: NotRequired[list[str]]
    """What has no counterpart."""


class Info(TypedDict):
    """What the daemon is, apart from its state."""

    realm: RealmView
    """The realm."""
    node: str
    """Id of the node that serves it."""
    version: str
    """Version of the daemon."""
    wireVersions: NotRequired[list[int]]
    """Wire versions it speaks, the newest first."""
    platform: str
    """Operating system and processor: `linux-x86_64`."""
    home: str
    """The realm's folder."""
    backends: NotRequired[list[str]]
    """Kinds of backends it can call."""
    addresses: NotRequired[list[str]]
    """Addresses it gives to others, the best first."""
    limits: NotRequired[dict[str, int]]
    """Its limits, by name."""


class InvokeRequest(TypedDict):
    """Which loop is called with what."""

    loop: str
    """Address: `loop` or `loop@realm/path`."""
    input: Any
    """Input, as the loop's input schema has it."""
    version: NotRequired[str | None]
    """The version the caller means; none for the current one."""
    timeoutMs: NotRequired[int | None]
    """How long to wait, milliseconds."""
    idempotencyKey: NotRequired[str | None]
    """Asking again under the same key never runs the loop twice."""
    detach: NotRequired[bool]
    """Answer as soon as the run has begun, with status `running`."""
    store: NotRequired[bool]
    """Let the callee's parent keep the call while the callee is offline; it then waits 7 days where
    `timeoutMs` does not say, and at most."""
    stream: NotRequired[bool]
    """Show what the output is being made of while it is made: the answer is server-sent events,
    `event: part` with a [`StreamPart`] each, the last `event: end` with an [`InvokeResult`]. Whoever
    hangs up takes the call back."""
    budget: NotRequired[Budget | None]
    backend: NotRequired[str | None]
    """The backend, `office` or with a model `office:small`, that prompts ask in this run instead of their own; only of runs in
    this realm."""


class InvokeResult(TypedDict):
    """What became of a call."""

    runId: str
    """The run here."""
    callId: str
    """The call; the same id in both realms."""
    loop: str
    """The loop's id."""
    realm: NotRequired[str | None]
    """The realm that ran it; none for this one."""
    version: NotRequired[str | None]
    """The loop's version, once known."""
    status: InvokeStatus
    """How it ended."""
    approvals: NotRequired[list[str]]
    """The requests for approvals that it waits for; only of detached calls."""
    output: NotRequired[Any]
    """Output, if it ended well."""
    error: NotRequired[CallError | None]
    startedAt: Time
    """When it began."""
    endedAt: NotRequired[Time | None]
    durationMs: NotRequired[int | None]
    """Milliseconds between."""
    hops: NotRequired[list[str] | None]
    """Realms on the way, from here to the one that ran it."""
    replayed: NotRequired[bool | None]
    """Whether this is an earlier answer given again."""
    spent: NotRequired[Spend | None]


class JoinRequest(TypedDict):
    """A ticket, redeemed."""

    ticket: str
    """The ticket's text."""
    petname: NotRequired[str | None]
    """What to call the inviter's root here, if not as it proposes."""
    allow: NotRequired[list[str]]
    """Loops here that the inviter may invoke; for peers."""


Joined = TypedDict(
    "Joined",
    {
    "kind": "InviteKind",
    "realm": "RealmView",
    "with": "RealmView",
    "expiresAt": "Time",
    "policies": NotRequired["list[str]"],
    },
)
"""What was joined."""


class Levels(TypedDict):
    """How near realms are that are asked whatever they are called."""

    down: NotRequired[int]
    """Levels below this realm."""
    up: NotRequired[int]
    """Levels above it, each with so many levels below it as there are down."""
    across: NotRequired[int]
    """Levels of each peer's tree."""


class LinkView(TypedDict):
    """A realm this one has a link with, or should have."""

    name: str
    """Its name here."""
    realm: NotRequired[str | None]
    """Its id, once known."""
    state: LinkState
    """How the link stands."""
    error: NotRequired[str | None]
    """Why it is not connected."""


class LoopChange(TypedDict):
    """One change of a loop."""

    at: Time
    """When it was made."""
    by: str
    """Who made it."""
    action: ApplyAction
    """What was done."""
    version: str
    """The version it was done to."""
    digest: str
    """The revision."""
    compatibility: NotRequired[Compatibility | None]
    reasons: NotRequired[list[str]]
    """Why it was not compatible."""
    why: NotRequired[str | None]
    """Why it was made, as who made it says."""


class LoopHalt(TypedDict):
    """A loop that stands still."""

    loop: str
    """The loop."""
    halt: Halt
    """The word."""


class LoopSummary(TypedDict):
    """A loop, without its schemas."""

    id: str
    """The loop's id."""
    version: str
    """Its version."""
    kind: str
    """`prompt`, `composite`, `tool` or `stack`."""
    effects: str
    """`none`, `idempotent` or `once`."""
    description: NotRequired[str | None]
    """What it is for."""
    digest: str
    """Digest of its contract."""
    realm: NotRequired[str | None]
    """The realm that owns it; none for this one."""


class ModelToolView(TypedDict):
    """A loop that a prompt's model may call. What a loop of another realm is, is that realm's word."""

    name: str
    """What the model calls it."""
    loopId: str
    """The loop, here or in another realm."""
    description: NotRequired[str | None]
    """What it is for."""
    inputSchema: Any
    """JSON Schema of its input."""
    outputSchema: Any
    """JSON Schema of its output."""
    digest: str
    """SHA-256 of its name, description and contract: what is approved. Empty for a loop of this realm, which
    nobody approves, and where the other realm does not tell it."""
    state: ToolState
    """Whether it is what was approved; a loop of this realm always is."""
    fault: NotRequired[str | None]
    """Why it cannot be told what it is."""


class PeerSummary(TypedDict):
    """A realm next to this one."""

    name: str
    """Its name here."""
    realm: NotRequired[str]
    """Its id; empty where it is not known."""
    kind: PeerKind
    """How it is next to this one."""
    link: LinkView
    """How the link stands."""
    expiresAt: NotRequired[Time | None]


class PersonView(TypedDict):
    """Somebody who uses the realm."""

    name: str
    """What they are called here, in traces, policies and the audit log."""
    source: PersonSource
    """What says who they are."""
    roles: list[str]
    """What they may do: viewer, operator, approver, owner."""
    uid: NotRequired[int | None]
    """The user of the machine that they are at the socket."""
    token: NotRequired[bool]
    """Whether they have a token of their own."""
    groups: NotRequired[list[str]]
    """Those of their groups that the realm gives roles for."""
    read: NotRequired[Time | None]
    signIns: NotRequired[int | None]
    """How often they have signed in, where that is still good."""
    until: NotRequired[Time | None]


class PolicyApplied(TypedDict):
    """Cedar text taken into force."""

    policyId: str
    """The policy's id, for `disallow`."""
    replaced: bool
    """Whether it took the place of another text."""
    warnings: NotRequired[list[Fault]]
    """What will not do what it seems to."""
    dryRun: bool
    """Whether nothing was changed."""


class PolicyApply(TypedDict):
    """Cedar text to take into force."""

    id: str
    """The policy's id, whose text it replaces."""
    text: str
    """The text."""
    subtree: NotRequired[bool]
    """Whether it decides for every realm below instead of this one."""
    dryRun: NotRequired[bool]
    """Check it, change nothing."""


class PolicyCase(TypedDict):
    """A question to the policy, and the answer it should give."""

    principal: str
    """Realm by name."""
    action: str
    """The action."""
    resource: str
    """`loop@realm` or a realm by name; a bare loop is of this realm."""
    expect: Expectation
    """The answer it should give."""


class PolicyCaseResult(TypedDict):
    """A question, answered."""

    case: PolicyCase
    """The question."""
    got: Expectation
    """The answer."""
    ok: bool
    """Whether it is as it should be."""
    level: NotRequired[str | None]
    """The level that denied."""
    determining: NotRequired[list[str]]
    """Ids of the policies it rests on; none where nothing permits."""


class PolicyCases(TypedDict):
    """Questions to the policy."""

    cases: NotRequired[list[PolicyCase]]
    """The questions."""


class PolicyChange(TypedDict):
    """A decision of the past that would be another one."""

    question: PolicyQuestion
    """The question."""
    before: Expectation
    """The answer under what is in force."""
    after: Expectation
    """The answer that it would be."""
    times: int
    """How often it was asked."""
    last: Time
    """When it was asked last."""
    determining: NotRequired[list[str]]
    """Ids of the policies that would forbid it; none where nothing would permit it."""


class PolicyChecked(TypedDict):
    """What a check of Cedar text found."""

    valid: bool
    """Whether it can be used."""
    policies: int
    """Policies in it."""
    errors: NotRequired[list[Fault]]
    """What is wrong, at its place."""
    warnings: NotRequired[list[Fault]]
    """What will not do what it seems to."""


class PolicyExplained(TypedDict):
    """A question to the policy, answered and explained."""

    question: PolicyQuestion
    """The question."""
    got: Expectation
    """The answer."""
    levels: NotRequired[list[PolicyLevel]]
    """What each level says, the root's first."""
    suggestion: NotRequired[str | None]
    """The command that would permit it."""


class PolicyLevel(TypedDict):
    """What a level says by itself."""

    level: str
    """`own`, or the realm above by name."""
    answer: str
    """`permits`, `forbids`, `silent` or `fails`."""
    policies: NotRequired[list[str]]
    """Ids of the policies that say so."""
    errors: NotRequired[list[str]]
    """Policies that failed, and so denied."""


class PolicyQuestion(TypedDict):
    """A question to the policy."""

    principal: str
    """Realm by name, `person=NAME:ROLE` or `loop=ID`."""
    action: str
    """The action."""
    resource: str
    """`loop@realm`, a realm by name, `agent=NAME`, `tool=NAME` or `host=NAME`; a bare loop is of this realm."""


class PolicyShadow(TypedDict):
    """What Cedar text would have changed."""

    asked: int
    """Calls and denials of the past that were asked about again."""
    unknown: int
    """Those whose names mean nothing here any more."""
    changes: NotRequired[list[PolicyChange]]
    """The decisions that would be others."""


class PolicyTested(TypedDict):
    """All questions, answered."""

    passed: int
    """As they should be."""
    failed: int
    """Not."""
    results: NotRequired[list[PolicyCaseResult]]
    """One a question."""


class PolicyText(TypedDict):
    """Cedar text to check."""

    name: NotRequired[str | None]
    """File name, for messages."""
    id: NotRequired[str | None]
    """The id that it would have: the policy of that id in force is not looked at."""
    text: str
    """The text."""
    subtree: NotRequired[bool]
    """Whether it would decide for every realm below instead of this one."""


class PolicyView(TypedDict):
    """One policy."""

    id: str
    """Its id."""
    level: str
    """`own`, `subtree`, or the realm above that decides: `acme/health`."""
    summary: NotRequired[str]
    """What it does, in a few words; where these do not suffice, how its text begins."""
    cedar: str
    """Cedar text."""
    createdAt: NotRequired[Time | None]
    expiresAt: NotRequired[Time | None]


class Pong(TypedDict):
    """An answered ping."""

    name: str
    """The realm's name here."""
    realm: str
    """Its id."""
    roundTripMicros: int
    """Round trip, microseconds."""
    hops: NotRequired[list[str]]
    """Realms on the way, from here to there."""


class Problem(TypedDict):
    """Why a request was not done."""

    type: str
    """The page about it: `urn:realm:error:` and the code's slug."""
    title: str
    """What kind of problem it is; the same for each of its kind."""
    status: int
    """HTTP status."""
    detail: str
    """What happened this time."""
    code: str
    """Catalogue code, `RLM-0106`."""
    hint: NotRequired[str | None]
    """What helps; a command where there is one."""
    traceId: NotRequired[str | None]
    """The run it is about, where there is one."""
    reference: NotRequired[str | None]
    """For `policy why`, after a denial."""
    retryAfterMs: NotRequired[int | None]
    """When to try again, milliseconds from now."""
    errors: NotRequired[list[Fault]]
    """The single faults, where there are several or they have a place."""


class PromoteRequest(TypedDict):
    """Which version is to be called from now on."""

    version: NotRequired[str | None]
    """The version; or else `best` says which."""
    best: NotRequired[ScoreKind | None]
    why: NotRequired[str | None]
    """Why, for the history."""


PromptDiff = TypedDict(
    "PromptDiff",
    {
    "from": "str",
    "to": "str",
    "text": "str",
    },
)
"""The lines in which two versions differ."""


class PromptEvent(TypedDict):
    """Something that was done with a prompt."""

    at: Time
    """When."""
    by: str
    """Who did it."""
    action: ApplyAction
    """What was done."""
    version: str
    """The version it was done with."""
    why: NotRequired[str | None]
    """Why, as who did it says."""


class PromptMean(TypedDict):
    """How good a version was found by scores of one kind."""

    kind: ScoreKind
    """By what."""
    mean: float
    """The mean, from 0 to 1."""
    count: int
    """How often."""


class PromptScore(TypedDict):
    """A score of a version."""

    at: Time
    """When it was given."""
    by: str
    """Who gave it."""
    version: str
    """The version."""
    score: float
    """From 0 to 1."""
    kind: ScoreKind
    """By what it was found."""
    why: NotRequired[str | None]
    """Why."""
    run: NotRequired[str | None]
    """The run that it is about."""


class PromptShare(TypedDict):
    """A version's part of the calls."""

    version: str
    """The version."""
    weight: int
    """Its weight, at least 1."""


class PromptSummary(TypedDict):
    """A prompt."""

    id: str
    """The loop that it is."""
    version: str
    """The version that calls get which name none."""
    versions: list[PromptVersion]
    """Its versions, the newest first."""


class PromptVersion(TypedDict):
    """A version of a prompt."""

    version: str
    """The version."""
    digest: str
    """Its revision."""
    current: bool
    """Whether it is the current one."""
    weight: int
    """Its part of the calls that name no version, of the sum of all parts."""
    means: list[PromptMean]
    """How good it was found, by each kind of scores that there are of it."""


class PseudonymView(TypedDict):
    """What the realms of another root call somebody."""

    pseudonym: str
    """What they call them."""
    name: str
    """What they are called here."""
    realm: str
    """The root."""


class RateRequest(TypedDict):
    """How often calls begin, by who calls."""

    name: str
    """What it is called."""
    callers: NotRequired[str | None]
    """Whose calls: those of a realm such as `lab/genomics` and all below it; none for everybody's but this
    realm's own."""
    loops: NotRequired[list[str]]
    """Calls of which loops; without any, of all."""
    perMinute: int
    """How many begin in a minute."""
    burst: NotRequired[int | None]
    """How many begin at once; 1 unless told."""
    shared: NotRequired[bool | None]
    """Whether its callers share it; otherwise each organisation has as much."""
    queue: NotRequired[int | None]
    """How many wait for their turn, in their own time; none unless told, and one more is `Overloaded`."""


class RateView(TypedDict):
    """A rate, and what it has done since the daemon started."""

    name: str
    """What it is called."""
    configured: bool
    """Whether it stands in `realm.toml`, and was not applied."""
    callers: NotRequired[str | None]
    """Whose calls; none for everybody's but this realm's own."""
    loops: NotRequired[list[str]]
    """Calls of which loops; without any, of all."""
    perMinute: int
    """How many begin in a minute."""
    burst: int
    """How many begin at once."""
    shared: bool
    """Whether its callers share it."""
    queue: int
    """How many wait for their turn."""
    waited: int
    """Calls that waited for their turn."""
    refused: int
    """Calls that were refused."""


class Ready(TypedDict):
    """Whether the realm can serve calls."""

    ready: bool
    """Whether it can."""
    reasons: NotRequired[list[str]]
    """Why not."""


class RealmDetail(TypedDict):
    """A realm, as far as known here."""

    realm: RealmView
    """The realm."""
    state: NotRequired[LinkState | None]
    node: NotRequired[str | None]
    """Id of the node that serves it, where it is this realm or one with a live link."""
    expiresAt: NotRequired[Time | None]
    loops: NotRequired[int | None]
    """Loops registered; only of this realm."""


class RealmForest(TypedDict):
    """All trees known here."""

    trees: NotRequired[list[RealmNode]]
    """One a root, this realm's own first."""


class RealmMessageAttached(TypedDict):
    """It is attached; calls follow."""

    agent: str
    """What the agent calls itself."""
    loops: list[ServedLoop]
    """The loops it serves now."""
    concurrency: int
    """Calls that it is given at once."""
    type: Literal["attached"]


class RealmMessageCall(TypedDict):
    """Asks for a piece of work. Every call is answered once, by `output` or `failure`, a cancelled one too."""

    call: int
    """The call's number on this connection."""
    loop: str
    """The loop."""
    version: str
    """The version that is called."""
    key: str
    """The same in every attempt at the same work."""
    input: Any
    """The input; it matches the loop's schema."""
    state: NotRequired[Any]
    """What the agent keeps under the keys that the loop names: `{KEY: {value, version}}`, null for what is not there;
    absent where the loop keeps none."""
    answers: NotRequired[Any]
    """What people have said to the questions of earlier calls for the same work: `{question, about, granted, people,
    reason}` each, in order; absent where the loop asks nobody."""
    stream: NotRequired[bool]
    """Whether somebody wants to see what the output is being made of, by `part`."""
    timeoutMs: int
    """Milliseconds until the answer must be there."""
    type: Literal["call"]


class RealmMessageCancel(TypedDict):
    """Nobody waits for the call any more: the work should stop."""

    call: int
    """The call's number."""
    type: Literal["cancel"]


class RealmMessageRefused(TypedDict):
    """Says why the connection is closed."""

    problem: Problem
    """What was wrong."""
    type: Literal["refused"]


class RealmNode(TypedDict):
    """A realm in a tree."""

    name: str
    """Its name here."""
    label: str
    """Its last label; of a root, its petname."""
    id: NotRequired[str | None]
    """Its id, where known."""
    self: bool
    """Whether it is this realm."""
    state: NotRequired[LinkState | None]
    expiresAt: NotRequired[Time | None]
    children: NotRequired[list[RealmNode]]
    """Its children, as far as known here."""


class RealmView(TypedDict):
    """A realm, as named here."""

    name: str
    """Petname of its root and path: `acme/health`."""
    id: NotRequired[str]
    """Its id; empty where it is not known."""
    root: str
    """Id of its tree's root."""
    petname: str
    """What this machine calls that root."""
    path: str
    """Path below the root; empty for a root."""


class ReceiptFile(TypedDict):
    """Receipts that prove themselves."""

    count: int
    """How many there are."""
    evidence: str
    """The bytes, in base64url without padding."""


class Removed(TypedDict):
    """What was removed."""

    id: str
    """Its id."""
    version: NotRequired[str | None]
    """The version that was removed; none for all of it."""


class ResetRequest(TypedDict):
    """A breaker to be closed."""

    why: NotRequired[str | None]
    """Why, for those who read the audit log later."""


class ResumeRequest(TypedDict):
    """Lets a paused run go on."""

    decision: NotRequired[ResumeDecision | None]


class RevokeRequest(TypedDict):
    """Why a child or peer is cut off."""

    reason: NotRequired[str | None]
    """For the record."""


class Revoked(TypedDict):
    """What was cut off."""

    name: str
    """The realm's name here."""
    realm: str
    """Its id."""
    linkClosed: bool
    """Whether a live link was closed."""


class RollbackRequest(TypedDict):
    """Back to the version before."""

    why: NotRequired[str | None]
    """Why, for the history."""


class RunExplanation(TypedDict):
    """Why a run is where it is."""

    run: RunSummary
    """The run."""
    text: str
    """One paragraph for people."""
    waits: NotRequired[list[Wait]]
    """What it waits for; empty once it has ended."""
    accepted: NotRequired[list[AcceptedCall]]
    """Its calls that other realms have accepted, and whose end is told once it is known."""
    help: NotRequired[str | None]
    """A command that helps."""


class RunSummary(TypedDict):
    """A run, without its payload."""

    id: str
    """The run."""
    callId: str
    """Its call; the same id in both realms."""
    loop: str
    """The loop's id."""
    version: NotRequired[str | None]
    """The loop's version, once known."""
    direction: Direction
    """Which half this is."""
    peer: NotRequired[str | None]
    """The other realm; none for a local run."""
    status: RunStatus
    """Where it stands."""
    halted: NotRequired[bool]
    """Whether it stands still because its realm, or a loop of it, is halted."""
    startedAt: Time
    """When it began."""
    endedAt: NotRequired[Time | None]
    durationMs: NotRequired[int | None]
    """Milliseconds between."""
    error: NotRequired[str | None]
    """Name of the failure, if it failed."""
    parent: NotRequired[str | None]
    """The run here that caused it."""
    erased: NotRequired[Erasure | None]


class ScoreRequest(TypedDict):
    """How good a version was found."""

    score: float
    """From 0 to 1."""
    version: NotRequired[str | None]
    """The version; where none is named, the one that the run used, or else the current one."""
    kind: NotRequired[ScoreKind]
    """By what it was found."""
    run: NotRequired[str | None]
    """The run that it is about."""
    why: NotRequired[str | None]
    """Why."""


class ServedLoop(TypedDict):
    """A loop that an agent serves, as it is registered."""

    loop: str
    """The loop's id."""
    version: str
    """Its version."""
    action: NotRequired[ApplyAction | None]


class ShareRequest(TypedDict):
    """Which versions share the calls that name none."""

    shares: list[PromptShare]
    """The versions and their weights; the current one alone ends the sharing."""
    why: NotRequired[str | None]
    """Why, for the history."""


class SignInRequest(TypedDict):
    """Somebody who would sign in with a password."""

    name: str
    """Their name in the directory."""
    password: str
    """Their password there."""


class SignedIn(TypedDict):
    """A sign-in that is good."""

    token: str
    """What is shown from now on: `Authorization: Bearer TOKEN`."""
    name: str
    """Who has signed in."""
    roles: list[str]
    """What they may do."""
    until: Time
    """Until when the token is good."""


class SignedOut(TypedDict):
    """A sign-in that has ended."""

    ended: bool
    """Whether there was one."""


class SlotResult(TypedDict):
    """Who held a slot last, and what came of it."""

    slot: int
    """The slot, from 0."""
    realmId: str
    """Its holder's id."""
    bid: str
    """Digest of the holder's signed bid."""
    outcome: NotRequired[str | None]
    """Digest of its signed outcome, if it gave one."""
    part: str
    """What it was to the output: `Contributed`, `Dissented`, `Failed`, …."""
    failure: NotRequired[str | None]
    """Why it has no output."""


class SourceFile(TypedDict):
    """A file, by value."""

    name: str
    """Absolute path, or `-` for what came through a pipe."""
    text: str
    """What it holds."""
    referred: NotRequired[bool]
    """Whether it is here only because a definition refers to it by `$file`."""


class Spend(TypedDict):
    """What a call and all that it caused have used."""

    money: NotRequired[list[Amount]]
    """Money, by currency."""
    tokens: int
    """Tokens of models, read and written."""
    calls: int
    """How often a model, a tool, another realm or bidders were asked."""
    unpriced: NotRequired[int | None]
    """How many of them cost what nobody knows."""


StackInput = TypedDict(
    "StackInput",
    {
    "name": "str",
    "from": "str",
    },
)
"""A member of a part's input."""


class StackPart(TypedDict):
    """Work that a stack announces."""

    step: int
    """Its step, from 0; parts of one step run side by side."""
    loop: str
    """The loop that says how it is announced."""
    capabilities: list[str]
    """What bidders must be able to do; if there is nothing, they have a loop of that name."""
    able: list[str]
    """Loops of this realm that can do it."""
    input: NotRequired[list[StackInput] | None]
    """The members of its input, each with where it comes from; none where it gets the whole."""
    when: NotRequired[str | None]
    """It runs only where this holds."""
    select: str
    """How bids are chosen among: `best`, `all`, …."""
    winners: int
    """How many bids win."""
    minBids: int
    """Fewest bids."""
    aggregate: str
    """How results are made one: `select`, `merge`, …."""
    windowMs: int
    """How long bids are taken, milliseconds."""
    withinMs: int
    """How long the work may take in all, milliseconds."""


class StackView(TypedDict):
    """A composite whose steps announce work."""

    id: str
    """The composite's id."""
    version: str
    """Its version."""
    description: NotRequired[str | None]
    """What it is for."""
    parts: list[StackPart]
    """What it announces, in the order in which it runs."""


class StateSummary(TypedDict):
    """How much an agent keeps."""

    agent: str
    """The agent."""
    keys: int
    """How many keys it has."""
    bytes: int
    """Bytes of their values, as JSON."""
    changed: Time
    """When the last change was made."""


class StateView(TypedDict):
    """One value that an agent keeps."""

    agent: str
    """The agent."""
    key: str
    """The key."""
    version: int
    """Rises by one with every change, from 1."""
    changed: Time
    """When this version was written."""
    call: str
    """The call that wrote it."""
    value: Any
    """The value."""


class Status(TypedDict):
    """Where the realm stands now."""

    realm: RealmView
    """The realm."""
    node: str
    """Id of the node that serves it."""
    version: str
    """Version of the daemon."""
    pid: int
    """Process id of the daemon."""
    startedAt: Time
    """When it started."""
    uptimeMs: int
    """Milliseconds since."""
    listen: NotRequired[list[str]]
    """Addresses it listens on, as multiaddr text."""
    dataDir: str
    """Folder of its data."""
    socket: str
    """Socket of this API."""
    halted: bool
    """Whether its owner halted it."""
    parent: NotRequired[LinkView | None]
    children: ChildCounts
    """Its children."""
    peers: NotRequired[list[LinkView]]
    """Roots it is peered with."""
    loops: int
    """Loops registered."""
    calls: CallCounts
    """Calls in flight."""
    certificates: NotRequired[list[Expiry]]
    """What expires, the soonest first."""
    store: StoreView
    """The store."""
    counters: NotRequired[dict[str, int]]
    """What was refused since the start, by reason."""


class StoreView(TypedDict):
    """The store."""

    engine: str
    """Its engine: `redb`."""
    state: StoreState
    """How it stands."""
    bytes: int
    """Bytes on disk."""
    lastSeq: int
    """Last durable journal position."""
    restored: bool
    """Whether it came out of a backup."""
    error: NotRequired[str | None]
    """What failed."""


class TicketIssued(TypedDict):
    """An open invitation."""

    ticket: str
    """Its text; holds a secret."""
    id: str
    """Its id."""
    kind: InviteKind
    """What it is for."""
    label: NotRequired[str | None]
    """The label it gives."""
    uses: int
    """How often it can be used."""
    expiresAt: Time
    """When it is no longer good."""
    addresses: NotRequired[list[str]]
    """Addresses of this realm in it, the best first."""


class TicketRequest(TypedDict):
    """Whom to invite, and to what."""

    kind: InviteKind
    """What the invitation is for."""
    label: NotRequired[str | None]
    """The child's label; for a peer, the name proposed for it."""
    allow: NotRequired[list[str]]
    """Loops the joiner may invoke, `loop` or `pattern*`; each becomes a policy when it joins."""
    uses: NotRequired[int | None]
    """How often it can be used; once unless told."""
    ttlMs: NotRequired[int | None]
    """How long it is good, milliseconds; 24 hours unless told."""
    petname: NotRequired[str | None]
    """What this realm would like its root to be called."""


class ToolView(TypedDict):
    """A tool of an MCP server. All of it but the state and the loops is the server's word."""

    name: str
    """What the server calls it."""
    description: NotRequired[str | None]
    """What it is for."""
    inputSchema: Any
    """JSON Schema of its arguments."""
    outputSchema: NotRequired[Any]
    """JSON Schema of its structured output; absent where it has none."""
    digest: str
    """SHA-256 of name, description and schemas: what is approved."""
    state: ToolState
    """Whether it is what was approved."""
    loops: NotRequired[list[str]]
    """The loops that call it."""


class Trace(TypedDict):
    """One realm's half of a trace."""

    run: RunDetail
    """The run."""
    events: NotRequired[list[TraceEvent]]
    """Its events, in order."""
    next: NotRequired[str | None]
    """Where more events follow: the `cursor` that asks for them."""


class TraceEvent(TypedDict):
    """One event of a trace."""

    index: int
    """Position in the run, from zero, without gaps."""
    callId: str
    """The frame it belongs to."""
    ts: Time
    """When it happened."""
    type: str
    """`call.started`, `call.sent`, `call.completed`, …."""
    payload: Any
    """What is known about it."""


class TrustEvent(TypedDict):
    """Something that a bidder did."""

    conduct: str
    """What: `Delivered`, `Late`, `GaveBack`, `Failed` or `Broke`."""
    at: Time
    """When."""
    trust: int
    """How it was trusted after that, millionths."""


class UnhaltRequest(TypedDict):
    """Something to go on; everything unless told otherwise."""

    loop: NotRequired[str | None]
    """This loop alone."""
    run: NotRequired[str | None]
    """This run alone."""
    realm: NotRequired[str | None]
    """This realm, and what was halted with it: this one, or one below."""
    why: NotRequired[str | None]
    """Why, for those who read it later."""
    waitMs: NotRequired[int | None]
    """How long to wait for realms below to confirm, milliseconds; at most a minute."""


class ValidateResult(TypedDict):
    """What `validate` found; faults come as a problem document."""

    documents: NotRequired[list[Validated]]
    """The definitions, in order."""
    warnings: NotRequired[list[Fault]]
    """What will not do what it seems to."""


class Validated(TypedDict):
    """One definition that was checked."""

    id: str
    """The loop's id."""
    version: str
    """Its version."""
    kind: str
    """Its kind."""
    format: str
    """The format it is written in: `realm`, `lsem`."""
    file: NotRequired[str | None]
    """The file it came from."""


class Wait(TypedDict):
    """One call of a run that waits."""

    callId: str
    """The call."""
    loop: str
    """Its loop, with its realm if that is another one."""
    on: WaitsOn
    """What for."""
    attempt: int
    """Which attempt is under way, from 1."""
    since: NotRequired[Time | None]
    until: NotRequired[Time | None]
    steps: NotRequired[int | None]
    """Steps taken, where it is a machine."""


class Weights(TypedDict):
    """What a score is made of: how much each counts, up to 1,000."""

    price: NotRequired[int]
    """A low price, against the highest."""
    time: NotRequired[int]
    """A short time, against the longest or the time for the work."""
    confidence: NotRequired[int]
    """Confidence."""
    trust: NotRequired[int]
    """What this realm makes of the bidder."""


class Wider(TypedDict):
    """How far a second round goes."""

    down: NotRequired[int]
    """Levels below this realm that are asked."""
    up: NotRequired[int]
    """Levels above it whose other subtrees are asked."""
    across: NotRequired[int]
    """Levels of each peer's tree that are asked."""
    realms: NotRequired[list[str]]
    """If any, only realms at or below these are asked, and those besides."""
    besides: NotRequired[Levels | None]


class Withdrawal(TypedDict):
    """A broadcast that was taken back, and who has confirmed it. Realms that its winners had called or announced
    work to are told by these, and confirm it to them."""

    runId: str
    """The broadcast's run here."""
    loop: str
    """The loop whose work it was."""
    ending: str
    """How it ended: `Cancelled`, or otherwise if its outcome came first."""
    confirmed: NotRequired[list[str]]
    """Winners that said that they have stopped, by slot."""
    silent: NotRequired[list[str]]
    """Winners that had the work and did not say so in time, by slot; their leases run out."""
    confirmedBelow: NotRequired[int]
    """How many that worked for those in turn, at all levels, said that they have stopped."""
    silentBelow: NotRequired[int]
    """How many of them did not say so in time."""


class WitnessFile(TypedDict):
    """What proves a contradiction by itself."""

    realm: str
    """The other realm's name."""
    evidence: str
    """The bytes, in base64url without padding."""


class WitnessView(TypedDict):
    """What this realm keeps, as a witness, of the audit log of another one."""

    realm: str
    """The other realm's name."""
    newest: HeadView
    """The newest head that is proven to go on from those before."""
    unprovenSince: NotRequired[Time | None]
    contradiction: NotRequired[ContradictionView | None]


class AgentMessageAttach(Attach):
    """Says who it is and which loops it serves; answered by `attached` or `refused`."""

    type: Literal["attach"]


class CancelResult(RunSummary):
    """A run that was cancelled."""

    withdrawn: NotRequired[list[Withdrawal]]
    """Each broadcast that it had announced, or that it is."""


class FrameTree(Frame):
    """One call in the tree of a run."""

    children: NotRequired[list[FrameTree]]
    """The calls it made, in order."""
    omitted: NotRequired[int | None]
    """How many calls below it are left out, because the tree would be too deep; the trace has them."""


class LoopDetail(LoopSummary):
    """A loop's contract."""

    inputSchema: Any
    """JSON Schema of its input."""
    outputSchema: Any
    """JSON Schema of its output."""
    example: NotRequired[Any]
    """An input to fill in, where asked for."""
    manifest: NotRequired[Any]
    """Its whole definition; only for loops of this realm."""


class LoopDiff(Applied):
    """What `apply` would do with one loop."""

    text: str
    """The lines that differ, unified, of the definition as YAML with sorted keys; empty if none
    do."""


class PeerDetail(PeerSummary):
    """A realm next to this one, in full."""

    node: NotRequired[str | None]
    """Id of the node at the other end of the link, while there is one."""
    scopes: NotRequired[list[str]]
    """Of a peer: the realms of its tree whose messages are let in, with all below them."""


class PromptDetail(PromptSummary):
    """A prompt with what was done with it."""

    template: str
    """What the model is told, with the places of variables."""
    systemPrompt: NotRequired[str | None]
    """What it is told of itself."""
    backend: str
    """Who fills it."""
    scores: list[PromptScore]
    """Its latest scores, the newest last."""
    changes: list[PromptEvent]
    """What was done with it, the newest last."""


class RestrictionDiff(AppliedRestriction):
    """What `apply` would do with one of them."""

    text: str
    """The lines that differ, unified; empty if none do."""


class RunDetail(RunSummary):
    """A run with its payload."""

    input: NotRequired[Any]
    """Input."""
    output: NotRequired[Any]
    """Output, if it ended well."""
    failure: NotRequired[CallError | None]
    approvals: NotRequired[list[str]]
    """The requests for approvals that it waits for."""


AcceptedStage: TypeAlias = Literal["running", "waiting", "paused", "ended"]
"""How a run stands in another realm."""


Aggregate: TypeAlias = Literal["select", "merge", "consensus", "quorum", "vote", "average", "weightedAverage", "sum", "rank", "firstValid", "highestConfidence", "collectAll", "loop"]
"""How results are made one."""


ApplyAction: TypeAlias = Literal["created", "updated", "changed", "unchanged", "removed", "staged", "promoted", "rolledBack", "shared"]
"""What `apply` did with a definition."""


ApprovalState: TypeAlias = Literal["waiting", "granted", "denied", "expired", "void"]
"""Where a request for an approval stands."""


AuditOutcome: TypeAlias = Literal["success", "failure", "refusal", "cancelled"]
"""How something ended."""


BreakerState: TypeAlias = Literal["closed", "open", "halfOpen"]
"""How a breaker stands."""


CancelRequest: TypeAlias = dict[str, Any]
"""Cancels a run. It says nothing more yet."""


Compatibility: TypeAlias = Literal["compatible", "unknown", "breaking"]
"""What a change of a contract means to its callers."""


ContradictionKind: TypeAlias = Literal["shorter", "other"]
"""How a head that was shown later contradicts one that was kept."""


Direction: TypeAlias = Literal["local", "out", "in"]
"""Which half of a call a run is."""


Expectation: TypeAlias = Literal["permit", "deny"]
"""What a decision is, or should be."""


FailureCategory: TypeAlias = Literal["transient", "validation", "business", "permission", "unknown"]
"""What can be done about a failure."""


Finding: TypeAlias = Literal["ok", "warn", "fail", "skip"]
"""How a check ended."""


GrantKept: TypeAlias = Literal["given", "held"]
"""Why a realm knows a grant."""


InviteKind: TypeAlias = Literal["child", "peer"]
"""What an invitation is for."""


InvokeStatus: TypeAlias = Literal["ok", "error", "running"]
"""How a call ended, or that it has not."""


LinkState: TypeAlias = Literal["connected", "connecting", "offline", "revoked"]
"""How a link stands."""


PartDigests: TypeAlias = Literal["signed", "differ", "unsigned", "erased"]
"""How what a realm shows stands by what it has signed before."""


PartOutcome: TypeAlias = Literal["shown", "refused", "unreachable", "notAsked"]
"""What came of a question for a trace."""


PauseRequest: TypeAlias = dict[str, Any]
"""Holds a run where it stands. It says nothing more yet."""


PeerKind: TypeAlias = Literal["parent", "child", "peer"]
"""How a realm is next to this one."""


PersonSource: TypeAlias = Literal["config", "ldap", "oidc"]
"""What says who somebody is."""


RestrictionKind: TypeAlias = Literal["policy", "rate", "limit"]
"""What a restriction of another system's is kept as."""


RunStatus: TypeAlias = Literal["running", "completed", "failed", "cancelled", "paused"]
"""Where a run stands."""


ScoreKind: TypeAlias = Literal["person", "evaluation", "outcome"]
"""By what a score was found."""


Select: TypeAlias = Literal["first", "best", "random", "all", "weighted"]
"""How bids are ranked."""


StoreState: TypeAlias = Literal["ok", "failed"]
"""How the store stands."""


Time: TypeAlias = str


ToolState: TypeAlias = Literal["unused", "unapproved", "approved", "changed"]
"""What a realm's owner has said of a tool."""


WaitFor: TypeAlias = Literal["all", "quorum", "majority", "any"]
"""How many results are waited for; at least `minResults`."""


WaitsOn: TypeAlias = Literal["backend", "realm", "bidders", "time", "person", "approval", "step"]
"""What a call waits for."""


AgentMessage: TypeAlias = AgentMessageAttach | AgentMessageOutput | AgentMessageFailure | AgentMessageAsk | AgentMessagePart | AgentMessageProgress | AgentMessageDetach
"""What an agent says. The first word is `attach`."""


AttachedLoop: TypeAlias = str | dict[str, Any]
"""A loop that an agent serves."""


RealmMessage: TypeAlias = RealmMessageAttached | RealmMessageCall | RealmMessageCancel | RealmMessageRefused
"""What a realm says to an agent."""


ResumeDecision: TypeAlias = Literal["again"] | dict[str, Any]
"""What becomes of a call whose outcome is unknown."""


class Api:
    """The operations; whoever derives from it sends them."""

    def _send(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        raise NotImplementedError

    def get_status(self) -> Status:
        """Says where the realm stands now."""
        return self._send("GET", '/v1/status')

    def get_info(self) -> Info:
        """Says what the daemon is."""
        return self._send("GET", '/v1/info')

    def get_health(self) -> Health:
        """Says whether the process answers."""
        return self._send("GET", '/v1/health')

    def get_ready(self) -> Ready:
        """Says whether the realm can serve calls."""
        return self._send("GET", '/v1/ready')

    def get_doctor(self) -> Doctor:
        """Examines everything."""
        return self._send("GET", '/v1/doctor')

    def get_config(self) -> ConfigView:
        """Shows the configuration in force."""
        return self._send("GET", '/v1/config')

    def get_config_key(self, key: str) -> ConfigEntry:
        """Explains one key of the configuration."""
        return self._send("GET", f'/v1/config/{quote(key, safe="")}')

    def post_invoke(self, body: InvokeRequest, *, idempotency_key: str | None = None) -> InvokeResult:
        """Calls a loop."""
        return self._send("POST", '/v1/invoke', body=body, key=idempotency_key)

    def post_broadcasts(self, body: BroadcastRequest) -> BroadcastResult:
        """Announces work without an address, and waits for its outcome."""
        return self._send("POST", '/v1/broadcasts', body=body)

    def get_runs(self, *, loop: str | None = None, peer: str | None = None, status: RunStatus | None = None, direction: Direction | None = None, parent: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, cursor: str | None = None) -> Page[RunSummary]:
        """Lists runs, the newest first."""
        return self._send("GET", '/v1/runs', query={"loop": loop, "peer": peer, "status": status, "direction": direction, "parent": parent, "since": since, "until": until, "limit": limit, "cursor": cursor})

    def get_runs_id(self, id: str) -> RunDetail:
        """Shows a run."""
        return self._send("GET", f'/v1/runs/{quote(id, safe="")}')

    def get_runs_id_trace(self, id: str, *, cursor: str | None = None) -> Trace:
        """Shows this realm's half of a trace, part by part."""
        return self._send("GET", f'/v1/runs/{quote(id, safe="")}/trace', query={"cursor": cursor})

    def get_runs_id_federated(self, id: str) -> FederatedTrace:
        """Follows a run's trace through the realms that it led to."""
        return self._send("GET", f'/v1/runs/{quote(id, safe="")}/federated')

    def get_runs_id_tree(self, id: str) -> FrameTree:
        """Shows the calls of a run, nested."""
        return self._send("GET", f'/v1/runs/{quote(id, safe="")}/tree')

    def get_runs_id_explain(self, id: str) -> RunExplanation:
        """Says why a run is where it is."""
        return self._send("GET", f'/v1/runs/{quote(id, safe="")}/explain')

    def get_runs_id_transcript(self, id: str, *, call: str | None | None = None, for_: str | None | None = None) -> EvidenceFile:
        """Gives a transcript of a broadcast that a run has announced, or what one bidder may see of it."""
        return self._send("GET", f'/v1/runs/{quote(id, safe="")}/transcript', query={"call": call, "for": for_})

    def get_audit(self, *, loop: str | None = None, person: str | None = None, caller: str | None = None, action: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, cursor: str | None = None) -> Page[AuditEntry]:
        """Lists entries of the audit log, the newest first."""
        return self._send("GET", '/v1/audit', query={"loop": loop, "person": person, "caller": caller, "action": action, "since": since, "until": until, "limit": limit, "cursor": cursor})

    def get_audit_export(self, *, loop: str | None = None, person: str | None = None, caller: str | None = None, action: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, cursor: str | None = None) -> AuditFile:
        """Gives a part of the audit log that proves itself."""
        return self._send("GET", '/v1/audit/export', query={"loop": loop, "person": person, "caller": caller, "action": action, "since": since, "until": until, "limit": limit, "cursor": cursor})

    def get_audit_witnessed(self) -> Page[WitnessView]:
        """Lists what this realm keeps of the audit logs of its children and peers."""
        return self._send("GET", '/v1/audit/witnessed')

    def get_audit_witnessed_realm(self, realm: str) -> WitnessFile:
        """Gives what proves that the audit log of a realm is not what it was."""
        return self._send("GET", f'/v1/audit/witnessed/{quote(realm, safe="")}')

    def post_audit_witnessed_realm_acknowledge(self, realm: str, body: AcknowledgeRequest) -> Page[WitnessView]:
        """Takes note that an owner has seen what contradicts the audit log of a realm."""
        return self._send("POST", f'/v1/audit/witnessed/{quote(realm, safe="")}/acknowledge', body=body)

    def get_receipts(self, *, peer: str | None = None, loop: str | None = None, call: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, statement: bool | None = None, open: bool | None = None) -> ReceiptFile:
        """Gives receipts of calls that prove themselves."""
        return self._send("GET", '/v1/receipts', query={"peer": peer, "loop": loop, "call": call, "since": since, "until": until, "limit": limit, "statement": statement, "open": open})

    def get_bids(self, *, limit: int | None | None = None) -> Page[BidSummary]:
        """Lists the bids that this realm has made, the newest first."""
        return self._send("GET", '/v1/bids', query={"limit": limit})

    def get_bidders(self) -> Page[BidderTrust]:
        """Lists what this realm makes of bidders, the least trusted first, and why."""
        return self._send("GET", '/v1/bidders')

    def get_bids_bid(self, bid: str) -> EvidenceFile:
        """Gives the receipt of a bid."""
        return self._send("GET", f'/v1/bids/{quote(bid, safe="")}')

    def get_approvals(self, *, run: str | None = None, all: bool | None = None) -> Page[ApprovalView]:
        """Lists calls that wait for people to approve them, the newest first."""
        return self._send("GET", '/v1/approvals', query={"run": run, "all": all})

    def get_approvals_id(self, id: str) -> ApprovalView:
        """Shows exactly what is to be approved."""
        return self._send("GET", f'/v1/approvals/{quote(id, safe="")}')

    def post_approvals_id_approve(self, id: str, body: ApproveCallRequest) -> ApprovalView:
        """Lets the call begin, once, as it was shown."""
        return self._send("POST", f'/v1/approvals/{quote(id, safe="")}/approve', body=body)

    def post_approvals_id_deny(self, id: str, body: DenyRequest) -> ApprovalView:
        """Ends the call before it begins."""
        return self._send("POST", f'/v1/approvals/{quote(id, safe="")}/deny', body=body)

    def get_grants(self) -> Page[GrantView]:
        """Lists what this realm has granted others, and what it was granted."""
        return self._send("GET", '/v1/grants')

    def post_grants(self, body: GrantRequest) -> GrantView:
        """Grants another realm something."""
        return self._send("POST", '/v1/grants', body=body)

    def post_grants_held(self, body: HoldRequest) -> GrantView:
        """Takes what another realm has granted this one."""
        return self._send("POST", '/v1/grants/held', body=body)

    def get_grants_id(self, id: str) -> GrantView:
        """Shows a grant, and who gave whom."""
        return self._send("GET", f'/v1/grants/{quote(id, safe="")}')

    def delete_grants_id(self, id: str) -> GrantView:
        """Takes a grant back, or lets one go that is held; gives it as it was."""
        return self._send("DELETE", f'/v1/grants/{quote(id, safe="")}')

    def post_runs_id_pause(self, id: str, body: PauseRequest) -> RunSummary:
        """Holds a run where it stands."""
        return self._send("POST", f'/v1/runs/{quote(id, safe="")}/pause', body=body)

    def post_runs_id_resume(self, id: str, body: ResumeRequest) -> RunSummary:
        """Lets a paused run go on."""
        return self._send("POST", f'/v1/runs/{quote(id, safe="")}/resume', body=body)

    def post_runs_id_erase(self, id: str, body: EraseRequest) -> EraseResult:
        """Erases the content of a run that has ended, and says what went."""
        return self._send("POST", f'/v1/runs/{quote(id, safe="")}/erase', body=body)

    def post_runs_id_cancel(self, id: str, body: CancelRequest) -> CancelResult:
        """Cancels a run."""
        return self._send("POST", f'/v1/runs/{quote(id, safe="")}/cancel', body=body)

    def get_breakers(self) -> Page[BreakerView]:
        """Lists the breakers of all that has failed lately."""
        return self._send("GET", '/v1/breakers')

    def get_breakers_name(self, name: str) -> BreakerView:
        """Says how a breaker stands, and why."""
        return self._send("GET", f'/v1/breakers/{quote(name, safe="")}')

    def post_breakers_name_reset(self, name: str, body: ResetRequest) -> BreakerView:
        """Closes a breaker: what it guards is asked again at once."""
        return self._send("POST", f'/v1/breakers/{quote(name, safe="")}/reset', body=body)

    def post_sign_in(self, body: SignInRequest) -> SignedIn:
        """Signs somebody in whom the directory knows; needs no token."""
        return self._send("POST", '/v1/sign-in', body=body)

    def delete_sign_in(self) -> SignedOut:
        """Ends the sign-in whose token is shown."""
        return self._send("DELETE", '/v1/sign-in')

    def post_sign_in_device(self, body: dict[str, Any]) -> DeviceSignIn:
        """Begins a sign-in at the provider: gives the code that somebody enters there; needs no token."""
        return self._send("POST", '/v1/sign-in/device', body=body)

    def post_sign_in_device_ask(self, body: DeviceQuestion) -> DeviceAnswer:
        """Asks what has become of a sign-in at the provider; needs no token."""
        return self._send("POST", '/v1/sign-in/device/ask', body=body)

    def get_people(self) -> Page[PersonView]:
        """Lists who uses the realm: those whom its configuration names, and those who have signed in."""
        return self._send("GET", '/v1/people')

    def get_people_name(self, name: str) -> PersonView:
        """Says who somebody is, and what they may do."""
        return self._send("GET", f'/v1/people/{quote(name, safe="")}')

    def get_pseudonyms_name(self, name: str) -> Page[PseudonymView]:
        """Says what the realms of other roots call somebody, by their name here or by one of those."""
        return self._send("GET", f'/v1/pseudonyms/{quote(name, safe="")}')

    def post_pseudonyms_name_erase(self, name: str, body: EraseRequest) -> Page[PseudonymView]:
        """Takes away what leads from pseudonyms to somebody; gives those that there were."""
        return self._send("POST", f'/v1/pseudonyms/{quote(name, safe="")}/erase', body=body)

    def get_rates(self) -> Page[RateView]:
        """Lists how often calls of others begin."""
        return self._send("GET", '/v1/rates')

    def post_rates(self, body: RateRequest) -> RateView:
        """Puts a rate in force, over the one of its name that was applied before."""
        return self._send("POST", '/v1/rates', body=body)

    def get_rates_name(self, name: str) -> RateView:
        """Shows a rate, and what it has done."""
        return self._send("GET", f'/v1/rates/{quote(name, safe="")}')

    def delete_rates_name(self, name: str) -> RateView:
        """Lets a rate go that was applied; gives it as it was."""
        return self._send("DELETE", f'/v1/rates/{quote(name, safe="")}')

    def get_halt(self) -> HaltState:
        """Shows what stands still."""
        return self._send("GET", '/v1/halt')

    def post_halt(self, body: HaltRequest) -> HaltState:
        """Lets something stand still."""
        return self._send("POST", '/v1/halt', body=body)

    def post_unhalt(self, body: UnhaltRequest) -> HaltState:
        """Lets something go on."""
        return self._send("POST", '/v1/unhalt', body=body)

    def get_loops(self, *, realm: str | None = None, example: bool | None = None, cursor: str | None = None) -> Page[LoopSummary]:
        """Lists loops."""
        return self._send("GET", '/v1/loops', query={"realm": realm, "example": example, "cursor": cursor})

    def get_loops_id(self, id: str, *, realm: str | None = None, example: bool | None = None, cursor: str | None = None) -> LoopDetail:
        """Shows a loop."""
        return self._send("GET", f'/v1/loops/{quote(id, safe="")}', query={"realm": realm, "example": example, "cursor": cursor})

    def delete_loops_id(self, id: str, *, version: str | None = None, force: bool | None = None) -> Removed:
        """Removes a loop."""
        return self._send("DELETE", f'/v1/loops/{quote(id, safe="")}', query={"version": version, "force": force})

    def get_loops_id_history(self, id: str) -> Page[LoopChange]:
        """Shows what was changed of a loop."""
        return self._send("GET", f'/v1/loops/{quote(id, safe="")}/history')

    def get_stacks(self) -> Page[StackView]:
        """Lists stacks."""
        return self._send("GET", '/v1/stacks')

    def get_stacks_id(self, id: str) -> StackView:
        """Shows a stack."""
        return self._send("GET", f'/v1/stacks/{quote(id, safe="")}')

    def delete_stacks_id(self, id: str, *, version: str | None = None, force: bool | None = None) -> Page[Removed]:
        """Removes a stack, and what only it announces."""
        return self._send("DELETE", f'/v1/stacks/{quote(id, safe="")}', query={"version": version, "force": force})

    def get_agents(self) -> Page[AgentView]:
        """Lists who runs the loops."""
        return self._send("GET", '/v1/agents')

    def get_agents_id(self, id: str) -> AgentView:
        """Shows who runs a loop."""
        return self._send("GET", f'/v1/agents/{quote(id, safe="")}')

    def delete_agents_id(self, id: str, *, version: str | None = None, force: bool | None = None) -> Removed:
        """Removes who runs a loop, and the loop."""
        return self._send("DELETE", f'/v1/agents/{quote(id, safe="")}', query={"version": version, "force": force})

    def get_agents_state(self) -> Page[StateSummary]:
        """Lists the agents that keep something between calls."""
        return self._send("GET", '/v1/agents/state')

    def get_agents_id_state(self, id: str, *, key: str | None = None) -> Page[StateView]:
        """Shows what an agent keeps between calls."""
        return self._send("GET", f'/v1/agents/{quote(id, safe="")}/state', query={"key": key})

    def delete_agents_id_state(self, id: str, *, key: str | None = None) -> Page[StateView]:
        """Removes what an agent keeps between calls; gives it as it was."""
        return self._send("DELETE", f'/v1/agents/{quote(id, safe="")}/state', query={"key": key})

    def get_prompts(self) -> Page[PromptSummary]:
        """Lists prompts and their versions."""
        return self._send("GET", '/v1/prompts')

    def get_prompts_id(self, id: str) -> PromptDetail:
        """Shows a prompt with its scores and what was done with it."""
        return self._send("GET", f'/v1/prompts/{quote(id, safe="")}')

    def get_prompts_id_diff(self, id: str, *, from_: str | None = None, to: str | None = None) -> PromptDiff:
        """Shows in what two versions of a prompt differ."""
        return self._send("GET", f'/v1/prompts/{quote(id, safe="")}/diff', query={"from": from_, "to": to})

    def post_prompts_id_promote(self, id: str, body: PromoteRequest) -> ApplyResult:
        """Lets a version of a prompt be called from now on."""
        return self._send("POST", f'/v1/prompts/{quote(id, safe="")}/promote', body=body)

    def post_prompts_id_rollback(self, id: str, body: RollbackRequest) -> ApplyResult:
        """Lets the version of a prompt be called again that was before."""
        return self._send("POST", f'/v1/prompts/{quote(id, safe="")}/rollback', body=body)

    def post_prompts_id_share(self, id: str, body: ShareRequest) -> PromptDetail:
        """Lets versions of a prompt share its calls."""
        return self._send("POST", f'/v1/prompts/{quote(id, safe="")}/share', body=body)

    def post_prompts_id_score(self, id: str, body: ScoreRequest) -> PromptDetail:
        """Says how good a version of a prompt was found."""
        return self._send("POST", f'/v1/prompts/{quote(id, safe="")}/score', body=body)

    def get_backends(self) -> Page[BackendView]:
        """Lists the model backends and MCP servers."""
        return self._send("GET", '/v1/backends')

    def get_backends_id(self, id: str) -> BackendView:
        """Shows a model backend, or an MCP server with its tools."""
        return self._send("GET", f'/v1/backends/{quote(id, safe="")}')

    def post_backends_id_approve(self, id: str, body: ApproveRequest) -> ApplyResult:
        """Approves tools of an MCP server, as they were shown, for the loops that call them."""
        return self._send("POST", f'/v1/backends/{quote(id, safe="")}/approve', body=body)

    def get_backends_id_loops(self, id: str) -> ImportResult:
        """Writes loops for the tools of an MCP server; applying them approves the tools."""
        return self._send("GET", f'/v1/backends/{quote(id, safe="")}/loops')

    def get_loops_id_tools(self, id: str) -> Page[ModelToolView]:
        """Lists the loops that a prompt's model may call; other realms are asked what theirs are."""
        return self._send("GET", f'/v1/loops/{quote(id, safe="")}/tools')

    def post_loops_id_tools_approve(self, id: str, body: ApproveRequest) -> ApplyResult:
        """Approves loops of other realms, as they were shown, for the prompt whose model calls them."""
        return self._send("POST", f'/v1/loops/{quote(id, safe="")}/tools/approve', body=body)

    def post_apply(self, body: ApplyRequest, *, idempotency_key: str | None = None) -> ApplyResult:
        """Registers loops, all or none."""
        return self._send("POST", '/v1/apply', body=body, key=idempotency_key)

    def post_diff(self, body: ApplyRequest) -> DiffResult:
        """Says what registering loops would change."""
        return self._send("POST", '/v1/diff', body=body)

    def post_validate(self, body: ApplyRequest) -> ValidateResult:
        """Checks definitions."""
        return self._send("POST", '/v1/validate', body=body)

    def post_import(self, body: ApplyRequest) -> ImportResult:
        """Shows foreign definitions in our own form."""
        return self._send("POST", '/v1/import', body=body)

    def post_tickets(self, body: TicketRequest, *, idempotency_key: str | None = None) -> TicketIssued:
        """Opens an invitation."""
        return self._send("POST", '/v1/tickets', body=body, key=idempotency_key)

    def post_join(self, body: JoinRequest) -> Joined:
        """Redeems a ticket."""
        return self._send("POST", '/v1/join', body=body)

    def get_peers(self) -> Page[PeerSummary]:
        """Lists the realms next to this one."""
        return self._send("GET", '/v1/peers')

    def get_peers_name(self, name: str) -> PeerDetail:
        """Shows a realm next to this one."""
        return self._send("GET", f'/v1/peers/{quote(name, safe="")}')

    def delete_peers_name(self, name: str) -> Revoked:
        """Ends a peering, or cuts off a child."""
        return self._send("DELETE", f'/v1/peers/{quote(name, safe="")}')

    def post_peers_name_ping(self, name: str, body: dict[str, Any]) -> Pong:
        """Measures the way to a realm and back."""
        return self._send("POST", f'/v1/peers/{quote(name, safe="")}/ping', body=body)

    def get_realms(self) -> RealmForest:
        """Shows the trees known here."""
        return self._send("GET", '/v1/realms')

    def get_realms_name(self, name: str) -> RealmDetail:
        """Shows a realm, as far as known here."""
        return self._send("GET", f'/v1/realms/{quote(name, safe="")}')

    def post_realms_name_revoke(self, name: str, body: RevokeRequest) -> Revoked:
        """Cuts off a child."""
        return self._send("POST", f'/v1/realms/{quote(name, safe="")}/revoke', body=body)

    def post_allow(self, body: AllowRequest, *, idempotency_key: str | None = None) -> Allowed:
        """Gives a permission."""
        return self._send("POST", '/v1/allow', body=body, key=idempotency_key)

    def post_disallow(self, body: DisallowRequest, *, idempotency_key: str | None = None) -> Disallowed:
        """Takes permissions back."""
        return self._send("POST", '/v1/disallow', body=body, key=idempotency_key)

    def get_policies(self) -> Page[PolicyView]:
        """Lists the policies."""
        return self._send("GET", '/v1/policies')

    def post_policies_check(self, body: PolicyText) -> PolicyChecked:
        """Checks Cedar text."""
        return self._send("POST", '/v1/policies/check', body=body)

    def post_policies_apply(self, body: PolicyApply) -> PolicyApplied:
        """Takes Cedar text into force."""
        return self._send("POST", '/v1/policies/apply', body=body)

    def post_policies_shadow(self, body: PolicyApply) -> PolicyShadow:
        """Tells which decisions of the past Cedar text would change."""
        return self._send("POST", '/v1/policies/shadow', body=body)

    def post_policies_why(self, body: PolicyQuestion) -> PolicyExplained:
        """Asks the policy a question, and why it answers so."""
        return self._send("POST", '/v1/policies/why', body=body)

    def post_policies_test(self, body: PolicyCases) -> PolicyTested:
        """Asks the policy questions with known answers."""
        return self._send("POST", '/v1/policies/test', body=body)

    def get_denials_ref(self, ref: str) -> Denial:
        """Explains a denial."""
        return self._send("GET", f'/v1/denials/{quote(ref, safe="")}')

    def post_backup(self, body: BackupRequest) -> BackupReport:
        """Writes a backup."""
        return self._send("POST", '/v1/backup', body=body)

    def get_openapi_json(self) -> dict[str, Any]:
        """Gives this document."""
        return self._send("GET", '/openapi.json')


class AsyncApi:
    """The operations; whoever derives from it sends them."""

    async def _send(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        raise NotImplementedError

    async def get_status(self) -> Status:
        """Says where the realm stands now."""
        return await self._send("GET", '/v1/status')

    async def get_info(self) -> Info:
        """Says what the daemon is."""
        return await self._send("GET", '/v1/info')

    async def get_health(self) -> Health:
        """Says whether the process answers."""
        return await self._send("GET", '/v1/health')

    async def get_ready(self) -> Ready:
        """Says whether the realm can serve calls."""
        return await self._send("GET", '/v1/ready')

    async def get_doctor(self) -> Doctor:
        """Examines everything."""
        return await self._send("GET", '/v1/doctor')

    async def get_config(self) -> ConfigView:
        """Shows the configuration in force."""
        return await self._send("GET", '/v1/config')

    async def get_config_key(self, key: str) -> ConfigEntry:
        """Explains one key of the configuration."""
        return await self._send("GET", f'/v1/config/{quote(key, safe="")}')

    async def post_invoke(self, body: InvokeRequest, *, idempotency_key: str | None = None) -> InvokeResult:
        """Calls a loop."""
        return await self._send("POST", '/v1/invoke', body=body, key=idempotency_key)

    async def post_broadcasts(self, body: BroadcastRequest) -> BroadcastResult:
        """Announces work without an address, and waits for its outcome."""
        return await self._send("POST", '/v1/broadcasts', body=body)

    async def get_runs(self, *, loop: str | None = None, peer: str | None = None, status: RunStatus | None = None, direction: Direction | None = None, parent: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, cursor: str | None = None) -> Page[RunSummary]:
        """Lists runs, the newest first."""
        return await self._send("GET", '/v1/runs', query={"loop": loop, "peer": peer, "status": status, "direction": direction, "parent": parent, "since": since, "until": until, "limit": limit, "cursor": cursor})

    async def get_runs_id(self, id: str) -> RunDetail:
        """Shows a run."""
        return await self._send("GET", f'/v1/runs/{quote(id, safe="")}')

    async def get_runs_id_trace(self, id: str, *, cursor: str | None = None) -> Trace:
        """Shows this realm's half of a trace, part by part."""
        return await self._send("GET", f'/v1/runs/{quote(id, safe="")}/trace', query={"cursor": cursor})

    async def get_runs_id_federated(self, id: str) -> FederatedTrace:
        """Follows a run's trace through the realms that it led to."""
        return await self._send("GET", f'/v1/runs/{quote(id, safe="")}/federated')

    async def get_runs_id_tree(self, id: str) -> FrameTree:
        """Shows the calls of a run, nested."""
        return await self._send("GET", f'/v1/runs/{quote(id, safe="")}/tree')

    async def get_runs_id_explain(self, id: str) -> RunExplanation:
        """Says why a run is where it is."""
        return await self._send("GET", f'/v1/runs/{quote(id, safe="")}/explain')

    async def get_runs_id_transcript(self, id: str, *, call: str | None | None = None, for_: str | None | None = None) -> EvidenceFile:
        """Gives a transcript of a broadcast that a run has announced, or what one bidder may see of it."""
        return await self._send("GET", f'/v1/runs/{quote(id, safe="")}/transcript', query={"call": call, "for": for_})

    async def get_audit(self, *, loop: str | None = None, person: str | None = None, caller: str | None = None, action: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, cursor: str | None = None) -> Page[AuditEntry]:
        """Lists entries of the audit log, the newest first."""
        return await self._send("GET", '/v1/audit', query={"loop": loop, "person": person, "caller": caller, "action": action, "since": since, "until": until, "limit": limit, "cursor": cursor})

    async def get_audit_export(self, *, loop: str | None = None, person: str | None = None, caller: str | None = None, action: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, cursor: str | None = None) -> AuditFile:
        """Gives a part of the audit log that proves itself."""
        return await self._send("GET", '/v1/audit/export', query={"loop": loop, "person": person, "caller": caller, "action": action, "since": since, "until": until, "limit": limit, "cursor": cursor})

    async def get_audit_witnessed(self) -> Page[WitnessView]:
        """Lists what this realm keeps of the audit logs of its children and peers."""
        return await self._send("GET", '/v1/audit/witnessed')

    async def get_audit_witnessed_realm(self, realm: str) -> WitnessFile:
        """Gives what proves that the audit log of a realm is not what it was."""
        return await self._send("GET", f'/v1/audit/witnessed/{quote(realm, safe="")}')

    async def post_audit_witnessed_realm_acknowledge(self, realm: str, body: AcknowledgeRequest) -> Page[WitnessView]:
        """Takes note that an owner has seen what contradicts the audit log of a realm."""
        return await self._send("POST", f'/v1/audit/witnessed/{quote(realm, safe="")}/acknowledge', body=body)

    async def get_receipts(self, *, peer: str | None = None, loop: str | None = None, call: str | None = None, since: Time | None = None, until: Time | None = None, limit: int | None = None, statement: bool | None = None, open: bool | None = None) -> ReceiptFile:
        """Gives receipts of calls that prove themselves."""
        return await self._send("GET", '/v1/receipts', query={"peer": peer, "loop": loop, "call": call, "since": since, "until": until, "limit": limit, "statement": statement, "open": open})

    async def get_bids(self, *, limit: int | None | None = None) -> Page[BidSummary]:
        """Lists the bids that this realm has made, the newest first."""
        return await self._send("GET", '/v1/bids', query={"limit": limit})

    async def get_bidders(self) -> Page[BidderTrust]:
        """Lists what this realm makes of bidders, the least trusted first, and why."""
        return await self._send("GET", '/v1/bidders')

    async def get_bids_bid(self, bid: str) -> EvidenceFile:
        """Gives the receipt of a bid."""
        return await self._send("GET", f'/v1/bids/{quote(bid, safe="")}')

    async def get_approvals(self, *, run: str | None = None, all: bool | None = None) -> Page[ApprovalView]:
        """Lists calls that wait for people to approve them, the newest first."""
        return await self._send("GET", '/v1/approvals', query={"run": run, "all": all})

    async def get_approvals_id(self, id: str) -> ApprovalView:
        """Shows exactly what is to be approved."""
        return await self._send("GET", f'/v1/approvals/{quote(id, safe="")}')

    async def post_approvals_id_approve(self, id: str, body: ApproveCallRequest) -> ApprovalView:
        """Lets the call begin, once, as it was shown."""
        return await self._send("POST", f'/v1/approvals/{quote(id, safe="")}/approve', body=body)

    async def post_approvals_id_deny(self, id: str, body: DenyRequest) -> ApprovalView:
        """Ends the call before it begins."""
        return await self._send("POST", f'/v1/approvals/{quote(id, safe="")}/deny', body=body)

    async def get_grants(self) -> Page[GrantView]:
        """Lists what this realm has granted others, and what it was granted."""
        return await self._send("GET", '/v1/grants')

    async def post_grants(self, body: GrantRequest) -> GrantView:
        """Grants another realm something."""
        return await self._send("POST", '/v1/grants', body=body)

    async def post_grants_held(self, body: HoldRequest) -> GrantView:
        """Takes what another realm has granted this one."""
        return await self._send("POST", '/v1/grants/held', body=body)

    async def get_grants_id(self, id: str) -> GrantView:
        """Shows a grant, and who gave whom."""
        return await self._send("GET", f'/v1/grants/{quote(id, safe="")}')

    async def delete_grants_id(self, id: str) -> GrantView:
        """Takes a grant back, or lets one go that is held; gives it as it was."""
        return await self._send("DELETE", f'/v1/grants/{quote(id, safe="")}')

    async def post_runs_id_pause(self, id: str, body: PauseRequest) -> RunSummary:
        """Holds a run where it stands."""
        return await self._send("POST", f'/v1/runs/{quote(id, safe="")}/pause', body=body)

    async def post_runs_id_resume(self, id: str, body: ResumeRequest) -> RunSummary:
        """Lets a paused run go on."""
        return await self._send("POST", f'/v1/runs/{quote(id, safe="")}/resume', body=body)

    async def post_runs_id_erase(self, id: str, body: EraseRequest) -> EraseResult:
        """Erases the content of a run that has ended, and says what went."""
        return await self._send("POST", f'/v1/runs/{quote(id, safe="")}/erase', body=body)

    async def post_runs_id_cancel(self, id: str, body: CancelRequest) -> CancelResult:
        """Cancels a run."""
        return await self._send("POST", f'/v1/runs/{quote(id, safe="")}/cancel', body=body)

    async def get_breakers(self) -> Page[BreakerView]:
        """Lists the breakers of all that has failed lately."""
        return await self._send("GET", '/v1/breakers')

    async def get_breakers_name(self, name: str) -> BreakerView:
        """Says how a breaker stands, and why."""
        return await self._send("GET", f'/v1/breakers/{quote(name, safe="")}')

    async def post_breakers_name_reset(self, name: str, body: ResetRequest) -> BreakerView:
        """Closes a breaker: what it guards is asked again at once."""
        return await self._send("POST", f'/v1/breakers/{quote(name, safe="")}/reset', body=body)

    async def post_sign_in(self, body: SignInRequest) -> SignedIn:
        """Signs somebody in whom the directory knows; needs no token."""
        return await self._send("POST", '/v1/sign-in', body=body)

    async def delete_sign_in(self) -> SignedOut:
        """Ends the sign-in whose token is shown."""
        return await self._send("DELETE", '/v1/sign-in')

    async def post_sign_in_device(self, body: dict[str, Any]) -> DeviceSignIn:
        """Begins a sign-in at the provider: gives the code that somebody enters there; needs no token."""
        return await self._send("POST", '/v1/sign-in/device', body=body)

    async def post_sign_in_device_ask(self, body: DeviceQuestion) -> DeviceAnswer:
        """Asks what has become of a sign-in at the provider; needs no token."""
        return await self._send("POST", '/v1/sign-in/device/ask', body=body)

    async def get_people(self) -> Page[PersonView]:
        """Lists who uses the realm: those whom its configuration names, and those who have signed in."""
        return await self._send("GET", '/v1/people')

    async def get_people_name(self, name: str) -> PersonView:
        """Says who somebody is, and what they may do."""
        return await self._send("GET", f'/v1/people/{quote(name, safe="")}')

    async def get_pseudonyms_name(self, name: str) -> Page[PseudonymView]:
        """Says what the realms of other roots call somebody, by their name here or by one of those."""
        return await self._send("GET", f'/v1/pseudonyms/{quote(name, safe="")}')

    async def post_pseudonyms_name_erase(self, name: str, body: EraseRequest) -> Page[PseudonymView]:
        """Takes away what leads from pseudonyms to somebody; gives those that there were."""
        return await self._send("POST", f'/v1/pseudonyms/{quote(name, safe="")}/erase', body=body)

    async def get_rates(self) -> Page[RateView]:
        """Lists how often calls of others begin."""
        return await self._send("GET", '/v1/rates')

    async def post_rates(self, body: RateRequest) -> RateView:
        """Puts a rate in force, over the one of its name that was applied before."""
        return await self._send("POST", '/v1/rates', body=body)

    async def get_rates_name(self, name: str) -> RateView:
        """Shows a rate, and what it has done."""
        return await self._send("GET", f'/v1/rates/{quote(name, safe="")}')

    async def delete_rates_name(self, name: str) -> RateView:
        """Lets a rate go that was applied; gives it as it was."""
        return await self._send("DELETE", f'/v1/rates/{quote(name, safe="")}')

    async def get_halt(self) -> HaltState:
        """Shows what stands still."""
        return await self._send("GET", '/v1/halt')

    async def post_halt(self, body: HaltRequest) -> HaltState:
        """Lets something stand still."""
        return await self._send("POST", '/v1/halt', body=body)

    async def post_unhalt(self, body: UnhaltRequest) -> HaltState:
        """Lets something go on."""
        return await self._send("POST", '/v1/unhalt', body=body)

    async def get_loops(self, *, realm: str | None = None, example: bool | None = None, cursor: str | None = None) -> Page[LoopSummary]:
        """Lists loops."""
        return await self._send("GET", '/v1/loops', query={"realm": realm, "example": example, "cursor": cursor})

    async def get_loops_id(self, id: str, *, realm: str | None = None, example: bool | None = None, cursor: str | None = None) -> LoopDetail:
        """Shows a loop."""
        return await self._send("GET", f'/v1/loops/{quote(id, safe="")}', query={"realm": realm, "example": example, "cursor": cursor})

    async def delete_loops_id(self, id: str, *, version: str | None = None, force: bool | None = None) -> Removed:
        """Removes a loop."""
        return await self._send("DELETE", f'/v1/loops/{quote(id, safe="")}', query={"version": version, "force": force})

    async def get_loops_id_history(self, id: str) -> Page[LoopChange]:
        """Shows what was changed of a loop."""
        return await self._send("GET", f'/v1/loops/{quote(id, safe="")}/history')

    async def get_stacks(self) -> Page[StackView]:
        """Lists stacks."""
        return await self._send("GET", '/v1/stacks')

    async def get_stacks_id(self, id: str) -> StackView:
        """Shows a stack."""
        return await self._send("GET", f'/v1/stacks/{quote(id, safe="")}')

    async def delete_stacks_id(self, id: str, *, version: str | None = None, force: bool | None = None) -> Page[Removed]:
        """Removes a stack, and what only it announces."""
        return await self._send("DELETE", f'/v1/stacks/{quote(id, safe="")}', query={"version": version, "force": force})

    async def get_agents(self) -> Page[AgentView]:
        """Lists who runs the loops."""
        return await self._send("GET", '/v1/agents')

    async def get_agents_id(self, id: str) -> AgentView:
        """Shows who runs a loop."""
        return await self._send("GET", f'/v1/agents/{quote(id, safe="")}')

    async def delete_agents_id(self, id: str, *, version: str | None = None, force: bool | None = None) -> Removed:
        """Removes who runs a loop, and the loop."""
        return await self._send("DELETE", f'/v1/agents/{quote(id, safe="")}', query={"version": version, "force": force})

    async def get_agents_state(self) -> Page[StateSummary]:
        """Lists the agents that keep something between calls."""
        return await self._send("GET", '/v1/agents/state')

    async def get_agents_id_state(self, id: str, *, key: str | None = None) -> Page[StateView]:
        """Shows what an agent keeps between calls."""
        return await self._send("GET", f'/v1/agents/{quote(id, safe="")}/state', query={"key": key})

    async def delete_agents_id_state(self, id: str, *, key: str | None = None) -> Page[StateView]:
        """Removes what an agent keeps between calls; gives it as it was."""
        return await self._send("DELETE", f'/v1/agents/{quote(id, safe="")}/state', query={"key": key})

    async def get_prompts(self) -> Page[PromptSummary]:
        """Lists prompts and their versions."""
        return await self._send("GET", '/v1/prompts')

    async def get_prompts_id(self, id: str) -> PromptDetail:
        """Shows a prompt with its scores and what was done with it."""
        return await self._send("GET", f'/v1/prompts/{quote(id, safe="")}')

    async def get_prompts_id_diff(self, id: str, *, from_: str | None = None, to: str | None = None) -> PromptDiff:
        """Shows in what two versions of a prompt differ."""
        return await self._send("GET", f'/v1/prompts/{quote(id, safe="")}/diff', query={"from": from_, "to": to})

    async def post_prompts_id_promote(self, id: str, body: PromoteRequest) -> ApplyResult:
        """Lets a version of a prompt be called from now on."""
        return await self._send("POST", f'/v1/prompts/{quote(id, safe="")}/promote', body=body)

    async def post_prompts_id_rollback(self, id: str, body: RollbackRequest) -> ApplyResult:
        """Lets the version of a prompt be called again that was before."""
        return await self._send("POST", f'/v1/prompts/{quote(id, safe="")}/rollback', body=body)

    async def post_prompts_id_share(self, id: str, body: ShareRequest) -> PromptDetail:
        """Lets versions of a prompt share its calls."""
        return await self._send("POST", f'/v1/prompts/{quote(id, safe="")}/share', body=body)

    async def post_prompts_id_score(self, id: str, body: ScoreRequest) -> PromptDetail:
        """Says how good a version of a prompt was found."""
        return await self._send("POST", f'/v1/prompts/{quote(id, safe="")}/score', body=body)

    async def get_backends(self) -> Page[BackendView]:
        """Lists the model backends and MCP servers."""
        return await self._send("GET", '/v1/backends')

    async def get_backends_id(self, id: str) -> BackendView:
        """Shows a model backend, or an MCP server with its tools."""
        return await self._send("GET", f'/v1/backends/{quote(id, safe="")}')

    async def post_backends_id_approve(self, id: str, body: ApproveRequest) -> ApplyResult:
        """Approves tools of an MCP server, as they were shown, for the loops that call them."""
        return await self._send("POST", f'/v1/backends/{quote(id, safe="")}/approve', body=body)

    async def get_backends_id_loops(self, id: str) -> ImportResult:
        """Writes loops for the tools of an MCP server; applying them approves the tools."""
        return await self._send("GET", f'/v1/backends/{quote(id, safe="")}/loops')

    async def get_loops_id_tools(self, id: str) -> Page[ModelToolView]:
        """Lists the loops that a prompt's model may call; other realms are asked what theirs are."""
        return await self._send("GET", f'/v1/loops/{quote(id, safe="")}/tools')

    async def post_loops_id_tools_approve(self, id: str, body: ApproveRequest) -> ApplyResult:
        """Approves loops of other realms, as they were shown, for the prompt whose model calls them."""
        return await self._send("POST", f'/v1/loops/{quote(id, safe="")}/tools/approve', body=body)

    async def post_apply(self, body: ApplyRequest, *, idempotency_key: str | None = None) -> ApplyResult:
        """Registers loops, all or none."""
        return await self._send("POST", '/v1/apply', body=body, key=idempotency_key)

    async def post_diff(self, body: ApplyRequest) -> DiffResult:
        """Says what registering loops would change."""
        return await self._send("POST", '/v1/diff', body=body)

    async def post_validate(self, body: ApplyRequest) -> ValidateResult:
        """Checks definitions."""
        return await self._send("POST", '/v1/validate', body=body)

    async def post_import(self, body: ApplyRequest) -> ImportResult:
        """Shows foreign definitions in our own form."""
        return await self._send("POST", '/v1/import', body=body)

    async def post_tickets(self, body: TicketRequest, *, idempotency_key: str | None = None) -> TicketIssued:
        """Opens an invitation."""
        return await self._send("POST", '/v1/tickets', body=body, key=idempotency_key)

    async def post_join(self, body: JoinRequest) -> Joined:
        """Redeems a ticket."""
        return await self._send("POST", '/v1/join', body=body)

    async def get_peers(self) -> Page[PeerSummary]:
        """Lists the realms next to this one."""
        return await self._send("GET", '/v1/peers')

    async def get_peers_name(self, name: str) -> PeerDetail:
        """Shows a realm next to this one."""
        return await self._send("GET", f'/v1/peers/{quote(name, safe="")}')

    async def delete_peers_name(self, name: str) -> Revoked:
        """Ends a peering, or cuts off a child."""
        return await self._send("DELETE", f'/v1/peers/{quote(name, safe="")}')

    async def post_peers_name_ping(self, name: str, body: dict[str, Any]) -> Pong:
        """Measures the way to a realm and back."""
        return await self._send("POST", f'/v1/peers/{quote(name, safe="")}/ping', body=body)

    async def get_realms(self) -> RealmForest:
        """Shows the trees known here."""
        return await self._send("GET", '/v1/realms')

    async def get_realms_name(self, name: str) -> RealmDetail:
        """Shows a realm, as far as known here."""
        return await self._send("GET", f'/v1/realms/{quote(name, safe="")}')

    async def post_realms_name_revoke(self, name: str, body: RevokeRequest) -> Revoked:
        """Cuts off a child."""
        return await self._send("POST", f'/v1/realms/{quote(name, safe="")}/revoke', body=body)

    async def post_allow(self, body: AllowRequest, *, idempotency_key: str | None = None) -> Allowed:
        """Gives a permission."""
        return await self._send("POST", '/v1/allow', body=body, key=idempotency_key)

    async def post_disallow(self, body: DisallowRequest, *, idempotency_key: str | None = None) -> Disallowed:
        """Takes permissions back."""
        return await self._send("POST", '/v1/disallow', body=body, key=idempotency_key)

    async def get_policies(self) -> Page[PolicyView]:
        """Lists the policies."""
        return await self._send("GET", '/v1/policies')

    async def post_policies_check(self, body: PolicyText) -> PolicyChecked:
        """Checks Cedar text."""
        return await self._send("POST", '/v1/policies/check', body=body)

    async def post_policies_apply(self, body: PolicyApply) -> PolicyApplied:
        """Takes Cedar text into force."""
        return await self._send("POST", '/v1/policies/apply', body=body)

    async def post_policies_shadow(self, body: PolicyApply) -> PolicyShadow:
        """Tells which decisions of the past Cedar text would change."""
        return await self._send("POST", '/v1/policies/shadow', body=body)

    async def post_policies_why(self, body: PolicyQuestion) -> PolicyExplained:
        """Asks the policy a question, and why it answers so."""
        return await self._send("POST", '/v1/policies/why', body=body)

    async def post_policies_test(self, body: PolicyCases) -> PolicyTested:
        """Asks the policy questions with known answers."""
        return await self._send("POST", '/v1/policies/test', body=body)

    async def get_denials_ref(self, ref: str) -> Denial:
        """Explains a denial."""
        return await self._send("GET", f'/v1/denials/{quote(ref, safe="")}')

    async def post_backup(self, body: BackupRequest) -> BackupReport:
        """Writes a backup."""
        return await self._send("POST", '/v1/backup', body=body)

    async def get_openapi_json(self) -> dict[str, Any]:
        """Gives this document."""
        return await self._send("GET", '/openapi.json')
