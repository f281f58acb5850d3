// The types of the local API, and its operations. Written by scripts/sdk from docs/openapi.json; do not edit.

/** One page of a list. */
export interface Page<T> {
  items: Array<T>;
  next?: string;
}

/** The word of a realm above. */
export interface AboveHalt {
  /** The realm that said it to this one. */
  realm: string;
  /** The realm whose owner said it first. */
  by: string;
  /** When it came. */
  at: Time;
  /** Why. */
  why?: string | null;
}

/** A call of a run that another realm has accepted. */
export interface AcceptedCall {
  /** The loop with its realm, as it was asked for. */
  loop: string;
  /** The run there. */
  runId: string;
  /** When it was accepted. */
  since: Time;
  /** How it stood there when last that was told. */
  stage: AcceptedStage;
}

/** How a run stands in another realm. */
export type AcceptedStage = "running" | "waiting" | "paused" | "ended";

/** Somebody has seen what contradicts the audit log of a realm. */
export interface AcknowledgeRequest {
  /** Why it is no more to be told of, for those who read the audit log later. */
  why?: string | null;
}

/** Says who it is and which loops it serves; answered by `attached` or `refused`. */
export interface AgentMessageAttach extends Attach {
  type: "attach";
}

/** Ends a call with an output. */
export interface AgentMessageOutput {
  /** The call's number. */
  call: number;
  /** The output; the loop's schema is for it. */
  output: unknown;
  /** What changes of the state that the call was given: `{KEY: {value}}`, or null for what is to be
   * forgotten. Kept with the output, or not at all. */
  state?: Record<string, unknown> | null;
  type: "output";
}

/** Ends a call without one. */
export interface AgentMessageFailure {
  /** The call's number. */
  call: number;
  /** What went wrong, for a person. */
  message: string;
  category?: FailureCategory | null;
  /** When the work may be tried again at the earliest, milliseconds. */
  retryAfterMs?: number | null;
  type: "failure";
}

/** Ends a call with a question to people: its run waits, over restarts, and the call is made again with what they have
 * said. Only where the loop's definition says whom it may ask. */
export interface AgentMessageAsk {
  /** The call's number. */
  call: number;
  /** What people read, at most 2,000 characters. */
  question: string;
  /** What it is about, at most 16 KiB. */
  about?: unknown;
  type: "ask";
}

/** Shows text that the output is being made of; at most 64 KiB. It is shown to whoever called, if they want to see
 * it, and is never the output. */
export interface AgentMessagePart {
  /** The call's number. */
  call: number;
  /** What comes next of the text. */
  text: string;
  type: "part";
}

/** Says how a call goes; an event `log` of the run's trace. At most 4 KiB and 256 a call are kept. */
export interface AgentMessageProgress {
  /** The call's number. */
  call: number;
  /** Anything. */
  progress: unknown;
  type: "progress";
}

/** Asks for no more calls; the realm closes the connection once the last is answered. */
export interface AgentMessageDetach {
  type: "detach";
}

/** What an agent says. The first word is `attach`. */
export type AgentMessage = AgentMessageAttach | AgentMessageOutput | AgentMessageFailure | AgentMessageAsk | AgentMessagePart | AgentMessageProgress | AgentMessageDetach;

/** Who runs a loop. */
export interface AgentView {
  /** The loop's id. */
  loop: string;
  /** The loop's version. */
  version: string;
  /** Whether it comes with the realm and cannot be removed. */
  builtin?: boolean;
  /** `mock`, `builtin`, `http`, `process`, `attached` or `composite`. */
  backend: string;
  /** What is called: an address, the arguments of a program as JSON, a model. */
  target?: string | null;
  /** Calls it works on now. */
  running: number;
  /** Calls it may work on at once. */
  concurrency?: number | null;
  /** Instances of the agent that are attached now; absent for what does not attach. */
  attached?: number | null;
}

/** How results are made one. */
export type Aggregate = "select" | "merge" | "consensus" | "quorum" | "vote" | "average" | "weightedAverage" | "sum" | "rank" | "firstValid" | "highestConfidence" | "collectAll" | "loop";

/** A permission to give. */
export interface AllowRequest {
  /** Realm by name, with all below it; or `agent=NAME`, an agent of this realm with a token of its own. */
  caller: string;
  /** `invoke`, `discover`, `relay`, `announce`, `bid`, `award` or `read-trace`. */
  action: string;
  /** Loop id or `pattern*`, of another realm with `@REALM`; `*` for `relay`, which is about the realm. */
  loop: string;
  /** For how long, milliseconds; for ever unless told. */
  forMs?: number | null;
  /** Show the policy, add nothing. */
  dryRun?: boolean;
}

/** A permission given. */
export interface Allowed {
  /** Its id, for `disallow`. */
  policyId: string;
  /** The policy, Cedar text. */
  cedar: string;
  expiresAt?: Time | null;
  /** What will refuse all the same, and the command that helps. */
  warnings?: Array<string>;
  /** Whether nothing was added. */
  dryRun: boolean;
}

/** An amount of money. */
export interface Amount {
  /** Three upper-case letters. */
  currency: string;
  /** Millionths of the currency. */
  micros: number;
}

/** One definition that was applied. */
export interface Applied {
  /** The loop's id. */
  id: string;
  /** Its version. */
  version: string;
  /** What was done. */
  action: ApplyAction;
  /** The revision: SHA-256 of the definition's canonical JSON. */
  digest: string;
  /** The version whose place it takes. */
  replaces?: string | null;
  compatibility?: Compatibility | null;
  /** Why it is not compatible, each `"<JSON Pointer>: <what was and is>"`. */
  reasons?: Array<string>;
  /** The version that would tell callers of the break, where this one does not. */
  advised?: string | null;
  /** What it calls: an address, the arguments of a program as JSON, a model. */
  target?: string | null;
  /** The file it came from. */
  file?: string | null;
}

/** What became of a policy or a rate that a file of another system asks for. */
export interface AppliedRestriction {
  /** Its id: the format, the document, and what it is called there. */
  id: string;
  /** What it is kept as. */
  kind: RestrictionKind;
  /** What was done. */
  action: ApplyAction;
}

/** What `apply` did with a definition. */
export type ApplyAction = "created" | "updated" | "changed" | "unchanged" | "removed" | "staged" | "promoted" | "rolledBack" | "shared";

/** Files to register: the definitions, and those they refer to by `$file`. */
export interface ApplyRequest {
  /** The files; a relative `$file` is looked up beside the file that names it. */
  files?: Array<SourceFile>;
  /** Check everything, change nothing. */
  dryRun?: boolean;
  /** Go on where a version would break its own contract, or other loops need what would go. */
  force?: boolean;
  /** Remove every loop that the files do not define. */
  prune?: boolean;
  /** Keep new versions of loops that are there beside the current ones, which stay what they are. */
  stage?: boolean;
  /** Why, for the history. */
  why?: string | null;
}

/** What `apply` did; all of it, or nothing. */
export interface ApplyResult {
  /** The definitions, in order. */
  applied?: Array<Applied>;
  /** The policies and rates that files of other systems become. */
  restrictions?: Array<AppliedRestriction>;
  /** Whether nothing was changed. */
  dryRun: boolean;
  /** What will not do what it seems to. */
  warnings?: Array<Fault>;
}

/** What somebody has said of a call that waits. */
export interface ApprovalDecision {
  /** Who. */
  person: string;
  /** The roles that they had then. */
  roles: Array<string>;
  /** Whether the call may begin. */
  granted: boolean;
  /** Why. */
  reason?: string | null;
  /** When. */
  at: Time;
}

/** Where a request for an approval stands. */
export type ApprovalState = "waiting" | "granted" | "denied" | "expired" | "void";

/** What has to be met before a call begins. */
export interface ApprovalTerms {
  /** The role that those have who approve; owners always may. */
  role: string;
  /** How many different people. */
  count: number;
  /** Whether whoever asked for the work may not be one of them. */
  distinctFromRequester?: boolean;
  /** The role of those who may approve as well, later. */
  escalatesTo?: string | null;
  escalatesAt?: Time | null;
}

/** A call that waits for people to approve it, or did. */
export interface ApprovalView {
  /** The request. */
  id: string;
  /** Where it stands. */
  state: ApprovalState;
  /** The loop that would be called, with its realm where that is another one. */
  loop: string;
  /** The loop's version; of another realm's, the one asked for. */
  version?: string | null;
  /** The revision of a loop of this realm. */
  revision?: string | null;
  /** The arguments, while the call waits. */
  input?: unknown;
  /** SHA-256 of the arguments. */
  inputDigest: string;
  budget?: Budget | null;
  cost?: Spend | null;
  share?: Budget | null;
  /** What names exactly this call: realm, run, call, loop, revision and arguments. */
  action: string;
  /** The run. */
  runId: string;
  /** The call. */
  callId: string;
  /** The loops that led to it, the outermost first. */
  frames?: Array<string>;
  /** On whose behalf the run is. */
  caller?: string | null;
  /** What has to be met, all of it. */
  rules: Array<ApprovalTerms>;
  /** When it was asked for. */
  requestedAt: Time;
  /** When it expires. */
  expiresAt: Time;
  /** What people have said. */
  decisions?: Array<ApprovalDecision>;
  usedAt?: Time | null;
}

/** Lets a call begin. */
export interface ApproveCallRequest {
  /** Why. */
  reason?: string | null;
}

/** Which tools are approved as they are. */
export interface ApproveRequest {
  /** Digests by tool, as they were shown. */
  tools: Record<string, string>;
}

/** Who attaches. */
export interface Attach {
  /** What the agent calls itself, as loops are called. Instances of one agent share its calls. */
  agent: string;
  /** The realm's token, over TCP. */
  token?: string | null;
  /** The loops it serves: ids of registered ones, or definitions to register. */
  loops: Array<AttachedLoop>;
  /** Calls it takes at once, 1 to 64; 8 unless told. */
  concurrency?: number | null;
}

/** A loop that an agent serves. */
export type AttachedLoop = string | Record<string, unknown>;

/** An entry of the audit log. */
export interface AuditEntry {
  /** Its place in the log, from 0. */
  index: number;
  /** When it was written. */
  at: Time;
  /** What was done: `call.served`, `policy.allowed`, …. */
  action: string;
  /** How it ended. */
  outcome: AuditOutcome;
  /** Why, where it did not end well. */
  error?: string | null;
  /** What it was done to. */
  subject?: string | null;
  /** The other realm's name. */
  realm?: string | null;
  /** The person who asked. */
  person?: string | null;
  /** The run here. */
  runId?: string | null;
  /** The call. */
  callId?: string | null;
  /** The run that caused it, at the caller. */
  parentRunId?: string | null;
  /** Digest of the contract that was kept to. */
  contract?: string | null;
  /** Digest of the receipt that both ends have signed. */
  receipt?: string | null;
  /** SHA-256 of the input. */
  inputDigest?: string | null;
  /** SHA-256 of the output. */
  outputDigest?: string | null;
  /** Currency of the cost. */
  currency?: string | null;
  /** What it cost, millionths of the currency. */
  costMicros?: number | null;
  /** How often it happened, where one entry stands for several. */
  times?: number | null;
  /** Why it was done, as who did it says. */
  why?: string | null;
  /** Digest of the entry before. */
  previous: string;
  /** Digest of the entry. */
  digest: string;
  /** Whether person, digests and reason have been erased. */
  erased: boolean;
}

/** A part of the log that proves itself. */
export interface AuditFile {
  /** The place of its first entry. */
  first: number;
  /** How many entries the log has where the file ends. */
  count: number;
  /** How many entries it shows; of the others it has digests. */
  shown: number;
  /** The bytes, in base64url without padding. */
  evidence: string;
}

