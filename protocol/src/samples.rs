//! One value of every type that crosses a link or reaches a disk, for tests.

mod broadcast;

use crate::{
    ApprovalId, CallId, Digest, Envelope, Failure, FailureCode, GrantId, Header, Hop, Kind, LoopId,
    MessageId, NodeId, Phase, Place, Priority, RealmId, RealmPath, RunId, Secret16, Signature,
    Suite, TicketId, Timestamp,
    budget::{Budget, Spend},
    cbor::{self, Blob, CborError, Wire},
    halt::{Halt, HaltAck},
    journal::{Direction, Event, FrameError, FrameRecord, Run, Status},
    link::{
        Accept, Beat, Bye, Frame, Hello, Join, Joined, NeedChain, Offer, Records, Renew, Taken,
    },
    message::{
        Accepted, Call, CallResult, Cancel, Contract, ContractsAsked, ContractsGiven, Custody,
        Plaintext, PolicyUse, Progress, Resolve, Resolved, ResultAck, Stage, StatusAsked,
        TraceParent,
    },
    records::{
        Admission, Approval, ApprovalAction, ApprovalVerdict, Chain, ChainLink, ChildCert,
        ChildLimits, Grant, GrantLink, Inception, KemPurpose, KemRecord, NodeCert, Peering,
        Petname, PolicyRecord, RealmRecord, Record, RevocationList, Role, Signed, Succession,
        SuccessionReason, Ticket, TicketKind,
    },
};

/// A value's bytes, and what reading and writing them again gives.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) again: fn(&[u8]) -> Result<Vec<u8>, CborError>,
}

fn sample<T: Wire>(name: &'static str, value: &T) -> Sample {
    Sample {
        name,
        bytes: cbor::encode(value),
        again: |bytes| cbor::decode::<T>(bytes).map(|value| cbor::encode(&value)),
    }
}

pub(crate) fn all() -> Vec<Sample> {
    let mut samples = records();
    samples.extend(bodies());
    samples.extend(broadcast::all());
    samples.extend(
        frames()
            .into_iter()
            .map(|frame| sample(frame.name(), &frame)),
    );
    samples.push(sample("Header", &header()));
    samples.push(sample("Chain", &chain()));
    samples.push(sample("Ticket", &ticket()));
    samples.push(sample("Run", &run()));
    samples.push(sample("Event", &event()));
    samples.push(sample("FrameRecord", &frame_record()));
    samples
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn realm(number: u8) -> RealmId {
    RealmId::new([number; 32])
}

fn node(number: u8) -> NodeId {
    NodeId::new([number; 32])
}

fn digest(number: u8) -> Digest {
    Digest::new([number; 32])
}

fn path(text: &str) -> RealmPath {
    text.parse().unwrap()
}

fn loop_id() -> LoopId {
    "risk-classify".parse().unwrap()
}

fn place(root: u8, at: &str) -> Place {
    Place {
        root: realm(root),
        path: path(at),
        realm: Some(realm(root + 1)),
        node: Some(node(root + 2)),
    }
}

fn signed<T: Record>(record: &T) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    signed.signatures = vec![[7; 64]; T::TAGS.len()];
    signed
}

fn inception() -> Inception {
    Inception {
        realm_key: [1; 32],
        next_key: digest(2),
        created: NOW,
    }
}

fn succession() -> Succession {
    Succession {
        realm: realm(1),
        number: 1,
        previous: digest(1),
        realm_key: [3; 32],
        next_key: digest(4),
        reason: SuccessionReason::Routine,
        created: NOW,
    }
}

fn node_cert() -> NodeCert {
    NodeCert {
        serial: 1,
        realm: realm(1),
        node: node(2),
        scopes: 3,
        not_before: NOW,
        not_after: NOW.plus(1),
        epoch: 0,
    }
}

fn child_cert() -> ChildCert {
    ChildCert {
        serial: 70_000,
        parent: realm(1),
        label: "health".parse().unwrap(),
        child: realm(2),
        not_before: NOW,
        not_after: NOW.plus(1),
        parent_node: node(3),
        child_node: node(4),
        limits: ChildLimits {
            rate: 5_000,
            burst: 20_000,
            may_certify: true,
        },
        epoch: 1,
    }
}

