//! One value of every message between two ends.

use super::{NOW, Sample, budget, digest, loop_id, place, realm, records, sample, signed, spend};
use crate::{
    CallId, Failure, FailureCode, MessageId, RunId,
    cbor::{self, Blob},
    halt::{Halt, HaltAck},
    message::{
        Accepted, Call, CallResult, Cancel, Contract, ContractsAsked, ContractsGiven, Custody,
        Plaintext, PolicyUse, Progress, Resolve, Resolved, ResultAck, Stage, StatusAsked,
        TraceParent,
    },
    records::GrantLink,
    trace::{Onward, TraceAsked, TraceItem, TracePass, TraceShown},
};

pub(crate) fn call() -> Call {
    Call {
        loop_id: loop_id(),
        version: Some("1.2.0".to_owned()),
        contract: Some(digest(1)),
        input: Blob::from(b"{}".to_vec()),
        key: digest(2),
        key_created: NOW,
        timeout_ms: 60_000,
        depth: 1,
        caller: Some("ann".to_owned()),
        parent: Some(TraceParent {
            run: RunId::new([1; 16]),
            frame: CallId::new([2; 16]),
        }),
        budget: Some(budget()),
        grants: Some(vec![GrantLink {
            grant: signed(&records::grant()),
            chain: Some(Blob::from(cbor::encode(&records::chain()))),
        }]),
        session: None,
        approvals: None,
        stream: None,
        order: None,
    }
}

pub(super) fn all() -> Vec<Sample> {
    let call = call();
    let result = CallResult {
        output: Blob::from(b"{}".to_vec()),
        run: RunId::new([1; 16]),
        contract: digest(1),
        version: "1.2.0".to_owned(),
        output_schema: Some(Blob::from(b"true".to_vec())),
        duration_ms: 12,
        policies: vec![PolicyUse {
            realm: realm(1),
            number: 1,
        }],
        replayed: false,
        session: None,
        hops: 3,
        input_schema: Some(Blob::from(b"true".to_vec())),
        effects: Some("none".to_owned()),
        spent: Some(spend()),
        receipt: Some(Blob::from(vec![1; 20])),
    };
    let contract = Contract {
        loop_id: loop_id(),
        version: "1.2.0".to_owned(),
        digest: digest(1),
        description: None,
        input_schema: Some(Blob::from(b"true".to_vec())),
        output_schema: Some(Blob::from(b"true".to_vec())),
        effects: "none".to_owned(),
        kind: "tool".to_owned(),
    };
    let failure = Failure {
        code: FailureCode::Overloaded,
        answers: digest(1),
        reference: Some("abc".to_owned()),
        retry_after_ms: Some(1_000),
        detail: Some("busy".to_owned()),
        not_begun: Some(true),
        spent: None,
        receipt: None,
    };
    let plaintext = Plaintext {
        source: realm(1),
        destination: Some(realm(2)),
        id: MessageId::new([1; 16]),
        content: Blob::from(cbor::encode(&call)),
        padding: Some(Blob::from(vec![0; 30])),
    };
    let asked = ContractsAsked {
        loop_id: Some(loop_id()),
        after: None,
    };
    let given = ContractsGiven {
        contracts: vec![contract],
        more: true,
    };
    let resolved = Resolved {
        chain: records::chain(),
        revocations: vec![signed(&records::revocations())],
    };
    let run = RunId::new([16; 16]);
    let accepted = Accepted {
        run,
        contract: Some(digest(1)),
        until: NOW,
        stage: Stage::Waiting,
    };
    let progress = Progress {
        run,
        number: 1,
        stage: Stage::Paused,
    };
    let status = StatusAsked { run };
    let custody = Custody {
        answers: digest(1),
        until: NOW,
        taken: false,
    };
    let cancel = Cancel {
        reason: Some("no longer needed".to_owned()),
    };
    vec![
        sample("Plaintext", &plaintext),
        sample("Resolve", &Resolve { known: None }),
        sample("Resolved", &resolved),
        sample("Call", &call),
        sample("CallResult", &result),
        sample("Cancel", &cancel),
        sample("Custody", &custody),
        sample("Accepted", &accepted),
        sample("Progress", &progress),
        sample("StatusAsked", &status),
        sample("ResultAck", &ResultAck { awaited: true }),
        sample("Halt", &halt()),
        sample("HaltAck", &halt_ack()),
        sample("TraceAsked", &trace_asked()),
        sample("TraceShown", &trace_shown()),
        sample("ContractsAsked", &asked),
        sample("ContractsGiven", &given),
        sample("Failure", &failure),
    ]
}

fn halt() -> Halt {
    Halt {
        number: 1,
        halted: true,
        subtree: true,
        by: place(1, "").scope(),
        why: Some("a drill".to_owned()),
    }
}

fn trace_pass() -> TracePass {
    TracePass {
        call: CallId::new([2; 16]),
        to: place(1, "").scope(),
        until: NOW,
    }
}

fn trace_asked() -> TraceAsked {
    TraceAsked {
        call: CallId::new([2; 16]),
        loop_id: loop_id(),
        after: Some(7),
        pass: Some(signed(&trace_pass())),
        caller: Some(place(2, "health").scope()),
    }
}

fn trace_shown() -> TraceShown {
    TraceShown {
        run: RunId::new([1; 16]),
        items: vec![
            TraceItem::Hidden(digest(1)),
            TraceItem::Shown([3; 16], super::journal::event()),
        ],
        more: true,
        onward: vec![Onward {
            call: CallId::new([2; 16]),
            to: place(2, "health").scope(),
            loop_id: loop_id(),
            pass: signed(&trace_pass()),
        }],
        erased: false,
    }
}

fn halt_ack() -> HaltAck {
    HaltAck {
        number: 1,
        halted: true,
        runs: 2,
        own: false,
        confirmed: vec![place(2, "health").scope()],
        open: vec![place(3, "health/imaging").scope()],
        unnamed: 0,
    }
}
