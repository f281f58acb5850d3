//! The one table of limits. What happens at each limit stands beside it.

/// Newest wire version spoken; a later one is `VersionMismatch`, or the end of the link.
pub const WIRE_VERSION: u64 = 1;
/// Oldest wire version spoken: the one before the newest, once there is one; an earlier one is as a later
/// one.
pub const WIRE_OLDEST: u64 = 1;

/// Bytes in a frame on a link; a longer declared length closes the link before any allocation.
pub const FRAME_BYTES: usize = 128 * 1024;
/// Bytes in a header; longer is refused as malformed.
pub const HEADER_BYTES: usize = 2 * 1024;
/// Bytes of plaintext in one message; more is `TooLarge` at the sender.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes in a certificate chain; longer is refused as malformed.
pub const CHAIN_BYTES: usize = 32 * 1024;
/// Bytes in a signed record's payload; longer is refused as malformed.
pub const RECORD_BYTES: usize = 16 * 1024;
/// Bytes of Cedar text in a subtree policy record; `policy` refuses to publish more.
pub const POLICY_BYTES: usize = 12 * 1024;

/// Nesting depth of a CBOR item; deeper is refused.
pub const CBOR_DEPTH: usize = 32;
/// Items in one CBOR document; more is refused.
pub const CBOR_ITEMS: usize = 4_096;
/// Keys in one CBOR map; more is refused.
pub const CBOR_MAP_KEYS: usize = 256;

/// Nesting depth of a JSON document given to a loop; deeper is refused.
pub const JSON_DEPTH: usize = 64;

/// Labels in a realm path below its root; longer names do not parse.
pub const PATH_DEPTH: usize = 8;
/// Bytes in a realm path's text form; longer names do not parse.
pub const PATH_BYTES: usize = 255;
/// Bytes in a label; longer labels do not parse.
pub const LABEL_BYTES: usize = 63;
/// Bytes in a loop id; longer ids do not parse.
pub const LOOP_ID_BYTES: usize = 128;
/// Hops an envelope may take: up the deepest tree, across once, down the deepest tree.
pub const HOPS: u64 = 2 * PATH_DEPTH as u64 + 1;
/// Currencies in one account of what was spent; what comes in more of them counts as unpriced.
pub const CURRENCIES: usize = 8;
/// Depth of calls that cause calls, across realms; deeper is `Budget`.
pub const CALL_DEPTH: u64 = 32;
/// Succession records in a chain link; more is refused as `BadCertificate`.
pub const SUCCESSIONS: usize = 32;
/// Sibling digests beside a root signature (a flush of at most 1,024 messages).
pub const MERKLE_SIBLINGS: usize = 10;