/** How something ended. */
export type AuditOutcome = "success" | "failure" | "refusal" | "cancelled";

/** A model backend, or an MCP server; its key is never shown. */
export interface BackendView {
  /** What loops call it. */
  id: string;
  /** How it is spoken to: `mock`, `openai`, `anthropic`, `ollama`, `mcp`, or `docker`. */
  format: string;
  /** Where it is served; absent for what is part of the daemon. */
  url?: string | null;
  /** The program that it is, as JSON. */
  argv?: string | null;
  /** The model that answers where a loop names none. */
  model?: string | null;
  /** Where its key is: `file:keys/openai`; absent where it wants none. */
  key?: string | null;
  /** Most tokens of an answer where a loop does not say. */
  maxTokens?: number | null;
  /** What a million tokens cost, read and written: `USD 0.15 0.60`; absent where nobody knows. */
  price?: string | null;
  /** What can be told about it that will not work; of one alone also what asking it came to. */
  fault?: string | null;
  /** The tools that it has, where it is an MCP server and was asked for alone. */
  tools?: Array<ToolView>;
  /** The images that loops need, where it is the container engine and was asked for alone. */
  images?: Array<ImageView>;
}

/** A backup that was written and is whole. */
export interface BackupReport {
  /** The file. */
  path: string;
  /** Its size. */
  bytes: number;
  /** Records in it. */
  records: number;
  /** Runs in it. */
  runs: number;
  /** Events in it. */
  events: number;
  /** Journal position it stands for. */
  seq: number;
  /** Milliseconds it took. */
  durationMs: number;
}

/** Where to write a backup. */
export interface BackupRequest {
  /** Absolute path of a file that does not exist. */
  path: string;
}

/** A realm below that is told to stand still, or to go on. */
export interface BelowHalt {
  /** The realm. */
  realm: string;
  /** Whether it is to stand still, and not to go on. */
  halted: boolean;
  /** Whether every realm below it is meant as well. */
  subtree: boolean;
  /** Since when. */
  at: Time;
  confirmedAt?: Time | null;
  /** Runs that stand still there. */
  runs: number;
  /** Whether its own work stands still as well, and not only what it does for others. */
  own: boolean;
  /** Realms below it that have confirmed, as it says. */
  confirmed?: Array<string>;
  /** Realms below it that have not. */
  unconfirmed?: Array<string>;
  /** Realms below it that it did not name. */
  unnamed?: number;
}

/** A bid that this realm has made. */
export interface BidSummary {
  /** Digest of the bid. */
  bid: string;
  /** The broadcast. */
  broadcastId: string;
  /** Who announced it. */
  announcer: string;
  /** The loop whose work it was. */
  loop: string;
  /** The loop here that would do it. */
  agent: string;
  /** Currency of the price; none for nothing. */
  currency?: string | null;
  /** Price, millionths of the currency. */
  priceMicros: number;
  /** Time to the result, milliseconds. */
  timeMs: number;
  /** Confidence, millionths. */
  confidence: number;
  /** When it was made. */
  createdAt: Time;
  /** Whether it was awarded a slot. */
  awarded: boolean;
  /** Whether the announcer has closed the broadcast. */
  closed: boolean;
}

/** What this realm makes of a bidder by what it did with work that it had confirmed. */
export interface BidderTrust {
  /** The bidder's id. */
  realmId: string;
  /** How it is trusted now, millionths; half is what nobody is known by, and what all fade to. */
  trust: number;
  /** What it did last, the oldest first. */
  events: Array<TrustEvent>;
  /** How realms below it are trusted of which nothing is known, millionths; absent where none below has done anything. */
  newcomers?: number | null;
}

/** How a breaker stands. */
export type BreakerState = "closed" | "open" | "halfOpen";

/** The breaker of a backend, an agent, another organisation or a loop. */
export interface BreakerView {
  /** Whose: `backend/ID`, `agent/NAME`, `peer/NAME` or `loop/ID`. */
  name: string;
  /** How it stands. */
  state: BreakerState;
  /** Why it opened. */
  reason?: string | null;
  since?: Time | null;
  until?: Time | null;
  /** While it is closed: how many of the latest calls are known. */
  calls?: number | null;
  /** While it is closed: how many of those went wrong. */
  failed?: number | null;
}

/** What is announced, to whom, and how bids and results are chosen. */
export interface BroadcastRequest {
  /** The loop whose contract the work has; it is registered here. */
  loop: string;
  /** If any, loops that declare all of these may do it, whatever they are called. */
  capabilities?: Array<string>;
  /** Input, as the loop's input schema has it. It leaves with a lease alone. */
  input: unknown;
  /** Levels below this realm that are asked; 1 is its children. */
  down?: number;
  /** Levels above it whose other subtrees are asked. */
  up?: number;
  /** Levels of each peer's tree that are asked; 1 is the peers themselves. */
  across?: number;
  /** If any, only realms at or below these are asked, and those besides. */
  realms?: Array<string>;
  besides?: Levels | null;
  wider?: Wider | null;
  /** Currency of prices, three upper-case letters; none where nothing is paid. */
  currency?: string | null;
  /** Highest price, millionths of the currency. */
  maxPriceMicros?: number | null;
  /** Longest time to the result that a bid may offer, milliseconds. */
  maxTimeMs?: number | null;
  /** Lowest confidence of a bid, millionths. */
  minConfidence?: number | null;
  budget?: Budget | null;
  /** How long bids are taken, milliseconds, 1 to 60,000; it ends earlier once everybody has
   * answered. */
  windowMs: number;
  /** How long the work may take in all, milliseconds. */
  executionMs: number;
  /** How long after the bids awards are made, milliseconds; as long as the work may take unless told, and at most. */
  awardMs?: number | null;
  /** How long a person is waited for who has to say whether work that may have begun is given out again, milliseconds; as
   * long as the work may take unless told, and at most. */
  personMs?: number | null;
  /** Whether the work may call loops and announce work of its own; it may unless told. */
  subLoops?: boolean | null;
  /** How bids are ranked. */
  select?: Select;
  weights?: Weights | null;
  /** How many bids win. */
  winners: number;
  /** How many further bids may win in place of one that falls out. */
  standbys?: number;
  /** How many winners work at a time; all of them unless told. */
  atOnce?: number | null;
  /** Fewest bids. */
  minBids: number;
  /** Most bids; 8,192 unless told. */
  maxBids?: number | null;
  /** Most bids of one realm of this tree with all below it; none for no bound. */
  perRealm?: number | null;
  enough?: Enough | null;
  /** How results are made one. */
  aggregate?: Aggregate;
  /** The loop here that makes them one; with `loop`, and only there. */
  aggregator?: string | null;
  /** How many results are waited for. */
  wait?: WaitFor;
  /** Share of all winners that a quorum needs, millionths; with `aggregate` or `wait` as
   * `quorum`. */
  quorum?: number | null;
  /** Share of the valid results that a consensus needs, millionths; with `consensus`, and only
   * there. */
  threshold?: number | null;
  /** Fewest results; 1 unless told. */
  minResults?: number | null;
  /** Lowest confidence of a result that counts, millionths. */
  minResultConfidence?: number | null;
  /** Members on the way to the value that is compared or counted; none for the whole output. */
  field?: Array<string>;
  /** Answer as soon as the broadcast is on the disk, with its run and status `running`. */
  detach?: boolean;
}

/** What became of a broadcast. */
export interface BroadcastResult {
  /** The run here. */
  runId: string;
  /** The broadcast. */
  broadcastId: string;
  /** The loop's id. */
  loop: string;
  /** How it ended. */
  status: InvokeStatus;
  /** Output, if it ended well. */
  output?: unknown;
  error?: CallError | null;
  /** Bids that counted. */
  bids: number;
  /** Everybody who won a slot, by slot. */
  slots: Array<SlotResult>;
  /** Milliseconds from announcement to outcome. */
  durationMs: number;
}

/** What a call and all that it causes may use. What is absent has no bound. */
export interface Budget {
  money?: Amount | null;
  /** Tokens of models, read and written. */
  tokens?: number | null;
  /** How often a model, a tool, another realm or bidders may be asked. */
  calls?: number | null;
}

/** Calls in flight. */
export interface CallCounts {
  /** Called here, run elsewhere. */
  outgoing: number;
  /** Run here, whoever called. */
  incoming: number;
}

/** Why a call failed. */
export interface CallError {
  /** Catalogue code, `RLM-0111`. */
  code: string;
  /** Name of the failure on the wire: `SchemaInput`. */
  name: string;
  /** What happened. */
  message: string;
  /** Single faults, `<instance path or (root)>: <message>`. */
  details?: Array<string>;
  /** The realm that raised it, where known. */
  realm?: string | null;
  /** For `policy why` at the realm that decided. */
  reference?: string | null;
  /** When to try again, milliseconds from now. */
  retryAfterMs?: number | null;
  /** What helps; a command where there is one. */
  help?: string | null;
}

/** Cancels a run. It says nothing more yet. */
export type CancelRequest = Record<string, unknown>;

/** A run that was cancelled. */
export interface CancelResult extends RunSummary {
  /** Each broadcast that it had announced, or that it is. */
  withdrawn?: Array<Withdrawal>;
}

/** One check. */
export interface Check {
  /** Its name: `clock.skew`. */
  code: string;
  /** How it ended. */
  status: Finding;
  /** What was checked. */
  title: string;
  /** What was seen. */
  evidence: string;
  /** The command or change that helps. */
  fix?: string | null;
}

/** Checks of one matter. */
export interface CheckGroup {
  /** `config`, `keys`, `clock`, `store`, `ports`, `parent and peers`, `backends`, `policy`, `halts`. */
  name: string;
  /** The checks, in order. */
  checks?: Array<Check>;
}

/** Children in numbers. */
export interface ChildCounts {
  /** With a valid certificate. */
  certified: number;
  /** With a live link. */
  connected: number;
}

/** What a change of a contract means to its callers. */
export type Compatibility = "compatible" | "unknown" | "breaking";

/** One key of the configuration. */
export interface ConfigEntry {
  /** The key: `store.cache`. */
  key: string;
  /** Its value; secrets are redacted. */
  value: unknown;
  /** Where the value comes from: `default`, `realm.toml:7`, `REALMD_STORE__CACHE`, `--listen`. */
  source: string;
  /** Its value if nothing sets it. */
  default: unknown;
  /** What it does. */
  meaning: string;
  /** Whether SIGHUP applies a change. */
  reloads: boolean;
}

/** The whole configuration. */
export interface ConfigView {
  /** The file it was read from. */
  file: string;
  /** The keys, sorted. */
  entries?: Array<ConfigEntry>;
}

/** How a head that was shown later contradicts one that was kept. */
export type ContradictionKind = "shorter" | "other";

/** Two heads of one log that cannot both be of a log that only grew. */
export interface ContradictionView {
  /** How the later one contradicts the other. */
  kind: ContradictionKind;
  /** The head that was kept. */
  known: HeadView;
  /** The later one. */
  shown: HeadView;
  /** When that was shown, by this realm's clock. */
  shownAt: Time;
  acknowledgedAt?: Time | null;
}

/** A denial, explained to the realm that decided. */
export interface Denial {
  /** Its reference. */
  reference: string;
  /** When it was decided. */
  at: Time;
  /** Who asked. */
  caller: string;
  /** To do what. */
  action: string;
  /** With what. */
  resource: string;
  /** Which level denied: `own`, or the realm above by name. */
  level: string;
  /** Ids of the policies that forbid; none where nothing permits. */
  determining?: Array<string>;
  /** Policies that failed, and so denied. */
  errors?: Array<string>;
  /** The command that would permit it. */
  suggestion?: string | null;
}

