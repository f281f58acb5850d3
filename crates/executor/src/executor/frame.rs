//! One loop that runs inside a run.

use std::sync::Arc;

use realm_protocol::{CallId, Digest, Now, Tick};
use serde_json::Value;

use crate::{Registered, mapping::Scope};

/// Domain of the digests that frames are named by.
const FRAME_TAG: &[u8] = b"realm/1/frame";

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) call: CallId,
    pub(super) parent: Option<Place>,
    pub(super) entry: Arc<Registered>,
    pub(super) input: Value,
    pub(super) started: Now,
    pub(super) deadline: Tick,
    pub(super) depth: u64,
    pub(super) waiting: Waiting,
    pub(super) outputs: Vec<Value>,
    pub(super) bindings: Vec<(String, usize)>,
}

/// Where a child stands: its caller and the step that called it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) frame: CallId,
    pub(super) step: usize,
}

/// What a frame waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    Nothing,
    Backend { since: Tick },
    Child(CallId),
    Remote(CallId),
}

impl Frame {
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            input: &self.input,
            outputs: &self.outputs,
            bindings: &self.bindings,
        }
    }
}

/// The id of a step's frame: the same run of the same steps has the same ids.
pub(super) fn child_id(parent: CallId, step: usize, attempt: u64) -> CallId {
    let step = (step as u64).to_be_bytes();
    let digest = Digest::of(&[FRAME_TAG, parent.as_bytes(), &step, &attempt.to_be_bytes()]);
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(digest.as_bytes()) {
        *byte = *hashed;
    }
    CallId::new(bytes)
}