/// Longest life of a live message, milliseconds; one with a longer `ttl` is dropped.
pub const TTL_MS: u64 = 10 * 60 * 1_000;
/// Longest life of a storable message, milliseconds.
pub const STORABLE_TTL_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How far two honest clocks may differ, milliseconds.
pub const CLOCK_SKEW_MS: u64 = 5 * 60 * 1_000;
/// Default wait for a live call, milliseconds.
pub const CALL_MS: u64 = 60 * 1_000;
/// Longest wait for a call that is not accepted, milliseconds.
pub const CALL_MAX_MS: u64 = 60 * 60 * 1_000;
/// How long a call runs before it is accepted, milliseconds; one that stands still is at once.
pub const ACCEPT_AFTER_MS: u64 = 5 * 1_000;
/// Callers that one rate counts; while all of them are busy one more is `Overloaded`.
pub const RATED_CALLERS: usize = 4_096;
/// Of these, those of one tree.
pub const RATED_CALLERS_PER_ROOT: usize = 256;
/// When such a one may come again, milliseconds.
pub const RATED_AGAIN_MS: u64 = 1_000;
/// Rates that are applied; one more is refused.
pub const RATES: usize = 256;
/// Bytes in the name of one; longer is refused.
pub const RATE_NAME_BYTES: usize = 96;
/// Calls that a rate lets begin in a minute; more is refused.
pub const RATE_PER_MINUTE: u64 = 60_000_000;
/// Calls that a rate lets begin at once; more is refused.
pub const RATE_BURST: u64 = 1_000_000;
/// Calls that wait for their turn under a rate; more is refused.
pub const RATE_QUEUE: u64 = 65_536;
/// Backends, agents, peers and loops whose latest failures are remembered; of one more nothing is, unless
/// one is forgotten that is well enough to be called.
pub const BREAKERS: usize = 1_024;
/// How long a breaker that opens lets nothing through, milliseconds; twice as long after each probe that
/// fails.
pub const BREAKER_MS: u64 = 30_000;
/// The longest that it does, milliseconds.
pub const BREAKER_MAX_MS: u64 = 600_000;
/// Calls that are accepted and not yet told their end; one more waits as any call does.
pub const ACCEPTED: usize = 512;
/// Those of them from one foreign root.
pub const ACCEPTED_SHARE: usize = 128;
/// How long the end of an accepted call is sent again, milliseconds; then it is given up.
pub const DELIVERY_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Versions of a loop that share its calls; more is refused.
pub const LOOP_SHARES: usize = 8;
/// Scores of a revision of a prompt that are told one by one; older ones count in the mean alone.
pub const SCORES: usize = 16;
/// Bytes of text that a call shows while its output is being made; what goes beyond is in the output
/// alone.
pub const STREAM_BYTES: usize = 64 * 1024;
/// Bytes of text in one StreamItem; more waits for the next.
pub const STREAM_ITEM_BYTES: usize = 16 * 1024;
/// StreamItems a second and at once, of all calls of a realm, that leave as soon as there is text.
pub const STREAM_AT_ONCE: (u64, u64) = (1_000, 100);
/// Time between two other StreamItems of one call, milliseconds; what comes sooner goes together.
pub const STREAM_PAUSE_MS: u64 = 50;
/// KiB of StreamItems a second and at once to one foreign root, the last begun one of each counted whole; what
/// comes sooner goes together.
pub const STREAM_RATE: (u64, u64) = (512, 1_024);
/// KiB of StreamItems a second and at once that are taken from one foreign root, beside its other messages; more are
/// dropped.
pub const STREAM_TAKEN: (u64, u64) = (1_024, 2_048);
/// Attempts of one call by its caller, all inside its deadline.
pub const ATTEMPTS: u32 = 3;
/// How long an idempotency key is kept, milliseconds; an older key is `Expired`.
pub const KEY_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Ids of live messages a destination remembers; at the bound `Overloaded`.
pub const REPLAY_IDS: usize = 1_000_000;
/// Share of [`REPLAY_IDS`] that messages from one neighbour's side may hold: one child's subtree, one
/// foreign root, or the rest of this realm's own tree; at the bound `Overloaded`.
pub const REPLAY_IDS_SHARE: usize = 250_000;
/// Ids of storable messages a destination remembers; at the bound they stay where they are kept.
pub const STORED_REPLAY_IDS: usize = 250_000;
/// Share of [`STORED_REPLAY_IDS`] that messages from one neighbour's side may hold; at the bound they stay
/// where they are kept.
pub const STORED_REPLAY_IDS_SHARE: usize = 62_500;

/// Counters up to the newest that a session's replay window remembers; older ones are refused.
pub const SESSION_WINDOW: u64 = 1_024;
/// Requests that one side seals in a session; beyond, it is used up.
pub const SESSION_MESSAGES: u64 = 1 << 24;
/// Requests after which a new session is offered.
pub const SESSION_RENEW_MESSAGES: u64 = 1 << 23;
/// Life of a session, milliseconds; beyond, it is forgotten.
pub const SESSION_MS: u64 = 60 * 60 * 1_000;
/// Age at which a new session is offered, milliseconds.
pub const SESSION_RENEW_MS: u64 = 30 * 60 * 1_000;
/// Sessions a node holds; the one used longest ago is forgotten first.
pub const SESSIONS: usize = 4_096;
/// Share of [`SESSIONS`] one child's subtree or one foreign root may hold; beyond, the one of them
/// used longest ago is forgotten.
pub const SESSIONS_SHARE: usize = 1_024;
/// Sessions one node may hold with another; beyond, the one used longest ago is forgotten.
pub const SESSIONS_PER_NODE: usize = 4;

/// Idle time before a Beat, milliseconds.
pub const BEAT_MS: u64 = 3_000;
/// Missed Beats that close a link.
pub const BEATS_MISSED: u64 = 2;
/// Time a new connection has to prove that it is known or to join, milliseconds.
pub const ADMISSION_MS: u64 = 10_000;