/** Ends a call before it begins. */
export interface DenyRequest {
  /** Why; whoever made the call is told. */
  reason?: string | null;
}

/** What has become of a sign-in at the provider: one of both. */
export interface DeviceAnswer {
  signedIn?: SignedIn | null;
  /** Nobody has entered the code yet: when to ask again, in milliseconds. */
  againInMs?: number | null;
}

/** Asks what has become of a sign-in at the provider. */
export interface DeviceQuestion {
  /** What its beginning gave. */
  device: string;
}

/** A sign-in at the provider that has begun: somebody enters a code at its page. */
export interface DeviceSignIn {
  /** What is asked by what has become of it; whoever has this signs in. */
  device: string;
  /** What is entered. */
  code: string;
  /** Where. */
  url: string;
  /** Where it is entered already. */
  link?: string | null;
  /** When to ask what has become of it, in milliseconds. */
  againInMs: number;
  /** Until when it can be entered. */
  until: Time;
}

/** What `apply` would change. */
export interface DiffResult {
  /** Whether anything would change. */
  differs: boolean;
  /** The loops, in order. */
  loops?: Array<LoopDiff>;
  /** The policies and rates that files of other systems become. */
  restrictions?: Array<RestrictionDiff>;
  /** What will not do what it seems to. */
  warnings?: Array<Fault>;
}

/** Which half of a call a run is. */
export type Direction = "local" | "out" | "in";

/** A permission to take back: by its id, or by what it permits. */
export interface DisallowRequest {
  /** Its id. */
  policyId?: string | null;
  /** Realm by name; alone, all that it was allowed. */
  caller?: string | null;
  /** The action. */
  action?: string | null;
  /** Loop id or pattern. */
  loop?: string | null;
  /** Show what would be removed, remove nothing. */
  dryRun?: boolean;
}

/** Permissions taken back. */
export interface Disallowed {
  /** The policies. */
  removed?: Array<PolicyView>;
  /** Whether nothing was removed. */
  dryRun: boolean;
}

/** All that `doctor` found. */
export interface Doctor {
  /** The worst of all. */
  status: Finding;
  /** The groups, in order. */
  groups?: Array<CheckGroup>;
}

/** Which bids are good, and how many of them are enough. */
export interface Enough {
  /** How many. */
  bids: number;
  /** Highest price of a good one, millionths of the currency. */
  priceMicros?: number | null;
  /** Longest time to the result of a good one, milliseconds. */
  timeMs?: number | null;
  /** Lowest confidence of a good one, millionths. */
  confidence?: number | null;
}

/** The content of a run is to be erased. */
export interface EraseRequest {
  /** Whether only to say what would go. */
  dryRun?: boolean;
  /** Why, for those who read the audit log later. */
  why?: string | null;
}

/** What was erased of a run, or would be. */
export interface EraseResult {
  /** The run as it stands now. */
  run: RunSummary;
  /** SHA-256 of the input that went. */
  inputDigest?: string | null;
  /** SHA-256 of the output that went. */
  outputDigest?: string | null;
  /** Bytes of input and output. */
  bytes: number;
  /** Events of its trace, which lose what they say of contents. */
  events: number;
  /** Answers kept under idempotency keys that went with it. */
  answers: number;
  /** Whether nothing was erased yet. */
  dryRun: boolean;
}

/** That the content of a run was erased. */
export interface Erasure {
  /** When. */
  at: Time;
  /** By whom. */
  by: string;
}

/** A file that proves how a broadcast went, by itself. */
export interface EvidenceFile {
  /** The broadcast. */
  broadcastId: string;
  /** The bytes, in base64url without padding. */
  evidence: string;
}

/** What a decision is, or should be. */
export type Expectation = "permit" | "deny";

/** A certificate or key that will expire. */
export interface Expiry {
  /** What it is: `node certificate`, `child certificate from acme`, `peering with lab`. */
  name: string;
  /** When it is no longer valid. */
  notAfter: Time;
  renewsAt?: Time | null;
}

/** What can be done about a failure. */
export type FailureCategory = "transient" | "validation" | "business" | "permission" | "unknown";

/** One fault, at its place. */
export interface Fault {
  /** JSON pointer into the request or document. */
  pointer?: string | null;
  /** File, as named in the request. */
  file?: string | null;
  /** Line, from one. */
  line?: number | null;
  /** Column, from one, in characters. */
  column?: number | null;
  /** The rule that was broken, by name or link. */
  rule?: string | null;
  /** What is wrong. */
  message: string;
  /** What helps. */
  hint?: string | null;
  /** The line of the file. */
  snippet?: string | null;
}

/** What another realm shows of the run that served a call. */
export interface FederatedPart {
  /** The realm. */
  realm: string;
  /** The call, as its caller names it. */
  callId: string;
  /** The loop that was called. */
  loop: string;
  /** The part that led here, by its place in the list; none for a call of this realm's. */
  from?: number | null;
  /** What came of the question. */
  outcome: PartOutcome;
  /** Why nothing is shown. */
  reason?: string | null;
  digests?: PartDigests | null;
  /** How many of its events, from the first, come to what the realm has signed, where that is so; it may have added those
   * from this index on later. */
  signedEvents?: number | null;
  /** The run there. */
  runId?: string | null;
  /** Events that are not shown. */
  hidden?: number;
  /** Events that are shown, in order. */
  events?: Array<TraceEvent>;
}

/** A run's trace, followed through the realms that it led to. */
export interface FederatedTrace {
  /** This realm's run. */
  run: RunDetail;
  /** This realm's events, in order. */
  events?: Array<TraceEvent>;
  /** The calls of other realms; whoever led to one stands before it. */
  parts?: Array<FederatedPart>;
}

/** How a check ended. */
export type Finding = "ok" | "warn" | "fail" | "skip";

/** One call of a run. Members that nothing was recorded for are left out. */
export interface Frame {
  /** The call. */
  callId: string;
  /** The loop's id. */
  loop: string;
  /** The loop's version, once known. */
  version?: string | null;
  /** Digest of the loop's contract. */
  contract?: string | null;
  /** The realm that runs it; none for this one. */
  realm?: string | null;
  /** The realm that asked for it, where that is not this one. */
  caller?: string | null;
  /** The step of the calling loop, from zero. */
  step?: number | null;
  /** The branch of a parallel step, from zero. */
  branch?: number | null;
  /** The item of a `forEach` step, from zero. */
  item?: number | null;
  /** Whether it ran because another loop had failed. */
  fallback?: boolean;
  /** Where it stands. */
  status: RunStatus;
  /** When it began. */
  startedAt: Time;
  /** Milliseconds it took. */
  durationMs?: number | null;
  /** Name of the failure, if it failed. */
  error?: string | null;
  /** What happened, if it failed. */
  message?: string | null;
  /** What may be done about the failure: `transient`, `validation`, …. */
  category?: string | null;
  /** How often it was tried; none before this was counted. */
  attempts?: number | null;
  /** The backend that answered. */
  backend?: string | null;
  /** The model that answered. */
  model?: string | null;
  /** Version of the prompt. */
  promptVersion?: string | null;
  /** Tokens that went in, over all attempts. */
  inputTokens?: number | null;
  /** Tokens that came out, over all attempts. */
  outputTokens?: number | null;
  /** Cost over all attempts, in millionths of the currency the backend bills in. */
  costMicros?: number | null;
  budget?: Budget | null;
  spent?: Spend | null;
  /** What carries it out, where that is a tool: `builtin:echo`, `http`, `process`. */
  tool?: string | null;
  /** How often the tool was called. */
  toolCalls?: number | null;
  /** Digest of the input. */
  inputDigest?: string | null;
  /** Digest of the output. */
  outputDigest?: string | null;
  /** Input; never in a [`FrameTree`]. */
  input?: unknown;
  /** Output; never in a [`FrameTree`]. */
  output?: unknown;
}

/** One call in the tree of a run. */
export interface FrameTree extends Frame {
  /** The calls it made, in order. */
  children?: Array<FrameTree>;
  /** How many calls below it are left out, because the tree would be too deep; the trace has them. */
  omitted?: number | null;
}

/** Why a realm knows a grant. */
export type GrantKept = "given" | "held";

/** Something to grant. */
export interface GrantRequest {
  /** The realm that may use it. */
  holder: string;
  /** The loops: ids, or how ids begin with `*` behind it. They are this realm's, or with `from` those of
   * the realm that grant is by. */
  loops: Array<string>;
  /** How many calls may begin by it; absent for any number, or as many as `from` lets. */
  uses?: number | null;
  budget?: Budget | null;
  /** How long it is good, milliseconds; absent for a day. */
  forMs?: number | null;
  /** The id of a grant that this realm holds, to hand on some of. */
  from?: string | null;
}

/** One grant of a chain. */
export interface GrantStep {
  /** Its id. */
  id: string;
  /** Who gave it, as this realm calls it, or by its id. */
  issuer: string;
  /** Who may use it. */
  holder: string;
  /** The loops. */
  loops: Array<string>;
  /** How many calls may begin by it. */
  uses?: number | null;
  budget?: Budget | null;
  /** When it is good no more. */
  until: Time;
}

/** A grant. */
export interface GrantView {
  /** Its id: what it is taken back by. */
  id: string;
  /** Why this realm knows it. */
  kept: GrantKept;
  /** The realm whose loops it is for. */
  realm: string;
  /** Who may use it. */
  holder: string;
  /** The loops. */
  loops: Array<string>;
  /** How many calls may begin by it. */
  uses?: number | null;
  /** How many have: where it was given those of all that was handed on of it too, where it is held those
   * of this realm since the daemon began. */
  used: number;
  budget?: Budget | null;
  /** When it was given. */
  since: Time;
  /** When it is good no more. */
  until: Time;
  revoked?: Time | null;
  /** Who gave whom: the realm's own grant first, this one last. */
  chain: Array<GrantStep>;
  /** The line for its holder; only when it was just given, or is asked for by its id. */
  grant?: string | null;
}

/** A word that lets something stand still. */
export interface Halt {
  /** Who said it. */
  by: string;
  /** When. */
  at: Time;
  /** Why. */
  why?: string | null;
  /** Loops that go on all the same. */
  loops?: Array<string>;
  /** Runs that go on all the same. */
  runs?: Array<string>;
}

/** One change of what stands still. */
export interface HaltChange {
  /** Its number. */
  number: number;
  /** When it was made. */
  at: Time;
  /** Who made it. */
  by: string;
  /** Whether something stands still since, and does not go on. */
  halted: boolean;
  /** What it is about. */
  what: string;
  /** Why. */
  why?: string | null;
}

/** Something to stand still; this realm and every realm below it unless told otherwise. */
export interface HaltRequest {
  /** This loop alone. */
  loop?: string | null;
  /** This realm alone: this one, or one below. */
  realm?: string | null;
  /** This realm and every realm below it. */
  subtree?: string | null;
  /** Why, for those who read it later. */
  why?: string | null;
  /** How long to wait for realms below to confirm, milliseconds; at most a minute. */
  waitMs?: number | null;
}

/** What stands still. */
export interface HaltState {
  all?: Halt | null;
  /** Whether every realm below is meant with the whole realm. */
  tree?: boolean;
  /** Loops. */
  loops?: Array<LoopHalt>;
  /** Realms above that let this one stand still, for what it does for others or through the tree. */
  above?: Array<AboveHalt>;
  /** Realms below that are told to stand still, or to go on. */
  below?: Array<BelowHalt>;
  /** Runs that stand still by that. */
  runs: number;
  /** What was changed, the newest first. */
  changes?: Array<HaltChange>;
}

/** Where an audit log stood. */
export interface HeadView {
  /** How many entries there were. */
  count: number;
  /** The root of the tree of all of them. */
  root: string;
  /** When that was signed, by the clock of that realm. */
  signedAt: Time;
}

