//! One value of every record of a run's journal.

use super::{NOW, budget, spend};
use crate::{
    CallId, Digest, FailureCode, RunId,
    cbor::Blob,
    journal::{Direction, Event, FrameError, FrameRecord, Run, Status},
};

pub(super) fn run() -> Run {
    Run {
        id: RunId::new([1; 16]),
        call: CallId::new([2; 16]),
        loop_id: "risk-classify".to_owned(),
        version: None,
        direction: Direction::In,
        peer: Some("lab/genomics".to_owned()),
        status: Status::Failed,
        started: NOW,
        ended: Some(NOW),
        error: Some("LoopFailed".to_owned()),
        input: Some(Blob::from(b"{}".to_vec())),
        output: None,
        parent: None,
        resume: None,
        erased: None,
    }
}

pub(super) fn frame_record() -> FrameRecord {
    FrameRecord {
        deadline: Some(NOW),
        approval: Some(crate::journal::Consent::Asked),
        began: NOW,
        manifest: Some(Digest::of(&[b"manifest"])),
        attempt: 2,
        asked: Some(NOW),
        due: None,
        output: None,
        error: Some(FrameError {
            code: FailureCode::LoopFailed,
            message: "told to".to_owned(),
            details: vec!["(root): wrong".to_owned()],
            category: "business".to_owned(),
            may_have_begun: true,
        }),
        state: Some(Blob::from(b"{}".to_vec())),
        steps: 7,
        paused_ms: 1_000,
        paused: None,
        by_hand: false,
        tried: NOW,
        given: Some(budget()),
        spent: Some(spend()),
    }
}

pub(super) fn event() -> Event {
    Event {
        run: RunId::new([1; 16]),
        index: 0,
        call: CallId::new([2; 16]),
        at: NOW,
        kind: "call.started".to_owned(),
        payload: Blob::from(b"{}".to_vec()),
    }
}