fn kem() -> KemRecord {
    KemRecord {
        realm: realm(1),
        node: node(2),
        key: [9; 32],
        purpose: KemPurpose::Live,
        not_before: NOW,
        not_after: NOW.plus(1),
    }
}

fn realm_record() -> RealmRecord {
    RealmRecord {
        realm: realm(1),
        epoch: 1,
        node: node(2),
        created: NOW,
    }
}

fn admission() -> Admission {
    Admission {
        scopes: vec![path(""), path("health/cardiology")],
        rate: 50,
        burst: 200,
    }
}

fn peering() -> Peering {
    Peering {
        serial: 2,
        inviter: realm(1),
        acceptor: realm(2),
        from_inviter: admission(),
        from_acceptor: admission(),
        not_before: NOW,
        not_after: NOW.plus(1),
        inviter_node: node(3),
        acceptor_node: node(4),
    }
}

fn revocations() -> RevocationList {
    RevocationList {
        realm: realm(1),
        number: 300,
        serials: vec![1, 24, 256, 65_536],
        created: NOW,
        node: node(2),
    }
}

pub(crate) fn approval() -> Approval {
    Approval {
        id: ApprovalId::new([1; 16]),
        action: ApprovalAction {
            realm: realm(1),
            run: RunId::new([1; 16]),
            frame: CallId::new([2; 16]),
            loop_id: "rollback@lab/genomics".to_owned(),
            version: Some("1.0.0".to_owned()),
            revision: Some(Digest::of(&[b"revision"])),
            contract: Some(Digest::of(&[b"contract"])),
            input: Digest::of(&[b"input"]),
            callee: Some(crate::Scope {
                root: realm(2),
                path: RealmPath::ROOT,
            }),
        },
        verdict: ApprovalVerdict::Granted,
        person: "alice".to_owned(),
        roles: vec![Role::Approver],
        reason: Some("as agreed".to_owned()),
        decided: NOW,
        expires: NOW,
        node: node(3),
    }
}

fn policy() -> PolicyRecord {
    PolicyRecord {
        realm: realm(1),
        number: 1,
        cedar: "permit (principal, action, resource);".to_owned(),
        petnames: vec![Petname {
            name: "lab".parse().unwrap(),
            root: realm(2),
        }],
        created: NOW,
        node: node(2),
        above: Some(digest(5)),
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::new([1; 16]),
        secret: Secret16::new([2; 16]),
        kind: TicketKind::Child("health".parse().unwrap()),
        realm: realm(1),
        root: realm(1),
        path: RealmPath::ROOT,
        petname: "acme".parse().unwrap(),
        node: node(2),
        addresses: vec!["/ip4/192.0.2.1/tcp/4100".to_owned()],
        expires: NOW,
    }
}

fn records() -> Vec<Sample> {
    vec![
        sample("Inception", &inception()),
        sample("Signed<Inception>", &signed(&inception())),
        sample("Succession", &succession()),
        sample("NodeCert", &node_cert()),
        sample("ChildCert", &child_cert()),
        sample("Signed<ChildCert>", &signed(&child_cert())),
        sample("KemRecord", &kem()),
        sample("RealmRecord", &realm_record()),
        sample("Peering", &peering()),
        sample("RevocationList", &revocations()),
        sample("PolicyRecord", &policy()),
        sample("Approval", &approval()),
        sample("Grant", &grant()),
    ]
}

fn chain() -> Chain {
    let link = |child_cert| ChainLink {
        inception: signed(&inception()),
        successions: vec![signed(&succession())],
        node_cert: signed(&node_cert()),
        child_cert,
    };
    Chain {
        links: vec![link(None), link(Some(signed(&child_cert())))],
        kem: vec![signed(&kem())],
        realm_record: signed(&realm_record()),
    }
}

pub(crate) fn header() -> Header {
    Header {
        version: 1,
        id: MessageId::new([1; 16]),
        kind: Kind::Call,
        source: place(10, "health/cardiology"),
        destination: place(20, "genomics"),
        created: NOW,
        ttl_ms: 60_000,
        call: CallId::new([2; 16]),
        commitment: digest(3),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        suite: Suite::Sealed,
        key: Some(crate::KeyId::new([4; 8])),
        max_reply: 65_536,
        chunk: None,
        counter: None,
        receipt: None,
    }
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        hop: Hop {
            left: 17,
            phase: Phase::Up,
            age_ms: 0,
        },
        header: Blob::from(cbor::encode(&header())),
        signature: Signature::Single([5; 64]),
        body: Blob::from(vec![6; 300]),
        chain: None,
    }
}