/** Whether the process answers. */
export interface Health {
  /** `ok`. */
  status: string;
  /** Version of the daemon. */
  version: string;
}

/** A grant of another realm's. */
export interface HoldRequest {
  /** The line that its giver was shown. */
  grant: string;
}

/** An image of containers. */
export interface ImageView {
  /** What names it. */
  image: string;
  /** Why containers cannot be made from it now; absent if they can. */
  fault?: string | null;
  /** The loops that run in it. */
  loops: Array<string>;
}

/** What `import` made. */
export interface ImportResult {
  /** The definitions, in order. */
  documents?: Array<Imported>;
}

/** One foreign definition in our own form. */
export interface Imported {
  /** The loop's id. */
  id: string;
  /** The format it was written in. */
  format: string;
  /** The definition, YAML. */
  text: string;
  /** The definition. */
  document: unknown;
  /** What has no counterpart. */
  notes?: Array<string>;
}

/** What the daemon is, apart from its state. */
export interface Info {
  /** The realm. */
  realm: RealmView;
  /** Id of the node that serves it. */
  node: string;
  /** Version of the daemon. */
  version: string;
  /** Wire versions it speaks, the newest first. */
  wireVersions?: Array<number>;
  /** Operating system and processor: `linux-x86_64`. */
  platform: string;
  /** The realm's folder. */
  home: string;
  /** Kinds of backends it can call. */
  backends?: Array<string>;
  /** Addresses it gives to others, the best first. */
  addresses?: Array<string>;
  /** Its limits, by name. */
  limits?: Record<string, number>;
}

/** What an invitation is for. */
export type InviteKind = "child" | "peer";

/** Which loop is called with what. */
export interface InvokeRequest {
  /** Address: `loop` or `loop@realm/path`. */
  loop: string;
  /** Input, as the loop's input schema has it. */
  input: unknown;
  /** The version the caller means; none for the current one. */
  version?: string | null;
  /** How long to wait, milliseconds. */
  timeoutMs?: number | null;
  /** Asking again under the same key never runs the loop twice. */
  idempotencyKey?: string | null;
  /** Answer as soon as the run has begun, with status `running`. */
  detach?: boolean;
  /** Let the callee's parent keep the call while the callee is offline; it then waits 7 days where
   * `timeoutMs` does not say, and at most. */
  store?: boolean;
  /** Show what the output is being made of while it is made: the answer is server-sent events,
   * `event: part` with a [`StreamPart`] each, the last `event: end` with an [`InvokeResult`]. Whoever
   * hangs up takes the call back. */
  stream?: boolean;
  budget?: Budget | null;
  /** The backend, `office` or with a model `office:small`, that prompts ask in this run instead of their own; only of runs in
   * this realm. */
  backend?: string | null;
}

/** What became of a call. */
export interface InvokeResult {
  /** The run here. */
  runId: string;
  /** The call; the same id in both realms. */
  callId: string;
  /** The loop's id. */
  loop: string;
  /** The realm that ran it; none for this one. */
  realm?: string | null;
  /** The loop's version, once known. */
  version?: string | null;
  /** How it ended. */
  status: InvokeStatus;
  /** The requests for approvals that it waits for; only of detached calls. */
  approvals?: Array<string>;
  /** Output, if it ended well. */
  output?: unknown;
  error?: CallError | null;
  /** When it began. */
  startedAt: Time;
  endedAt?: Time | null;
  /** Milliseconds between. */
  durationMs?: number | null;
  /** Realms on the way, from here to the one that ran it. */
  hops?: Array<string> | null;
  /** Whether this is an earlier answer given again. */
  replayed?: boolean | null;
  spent?: Spend | null;
}

/** How a call ended, or that it has not. */
export type InvokeStatus = "ok" | "error" | "running";

/** A ticket, redeemed. */
export interface JoinRequest {
  /** The ticket's text. */
  ticket: string;
  /** What to call the inviter's root here, if not as it proposes. */
  petname?: string | null;
  /** Loops here that the inviter may invoke; for peers. */
  allow?: Array<string>;
}

/** What was joined. */
export interface Joined {
  /** As what. */
  kind: InviteKind;
  /** This realm, as it is named now. */
  realm: RealmView;
  /** The parent or the peer. */
  with: RealmView;
  /** When the certificate or peering ends, unless renewed. */
  expiresAt: Time;
  /** Ids of the policies that were added. */
  policies?: Array<string>;
}

/** How near realms are that are asked whatever they are called. */
export interface Levels {
  /** Levels below this realm. */
  down?: number;
  /** Levels above it, each with so many levels below it as there are down. */
  up?: number;
  /** Levels of each peer's tree. */
  across?: number;
}

/** How a link stands. */
export type LinkState = "connected" | "connecting" | "offline" | "revoked";

/** A realm this one has a link with, or should have. */
export interface LinkView {
  /** Its name here. */
  name: string;
  /** Its id, once known. */
  realm?: string | null;
  /** How the link stands. */
  state: LinkState;
  /** Why it is not connected. */
  error?: string | null;
}

/** One change of a loop. */
export interface LoopChange {
  /** When it was made. */
  at: Time;
  /** Who made it. */
  by: string;
  /** What was done. */
  action: ApplyAction;
  /** The version it was done to. */
  version: string;
  /** The revision. */
  digest: string;
  compatibility?: Compatibility | null;
  /** Why it was not compatible. */
  reasons?: Array<string>;
  /** Why it was made, as who made it says. */
  why?: string | null;
}

/** A loop's contract. */
export interface LoopDetail extends LoopSummary {
  /** JSON Schema of its input. */
  inputSchema: unknown;
  /** JSON Schema of its output. */
  outputSchema: unknown;
  /** An input to fill in, where asked for. */
  example?: unknown;
  /** Its whole definition; only for loops of this realm. */
  manifest?: unknown;
}

/** What `apply` would do with one loop. */
export interface LoopDiff extends Applied {
  /** The lines that differ, unified, of the definition as YAML with sorted keys; empty if none
   * do. */
  text: string;
}

/** A loop that stands still. */
export interface LoopHalt {
  /** The loop. */
  loop: string;
  /** The word. */
  halt: Halt;
}

/** A loop, without its schemas. */
export interface LoopSummary {
  /** The loop's id. */
  id: string;
  /** Its version. */
  version: string;
  /** `prompt`, `composite`, `tool` or `stack`. */
  kind: string;
  /** `none`, `idempotent` or `once`. */
  effects: string;
  /** What it is for. */
  description?: string | null;
  /** Digest of its contract. */
  digest: string;
  /** The realm that owns it; none for this one. */
  realm?: string | null;
}

/** A loop that a prompt's model may call. What a loop of another realm is, is that realm's word. */
export interface ModelToolView {
  /** What the model calls it. */
  name: string;
  /** The loop, here or in another realm. */
  loopId: string;
  /** What it is for. */
  description?: string | null;
  /** JSON Schema of its input. */
  inputSchema: unknown;
  /** JSON Schema of its output. */
  outputSchema: unknown;
  /** SHA-256 of its name, description and contract: what is approved. Empty for a loop of this realm, which
   * nobody approves, and where the other realm does not tell it. */
  digest: string;
  /** Whether it is what was approved; a loop of this realm always is. */
  state: ToolState;
  /** Why it cannot be told what it is. */
  fault?: string | null;
}

/** How what a realm shows stands by what it has signed before. */
export type PartDigests = "signed" | "differ" | "unsigned" | "erased";

/** What came of a question for a trace. */
export type PartOutcome = "shown" | "refused" | "unreachable" | "notAsked";

/** Holds a run where it stands. It says nothing more yet. */
export type PauseRequest = Record<string, unknown>;

/** A realm next to this one, in full. */
export interface PeerDetail extends PeerSummary {
  /** Id of the node at the other end of the link, while there is one. */
  node?: string | null;
  /** Of a peer: the realms of its tree whose messages are let in, with all below them. */
  scopes?: Array<string>;
}

/** How a realm is next to this one. */
export type PeerKind = "parent" | "child" | "peer";

/** A realm next to this one. */
export interface PeerSummary {
  /** Its name here. */
  name: string;
  /** Its id; empty where it is not known. */
  realm?: string;
  /** How it is next to this one. */
  kind: PeerKind;
  /** How the link stands. */
  link: LinkView;
  expiresAt?: Time | null;
}

/** What says who somebody is. */
export type PersonSource = "config" | "ldap" | "oidc";

/** Somebody who uses the realm. */
export interface PersonView {
  /** What they are called here, in traces, policies and the audit log. */
  name: string;
  /** What says who they are. */
  source: PersonSource;
  /** What they may do: viewer, operator, approver, owner. */
  roles: Array<string>;
  /** The user of the machine that they are at the socket. */
  uid?: number | null;
  /** Whether they have a token of their own. */
  token?: boolean;
  /** Those of their groups that the realm gives roles for. */
  groups?: Array<string>;
  read?: Time | null;
  /** How often they have signed in, where that is still good. */
  signIns?: number | null;
  until?: Time | null;
}

/** Cedar text taken into force. */
export interface PolicyApplied {
  /** The policy's id, for `disallow`. */
  policyId: string;
  /** Whether it took the place of another text. */
  replaced: boolean;
  /** What will not do what it seems to. */
  warnings?: Array<Fault>;
  /** Whether nothing was changed. */
  dryRun: boolean;
}

/** Cedar text to take into force. */
export interface PolicyApply {
  /** The policy's id, whose text it replaces. */
  id: string;
  /** The text. */
  text: string;
  /** Whether it decides for every realm below instead of this one. */
  subtree?: boolean;
  /** Check it, change nothing. */
  dryRun?: boolean;
}

/** A question to the policy, and the answer it should give. */
export interface PolicyCase {
  /** Realm by name. */
  principal: string;
  /** The action. */
  action: string;
  /** `loop@realm` or a realm by name; a bare loop is of this realm. */
  resource: string;
  /** The answer it should give. */
  expect: Expectation;
}

/** A question, answered. */
export interface PolicyCaseResult {
  /** The question. */
  case: PolicyCase;
  /** The answer. */
  got: Expectation;
  /** Whether it is as it should be. */
  ok: boolean;
  /** The level that denied. */
  level?: string | null;
  /** Ids of the policies it rests on; none where nothing permits. */
  determining?: Array<string>;
}

/** Questions to the policy. */
export interface PolicyCases {
  /** The questions. */
  cases?: Array<PolicyCase>;
}

/** A decision of the past that would be another one. */
export interface PolicyChange {
  /** The question. */
  question: PolicyQuestion;
  /** The answer under what is in force. */
  before: Expectation;
  /** The answer that it would be. */
  after: Expectation;
  /** How often it was asked. */
  times: number;
  /** When it was asked last. */
  last: Time;
  /** Ids of the policies that would forbid it; none where nothing would permit it. */
  determining?: Array<string>;
}

/** What a check of Cedar text found. */
export interface PolicyChecked {
  /** Whether it can be used. */
  valid: boolean;
  /** Policies in it. */
  policies: number;
  /** What is wrong, at its place. */
  errors?: Array<Fault>;
  /** What will not do what it seems to. */
  warnings?: Array<Fault>;
}

/** A question to the policy, answered and explained. */
export interface PolicyExplained {
  /** The question. */
  question: PolicyQuestion;
  /** The answer. */
  got: Expectation;
  /** What each level says, the root's first. */
  levels?: Array<PolicyLevel>;
  /** The command that would permit it. */
  suggestion?: string | null;
}

/** What a level says by itself. */
export interface PolicyLevel {
  /** `own`, or the realm above by name. */
  level: string;
  /** `permits`, `forbids`, `silent` or `fails`. */
  answer: string;
  /** Ids of the policies that say so. */
  policies?: Array<string>;
  /** Policies that failed, and so denied. */
  errors?: Array<string>;
}