/// Life of a child certificate, milliseconds.
pub const CHILD_CERT_MS: u64 = 14 * 24 * 60 * 60 * 1_000;
/// Age at which a child certificate is renewed, milliseconds.
pub const CHILD_RENEW_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Life of a node certificate, milliseconds.
pub const NODE_CERT_MS: u64 = 90 * 24 * 60 * 60 * 1_000;
/// Age at which an expiring node certificate is warned about and renewed, milliseconds.
pub const NODE_WARN_MS: u64 = 60 * 24 * 60 * 60 * 1_000;
/// Life of a live KEM key as a target for new messages, milliseconds.
pub const KEM_LIVE_MS: u64 = 24 * 60 * 60 * 1_000;
/// How long a rotated KEM key still opens messages, milliseconds.
pub const KEM_GRACE_MS: u64 = 65 * 60 * 1_000;
/// Life of a stored KEM key as a target for new messages, milliseconds.
pub const KEM_STORED_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How long a rotated stored KEM key still opens messages, milliseconds.
pub const KEM_STORED_GRACE_MS: u64 = 7 * 24 * 60 * 60 * 1_000 + 10 * 60 * 1_000;
/// KEM records in a chain; more is refused as `BadCertificate`.
pub const KEM_RECORDS: usize = 8;
/// Default life of a peering, milliseconds.
pub const PEERING_MS: u64 = 365 * 24 * 60 * 60 * 1_000;
/// Default life of an invitation, milliseconds.
pub const TICKET_MS: u64 = 24 * 60 * 60 * 1_000;

/// Children one realm certifies; more is refused at `invite`.
pub const CHILDREN: usize = 4_096;
/// Peerings one root holds; more is refused at `invite --peer`.
pub const PEERS: usize = 1_024;
/// Invitations open at once; more is refused at `invite`.
pub const TICKETS: usize = 256;
/// Revoked serials in one list; more is refused at `revoke` until old ones expire, and a list with more
/// is not kept.
pub const REVOCATIONS: usize = 1_024;
/// Revocation lists kept of other realms; a list of a further realm takes the room of realms below it, or
/// is not kept.
pub const REVOCATION_LISTS: usize = 4_096;
/// Share of [`REVOCATION_LISTS`] one child's subtree or one foreign root may hold; a list of a
/// further realm takes the room of realms below it, or is not kept.
pub const REVOCATION_LISTS_SHARE: usize = 256;
/// Bytes of all [`REVOCATION_LISTS`] with their issuers' chains; a list beyond them is not kept.
pub const REVOCATION_LISTS_BYTES: usize = 16 * 1024 * 1024;
/// Share of [`REVOCATION_LISTS_BYTES`] one child's subtree or one foreign root may take; a list beyond it
/// is not kept.
pub const REVOCATION_LISTS_SHARE_BYTES: usize = 1024 * 1024;
/// Petnames in a policy record; others than peers' are left out first.
pub const PETNAMES: usize = 128;
/// Addresses in a ticket or record; more are cut, the most useful first.
pub const ADDRESSES: usize = 16;
/// Calls a realm has under way, in and out; more is `Overloaded`.
pub const CALLS: usize = 4_096;
/// Calls from one foreign root under way here; more is `Overloaded`.
pub const CALLS_PER_PEER: usize = 8;
/// Calls from one child's subtree, or from the rest of this realm's own tree, take one share of [`CALLS`], of
/// which there are as many as such sides, but no more than this; more is `Overloaded`.
pub const CALLS_SHARES: usize = 4;
/// Bytes of answers that found their links' queues full and wait to go again; more are dropped, and counted.
pub const UNSENT_BYTES: usize = 16 * 1024 * 1024;
/// Those of them for one link.
pub const UNSENT_BYTES_SHARE: usize = 4 * 1024 * 1024;
/// Runs here that stand still, for a person's word or a halt; with more, a new call is `Overloaded`.
pub const PAUSED: usize = 4_096;
/// Those of them whose callers stand on one neighbour's side: one child's subtree, one foreign root, or the rest
/// of this realm's own tree.
pub const PAUSED_SHARE: usize = 512;
/// Chains of other realms remembered, as many as there are bids in one broadcast; the one used
/// longest ago is forgotten first.
pub const CHAINS: usize = BIDS;
/// Share of [`CHAINS`] one child's subtree or one foreign root may hold; beyond, the one of them
/// used longest ago is forgotten.
pub const CHAINS_SHARE: usize = CHAINS / 4;
/// Bytes of all [`CHAINS`] together, as they are sent, with the same shares; beyond, those used
/// longest ago are forgotten.
pub const CHAINS_BYTES: usize = 32 * 1024 * 1024;
/// Realms whose successions are remembered; beyond, those that no chain in use needs and that were
/// used longest ago are forgotten first, from the share that holds most.
pub const HISTORIES: usize = 1_024;
/// Share of [`HISTORIES`] one child's subtree or one foreign root may hold; beyond, those of its
/// own are forgotten.
pub const HISTORIES_SHARE: usize = 256;
/// Share of [`HISTORIES`] the rest of this realm's own tree may hold; beyond, those of its own are
/// forgotten, but never those of this realm and the realms above it.
pub const HISTORIES_OWN_TREE: usize = 512;
/// Contracts of other realms remembered; the one used longest ago is forgotten first.
pub const CONTRACTS: usize = 1_024;
/// Messages a second from a root peer until its peering says more, and the burst.
pub const PEER_RATE: (u32, u32) = (50, 200);
/// Messages a second from a child until its certificate says more, and the burst.
pub const CHILD_RATE: (u32, u32) = (5_000, 20_000);
/// Default bytes a second from a root peer, without StreamItems; four times as many at once. More are dropped.
pub const PEER_BYTES: u64 = 4 * 1024 * 1024;
/// Envelopes waiting for their sender's chain on all links; more are dropped and counted.
pub const CHAIN_WAITERS: usize = 256;
/// Share of [`CHAIN_WAITERS`] one link's may take, and as many places that no link's do; more are dropped
/// and counted.
pub const CHAIN_WAITERS_SHARE: usize = 64;
/// How long an envelope waits for its sender's chain, milliseconds.
pub const CHAIN_WAIT_MS: u64 = 1_000;

