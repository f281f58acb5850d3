//! What is known of a frame from before a restart.

use std::collections::BTreeMap;

use realm_protocol::{CallId, cbor::Blob, journal::FrameRecord, json};
use serde_json::Value;

use crate::{LoopError, RestartError};

/// What was written down of a frame, with the JSON in it read.
#[derive(Debug)]
pub(in crate::executor) enum Known {
    /// It ended like this.
    Ended(Result<Value, LoopError>),
    /// It stood here; a machine in this state, once it had one.
    Open(Box<FrameRecord>, Option<Value>),
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
            let known = match output.map(Ok).or(error.map(Err)) {
                Some(end) => Self::Ended(end),
                None => Self::Open(Box::new(record), state),
            };
            Ok((call, known))
        });
        read.collect()
    }

    /// The record of a frame that had not ended.
    pub(super) fn open(&self) -> Option<&FrameRecord> {
        match self {
            Self::Ended(_) => None,
            Self::Open(record, _) => Some(record),
        }
    }
}
