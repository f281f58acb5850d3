//! What an attached agent and its realm say to each other: JSON texts over a WebSocket.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ApplyAction, Problem};

/// What an agent says. The first word is `attach`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum AgentMessage {
    /// Says who it is and which loops it serves; answered by `attached` or `refused`.
    Attach(Attach),
    /// Ends a call with an output.
    Output {
        /// The call's number.
        call: u64,
        /// The output; the loop's schema is for it.
        output: Value,
        /// What changes of the state that the call was given: `{KEY: {value}}`, or null for what is to be
        /// forgotten. Kept with the output, or not at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<Map<String, Value>>,
    },
    /// Ends a call without one.
    Failure {
        /// The call's number.
        call: u64,
        /// What went wrong, for a person.
        message: String,
        /// What a caller can do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category: Option<FailureCategory>,
        /// When the work may be tried again at the earliest, milliseconds.
        #[serde(
            rename = "retryAfterMs",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        retry_after_ms: Option<u64>,
    },
    /// Ends a call with a question to people: its run waits, over restarts, and the call is made again with what they have
    /// said. Only where the loop's definition says whom it may ask.
    Ask {
        /// The call's number.
        call: u64,
        /// What people read, at most 2,000 characters.
        question: String,
        /// What it is about, at most 16 KiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Value>,
    },
    /// Shows text that the output is being made of; at most 64 KiB. It is shown to whoever called, if they want to see
    /// it, and is never the output.
    Part {
        /// The call's number.
        call: u64,
        /// What comes next of the text.
        text: String,
    },
    /// Says how a call goes; an event `log` of the run's trace. At most 4 KiB and 256 a call are kept.
    Progress {
        /// The call's number.
        call: u64,
        /// Anything.
        progress: Value,
    },
    /// Asks for no more calls; the realm closes the connection once the last is answered.
    Detach,
}

/// Who attaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attach {
    /// What the agent calls itself, as loops are called. Instances of one agent share its calls.
    pub agent: String,
    /// The realm's token, over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The loops it serves: ids of registered ones, or definitions to register.
    pub loops: Vec<AttachedLoop>,
    /// Calls it takes at once, 1 to 64; 8 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
}

/// A loop that an agent serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AttachedLoop {
    /// The id of one that is registered.
    Registered(String),
    /// The definition of a tool, which needs neither `kind` nor `tool`, or of a machine whose steps it serves.
    Definition(Map<String, Value>),
}

/// What can be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailureCategory {
    /// It may work when tried again.
    Transient,
    /// The data is wrong.
    Validation,
    /// The work was done and refused.
    Business,
    /// It is not allowed.
    Permission,
    /// Nobody can tell.
    Unknown,
}

/// What a realm says to an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum RealmMessage {
    /// It is attached; calls follow.
    Attached {
        /// What the agent calls itself.
        agent: String,
        /// The loops it serves now.
        loops: Vec<ServedLoop>,
        /// Calls that it is given at once.
        concurrency: u64,
    },
    /// Asks for a piece of work. Every call is answered once, by `output` or `failure`, a cancelled one too.
    Call {
        /// The call's number on this connection.
        call: u64,
        /// The loop.
        #[serde(rename = "loop")]
        loop_id: String,
        /// The version that is called.
        version: String,
        /// The same in every attempt at the same work.
        key: String,
        /// The input; it matches the loop's schema.
        input: Value,
        /// What the agent keeps under the keys that the loop names: `{KEY: {value, version}}`, null for what is not there;
        /// absent where the loop keeps none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<Value>,
        /// What people have said to the questions of earlier calls for the same work: `{question, about, granted, people,
        /// reason}` each, in order; absent where the loop asks nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<Value>,
        /// Whether somebody wants to see what the output is being made of, by `part`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stream: bool,
        /// Milliseconds until the answer must be there.
        #[serde(rename = "timeoutMs")]
        timeout_ms: u64,
    },
    /// Nobody waits for the call any more: the work should stop.
    Cancel {
        /// The call's number.
        call: u64,
    },
    /// Says why the connection is closed.
    Refused {
        /// What was wrong.
        problem: Problem,
    },
}

/// A loop that an agent serves, as it is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServedLoop {
    /// The loop's id.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// Its version.
    pub version: String,
    /// What became of the definition; absent where an id was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ApplyAction>,
}
