//! What stands in an envelope's body, by kind.

use crate::{
    CallId, Digest, LoopId, MessageId, RealmId, RunId, Timestamp,
    budget::{Budget, Spend},
    cbor::{Blob, numbered},
    records::{Approval, Chain, GrantLink, RevocationList, Signed},
    wire_map,
};

wire_map! {
    /// The plaintext of every body. Under a sealed suite a 32-byte salt stands before it, and
    /// the header's commitment is SHA-256 of salt and plaintext.
    pub struct Plaintext {
        /// The source realm, as in the header.
        0 => source: RealmId,
        /// The destination realm, as in the header; absent while it is being resolved.
        1 => destination: Option<RealmId>,
        /// The message, as in the header.
        2 => id: MessageId,
        /// The content of the kind, encoded.
        3 => content: Blob,
        /// Zeros that round the size up to its class.
        4 => padding: Option<Blob>,
    }
}

wire_map! {
    /// Body of a Resolve: which realm is meant is the header's destination.
    pub struct Resolve {
        /// What the asker holds already, so that the same need not come again.
        0 => known: Option<Digest>,
    }
}

wire_map! {
    /// Body of a Resolved: the chain that proves itself.
    pub struct Resolved {
        /// The realm's chain with its current KEM keys.
        0 => chain: Chain,
        /// The newest revocation lists of the realms in the chain.
        1 => revocations: Vec<Signed<RevocationList>>,
    }
}

wire_map! {
    /// Where a call came from, as far as the caller says.
    pub struct TraceParent {
        /// The caller's run.
        0 => run: RunId,
        /// The caller's frame.
        1 => frame: CallId,
    }
}

wire_map! {
    /// Body of a Call.
    pub struct Call {
        /// The loop.
        0 => loop_id: LoopId,
        /// The version the caller means; none for the current one.
        1 => version: Option<String>,
        /// The contract the caller knows, if it knows one.
        2 => contract: Option<Digest>,
        /// Input, JSON.
        3 => input: Blob,
        /// Idempotency key, of the caller's realm.
        4 => key: Digest,
        /// When the key was made.
        5 => key_created: Timestamp,
        /// How long the caller waits, milliseconds from receipt.
        6 => timeout_ms: u64,
        /// How many calls led to this one.
        7 => depth: u64,
        /// Who asked, as the caller's realm puts it; never believed for permission.
        8 => caller: Option<String>,
        /// The caller's half of the trace.
        9 => parent: Option<TraceParent>,
        /// What it may use, with all that it causes; none for no bound.
        10 => budget: Option<Budget>,
        /// By what authority the caller calls: grants, each handing on some of the one before.
        12 => grants: Option<Vec<GrantLink>>,
        /// An X25519 key that offers a session; only in a sealed call.
        13 => session: Option<[u8; 32]>,
        /// What people of the caller's realm have said of exactly this call.
        14 => approvals: Option<Vec<Signed<Approval>>>,
        /// Most bytes of text that the caller takes while the output is being made; none where it
        /// takes the output alone.
        64 => stream: Option<u64>,
        /// The [`crate::receipt::Order`], encoded: what the caller signs of the call for its receipt.
        65 => order: Option<Blob>,
    }
}

wire_map! {
    /// Body of a StreamItem: some of what a model has written of the output so far. It is no output:
    /// nothing of it is checked, and what counts is the Result.
    pub struct StreamItem {
        /// The callee's run.
        0 => run: RunId,
        /// Which text it belongs to. A greater number begins anew: what came under smaller ones was of
        /// an attempt that failed, or of a turn that ended in calls.
        1 => number: u64,
        /// Bytes of that text before this.
        2 => offset: u64,
        /// Some of the text.
        3 => text: String,
    }
}

wire_map! {
    /// A policy record that a decision rested on.
    pub struct PolicyUse {
        /// Whose.
        0 => realm: RealmId,
        /// Which.
        1 => number: u64,
    }
}