fn frames() -> Vec<Frame> {
    let rooted = Envelope {
        signature: Signature::Root {
            signature: [5; 64],
            index: 5,
            siblings: vec![digest(6); 3],
        },
        chain: Some(Blob::from(cbor::encode(&chain()))),
        ..envelope()
    };
    vec![
        Frame::Envelope(envelope()),
        Frame::Envelope(rooted),
        Frame::Hello(Hello {
            oldest: 1,
            newest: 1,
            chain: chain(),
            clock: NOW,
            records: digest(1),
            joining: Some(true),
        }),
        Frame::Join(Join {
            ticket: TicketId::new([1; 16]),
            secret: Secret16::new([2; 16]),
            admission: Some(admission()),
            petname: Some("lab".parse().unwrap()),
        }),
        Frame::Offer(Offer {
            child_cert: Some(signed(&child_cert())),
            peering: None,
            chain: chain(),
        }),
        Frame::Accept(Accept {
            child_cert: None,
            peering: Some(signed(&peering())),
        }),
        Frame::Joined(Joined { record: digest(1) }),
        Frame::Renew(Renew {
            held: Some(digest(1)),
        }),
        Frame::Records(Records {
            chain: Some(chain()),
            revocations: vec![signed(&revocations())],
            issuers: vec![chain()],
            policies: vec![signed(&policy())],
            summary: None,
        }),
        Frame::Records(Records {
            summary: Some(crate::broadcast::Summary {
                filter: Blob::from(vec![1; crate::limits::SUMMARY_BYTES]),
                realms: 3,
            }),
            ..Records::default()
        }),
        Frame::NeedChain(NeedChain { header: digest(1) }),
        Frame::Beat(Beat {
            clock: NOW,
            records: digest(1),
            head: None,
        }),
        Frame::Bye(Bye {
            code: Some(FailureCode::Denied),
            detail: Some("the ticket is not valid".to_owned()),
        }),
        Frame::Taken(Taken { header: digest(1) }),
    ]
}

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
            grant: signed(&grant()),
            chain: Some(Blob::from(cbor::encode(&chain()))),
        }]),
        session: None,
        approvals: None,
        stream: None,
        order: None,
    }
}

fn grant() -> Grant {
    Grant {
        id: GrantId::at(NOW, [1; 10]),
        issuer: realm(1),
        node: node(2),
        holder: realm(3),
        loops: vec!["billing/*".parse().unwrap()],
        uses: Some(3),
        budget: Some(budget()),
        not_before: NOW,
        not_after: NOW.plus(60_000),
        from: Some(digest(4)),
        agent: Some(loop_id()),
        run: Some(RunId::new([5; 16])),
    }
}

fn bodies() -> Vec<Sample> {
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
        chain: chain(),
        revocations: vec![signed(&revocations())],
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

fn run() -> Run {
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
    }
}

fn frame_record() -> FrameRecord {
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

fn budget() -> Budget {
    Budget {
        money: "EUR 0.50".parse().ok(),
        tokens: Some(1_200),
        calls: Some(3),
    }
}

fn spend() -> Spend {
    let euros = "EUR 0.50".parse();
    Spend {
        money: euros.into_iter().collect(),
        tokens: 1_200,
        calls: 3,
        unpriced: 1,
    }
}

fn event() -> Event {
    Event {
        run: RunId::new([1; 16]),
        index: 0,
        call: CallId::new([2; 16]),
        at: NOW,
        kind: "call.started".to_owned(),
        payload: Blob::from(b"{}".to_vec()),
    }
}

/// A Markdown table: head, and one row for each number below `rows`.
pub(crate) fn table(head: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    let columns = head.matches('|').count() - 1;
    let rule = format!("|{}", "---|".repeat(columns));
    let rows = (0..rows).map(row);
    let lines: Vec<String> = [head.to_owned(), rule].into_iter().chain(rows).collect();
    lines.join("\n") + "\n"
}

/// Holds a page of the specification against a table that the code gives.
pub(crate) fn assert_in_spec(page: &str, table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/").to_owned() + page;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text.contains(table),
        "{path} does not hold this table:\n\n{table}"
    );
}