/// Calls taken back that a realm remembers, so that none is kept again; the oldest from whose side there are
/// most is forgotten.
pub const TAKEN_BACK: usize = 16_384;
/// Share of [`TAKEN_BACK`] that calls from one neighbour's side may take; the oldest of them is forgotten.
pub const TAKEN_BACK_SHARE: usize = 4_096;
/// Calls kept for one child; one more is `Overloaded`.
pub const CUSTODY: usize = 1_024;
/// Share of [`CUSTODY`] that calls from one neighbour's side may take: one other child's subtree,
/// one foreign root, or the rest of this realm's own tree; one more is `Overloaded`.
pub const CUSTODY_SHARE: usize = 256;
/// Bytes of calls kept for one child; more is `Overloaded`.
pub const CUSTODY_BYTES: usize = 16 * 1024 * 1024;
/// Share of [`CUSTODY_BYTES`] that calls from one neighbour's side may take; more is `Overloaded`.
pub const CUSTODY_SHARE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of calls kept for all children; more is `Overloaded`.
pub const CUSTODY_BYTES_IN_ALL: usize = 64 * 1024 * 1024;
/// Share of [`CUSTODY_BYTES_IN_ALL`] that calls from one neighbour's side may take; more is
/// `Overloaded`.
pub const CUSTODY_SHARE_BYTES_IN_ALL: usize = 16 * 1024 * 1024;
/// Kept calls a second that a child is given on its return, and the burst; the rest waits.
pub const CUSTODY_RATE: (u32, u32) = (50, 50);
/// Kept calls under way to a child that has not taken them yet; the rest waits.
pub const CUSTODY_WINDOW: usize = 16;

