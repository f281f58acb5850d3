//! What stands in bodies.

use ciborium::Value;
use realm_executor::{canonical_json, contract_digest};
use realm_protocol::{
    CallId, Digest, RunId, Scope,
    budget::{Amount, Budget, Spend},
    cbor::{self, Blob, Wire},
    halt::{Halt, HaltAck},
    message::{
        Accepted, Call, CallResult, Cancel, Contract, ContractsAsked, ContractsGiven, Custody,
        Plaintext, PolicyUse, Progress, Resolve, Resolved, ResultAck, Stage, StatusAsked,
        StreamItem, TraceParent,
    },
    records::GrantLink,
    trace::{TraceAsked, TraceShown},
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex},
    raw::{Raw, with},
    tree::{NOW, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "messages",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    match case.text("message") {
        "Plaintext" => read::<Plaintext>(case),
        "Resolve" => read::<Resolve>(case),
        "Resolved" => read::<Resolved>(case),
        "Call" => read::<Call>(case),
        "Result" => read::<CallResult>(case),
        "Cancel" => read::<Cancel>(case),
        "Custody" => read::<Custody>(case),
        "Accepted" => read::<Accepted>(case),
        "Progress" => read::<Progress>(case),
        "Status" => read::<StatusAsked>(case),
        "StreamItem" => read::<StreamItem>(case),
        "ResultAck" => read::<ResultAck>(case),
        "Halt" => read::<Halt>(case),
        "HaltAck" => read::<HaltAck>(case),
        "TraceAsked" => read::<TraceAsked>(case),
        "TraceShown" => read::<TraceShown>(case),
        "Contracts question" => read::<ContractsAsked>(case),
        "Contracts answer" => read::<ContractsGiven>(case),
        "spend" => spend(case),
        "contract digest" => digest(case),
        other => panic!("no message {other}"),
    }
}

pub(super) fn read<T: Wire>(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    let message: T = cbor::decode(&bytes).map_err(|error| error.to_string())?;
    assert_eq!(cbor::encode(&message), bytes);
    Ok(())
}

fn digest(case: &Case) -> Result<(), String> {
    let contract = json!({
        "effects": case.text("effects"), "input": case.value("input"),
        "output": case.value("output"),
    });
    let text = canonical_json(&contract);
    assert_eq!(text, case.text("text"));
    let digest = contract_digest(
        case.text("effects"),
        case.value("input"),
        case.value("output"),
    );
    assert_eq!(digest.as_bytes(), &case.array("digest"));
    Ok(())
}