/** A question to the policy. */
export interface PolicyQuestion {
  /** Realm by name, `person=NAME:ROLE` or `loop=ID`. */
  principal: string;
  /** The action. */
  action: string;
  /** `loop@realm`, a realm by name, `agent=NAME`, `tool=NAME` or `host=NAME`; a bare loop is of this realm. */
  resource: string;
}

/** What Cedar text would have changed. */
export interface PolicyShadow {
  /** Calls and denials of the past that were asked about again. */
  asked: number;
  /** Those whose names mean nothing here any more. */
  unknown: number;
  /** The decisions that would be others. */
  changes?: Array<PolicyChange>;
}

/** All questions, answered. */
export interface PolicyTested {
  /** As they should be. */
  passed: number;
  /** Not. */
  failed: number;
  /** One a question. */
  results?: Array<PolicyCaseResult>;
}

/** Cedar text to check. */
export interface PolicyText {
  /** File name, for messages. */
  name?: string | null;
  /** The id that it would have: the policy of that id in force is not looked at. */
  id?: string | null;
  /** The text. */
  text: string;
  /** Whether it would decide for every realm below instead of this one. */
  subtree?: boolean;
}

/** One policy. */
export interface PolicyView {
  /** Its id. */
  id: string;
  /** `own`, `subtree`, or the realm above that decides: `acme/health`. */
  level: string;
  /** What it does, in a few words; where these do not suffice, how its text begins. */
  summary?: string;
  /** Cedar text. */
  cedar: string;
  createdAt?: Time | null;
  expiresAt?: Time | null;
}

/** An answered ping. */
export interface Pong {
  /** The realm's name here. */
  name: string;
  /** Its id. */
  realm: string;
  /** Round trip, microseconds. */
  roundTripMicros: number;
  /** Realms on the way, from here to there. */
  hops?: Array<string>;
}

/** Why a request was not done. */
export interface Problem {
  /** The page about it: `urn:realm:error:` and the code's slug. */
  type: string;
  /** What kind of problem it is; the same for each of its kind. */
  title: string;
  /** HTTP status. */
  status: number;
  /** What happened this time. */
  detail: string;
  /** Catalogue code, `RLM-0106`. */
  code: string;
  /** What helps; a command where there is one. */
  hint?: string | null;
  /** The run it is about, where there is one. */
  traceId?: string | null;
  /** For `policy why`, after a denial. */
  reference?: string | null;
  /** When to try again, milliseconds from now. */
  retryAfterMs?: number | null;
  /** The single faults, where there are several or they have a place. */
  errors?: Array<Fault>;
}

/** Which version is to be called from now on. */
export interface PromoteRequest {
  /** The version; or else `best` says which. */
  version?: string | null;
  best?: ScoreKind | null;
  /** Why, for the history. */
  why?: string | null;
}

/** A prompt with what was done with it. */
export interface PromptDetail extends PromptSummary {
  /** What the model is told, with the places of variables. */
  template: string;
  /** What it is told of itself. */
  systemPrompt?: string | null;
  /** Who fills it. */
  backend: string;
  /** Its latest scores, the newest last. */
  scores: Array<PromptScore>;
  /** What was done with it, the newest last. */
  changes: Array<PromptEvent>;
}

/** The lines in which two versions differ. */
export interface PromptDiff {
  /** The one version. */
  from: string;
  /** The other. */
  to: string;
  /** A unified diff; empty where they do not differ. */
  text: string;
}

/** Something that was done with a prompt. */
export interface PromptEvent {
  /** When. */
  at: Time;
  /** Who did it. */
  by: string;
  /** What was done. */
  action: ApplyAction;
  /** The version it was done with. */
  version: string;
  /** Why, as who did it says. */
  why?: string | null;
}

/** How good a version was found by scores of one kind. */
export interface PromptMean {
  /** By what. */
  kind: ScoreKind;
  /** The mean, from 0 to 1. */
  mean: number;
  /** How often. */
  count: number;
}

/** A score of a version. */
export interface PromptScore {
  /** When it was given. */
  at: Time;
  /** Who gave it. */
  by: string;
  /** The version. */
  version: string;
  /** From 0 to 1. */
  score: number;
  /** By what it was found. */
  kind: ScoreKind;
  /** Why. */
  why?: string | null;
  /** The run that it is about. */
  run?: string | null;
}

/** A version's part of the calls. */
export interface PromptShare {
  /** The version. */
  version: string;
  /** Its weight, at least 1. */
  weight: number;
}

/** A prompt. */
export interface PromptSummary {
  /** The loop that it is. */
  id: string;
  /** The version that calls get which name none. */
  version: string;
  /** Its versions, the newest first. */
  versions: Array<PromptVersion>;
}

/** A version of a prompt. */
export interface PromptVersion {
  /** The version. */
  version: string;
  /** Its revision. */
  digest: string;
  /** Whether it is the current one. */
  current: boolean;
  /** Its part of the calls that name no version, of the sum of all parts. */
  weight: number;
  /** How good it was found, by each kind of scores that there are of it. */
  means: Array<PromptMean>;
}

/** What the realms of another root call somebody. */
export interface PseudonymView {
  /** What they call them. */
  pseudonym: string;
  /** What they are called here. */
  name: string;
  /** The root. */
  realm: string;
}

/** How often calls begin, by who calls. */
export interface RateRequest {
  /** What it is called. */
  name: string;
  /** Whose calls: those of a realm such as `lab/genomics` and all below it; none for everybody's but this
   * realm's own. */
  callers?: string | null;
  /** Calls of which loops; without any, of all. */
  loops?: Array<string>;
  /** How many begin in a minute. */
  perMinute: number;
  /** How many begin at once; 1 unless told. */
  burst?: number | null;
  /** Whether its callers share it; otherwise each organisation has as much. */
  shared?: boolean | null;
  /** How many wait for their turn, in their own time; none unless told, and one more is `Overloaded`. */
  queue?: number | null;
}

/** A rate, and what it has done since the daemon started. */
export interface RateView {
  /** What it is called. */
  name: string;
  /** Whether it stands in `realm.toml`, and was not applied. */
  configured: boolean;
  /** Whose calls; none for everybody's but this realm's own. */
  callers?: string | null;
  /** Calls of which loops; without any, of all. */
  loops?: Array<string>;
  /** How many begin in a minute. */
  perMinute: number;
  /** How many begin at once. */
  burst: number;
  /** Whether its callers share it. */
  shared: boolean;
  /** How many wait for their turn. */
  queue: number;
  /** Calls that waited for their turn. */
  waited: number;
  /** Calls that were refused. */
  refused: number;
}

/** Whether the realm can serve calls. */
export interface Ready {
  /** Whether it can. */
  ready: boolean;
  /** Why not. */
  reasons?: Array<string>;
}

/** A realm, as far as known here. */
export interface RealmDetail {
  /** The realm. */
  realm: RealmView;
  state?: LinkState | null;
  /** Id of the node that serves it, where it is this realm or one with a live link. */
  node?: string | null;
  expiresAt?: Time | null;
  /** Loops registered; only of this realm. */
  loops?: number | null;
}

/** All trees known here. */
export interface RealmForest {
  /** One a root, this realm's own first. */
  trees?: Array<RealmNode>;
}

/** It is attached; calls follow. */
export interface RealmMessageAttached {
  /** What the agent calls itself. */
  agent: string;
  /** The loops it serves now. */
  loops: Array<ServedLoop>;
  /** Calls that it is given at once. */
  concurrency: number;
  type: "attached";
}

/** Asks for a piece of work. Every call is answered once, by `output` or `failure`, a cancelled one too. */
export interface RealmMessageCall {
  /** The call's number on this connection. */
  call: number;
  /** The loop. */
  loop: string;
  /** The version that is called. */
  version: string;
  /** The same in every attempt at the same work. */
  key: string;
  /** The input; it matches the loop's schema. */
  input: unknown;
  /** What the agent keeps under the keys that the loop names: `{KEY: {value, version}}`, null for what is not there;
   * absent where the loop keeps none. */
  state?: unknown;
  /** What people have said to the questions of earlier calls for the same work: `{question, about, granted, people,
   * reason}` each, in order; absent where the loop asks nobody. */
  answers?: unknown;
  /** Whether somebody wants to see what the output is being made of, by `part`. */
  stream?: boolean;
  /** Milliseconds until the answer must be there. */
  timeoutMs: number;
  type: "call";
}

/** Nobody waits for the call any more: the work should stop. */
export interface RealmMessageCancel {
  /** The call's number. */
  call: number;
  type: "cancel";
}

/** Says why the connection is closed. */
export interface RealmMessageRefused {
  /** What was wrong. */
  problem: Problem;
  type: "refused";
}

/** What a realm says to an agent. */
export type RealmMessage = RealmMessageAttached | RealmMessageCall | RealmMessageCancel | RealmMessageRefused;

/** A realm in a tree. */
export interface RealmNode {
  /** Its name here. */
  name: string;
  /** Its last label; of a root, its petname. */
  label: string;
  /** Its id, where known. */
  id?: string | null;
  /** Whether it is this realm. */
  self: boolean;
  state?: LinkState | null;
  expiresAt?: Time | null;
  /** Its children, as far as known here. */
  children?: Array<RealmNode>;
}

/** A realm, as named here. */
export interface RealmView {
  /** Petname of its root and path: `acme/health`. */
  name: string;
  /** Its id; empty where it is not known. */
  id?: string;
  /** Id of its tree's root. */
  root: string;
  /** What this machine calls that root. */
  petname: string;
  /** Path below the root; empty for a root. */
  path: string;
}

/** Receipts that prove themselves. */
export interface ReceiptFile {
  /** How many there are. */
  count: number;
  /** The bytes, in base64url without padding. */
  evidence: string;
}

/** What was removed. */
export interface Removed {
  /** Its id. */
  id: string;
  /** The version that was removed; none for all of it. */
  version?: string | null;
}

/** A breaker to be closed. */
export interface ResetRequest {
  /** Why, for those who read the audit log later. */
  why?: string | null;
}

/** What `apply` would do with one of them. */
export interface RestrictionDiff extends AppliedRestriction {
  /** The lines that differ, unified; empty if none do. */
  text: string;
}

/** What a restriction of another system's is kept as. */
export type RestrictionKind = "policy" | "rate" | "limit";

/** What becomes of a call whose outcome is unknown. */
export type ResumeDecision = "again" | Record<string, unknown>;

/** Lets a paused run go on. */
export interface ResumeRequest {
  decision?: ResumeDecision | null;
}

/** Why a child or peer is cut off. */
export interface RevokeRequest {
  /** For the record. */
  reason?: string | null;
}

/** What was cut off. */
export interface Revoked {
  /** The realm's name here. */
  name: string;
  /** Its id. */
  realm: string;
  /** Whether a live link was closed. */
  linkClosed: boolean;
}

/** Back to the version before. */
export interface RollbackRequest {
  /** Why, for the history. */
  why?: string | null;
}

/** A run with its payload. */
export interface RunDetail extends RunSummary {
  /** Input. */
  input?: unknown;
  /** Output, if it ended well. */
  output?: unknown;
  failure?: CallError | null;
  /** The requests for approvals that it waits for. */
  approvals?: Array<string>;
}

/** Why a run is where it is. */
export interface RunExplanation {
  /** The run. */
  run: RunSummary;
  /** One paragraph for people. */
  text: string;
  /** What it waits for; empty once it has ended. */
  waits?: Array<Wait>;
  /** Its calls that other realms have accepted, and whose end is told once it is known. */
  accepted?: Array<AcceptedCall>;
  /** A command that helps. */
  help?: string | null;
}