/// Loops in one registry; more is refused at `apply`.
pub const LOOPS: usize = 4_096;
/// Versions of one loop that can be asked for; the one replaced longest ago that no other loop
/// needs is only kept from then on.
pub const LOOP_VERSIONS: usize = 16;
/// Revisions of one loop that are kept beside those that can be asked for and those that runs under
/// way use; the one replaced longest ago is forgotten.
pub const LOOP_REVISIONS: usize = 16;
/// Revisions of all loops that are kept beside the current ones; the one replaced longest ago that
/// neither another loop needs nor a run under way uses is forgotten, and where there is none, no
/// further one is taken.
pub const LOOP_REVISIONS_IN_ALL: usize = 16_384;
/// Bytes of the definitions of prompts together, in all versions that there ever were, where an owner does not say;
/// none is forgotten, and one more is refused at `apply`.
pub const PROMPT_BYTES: u64 = 16 * 1024 * 1024;
/// Removed loops whose revisions are kept; the one removed longest ago is forgotten.
pub const LOOPS_REMOVED: usize = 256;
/// Aliases of one loop; more are refused at `apply`.
pub const LOOP_ALIASES: usize = 8;
/// Changes remembered of one loop; the oldest is forgotten.
pub const LOOP_CHANGES: usize = 32;
/// Differences named where one contract is compared with another; further ones are left out.
pub const DIFFERENCES: usize = 16;
/// Bytes in one JSON Schema; more is refused at `apply`.
pub const SCHEMA_BYTES: usize = 64 * 1024;
/// Bytes of a step's input or output that its trace holds; of more, the digest.
pub const TRACED_BYTES: usize = 16 * 1024;
/// Frames open in one run at a time; more ends the run with `Budget`.
pub const FRAMES: usize = 10_000;
/// Answers of a model that are calls, unless its prompt says otherwise; more ends the prompt with
/// `Budget`.
pub const MODEL_TURNS: u64 = 8;
/// Answers that are calls that a prompt may allow; more is refused at `apply`.
pub const MODEL_TURNS_MAX: u64 = 64;
/// Calls in one answer of a model; more ends the prompt with `Budget`.
pub const MODEL_CALLS: usize = 16;
/// Tools of one prompt; more is refused at `apply`.
pub const MODEL_TOOLS: usize = 64;
/// Tools of one MCP server; one with more is not used.
pub const SERVER_TOOLS: usize = 512;
/// Targets of one route; more are refused at `apply`.
pub const ROUTE_TARGETS: usize = 32;
/// Weight and priority of one target of a route, at most; more is refused at `apply`.
pub const ROUTE_WEIGHT: u64 = 65_535;
/// Bytes of what one model has called and been answered; more ends the prompt with `Budget`.
pub const CONVERSATION_BYTES: usize = 1024 * 1024;
/// Frames in one run, one after the other; more ends the run with `Budget`.
pub const RUN_FRAMES: u64 = 2_000_000;
/// Steps that one machine may be allowed to take; more is refused at `apply`.
pub const MACHINE_STEPS: u64 = 1_000_000;
/// Items of one `forEach`; more ends the step with `Budget`.
pub const ITEMS: usize = 10_000;
/// Calls of one `forEach` at a time; more is refused at `apply`.
pub const ITEMS_AT_A_TIME: u64 = 256;
/// Attempts that a loop or step may ask for; more is refused at `apply`.
pub const RETRIES: u64 = 100;
/// Requests for a person's approval that wait; what would be one more is `Overloaded`.
pub const APPROVALS: usize = 1_024;
/// Those of them for calls from one neighbour's side: one child's subtree, one foreign root, or the rest of this
/// realm's own tree.
pub const APPROVALS_SHARE: usize = 256;
/// People who must approve one action at most; more is refused at `apply`.
pub const APPROVERS: u64 = 8;
/// How long a request for an approval waits unless told, milliseconds; then it has expired.
pub const APPROVAL_MS: u64 = 24 * 60 * 60 * 1_000;
/// Requests that people have decided and that are still told; the oldest is told no more.
pub const APPROVALS_DECIDED: usize = 1_024;
/// Characters in a person's reason: of a longer one an approval is refused, a halt or a prompt's change keeps
/// the beginning.
pub const REASON_CHARS: usize = 1_000;
/// Longest time that a run may be given, milliseconds; more is refused at `apply`.
pub const RUN_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Bytes a backend may answer; more is `LoopFailed`.
pub const BACKEND_BYTES: usize = 8 * 1024 * 1024;
/// Commands that one loop chooses among; more are refused at `apply`.
pub const COMMANDS: usize = 64;
/// Elements of a command's argv; more are refused at `apply`.
pub const ARGV: usize = 64;
/// Bytes of an argument that comes from the input; a longer one is `SchemaInput`.
pub const ARGUMENT_BYTES: usize = 8 * 1024;
/// Bytes of a command's standard output that are kept, the first, and of its standard error, the last; what is left out is said.
pub const COMMAND_BYTES: usize = 24 * 1024;
/// Keys of an agent's state that one call is given; more are refused at `apply`.
pub const STATE_KEYS_AT_ONCE: usize = 16;
/// Bytes of such a key; a longer one is refused, or is `SchemaInput` where the input makes it so.
pub const STATE_KEY_BYTES: usize = 128;
/// Bytes of one value of a state, as JSON; more is `SchemaOutput`.
pub const STATE_VALUE_BYTES: usize = 16 * 1024;
/// Keys that one agent keeps; one more ends the call with `Budget`.
pub const STATE_KEYS: usize = 4_096;
/// Agents that keep state; one more ends the call with `Budget`.
pub const STATE_AGENTS: usize = 1_024;
/// Bytes of all values that agents of a realm keep, which are held in memory; more ends the call with `Budget`.
pub const STATE_BYTES: usize = 16 * 1024 * 1024;
/// Questions that one call asks people, one after the other; one more ends it with `Budget`.
pub const QUESTIONS: usize = 16;
/// Characters of a question; more is `SchemaOutput`.
pub const QUESTION_CHARS: usize = 2_000;
/// Bytes of what a question is about, as JSON; more is `SchemaOutput`.
pub const QUESTION_BYTES: usize = 16 * 1024;
/// Agents attached to a realm; one more is refused.
pub const ATTACHED: usize = 64;
/// Loops that one attached agent serves; more are refused.
pub const ATTACHED_LOOPS: usize = 256;
/// Calls that one attached agent may say it works on at once; more is refused.
pub const ATTACHED_CALLS: u64 = 64;
/// Instances of an attached agent that one piece of work is given to, each after the one before it
/// went away; after the last it ends with `LoopFailed`.
pub const ATTACHED_ASKS: u32 = 5;
/// How long a call of an attached agent waits for an instance, milliseconds, before its trace says so.
pub const ATTACHED_EARLY_MS: u64 = 5 * 1_000;
/// How long an attached agent may say nothing, milliseconds; then it is taken for gone.
pub const ATTACHED_SILENCE_MS: u64 = 30 * 1_000;
/// How long an attached agent may leave a cancelled call without an answer, milliseconds; then it is given no more, and
/// once nobody waits for it its connection is closed.
pub const ATTACHED_CANCELLED_MS: u64 = 30 * 1_000;
/// How long a connection may take to say who it is, milliseconds; then it is closed.
pub const ATTACH_MS: u64 = 5 * 1_000;
/// Bytes of what a backend says of work that it has not ended; more is not noted.
pub const PROGRESS_BYTES: usize = 4 * 1024;
/// Times that a backend may say how one piece of work goes; further ones are not noted.
pub const PROGRESS: u32 = 256;