wire_map! {
    /// Body of a Result. Keys 10 and 12 are reserved: digest of the stream, taint.
    pub struct CallResult {
        /// Output, JSON.
        0 => output: Blob,
        /// The callee's run.
        1 => run: RunId,
        /// The contract it ran under.
        2 => contract: Digest,
        /// The loop's version.
        3 => version: String,
        /// The contract's output schema, JSON; where the Call did not name this contract.
        4 => output_schema: Option<Blob>,
        /// Milliseconds from receipt to answer.
        5 => duration_ms: u64,
        /// Policy records the permission rested on.
        6 => policies: Vec<PolicyUse>,
        /// Whether this is an earlier answer given again.
        7 => replayed: bool,
        /// The callee's X25519 key, if it takes the session that the call offered.
        11 => session: Option<[u8; 32]>,
        /// Hops the request took.
        13 => hops: u64,
        /// The contract's input schema, JSON; where the Call did not name this contract.
        14 => input_schema: Option<Blob>,
        /// The contract's effects; where the Call did not name this contract.
        15 => effects: Option<String>,
        /// What the run and all that it caused have used.
        65 => spent: Option<Spend>,
        /// The [`crate::receipt::CallReceipt`], encoded, where the Call had an order.
        66 => receipt: Option<Blob>,
    }
}

numbered! {
    /// How a run stands that a caller waits for.
    Stage ("a known stage") {
        /// It is at work.
        Running = 1,
        /// It waits for a time.
        Waiting = 2,
        /// It stands still until a person says how it goes on.
        Paused = 3,
        /// It has ended; how, comes in a message of its own.
        Ended = 4,
    }
}

wire_map! {
    /// Body of an Accepted: the call is taken on, and its end comes in a message of its own.
    pub struct Accepted {
        /// The callee's run.
        0 => run: RunId,
        /// The contract it runs under, while that is registered.
        1 => contract: Option<Digest>,
        /// Until when it may run, by the callee's clock, were it never paused.
        2 => until: Timestamp,
        /// How it stands.
        3 => stage: Stage,
    }
}

wire_map! {
    /// Body of a Progress: how a run stands that was accepted.
    pub struct Progress {
        /// The callee's run.
        0 => run: RunId,
        /// Rises by one a message of this run's to this caller.
        1 => number: u64,
        /// How it stands.
        2 => stage: Stage,
    }
}

wire_map! {
    /// Body of a Status: the call is the header's.
    pub struct StatusAsked {
        /// The callee's run, from the Accepted.
        0 => run: RunId,
    }
}

wire_map! {
    /// Body of a ResultAck: the end of a call has arrived.
    pub struct ResultAck {
        /// Whether the caller still waited for it.
        0 => awaited: bool,
    }
}

wire_map! {
    /// Body of a Cancel: the call is the header's.
    pub struct Cancel {
        /// Why, for the trace.
        0 => reason: Option<String>,
    }
}

wire_map! {
    /// Body of a Custody: what a parent has done with a call for its child.
    pub struct Custody {
        /// Digest of the call's header.
        0 => answers: Digest,
        /// Until when the call is kept, by the parent's clock.
        1 => until: Timestamp,
        /// Whether the child has taken it by now.
        2 => taken: bool,
    }
}

wire_map! {
    /// Body of a Contracts question.
    pub struct ContractsAsked {
        /// One loop; none for all that the asker may see.
        0 => loop_id: Option<LoopId>,
        /// Ids after this one; for the next page.
        1 => after: Option<LoopId>,
    }
}

wire_map! {
    /// What a loop promises.
    pub struct Contract {
        /// The loop.
        0 => loop_id: LoopId,
        /// Its version.
        1 => version: String,
        /// Digest of input schema, output schema and effects.
        2 => digest: Digest,
        /// What it is for.
        3 => description: Option<String>,
        /// Input schema, JSON; only where one loop was asked for.
        4 => input_schema: Option<Blob>,
        /// Output schema, JSON; only where one loop was asked for.
        5 => output_schema: Option<Blob>,
        /// `none`, `idempotent` or `once`.
        6 => effects: String,
        /// `prompt`, `composite`, `tool` or `stack`.
        7 => kind: String,
    }
}

wire_map! {
    /// Body of a Contracts answer.
    pub struct ContractsGiven {
        /// The contracts, by loop id.
        0 => contracts: Vec<Contract>,
        /// Whether more follow after the last.
        1 => more: bool,
    }
}