/** Where a run stands. */
export type RunStatus = "running" | "completed" | "failed" | "cancelled" | "paused";

/** A run, without its payload. */
export interface RunSummary {
  /** The run. */
  id: string;
  /** Its call; the same id in both realms. */
  callId: string;
  /** The loop's id. */
  loop: string;
  /** The loop's version, once known. */
  version?: string | null;
  /** Which half this is. */
  direction: Direction;
  /** The other realm; none for a local run. */
  peer?: string | null;
  /** Where it stands. */
  status: RunStatus;
  /** Whether it stands still because its realm, or a loop of it, is halted. */
  halted?: boolean;
  /** When it began. */
  startedAt: Time;
  endedAt?: Time | null;
  /** Milliseconds between. */
  durationMs?: number | null;
  /** Name of the failure, if it failed. */
  error?: string | null;
  /** The run here that caused it. */
  parent?: string | null;
  erased?: Erasure | null;
}

/** By what a score was found. */
export type ScoreKind = "person" | "evaluation" | "outcome";

/** How good a version was found. */
export interface ScoreRequest {
  /** From 0 to 1. */
  score: number;
  /** The version; where none is named, the one that the run used, or else the current one. */
  version?: string | null;
  /** By what it was found. */
  kind?: ScoreKind;
  /** The run that it is about. */
  run?: string | null;
  /** Why. */
  why?: string | null;
}

/** How bids are ranked. */
export type Select = "first" | "best" | "random" | "all" | "weighted";

/** A loop that an agent serves, as it is registered. */
export interface ServedLoop {
  /** The loop's id. */
  loop: string;
  /** Its version. */
  version: string;
  action?: ApplyAction | null;
}

/** Which versions share the calls that name none. */
export interface ShareRequest {
  /** The versions and their weights; the current one alone ends the sharing. */
  shares: Array<PromptShare>;
  /** Why, for the history. */
  why?: string | null;
}

/** Somebody who would sign in with a password. */
export interface SignInRequest {
  /** Their name in the directory. */
  name: string;
  /** Their password there. */
  password: string;
}

/** A sign-in that is good. */
export interface SignedIn {
  /** What is shown from now on: `Authorization: Bearer TOKEN`. */
  token: string;
  /** Who has signed in. */
  name: string;
  /** What they may do. */
  roles: Array<string>;
  /** Until when the token is good. */
  until: Time;
}

/** A sign-in that has ended. */
export interface SignedOut {
  /** Whether there was one. */
  ended: boolean;
}

/** Who held a slot last, and what came of it. */
export interface SlotResult {
  /** The slot, from 0. */
  slot: number;
  /** Its holder's id. */
  realmId: string;
  /** Digest of the holder's signed bid. */
  bid: string;
  /** Digest of its signed outcome, if it gave one. */
  outcome?: string | null;
  /** What it was to the output: `Contributed`, `Dissented`, `Failed`, …. */
  part: string;
  /** Why it has no output. */
  failure?: string | null;
}

/** A file, by value. */
export interface SourceFile {
  /** Absolute path, or `-` for what came through a pipe. */
  name: string;
  /** What it holds. */
  text: string;
  /** Whether it is here only because a definition refers to it by `$file`. */
  referred?: boolean;
}

/** What a call and all that it caused have used. */
export interface Spend {
  /** Money, by currency. */
  money?: Array<Amount>;
  /** Tokens of models, read and written. */
  tokens: number;
  /** How often a model, a tool, another realm or bidders were asked. */
  calls: number;
  /** How many of them cost what nobody knows. */
  unpriced?: number | null;
}

/** A member of a part's input. */
export interface StackInput {
  /** Its name. */
  name: string;
  /** Where it comes from: `$.input.text`. */
  from: string;
}

/** Work that a stack announces. */
export interface StackPart {
  /** Its step, from 0; parts of one step run side by side. */
  step: number;
  /** The loop that says how it is announced. */
  loop: string;
  /** What bidders must be able to do; if there is nothing, they have a loop of that name. */
  capabilities: Array<string>;
  /** Loops of this realm that can do it. */
  able: Array<string>;
  /** The members of its input, each with where it comes from; none where it gets the whole. */
  input?: Array<StackInput> | null;
  /** It runs only where this holds. */
  when?: string | null;
  /** How bids are chosen among: `best`, `all`, …. */
  select: string;
  /** How many bids win. */
  winners: number;
  /** Fewest bids. */
  minBids: number;
  /** How results are made one: `select`, `merge`, …. */
  aggregate: string;
  /** How long bids are taken, milliseconds. */
  windowMs: number;
  /** How long the work may take in all, milliseconds. */
  withinMs: number;
}

/** A composite whose steps announce work. */
export interface StackView {
  /** The composite's id. */
  id: string;
  /** Its version. */
  version: string;
  /** What it is for. */
  description?: string | null;
  /** What it announces, in the order in which it runs. */
  parts: Array<StackPart>;
}

/** How much an agent keeps. */
export interface StateSummary {
  /** The agent. */
  agent: string;
  /** How many keys it has. */
  keys: number;
  /** Bytes of their values, as JSON. */
  bytes: number;
  /** When the last change was made. */
  changed: Time;
}

/** One value that an agent keeps. */
export interface StateView {
  /** The agent. */
  agent: string;
  /** The key. */
  key: string;
  /** Rises by one with every change, from 1. */
  version: number;
  /** When this version was written. */
  changed: Time;
  /** The call that wrote it. */
  call: string;
  /** The value. */
  value: unknown;
}

/** Where the realm stands now. */
export interface Status {
  /** The realm. */
  realm: RealmView;
  /** Id of the node that serves it. */
  node: string;
  /** Version of the daemon. */
  version: string;
  /** Process id of the daemon. */
  pid: number;
  /** When it started. */
  startedAt: Time;
  /** Milliseconds since. */
  uptimeMs: number;
  /** Addresses it listens on, as multiaddr text. */
  listen?: Array<string>;
  /** Folder of its data. */
  dataDir: string;
  /** Socket of this API. */
  socket: string;
  /** Whether its owner halted it. */
  halted: boolean;
  parent?: LinkView | null;
  /** Its children. */
  children: ChildCounts;
  /** Roots it is peered with. */
  peers?: Array<LinkView>;
  /** Loops registered. */
  loops: number;
  /** Calls in flight. */
  calls: CallCounts;
  /** What expires, the soonest first. */
  certificates?: Array<Expiry>;
  /** The store. */
  store: StoreView;
  /** What was refused since the start, by reason. */
  counters?: Record<string, number>;
}

/** How the store stands. */
export type StoreState = "ok" | "failed";

/** The store. */
export interface StoreView {
  /** Its engine: `redb`. */
  engine: string;
  /** How it stands. */
  state: StoreState;
  /** Bytes on disk. */
  bytes: number;
  /** Last durable journal position. */
  lastSeq: number;
  /** Whether it came out of a backup. */
  restored: boolean;
  /** What failed. */
  error?: string | null;
}

/** An open invitation. */
export interface TicketIssued {
  /** Its text; holds a secret. */
  ticket: string;
  /** Its id. */
  id: string;
  /** What it is for. */
  kind: InviteKind;
  /** The label it gives. */
  label?: string | null;
  /** How often it can be used. */
  uses: number;
  /** When it is no longer good. */
  expiresAt: Time;
  /** Addresses of this realm in it, the best first. */
  addresses?: Array<string>;
}

/** Whom to invite, and to what. */
export interface TicketRequest {
  /** What the invitation is for. */
  kind: InviteKind;
  /** The child's label; for a peer, the name proposed for it. */
  label?: string | null;
  /** Loops the joiner may invoke, `loop` or `pattern*`; each becomes a policy when it joins. */
  allow?: Array<string>;
  /** How often it can be used; once unless told. */
  uses?: number | null;
  /** How long it is good, milliseconds; 24 hours unless told. */
  ttlMs?: number | null;
  /** What this realm would like its root to be called. */
  petname?: string | null;
}

export type Time = string;

/** What a realm's owner has said of a tool. */
export type ToolState = "unused" | "unapproved" | "approved" | "changed";

/** A tool of an MCP server. All of it but the state and the loops is the server's word. */
export interface ToolView {
  /** What the server calls it. */
  name: string;
  /** What it is for. */
  description?: string | null;
  /** JSON Schema of its arguments. */
  inputSchema: unknown;
  /** JSON Schema of its structured output; absent where it has none. */
  outputSchema?: unknown;
  /** SHA-256 of name, description and schemas: what is approved. */
  digest: string;
  /** Whether it is what was approved. */
  state: ToolState;
  /** The loops that call it. */
  loops?: Array<string>;
}

/** One realm's half of a trace. */
export interface Trace {
  /** The run. */
  run: RunDetail;
  /** Its events, in order. */
  events?: Array<TraceEvent>;
  /** Where more events follow: the `cursor` that asks for them. */
  next?: string | null;
}

/** One event of a trace. */
export interface TraceEvent {
  /** Position in the run, from zero, without gaps. */
  index: number;
  /** The frame it belongs to. */
  callId: string;
  /** When it happened. */
  ts: Time;
  /** `call.started`, `call.sent`, `call.completed`, …. */
  type: string;
  /** What is known about it. */
  payload: unknown;
}

/** Something that a bidder did. */
export interface TrustEvent {
  /** What: `Delivered`, `Late`, `GaveBack`, `Failed` or `Broke`. */
  conduct: string;
  /** When. */
  at: Time;
  /** How it was trusted after that, millionths. */
  trust: number;
}

/** Something to go on; everything unless told otherwise. */
export interface UnhaltRequest {
  /** This loop alone. */
  loop?: string | null;
  /** This run alone. */
  run?: string | null;
  /** This realm, and what was halted with it: this one, or one below. */
  realm?: string | null;
  /** Why, for those who read it later. */
  why?: string | null;
  /** How long to wait for realms below to confirm, milliseconds; at most a minute. */
  waitMs?: number | null;
}

/** What `validate` found; faults come as a problem document. */
export interface ValidateResult {
  /** The definitions, in order. */
  documents?: Array<Validated>;
  /** What will not do what it seems to. */
  warnings?: Array<Fault>;
}

/** One definition that was checked. */
export interface Validated {
  /** The loop's id. */
  id: string;
  /** Its version. */
  version: string;
  /** Its kind. */
  kind: string;
  /** The format it is written in: `realm`, `lsem`. */
  format: string;
  /** The file it came from. */
  file?: string | null;
}

/** One call of a run that waits. */
export interface Wait {
  /** The call. */
  callId: string;
  /** Its loop, with its realm if that is another one. */
  loop: string;
  /** What for. */
  on: WaitsOn;
  /** Which attempt is under way, from 1. */
  attempt: number;
  since?: Time | null;
  until?: Time | null;
  /** Steps taken, where it is a machine. */
  steps?: number | null;
}

/** How many results are waited for; at least `minResults`. */
export type WaitFor = "all" | "quorum" | "majority" | "any";

/** What a call waits for. */
export type WaitsOn = "backend" | "realm" | "bidders" | "time" | "person" | "approval" | "step";

/** What a score is made of: how much each counts, up to 1,000. */
export interface Weights {
  /** A low price, against the highest. */
  price?: number;
  /** A short time, against the longest or the time for the work. */
  time?: number;
  /** Confidence. */
  confidence?: number;
  /** What this realm makes of the bidder. */
  trust?: number;
}

/** How far a second round goes. */
export interface Wider {
  /** Levels below this realm that are asked. */
  down?: number;
  /** Levels above it whose other subtrees are asked. */
  up?: number;
  /** Levels of each peer's tree that are asked. */
  across?: number;
  /** If any, only realms at or below these are asked, and those besides. */
  realms?: Array<string>;
  besides?: Levels | null;
}