pub(super) fn call() -> Call {
    Call {
        loop_id: "risk-classify".parse().unwrap(),
        version: None,
        contract: None,
        input: Blob::from(br#"{"age":61}"#.to_vec()),
        key: Digest::of(&[b"key"]),
        key_created: NOW,
        timeout_ms: 60_000,
        depth: 1,
        caller: None,
        parent: None,
        budget: None,
        session: None,
        grants: None,
        approvals: None,
        stream: None,
        order: None,
    }
}

pub(super) fn result() -> CallResult {
    CallResult {
        output: Blob::from(br#"{"risk":"low"}"#.to_vec()),
        run: RunId::at(NOW, [1; 10]),
        contract: Digest::of(&[b"contract"]),
        version: "1.2.0".to_owned(),
        output_schema: None,
        duration_ms: 12,
        policies: Vec::new(),
        replayed: false,
        session: None,
        hops: 3,
        input_schema: None,
        effects: None,
        spent: None,
        receipt: None,
    }
}

fn contract() -> Contract {
    Contract {
        loop_id: "risk-classify".parse().unwrap(),
        version: "1.2.0".to_owned(),
        digest: Digest::of(&[b"contract"]),
        description: Some("Says how high a risk is".to_owned()),
        input_schema: Some(Blob::from(b"true".to_vec())),
        output_schema: Some(Blob::from(b"true".to_vec())),
        effects: "idempotent".to_owned(),
        kind: "prompt".to_owned(),
    }
}

fn make(book: &mut Book) {
    book.about(
        "Bodies by `hex` and the `message` they are read as. A contract digest has the `effects`, \
         the schemas `input` and `output`, the `text` that is hashed and its `digest`.",
    );
    let world = world();
    let full = Call {
        version: Some("1.2.0".to_owned()),
        contract: Some(Digest::of(&[b"contract"])),
        caller: Some("ann".to_owned()),
        parent: Some(TraceParent {
            run: RunId::at(NOW, [1; 10]),
            frame: CallId::new([2; 16]),
        }),
        session: None,
        ..call()
    };
    let used = CallResult {
        policies: vec![PolicyUse {
            realm: world.acme.id,
            number: 4,
        }],
        replayed: true,
        ..result()
    };
    let told = CallResult {
        output_schema: Some(Blob::from(b"true".to_vec())),
        input_schema: Some(Blob::from(b"true".to_vec())),
        effects: Some("none".to_owned()),
        ..result()
    };
    let plaintext = Plaintext {
        source: world.health.id,
        destination: None,
        id: realm_protocol::MessageId::new([1; 16]),
        content: Blob::from(cbor::encode(&Resolve { known: None })),
        padding: None,
    };
    one(book, "Plaintext", "a plaintext", &plaintext, &[1, 4]);
    one(book, "Resolve", "a resolve", &Resolve { known: None }, &[0]);
    let known = Resolve {
        known: Some(Digest::of(&[b"chain"])),
    };
    one(book, "Resolve", "a resolve by who knows", &known, &[0]);
    let resolved = Resolved {
        chain: world.health.chain(),
        revocations: vec![world.health.revocations(&[3])],
    };
    one(book, "Resolved", "a resolved", &resolved, &[]);
    one(book, "Call", "a call", &call(), &[]);
    one(book, "Call", "a call that says all", &full, &[1, 2, 8, 9]);
    let offers = Call {
        session: Some([1; 32]),
        ..call()
    };
    one(book, "Call", "a call that offers a session", &offers, &[13]);
    let streams = Call {
        stream: Some(65_536),
        ..call()
    };
    one(book, "Call", "a call that takes a stream", &streams, &[64]);
    let approved = Call {
        approvals: Some(vec![world.acme.approval()]),
        ..call()
    };
    let name = "a call that people have approved";
    one(book, "Call", name, &approved, &[14]);
    let granted = Call {
        grants: Some(vec![GrantLink {
            grant: world.acme.grant(&world.health),
            chain: None,
        }]),
        ..call()
    };
    let name = "a call by a grant";
    one(book, "Call", name, &granted, &[12]);
    let part = StreamItem {
        run: RunId::at(NOW, [1; 10]),
        number: 1_790_000_000_000,
        offset: 6,
        text: " world".to_owned(),
    };
    one(book, "StreamItem", "a part of a stream", &part, &[]);
    one(book, "Result", "a result", &result(), &[]);
    let takes = CallResult {
        session: Some([1; 32]),
        ..result()
    };
    let name = "a result that takes a session";
    one(book, "Result", name, &takes, &[11]);
    one(book, "Result", "a result given again", &used, &[]);
    let name = "a result that tells its contract";
    one(book, "Result", name, &told, &[4, 14, 15]);
    one(book, "Cancel", "a cancel", &Cancel { reason: None }, &[0]);
    let reason = Cancel {
        reason: Some("no longer needed".to_owned()),
    };
    one(book, "Cancel", "a cancel with a reason", &reason, &[0]);
    let asked = ContractsAsked {
        loop_id: Some("risk-classify".parse().unwrap()),
        after: None,
    };
    one(
        book,
        "Contracts question",
        "a question for a contract",
        &asked,
        &[0, 1],
    );
    let given = ContractsGiven {
        contracts: vec![contract()],
        more: true,
    };
    one(book, "Contracts answer", "a contract", &given, &[]);
    for (name, taken) in [
        ("a call that is kept", false),
        ("a call that was taken", true),
    ] {
        let receipt = Custody {
            answers: Digest::of(&[b"call"]),
            until: NOW,
            taken,
        };
        one(book, "Custody", name, &receipt, &[]);
    }
    long_calls(book);
    budgets(book);
    halts(book);
    let asked = super::traces::asked(&world);
    one(
        book,
        "TraceAsked",
        "a question for a trace",
        &asked,
        &[2, 3, 4],
    );
    let shown = super::traces::shown(&world);
    one(book, "TraceShown", "a page of a trace", &shown, &[]);
    digests(book);
}

fn budgets(book: &mut Book) {
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    let budget = Budget {
        money: Some(amount("EUR 0.50")),
        tokens: Some(20_000),
        calls: Some(12),
    };
    let spend = |money: Vec<Amount>| Spend {
        money,
        tokens: 1_204,
        calls: 3,
        unpriced: 1,
    };
    let rule = "MSG-1 BUDGET-1";
    let bounded = Call {
        budget: Some(budget),
        ..call()
    };
    body(book, rule, "Call", "a call with a budget", &bounded, &[10]);
    let free = Call {
        budget: Some(Budget::default()),
        ..call()
    };
    body(
        book,
        rule,
        "Call",
        "a call with a budget that bounds nothing",
        &free,
        &[10],
    );
    let both = vec![amount("EUR 0.0012"), amount("USD 0.30")];
    let used = CallResult {
        spent: Some(spend(both.clone())),
        ..result()
    };
    body(
        book,
        rule,
        "Result",
        "a result that says what was used",
        &used,
        &[65],
    );
    for (name, money) in [("nothing", Vec::new()), ("euros and dollars", both)] {
        let fields = json!({"message": "spend", "hex": hex(cbor::encode(&spend(money)))});
        book.valid(&format!("a spend of {name}"), "BUDGET-2", fields);
    }
    let repeated = amount("EUR 1");
    for (name, money) in [
        ("out of order", vec![amount("USD 1"), amount("EUR 1")]),
        ("that names a currency twice", vec![repeated, repeated]),
        ("of no euros", vec![amount("EUR 0")]),
    ] {
        let fields = json!({"message": "spend", "hex": hex(cbor::encode(&spend(money)))});
        book.invalid(&format!("a spend {name}"), "BUDGET-2", fields);
    }
    for (name, currency) in [("lower-case", "eur"), ("four-letter", "EURO")] {
        let changed = with(
            &cbor::encode(&bounded),
            10,
            Some(Value::Map(vec![(
                0.into(),
                Value::Map(vec![(0.into(), currency.into()), (1.into(), 1.into())]),
            )])),
        );
        let fields = json!({"message": "Call", "hex": hex(changed)});
        book.invalid(
            &format!("a budget in a {name} currency"),
            "BUDGET-1",
            fields,
        );
    }
}

fn spend(case: &Case) -> Result<(), String> {
    let spend: Spend = cbor::decode(&case.bytes("hex")).map_err(|error| error.to_string())?;
    match spend.is_well_formed() {
        true => Ok(()),
        false => Err("its currencies are not each once, in order, and of something".to_owned()),
    }
}

fn long_calls(book: &mut Book) {
    let run = RunId::new([6; 16]);
    let accepted = Accepted {
        run,
        contract: Some(Digest::of(&[b"contract"])),
        until: NOW,
        stage: Stage::Running,
    };
    one(book, "Accepted", "a call that is accepted", &accepted, &[1]);
    for (number, stage) in (0..).zip(Stage::ALL) {
        let progress = Progress {
            run,
            number,
            stage: *stage,
        };
        let name = format!("a run that is {}", stage.name().to_lowercase());
        one(book, "Progress", &name, &progress, &[]);
    }
    one(
        book,
        "Status",
        "a question for a run",
        &StatusAsked { run },
        &[],
    );
    for (name, awaited) in [
        ("an end that was awaited", true),
        ("an end that was not", false),
    ] {
        one(book, "ResultAck", name, &ResultAck { awaited }, &[]);
    }
}

fn halts(book: &mut Book) {
    let scope = |path: &str| Scope {
        root: world().acme.id,
        path: path.parse().unwrap(),
    };
    for (name, halted, why) in [
        ("a halt of a subtree", true, Some("a drill")),
        ("a halt that is lifted", false, None),
    ] {
        let halt = Halt {
            number: 7,
            halted,
            subtree: halted,
            by: scope(""),
            why: why.map(str::to_owned),
        };
        body(book, "HALT-1", "Halt", name, &halt, &[4]);
    }
    let ack = HaltAck {
        number: 7,
        halted: true,
        runs: 3,
        own: false,
        confirmed: vec![scope("health/cardiology")],
        open: vec![scope("health/imaging")],
        unnamed: 0,
    };
    body(
        book,
        "HALT-6",
        "HaltAck",
        "a halt that is confirmed",
        &ack,
        &[],
    );
}

fn one<T: Wire>(book: &mut Book, message: &str, name: &str, value: &T, optional: &[u64]) {
    body(book, "MSG-1", message, name, value, optional);
}

/// A body, and what becomes of it when a key is wrong, missing or unknown.
pub(super) fn body<T: Wire>(
    book: &mut Book,
    rule: &str,
    message: &str,
    name: &str,
    value: &T,
    optional: &[u64],
) {
    let bytes = cbor::encode(value);
    let fields = |bytes: Vec<u8>| json!({"message": message, "hex": hex(bytes)});
    let wrong_type = format!("{rule} CBOR-15");
    book.valid(name, rule, fields(bytes.clone()));
    let later = with(&bytes, 63, Some(0.into()));
    book.invalid(&format!("{name} with key 63"), rule, fields(later));
    let Raw(Value::Map(entries)) = cbor::decode(&bytes).unwrap() else {
        panic!("a body is a map");
    };
    for (key, value) in entries {
        let key = u64::try_from(key.as_integer().unwrap()).unwrap();
        let wrong = if value.is_bool() {
            0.into()
        } else {
            Value::Bool(true)
        };
        let changed = fields(with(&bytes, key, Some(wrong)));
        let label = format!("{name} with another type under key {key}");
        book.invalid(&label, &wrong_type, changed);
        if !optional.contains(&key) {
            let without = fields(with(&bytes, key, None));
            book.invalid(&format!("{name} without key {key}"), &wrong_type, without);
        }
    }
}

fn digests(book: &mut Book) {
    let object = json!({
        "type": "object", "required": ["b", "a"],
        "properties": {"b": {"type": "string", "minLength": 1}, "a": {"const": "é\n"}},
    });
    for (name, effects, input, output) in [
        ("a contract of anything", "none", json!(true), json!({})),
        ("a contract of objects", "once", object.clone(), object),
    ] {
        let text = canonical_json(&json!({"effects": effects, "input": input, "output": output}));
        let digest = Digest::of(&[text.as_bytes()]);
        let fields = json!({
            "message": "contract digest", "effects": effects, "input": input, "output": output,
            "text": text, "digest": hex(digest.as_bytes()),
        });
        book.valid(name, "CONTRACT-1", fields);
    }
}
