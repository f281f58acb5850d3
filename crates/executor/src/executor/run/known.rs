//! What is known of a frame from before a restart.

use std::collections::BTreeMap;

use realm_protocol::{CallId, cbor::Blob, journal::FrameRecord, json};
use serde_json::Value;

use crate::{LoopError, RestartError};

/// A frame's record, with what it holds of JSON read.
#[derive(Debug)]
pub(in crate::executor) struct Known {
    pub(super) record: FrameRecord,
    /// How the frame ended, if it did.
    pub(super) end: Option<Result<Value, LoopError>>,
    /// The last state of a machine.
    pub(super) state: Option<Value>,
}

impl Known {
    /// Reads what was written down of a run's frames: all of it, before anything rests on a part.
    pub(in crate::executor) fn read(
        records: BTreeMap<CallId, FrameRecord>,
    ) -> Result<BTreeMap<CallId, Self>, RestartError> {
        let read = records.into_iter().map(|(call, mut record)| {
            let value = |blob: Option<Blob>, what| {
                let value = blob.map(|blob| json::parse(&blob)).transpose();
                value.map_err(|error| RestartError::Unreadable {
                    call,
                    what,
                    reason: error.to_string(),
                })
            };
            let output = value(record.output.take(), "output")?;
            let state = value(record.state.take(), "state")?;
            let error = record.error.take().map(LoopError::from_record);
            let end = output.map(Ok).or(error.map(Err));
            Ok((call, Self { record, end, state }))
        });
        read.collect()
    }
}