/** A broadcast that was taken back, and who has confirmed it. Realms that its winners had called or announced
 * work to are told by these, and confirm it to them. */
export interface Withdrawal {
  /** The broadcast's run here. */
  runId: string;
  /** The loop whose work it was. */
  loop: string;
  /** How it ended: `Cancelled`, or otherwise if its outcome came first. */
  ending: string;
  /** Winners that said that they have stopped, by slot. */
  confirmed?: Array<string>;
  /** Winners that had the work and did not say so in time, by slot; their leases run out. */
  silent?: Array<string>;
  /** How many that worked for those in turn, at all levels, said that they have stopped. */
  confirmedBelow?: number;
  /** How many of them did not say so in time. */
  silentBelow?: number;
}

/** What proves a contradiction by itself. */
export interface WitnessFile {
  /** The other realm's name. */
  realm: string;
  /** The bytes, in base64url without padding. */
  evidence: string;
}

/** What this realm keeps, as a witness, of the audit log of another one. */
export interface WitnessView {
  /** The other realm's name. */
  realm: string;
  /** The newest head that is proven to go on from those before. */
  newest: HeadView;
  unprovenSince?: Time | null;
  contradiction?: ContradictionView | null;
}

/** What goes with a request. */
export interface Sent {
  body?: unknown;
  query?: Record<string, unknown>;
  key?: string | undefined;
}

/** The operations; whoever derives from it sends them. */
export abstract class Api {
  protected abstract send<T>(method: string, path: string, sent?: Sent): Promise<T>;

  /** Says where the realm stands now. */
  getStatus(): Promise<Status> {
    return this.send("GET", `/v1/status`);
  }

  /** Says what the daemon is. */
  getInfo(): Promise<Info> {
    return this.send("GET", `/v1/info`);
  }

  /** Says whether the process answers. */
  getHealth(): Promise<Health> {
    return this.send("GET", `/v1/health`);
  }

  /** Says whether the realm can serve calls. */
  getReady(): Promise<Ready> {
    return this.send("GET", `/v1/ready`);
  }

  /** Examines everything. */
  getDoctor(): Promise<Doctor> {
    return this.send("GET", `/v1/doctor`);
  }

  /** Shows the configuration in force. */
  getConfig(): Promise<ConfigView> {
    return this.send("GET", `/v1/config`);
  }

  /** Explains one key of the configuration. */
  getConfigKey(key: string): Promise<ConfigEntry> {
    return this.send("GET", `/v1/config/${encodeURIComponent(key)}`);
  }

  /** Calls a loop. */
  postInvoke(body: InvokeRequest, key?: string): Promise<InvokeResult> {
    return this.send("POST", `/v1/invoke`, { body, key });
  }

  /** Announces work without an address, and waits for its outcome. */
  postBroadcasts(body: BroadcastRequest): Promise<BroadcastResult> {
    return this.send("POST", `/v1/broadcasts`, { body });
  }

  /** Lists runs, the newest first. */
  getRuns(query: { loop?: string; peer?: string; status?: RunStatus; direction?: Direction; parent?: string; since?: Time; until?: Time; limit?: number; cursor?: string } = {}): Promise<Page<RunSummary>> {
    return this.send("GET", `/v1/runs`, { query });
  }

  /** Shows a run. */
  getRunsId(id: string): Promise<RunDetail> {
    return this.send("GET", `/v1/runs/${encodeURIComponent(id)}`);
  }

  /** Shows this realm's half of a trace, part by part. */
  getRunsIdTrace(id: string, query: { cursor?: string } = {}): Promise<Trace> {
    return this.send("GET", `/v1/runs/${encodeURIComponent(id)}/trace`, { query });
  }

  /** Follows a run's trace through the realms that it led to. */
  getRunsIdFederated(id: string): Promise<FederatedTrace> {
    return this.send("GET", `/v1/runs/${encodeURIComponent(id)}/federated`);
  }

  /** Shows the calls of a run, nested. */
  getRunsIdTree(id: string): Promise<FrameTree> {
    return this.send("GET", `/v1/runs/${encodeURIComponent(id)}/tree`);
  }

  /** Says why a run is where it is. */
  getRunsIdExplain(id: string): Promise<RunExplanation> {
    return this.send("GET", `/v1/runs/${encodeURIComponent(id)}/explain`);
  }

  /** Gives a transcript of a broadcast that a run has announced, or what one bidder may see of it. */
  getRunsIdTranscript(id: string, query: { call?: string | null; for?: string | null } = {}): Promise<EvidenceFile> {
    return this.send("GET", `/v1/runs/${encodeURIComponent(id)}/transcript`, { query });
  }

  /** Lists entries of the audit log, the newest first. */
  getAudit(query: { loop?: string; person?: string; caller?: string; action?: string; since?: Time; until?: Time; limit?: number; cursor?: string } = {}): Promise<Page<AuditEntry>> {
    return this.send("GET", `/v1/audit`, { query });
  }

  /** Gives a part of the audit log that proves itself. */
  getAuditExport(query: { loop?: string; person?: string; caller?: string; action?: string; since?: Time; until?: Time; limit?: number; cursor?: string } = {}): Promise<AuditFile> {
    return this.send("GET", `/v1/audit/export`, { query });
  }

  /** Lists what this realm keeps of the audit logs of its children and peers. */
  getAuditWitnessed(): Promise<Page<WitnessView>> {
    return this.send("GET", `/v1/audit/witnessed`);
  }

  /** Gives what proves that the audit log of a realm is not what it was. */
  getAuditWitnessedRealm(realm: string): Promise<WitnessFile> {
    return this.send("GET", `/v1/audit/witnessed/${encodeURIComponent(realm)}`);
  }

  /** Takes note that an owner has seen what contradicts the audit log of a realm. */
  postAuditWitnessedRealmAcknowledge(realm: string, body: AcknowledgeRequest): Promise<Page<WitnessView>> {
    return this.send("POST", `/v1/audit/witnessed/${encodeURIComponent(realm)}/acknowledge`, { body });
  }

  /** Gives receipts of calls that prove themselves. */
  getReceipts(query: { peer?: string; loop?: string; call?: string; since?: Time; until?: Time; limit?: number; statement?: boolean; open?: boolean } = {}): Promise<ReceiptFile> {
    return this.send("GET", `/v1/receipts`, { query });
  }

  /** Lists the bids that this realm has made, the newest first. */
  getBids(query: { limit?: number | null } = {}): Promise<Page<BidSummary>> {
    return this.send("GET", `/v1/bids`, { query });
  }

  /** Lists what this realm makes of bidders, the least trusted first, and why. */
  getBidders(): Promise<Page<BidderTrust>> {
    return this.send("GET", `/v1/bidders`);
  }

  /** Gives the receipt of a bid. */
  getBidsBid(bid: string): Promise<EvidenceFile> {
    return this.send("GET", `/v1/bids/${encodeURIComponent(bid)}`);
  }

  /** Lists calls that wait for people to approve them, the newest first. */
  getApprovals(query: { run?: string; all?: boolean } = {}): Promise<Page<ApprovalView>> {
    return this.send("GET", `/v1/approvals`, { query });
  }

  /** Shows exactly what is to be approved. */
  getApprovalsId(id: string): Promise<ApprovalView> {
    return this.send("GET", `/v1/approvals/${encodeURIComponent(id)}`);
  }

  /** Lets the call begin, once, as it was shown. */
  postApprovalsIdApprove(id: string, body: ApproveCallRequest): Promise<ApprovalView> {
    return this.send("POST", `/v1/approvals/${encodeURIComponent(id)}/approve`, { body });
  }

  /** Ends the call before it begins. */
  postApprovalsIdDeny(id: string, body: DenyRequest): Promise<ApprovalView> {
    return this.send("POST", `/v1/approvals/${encodeURIComponent(id)}/deny`, { body });
  }

  /** Lists what this realm has granted others, and what it was granted. */
  getGrants(): Promise<Page<GrantView>> {
    return this.send("GET", `/v1/grants`);
  }

  /** Grants another realm something. */
  postGrants(body: GrantRequest): Promise<GrantView> {
    return this.send("POST", `/v1/grants`, { body });
  }

  /** Takes what another realm has granted this one. */
  postGrantsHeld(body: HoldRequest): Promise<GrantView> {
    return this.send("POST", `/v1/grants/held`, { body });
  }

  /** Shows a grant, and who gave whom. */
  getGrantsId(id: string): Promise<GrantView> {
    return this.send("GET", `/v1/grants/${encodeURIComponent(id)}`);
  }

  /** Takes a grant back, or lets one go that is held; gives it as it was. */
  deleteGrantsId(id: string): Promise<GrantView> {
    return this.send("DELETE", `/v1/grants/${encodeURIComponent(id)}`);
  }

  /** Holds a run where it stands. */
  postRunsIdPause(id: string, body: PauseRequest): Promise<RunSummary> {
    return this.send("POST", `/v1/runs/${encodeURIComponent(id)}/pause`, { body });
  }

  /** Lets a paused run go on. */
  postRunsIdResume(id: string, body: ResumeRequest): Promise<RunSummary> {
    return this.send("POST", `/v1/runs/${encodeURIComponent(id)}/resume`, { body });
  }

  /** Erases the content of a run that has ended, and says what went. */
  postRunsIdErase(id: string, body: EraseRequest): Promise<EraseResult> {
    return this.send("POST", `/v1/runs/${encodeURIComponent(id)}/erase`, { body });
  }

  /** Cancels a run. */
  postRunsIdCancel(id: string, body: CancelRequest): Promise<CancelResult> {
    return this.send("POST", `/v1/runs/${encodeURIComponent(id)}/cancel`, { body });
  }

  /** Lists the breakers of all that has failed lately. */
  getBreakers(): Promise<Page<BreakerView>> {
    return this.send("GET", `/v1/breakers`);
  }

  /** Says how a breaker stands, and why. */
  getBreakersName(name: string): Promise<BreakerView> {
    return this.send("GET", `/v1/breakers/${encodeURIComponent(name)}`);
  }

  /** Closes a breaker: what it guards is asked again at once. */
  postBreakersNameReset(name: string, body: ResetRequest): Promise<BreakerView> {
    return this.send("POST", `/v1/breakers/${encodeURIComponent(name)}/reset`, { body });
  }

  /** Signs somebody in whom the directory knows; needs no token. */
  postSignIn(body: SignInRequest): Promise<SignedIn> {
    return this.send("POST", `/v1/sign-in`, { body });
  }

  /** Ends the sign-in whose token is shown. */
  deleteSignIn(): Promise<SignedOut> {
    return this.send("DELETE", `/v1/sign-in`);
  }

  /** Begins a sign-in at the provider: gives the code that somebody enters there; needs no token. */
  postSignInDevice(body: Record<string, unknown>): Promise<DeviceSignIn> {
    return this.send("POST", `/v1/sign-in/device`, { body });
  }

  /** Asks what has become of a sign-in at the provider; needs no token. */
  postSignInDeviceAsk(body: DeviceQuestion): Promise<DeviceAnswer> {
    return this.send("POST", `/v1/sign-in/device/ask`, { body });
  }

  /** Lists who uses the realm: those whom its configuration names, and those who have signed in. */
  getPeople(): Promise<Page<PersonView>> {
    return this.send("GET", `/v1/people`);
  }

  /** Says who somebody is, and what they may do. */
  getPeopleName(name: string): Promise<PersonView> {
    return this.send("GET", `/v1/people/${encodeURIComponent(name)}`);
  }

  /** Says what the realms of other roots call somebody, by their name here or by one of those. */
  getPseudonymsName(name: string): Promise<Page<PseudonymView>> {
    return this.send("GET", `/v1/pseudonyms/${encodeURIComponent(name)}`);
  }