/// Loops that are halted one by one; one more is refused.
pub const HALTED_LOOPS: usize = 256;
/// Realms below that are halted by name; one more is refused.
pub const HALTED_REALMS: usize = 256;
/// Realms that a HaltAck names of those that have confirmed, and as many of those that have not; of
/// further ones it says how many there are.
pub const HALT_NAMES: usize = 64;
/// Runs that go on while what they belong to is halted; further ones stay halted.
pub const RUNS_LET_GO: usize = 256;
/// Halts, and what was said to go on again, that a realm remembers; the oldest is forgotten.
pub const HALT_CHANGES: usize = 256;

/// Bytes of a signed bid; a longer one is refused.
pub const BID_BYTES: usize = 4 * 1024;
/// Bytes of the input, and of the output, of leased work: what one message holds less what is said around
/// it; more is `TooLarge`.
pub const WORK_BYTES: usize = BODY_BYTES - 1_024;
/// Bids that count in one broadcast; at the bound no more are taken.
pub const BIDS: usize = 8_192;
/// Bids from one foreign root that count in one broadcast; more are refused.
pub const BIDS_PER_ROOT: usize = 64;
/// Longest time that a bid holds, milliseconds; a bid that is to hold longer is refused.
pub const BID_MS: u64 = 60 * 1_000;
/// Default time that bids are taken, milliseconds.
pub const WINDOW_MS: u64 = 2_000;
/// Longest time that bids are taken, milliseconds; an announcement with a longer one is refused.
pub const WINDOW_MAX_MS: u64 = 60 * 1_000;
/// Capabilities that an announcement may ask for; one with more is refused.
pub const CAPABILITIES: usize = 16;
/// Scopes that an announcement may name; one with more is refused.
pub const NAMED_SCOPES: usize = 64;
/// Slots of one broadcast; an announcement with more is refused.
pub const AWARDS: u64 = 256;
/// Awards of one slot, one after the other; after the last it stays empty.
pub const EPOCHS: u64 = 8;
/// Largest weight in a rule; an announcement with a larger one is refused.
pub const WEIGHT: u64 = 1_000;
/// Members on the way to the value that results are compared by; an announcement with more is
/// refused.
pub const FIELD_DEPTH: usize = 8;
/// Default time that an award waits for its confirmation, milliseconds.
pub const CONFIRM_MS: u64 = 2_000;
/// How long an announcer waits past a lease's end, milliseconds.
pub const LEASE_GRACE_MS: u64 = 5 * 1_000;
/// How long an announcer waits for those it cancels, milliseconds.
pub const WITHDRAW_MS: u64 = 5 * 1_000;
/// Broadcasts of one state that leased work tells to have announced; more are told as that many.
pub const OFFSHOOTS: u64 = 65_536;
/// Bytes of a capability summary's filter; another length is refused.
pub const SUMMARY_BYTES: usize = 512;
/// Digests on one page of a Close.
pub const CLOSE_DIGESTS: usize = 1_024;
/// Winners' bids on one page of a Close.
pub const CLOSE_BIDS: usize = 6;
/// Entries on one page of a transcript.
pub const TRANSCRIPT_ENTRIES: usize = 1_024;
/// Pages of one transcript; one with more is refused.
pub const TRANSCRIPT_PAGES: usize = 64;
/// Bids that a realm remembers, with the closes of their broadcasts; the oldest is forgotten first.
pub const RECEIPTS: usize = 4_096;
/// Announcements under way from under one foreign root, or from one subtree beside the way to this
/// realm, half as many one level below, down to an eighth; more are suppressed.
pub const ANNOUNCEMENTS_PER_ROOT: usize = 256;
/// Places that announcements are counted by; beyond them idle ones are forgotten, and then what comes
/// from new ones is suppressed.
pub const ANNOUNCERS: usize = 4_096;
/// Those of them of one foreign root, or of one realm beside the way to this one, with all below it.
pub const ANNOUNCERS_SHARE: usize = 1_024;
/// Default announcements a second from under one root, or from one subtree beside the way to this
/// realm, half as many one level below, down to an eighth; four times as many at once. More are
/// suppressed.
pub const ANNOUNCE_RATE: u64 = 250;
/// Announcements of its own tree that a realm has bids open for, and as many of all other trees together;
/// for more it does not bid. As many that are over it remembers.
pub const OFFERS: usize = 1_024;
/// Share of [`OFFERS`] for the announcements from under one foreign root; it does not bid for more.
pub const OFFERS_PER_ROOT: usize = 128;
/// Bids of its agents that a realm has open on average for each of the announcements that [`OFFERS`] and
/// [`OFFERS_PER_ROOT`] let it bid for; where there are as many in all, no agent bids. From half of them on, no
/// announcement has more than these.
pub const OFFER_AGENTS: usize = 4;
/// Sides of which a transcript says what was heard from there; of further ones it says nothing.
pub const SIDES: usize = 256;
/// Times that an outcome is sent again until it is acknowledged; after the last it is kept, and
/// sent no more.
pub const OUTCOME_SENDS: u32 = 8;
/// Times that an award, a confirmation that reserves, or a first lease is sent in all; after the last its
/// time runs out.
pub const AWARD_SENDS: u32 = 4;
/// Times that a bidder asks for a Close that has not come; after the last it is without one. An announcer
/// answers each realm as often.
pub const CLOSE_ASKS: u32 = 6;
/// Broadcasts that have ended whose Close an announcer still gives to bidders who ask; the oldest is
/// forgotten first.
pub const CLOSES: usize = 64;
/// Realms of which no bid counts that an announcer still gives the Close of one broadcast to; further ones
/// get none.
pub const CLOSE_UNCOUNTED: usize = 1_024;
/// How long after the outcome of a broadcast, of as many as [`CLOSES`], what holders say of their leases is
/// counted, milliseconds; what comes later is acknowledged and forgotten.
pub const LATE_MS: u64 = 15 * 60 * 1_000;
/// Bidders whose conduct a realm remembers; the one heard of longest ago is forgotten first.
pub const TRUSTED: usize = 4_096;

