//! What goes into a node and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use realm_executor::{BackendError, BackendReply, BackendRequest, Tariff};
use realm_protocol::{
    CallId, Label, NodeId, RunId,
    journal::{Entry, JournalSeq, Table},
};
use realm_router::LinkId;
use serde_json::Value;

use crate::{LogGrowth, Request, Response, ServedRun};

/// Names a request of the local API until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControlId(pub u64);

/// Names an attempt to reach a node until it is up or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialId(pub u64);

/// Names a reading of a record until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookId(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// Somebody on this machine asks for something. Answered once, by [`Effect::Respond`].
    Control(ControlId, Request),
    /// A link stands; the transport has proven that `node` holds its key.
    LinkUp {
        /// The new link.
        link: LinkId,
        /// Who is at the other end.
        node: NodeId,
        /// The dial that led to it, if this side dialled.
        dial: Option<DialId>,
    },
    /// A link is gone.
    LinkDown(LinkId),
    /// A dial led nowhere.
    DialFailed(DialId, String),
    /// A frame arrived, without its length prefix.
    Received(LinkId, Bytes),
    /// A frame could not be queued because the link's queue is full.
    Unsent(LinkId, Bytes),
    /// Whoever made a streamed call on this machine has gone.
    Gone(ControlId),
    /// A backend has written some of its answer.
    BackendPart(CallId, u64, String),
    /// A backend has answered.
    BackendDone(CallId, Result<BackendReply, BackendError>),
    /// A backend says something of work that it has not ended.
    BackendSaid(CallId, Value),
    /// What a record holds, as asked by [`Effect::Look`]; entries not yet durable may be missing.
    Looked(LookId, Option<Vec<u8>>),
    /// How the audit log grew, as asked by [`Effect::Grow`]; none where something of it is not there, or not durable
    /// yet.
    Grown(LookId, Option<LogGrowth>),
    /// A run that was served for another realm, as asked by [`Effect::ReadRun`]; none where there is none.
    RunRead(LookId, Option<ServedRun>),
    /// Everything recorded up to here is on the disk.
    Persisted(JournalSeq),
    /// The disk has failed; nothing more will be durable.
    StoreFailed,
    /// The addresses that a ticket should name, the best first.
    Addresses(Vec<String>),
    /// What models cost from now on, by backend.
    Tariffs(BTreeMap<String, Tariff>),
    /// Which loops may use which secrets from now on.
    Secrets(realm_executor::SecretLoops),
    /// How often calls begin from now on.
    Rates(Vec<crate::Rate>),
    /// Roots that hear the names of people from now on.
    HearNames(BTreeSet<Label>),
}

/// Some of the text that a call's output is being made of. It is no output, and nothing of it is
/// checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// This realm's run.
    pub run: RunId,
    /// Which text; a greater number begins anew.
    pub number: u64,
    /// Bytes of the text before this.
    pub offset: u64,
    /// Some of the text.
    pub text: String,
}

/// How soon an entry must be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Something waits for it.
    Now,
    /// It may trail by 50 ms.
    Soon,
}

/// Something to be done, in the order given, without waiting for the one before.
#[derive(Debug)]
pub enum Effect {
    /// Sends a frame. If the link's queue is full, it comes back as [`Input::Unsent`].
    Send(LinkId, Bytes),
    /// Tries the addresses until one leads to the node.
    Dial {
        /// Comes back with the link or the failure.
        dial: DialId,
        /// The only node to be believed there.
        node: NodeId,
        /// Multiaddr text, the best first.
        addresses: Vec<String>,
    },
    /// Keeps a link past the admission window.
    Admit(LinkId),
    /// Closes a link after what is queued on it.
    Close(LinkId),
    /// Calls a backend; answered once, by [`Input::BackendDone`].
    CallBackend(CallId, BackendRequest),
    /// Stops a backend call; no answer is awaited any more.
    CancelBackend(CallId),
    /// Reads a record; answered once, by [`Input::Looked`].
    Look(LookId, Table, Vec<u8>),
    /// Reads how the audit log grew from a count to a kept head, by [`LogGrowth::read`]; answered once, by
    /// [`Input::Grown`].
    Grow(LookId, u64, u64),
    /// Reads the newest run that served a call of a realm, by the name that the run has of it; answered once, by
    /// [`Input::RunRead`].
    ReadRun(LookId, CallId, String),
    /// Shows whoever made a streamed call on this machine some of what its output is being made of.
    Part(ControlId, Part),
    /// Answers a request of the local API.
    Respond(ControlId, Response),
    /// Appends to the journal; answered by [`Input::Persisted`].
    Record(JournalSeq, Entry, Urgency),
}