  /** Takes away what leads from pseudonyms to somebody; gives those that there were. */
  postPseudonymsNameErase(name: string, body: EraseRequest): Promise<Page<PseudonymView>> {
    return this.send("POST", `/v1/pseudonyms/${encodeURIComponent(name)}/erase`, { body });
  }

  /** Lists how often calls of others begin. */
  getRates(): Promise<Page<RateView>> {
    return this.send("GET", `/v1/rates`);
  }

  /** Puts a rate in force, over the one of its name that was applied before. */
  postRates(body: RateRequest): Promise<RateView> {
    return this.send("POST", `/v1/rates`, { body });
  }

  /** Shows a rate, and what it has done. */
  getRatesName(name: string): Promise<RateView> {
    return this.send("GET", `/v1/rates/${encodeURIComponent(name)}`);
  }

  /** Lets a rate go that was applied; gives it as it was. */
  deleteRatesName(name: string): Promise<RateView> {
    return this.send("DELETE", `/v1/rates/${encodeURIComponent(name)}`);
  }

  /** Shows what stands still. */
  getHalt(): Promise<HaltState> {
    return this.send("GET", `/v1/halt`);
  }

  /** Lets something stand still. */
  postHalt(body: HaltRequest): Promise<HaltState> {
    return this.send("POST", `/v1/halt`, { body });
  }

  /** Lets something go on. */
  postUnhalt(body: UnhaltRequest): Promise<HaltState> {
    return this.send("POST", `/v1/unhalt`, { body });
  }

  /** Lists loops. */
  getLoops(query: { realm?: string; example?: boolean; cursor?: string } = {}): Promise<Page<LoopSummary>> {
    return this.send("GET", `/v1/loops`, { query });
  }

  /** Shows a loop. */
  getLoopsId(id: string, query: { realm?: string; example?: boolean; cursor?: string } = {}): Promise<LoopDetail> {
    return this.send("GET", `/v1/loops/${encodeURIComponent(id)}`, { query });
  }

  /** Removes a loop. */
  deleteLoopsId(id: string, query: { version?: string; force?: boolean } = {}): Promise<Removed> {
    return this.send("DELETE", `/v1/loops/${encodeURIComponent(id)}`, { query });
  }

  /** Shows what was changed of a loop. */
  getLoopsIdHistory(id: string): Promise<Page<LoopChange>> {
    return this.send("GET", `/v1/loops/${encodeURIComponent(id)}/history`);
  }

  /** Lists stacks. */
  getStacks(): Promise<Page<StackView>> {
    return this.send("GET", `/v1/stacks`);
  }

  /** Shows a stack. */
  getStacksId(id: string): Promise<StackView> {
    return this.send("GET", `/v1/stacks/${encodeURIComponent(id)}`);
  }

  /** Removes a stack, and what only it announces. */
  deleteStacksId(id: string, query: { version?: string; force?: boolean } = {}): Promise<Page<Removed>> {
    return this.send("DELETE", `/v1/stacks/${encodeURIComponent(id)}`, { query });
  }

  /** Lists who runs the loops. */
  getAgents(): Promise<Page<AgentView>> {
    return this.send("GET", `/v1/agents`);
  }

  /** Shows who runs a loop. */
  getAgentsId(id: string): Promise<AgentView> {
    return this.send("GET", `/v1/agents/${encodeURIComponent(id)}`);
  }

  /** Removes who runs a loop, and the loop. */
  deleteAgentsId(id: string, query: { version?: string; force?: boolean } = {}): Promise<Removed> {
    return this.send("DELETE", `/v1/agents/${encodeURIComponent(id)}`, { query });
  }

  /** Lists the agents that keep something between calls. */
  getAgentsState(): Promise<Page<StateSummary>> {
    return this.send("GET", `/v1/agents/state`);
  }

  /** Shows what an agent keeps between calls. */
  getAgentsIdState(id: string, query: { key?: string } = {}): Promise<Page<StateView>> {
    return this.send("GET", `/v1/agents/${encodeURIComponent(id)}/state`, { query });
  }

  /** Removes what an agent keeps between calls; gives it as it was. */
  deleteAgentsIdState(id: string, query: { key?: string } = {}): Promise<Page<StateView>> {
    return this.send("DELETE", `/v1/agents/${encodeURIComponent(id)}/state`, { query });
  }

  /** Lists prompts and their versions. */
  getPrompts(): Promise<Page<PromptSummary>> {
    return this.send("GET", `/v1/prompts`);
  }

  /** Shows a prompt with its scores and what was done with it. */
  getPromptsId(id: string): Promise<PromptDetail> {
    return this.send("GET", `/v1/prompts/${encodeURIComponent(id)}`);
  }

  /** Shows in what two versions of a prompt differ. */
  getPromptsIdDiff(id: string, query: { from?: string; to?: string } = {}): Promise<PromptDiff> {
    return this.send("GET", `/v1/prompts/${encodeURIComponent(id)}/diff`, { query });
  }

  /** Lets a version of a prompt be called from now on. */
  postPromptsIdPromote(id: string, body: PromoteRequest): Promise<ApplyResult> {
    return this.send("POST", `/v1/prompts/${encodeURIComponent(id)}/promote`, { body });
  }

  /** Lets the version of a prompt be called again that was before. */
  postPromptsIdRollback(id: string, body: RollbackRequest): Promise<ApplyResult> {
    return this.send("POST", `/v1/prompts/${encodeURIComponent(id)}/rollback`, { body });
  }

  /** Lets versions of a prompt share its calls. */
  postPromptsIdShare(id: string, body: ShareRequest): Promise<PromptDetail> {
    return this.send("POST", `/v1/prompts/${encodeURIComponent(id)}/share`, { body });
  }

  /** Says how good a version of a prompt was found. */
  postPromptsIdScore(id: string, body: ScoreRequest): Promise<PromptDetail> {
    return this.send("POST", `/v1/prompts/${encodeURIComponent(id)}/score`, { body });
  }

  /** Lists the model backends and MCP servers. */
  getBackends(): Promise<Page<BackendView>> {
    return this.send("GET", `/v1/backends`);
  }

  /** Shows a model backend, or an MCP server with its tools. */
  getBackendsId(id: string): Promise<BackendView> {
    return this.send("GET", `/v1/backends/${encodeURIComponent(id)}`);
  }

  /** Approves tools of an MCP server, as they were shown, for the loops that call them. */
  postBackendsIdApprove(id: string, body: ApproveRequest): Promise<ApplyResult> {
    return this.send("POST", `/v1/backends/${encodeURIComponent(id)}/approve`, { body });
  }

  /** Writes loops for the tools of an MCP server; applying them approves the tools. */
  getBackendsIdLoops(id: string): Promise<ImportResult> {
    return this.send("GET", `/v1/backends/${encodeURIComponent(id)}/loops`);
  }

  /** Lists the loops that a prompt's model may call; other realms are asked what theirs are. */
  getLoopsIdTools(id: string): Promise<Page<ModelToolView>> {
    return this.send("GET", `/v1/loops/${encodeURIComponent(id)}/tools`);
  }

  /** Approves loops of other realms, as they were shown, for the prompt whose model calls them. */
  postLoopsIdToolsApprove(id: string, body: ApproveRequest): Promise<ApplyResult> {
    return this.send("POST", `/v1/loops/${encodeURIComponent(id)}/tools/approve`, { body });
  }

  /** Registers loops, all or none. */
  postApply(body: ApplyRequest, key?: string): Promise<ApplyResult> {
    return this.send("POST", `/v1/apply`, { body, key });
  }

  /** Says what registering loops would change. */
  postDiff(body: ApplyRequest): Promise<DiffResult> {
    return this.send("POST", `/v1/diff`, { body });
  }

  /** Checks definitions. */
  postValidate(body: ApplyRequest): Promise<ValidateResult> {
    return this.send("POST", `/v1/validate`, { body });
  }

  /** Shows foreign definitions in our own form. */
  postImport(body: ApplyRequest): Promise<ImportResult> {
    return this.send("POST", `/v1/import`, { body });
  }

  /** Opens an invitation. */
  postTickets(body: TicketRequest, key?: string): Promise<TicketIssued> {
    return this.send("POST", `/v1/tickets`, { body, key });
  }

  /** Redeems a ticket. */
  postJoin(body: JoinRequest): Promise<Joined> {
    return this.send("POST", `/v1/join`, { body });
  }

  /** Lists the realms next to this one. */
  getPeers(): Promise<Page<PeerSummary>> {
    return this.send("GET", `/v1/peers`);
  }

  /** Shows a realm next to this one. */
  getPeersName(name: string): Promise<PeerDetail> {
    return this.send("GET", `/v1/peers/${encodeURIComponent(name)}`);
  }

  /** Ends a peering, or cuts off a child. */
  deletePeersName(name: string): Promise<Revoked> {
    return this.send("DELETE", `/v1/peers/${encodeURIComponent(name)}`);
  }

  /** Measures the way to a realm and back. */
  postPeersNamePing(name: string, body: Record<string, unknown>): Promise<Pong> {
    return this.send("POST", `/v1/peers/${encodeURIComponent(name)}/ping`, { body });
  }

  /** Shows the trees known here. */
  getRealms(): Promise<RealmForest> {
    return this.send("GET", `/v1/realms`);
  }

  /** Shows a realm, as far as known here. */
  getRealmsName(name: string): Promise<RealmDetail> {
    return this.send("GET", `/v1/realms/${encodeURIComponent(name)}`);
  }

  /** Cuts off a child. */
  postRealmsNameRevoke(name: string, body: RevokeRequest): Promise<Revoked> {
    return this.send("POST", `/v1/realms/${encodeURIComponent(name)}/revoke`, { body });
  }

  /** Gives a permission. */
  postAllow(body: AllowRequest, key?: string): Promise<Allowed> {
    return this.send("POST", `/v1/allow`, { body, key });
  }

  /** Takes permissions back. */
  postDisallow(body: DisallowRequest, key?: string): Promise<Disallowed> {
    return this.send("POST", `/v1/disallow`, { body, key });
  }

  /** Lists the policies. */
  getPolicies(): Promise<Page<PolicyView>> {
    return this.send("GET", `/v1/policies`);
  }

  /** Checks Cedar text. */
  postPoliciesCheck(body: PolicyText): Promise<PolicyChecked> {
    return this.send("POST", `/v1/policies/check`, { body });
  }

  /** Takes Cedar text into force. */
  postPoliciesApply(body: PolicyApply): Promise<PolicyApplied> {
    return this.send("POST", `/v1/policies/apply`, { body });
  }

  /** Tells which decisions of the past Cedar text would change. */
  postPoliciesShadow(body: PolicyApply): Promise<PolicyShadow> {
    return this.send("POST", `/v1/policies/shadow`, { body });
  }

  /** Asks the policy a question, and why it answers so. */
  postPoliciesWhy(body: PolicyQuestion): Promise<PolicyExplained> {
    return this.send("POST", `/v1/policies/why`, { body });
  }

  /** Asks the policy questions with known answers. */
  postPoliciesTest(body: PolicyCases): Promise<PolicyTested> {
    return this.send("POST", `/v1/policies/test`, { body });
  }

  /** Explains a denial. */
  getDenialsRef(ref: string): Promise<Denial> {
    return this.send("GET", `/v1/denials/${encodeURIComponent(ref)}`);
  }

  /** Writes a backup. */
  postBackup(body: BackupRequest): Promise<BackupReport> {
    return this.send("POST", `/v1/backup`, { body });
  }

  /** Gives this document. */
  getOpenapiJson(): Promise<Record<string, unknown>> {
    return this.send("GET", `/openapi.json`);
  }
}