/// Grants of one chain; a longer one gives nothing.
pub const GRANT_LINKS: usize = 8;
/// Patterns of loops that one grant names; one with more gives nothing.
pub const GRANT_LOOPS: usize = 32;
/// Grants that a realm has given and that have not run out; one more is refused.
pub const GRANTS: usize = 4_096;
/// Grants of others' that a realm holds; one more is refused.
pub const GRANTS_HELD: usize = 1_024;
/// Grants that others have handed on whose uses a realm counts, until they run out; beyond them no
/// further one that is counted is taken.
pub const GRANTS_COUNTED: usize = 4_096;
/// Those of them that were handed on of one grant.
pub const GRANTS_COUNTED_SHARE: usize = 256;
/// Links of chains of grants that a realm remembers as good; beyond, the oldest is verified anew.
pub const GRANTS_PROVEN: usize = 512;
/// Longest time that a grant is good, milliseconds; one that would be good for longer is refused.
pub const GRANT_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// How long what a directory says of somebody is believed, milliseconds; then it is asked again, and without an
/// answer nothing is done for them.
pub const PERSON_READ_MS: u64 = 60 * 1_000;
/// People of directories of whom that is remembered; of one more it is not, and nothing is done for them.
pub const PEOPLE_KNOWN: usize = 4_096;
/// People who have pseudonyms; one more is named to no other root, and what they approve is told to none.
pub const PSEUDONYMS: usize = 16_384;
/// Roots whose pseudonyms of one person are led back to them; with one more, the earliest is not any more.
pub const PSEUDONYM_ROOTS: usize = 32;

