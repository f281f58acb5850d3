use serde_json::json;

use crate::{
    CallId, Digest, RunId, Timestamp,
    cbor::Blob,
    journal::{Direction, Erased, Event, Run, Status},
    json,
};

#[test]
fn an_erased_event_keeps_numbers_names_and_digests_and_no_word_of_what_was_said() {
    let input = json!({"patient": "canary"});
    let payload = json!({
        "loopId": "triage", "stepIndex": 2, "input": input, "output": "canary", "message": "canary said",
        "details": ["canary"], "arguments": {"name": "canary"}, "anythingNew": "canary",
        "spent": {"tokens": 7, "money": {"currency": "EUR", "micros": 5}, "note": "canary"},
        "outputDigest": "sha256:known",
    });
    let event = Event {
        run: RunId::new([1; 16]),
        index: 3,
        call: CallId::new([2; 16]),
        at: Timestamp::from_millis(4),
        kind: "call.completed".to_owned(),
        payload: Blob::from(json::to_bytes(&payload)),
    };

    let erased = event.clone().erased();

    let left = json::parse(&erased.payload).unwrap();
    let digest = Digest::of(&[&json::to_bytes(&input)]).to_string();
    assert!(!left.to_string().contains("canary"), "{left}");
    assert_eq!(left["loopId"], "triage");
    assert_eq!(left["stepIndex"], 2);
    assert_eq!(left["inputDigest"], digest);
    assert_eq!(left["outputDigest"], "sha256:known");
    let spent = json!({"tokens": 7, "money": {"currency": "EUR", "micros": 5}});
    assert_eq!(left["spent"], spent);
    let same = (
        erased.run,
        erased.index,
        erased.call,
        erased.at,
        erased.kind,
    );
    assert_eq!(
        same,
        (event.run, event.index, event.call, event.at, event.kind)
    );
}

#[test]
fn an_erased_run_says_who_erased_it_and_when() {
    let run = Run {
        id: RunId::new([1; 16]),
        call: CallId::new([2; 16]),
        loop_id: "triage".to_owned(),
        version: None,
        direction: Direction::Local,
        peer: None,
        status: Status::Completed,
        started: Timestamp::from_millis(1),
        ended: Some(Timestamp::from_millis(2)),
        error: None,
        input: Some(Blob::from(b"{}".to_vec())),
        output: Some(Blob::from(b"{}".to_vec())),
        parent: None,
        resume: Some(Blob::from(b"{}".to_vec())),
        erased: None,
    };
    let erased = Erased {
        at: Timestamp::from_millis(9),
        by: "ada".to_owned(),
    };

    let left = run.clone().erased(erased.clone());

    assert_eq!((left.input, left.output, left.resume), (None, None, None));
    assert_eq!(left.erased, Some(erased));
    assert_eq!((left.id, left.ended), (run.id, run.ended));
}