/// Rules of redaction by path, and as many by pattern; more are refused with the configuration.
pub const REDACTIONS: usize = 256;
/// Bytes of one rule of redaction; more is refused with the configuration.
pub const REDACTION_BYTES: usize = 1_024;
/// Bytes that a pattern may take once compiled; more is refused with the configuration.
pub const REDACTION_PROGRAM_BYTES: usize = 1024 * 1024;

/// Bytes of a text in an entry of the audit log; what is longer loses its end.
pub const AUDIT_TEXT_BYTES: usize = 256;
/// Entries of the audit log after which its head is signed anew.
pub const AUDIT_HEAD_ENTRIES: u64 = 256;
/// Milliseconds after which the head of an audit log that has grown is signed anew.
pub const AUDIT_HEAD_MS: u64 = 60 * 1_000;
/// Items on one page of an exported audit log.
pub const AUDIT_ITEMS: usize = 512;
/// Pages of one exported audit log; a realm gives no more, and one with more is refused.
pub const AUDIT_PAGES: usize = 64;
/// Earlier heads in one exported audit log; a realm gives the newest.
pub const AUDIT_HEADS: usize = 512;
/// Entries of the audit log that a realm keeps; once there are more, the oldest go, up to a head.
pub const AUDIT_ENTRIES: u64 = 1_000_000;
/// Refusals of strangers and other realms in ten seconds that have entries of their own in the audit
/// log; one entry counts the rest.
pub const AUDIT_REFUSALS: u64 = 64;
/// Realms whose heads of audit logs a realm keeps; more are not kept.
pub const WITNESSED: usize = 1_024;
/// Heads that a realm keeps of one of them, the newest.
pub const WITNESS_HEADS: usize = 8;
/// Receipts on one page of an export of receipts.
pub const RECEIPT_ITEMS: usize = 512;
/// Pages of one export of receipts; a realm gives no more, and one with more is refused.
pub const RECEIPT_PAGES: usize = 64;
/// Chains in one export of receipts; one with more is refused.
pub const RECEIPT_CHAINS: usize = 512;
/// Chains that a realm keeps of those who have signed its receipts; at the bound the one that ran out
/// first goes.
pub const RECEIPT_SIGNERS: usize = 4_096;
/// Those of them of one root.
pub const RECEIPT_SIGNERS_SHARE: usize = 128;
/// How long such a chain is kept after it has run out, milliseconds.
pub const RECEIPT_SIGNER_KEPT_MS: u64 = 400 * 24 * 60 * 60 * 1_000;

/// Events of a run that is shown to another realm; a longer one is `TooLarge`.
pub const TRACE_EVENTS: usize = 2_048;
/// Bytes of the payloads of such a run's events; more is `TooLarge`.
pub const TRACE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of events in one answer; the rest follows on the next page, and a longer event stands as its digest.
pub const TRACE_PAGE_BYTES: usize = 48 * 1024;
/// Questions for traces a second from one neighbour's side, and at once; more are `Overloaded`.
pub const TRACE_RATE: (u64, u64) = (10, 40);
/// Neighbours' sides whose questions for traces are counted apart; of more, none that is new is answered.
pub const TRACE_ASKERS: usize = 1_024;
/// Questions for traces that a realm reads its store for at once; more are `Overloaded`.
pub const TRACE_READS: usize = 16;
/// How long a caller's word holds that another realm may ask about its call, milliseconds.
pub const TRACE_PASS_MS: u64 = 10 * 60 * 1_000;
/// Calls of other realms in one page of a trace that its asker is told of; of further ones it is told nothing.
pub const TRACE_ONWARD: usize = 64;
/// Realms, one asked after the other, that a trace is followed through.
pub const TRACE_DEPTH: usize = 8;
/// Calls whose traces are asked for of other realms to make one whole; further ones are not asked for.
pub const TRACE_CALLS: usize = 64;

#[cfg(test)]
mod tests;
