//! What people and programs write: names, tickets, JSON, loops, policies, requests.

use std::{collections::BTreeMap, fmt::Debug, fmt::Display, str::FromStr};

use realm_client::{
    api::{
        AllowRequest, ApplyRequest, BackupRequest, CancelRequest, DisallowRequest, InvokeRequest,
        JoinRequest, PolicyApply, PolicyCases, PolicyQuestion, PolicyText, RevokeRequest,
        TicketRequest, Time,
    },
    ticket::{self as tickets},
};
use realm_executor::{
    Effects, Manifest, Reference, Registry, ToldSchema, canonical_json, example, load,
};
use realm_policy::{Action, AskedResource, Policy, Request, Resource, check};
use realm_protocol::{
    CallId, Digest, Label, LoopAddress, LoopId, MessageId, NodeId, RealmId, RealmName, RealmPath,
    RunId, Scope, TicketId, Timestamp, cbor, json as strict_json,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::wire::one_encoding;

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

pub(crate) fn ticket(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let read = tickets::decode(text);
    assert_eq!(read.is_ok(), tickets::show(text).is_ok());
    let Ok(ticket) = read else {
        return;
    };
    one_encoding::<realm_protocol::records::Ticket>(&cbor::encode(&ticket));
    assert_eq!(
        tickets::decode(&tickets::encode(&ticket)).as_ref(),
        Ok(&ticket)
    );
}

/// A text that is read is written the same way.
fn one_text<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string(), text, "one meaning, two texts");
    }
}

pub(crate) fn name(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    one_text::<Label>(text);
    one_text::<RealmPath>(text);
    one_text::<LoopId>(text);
    one_text::<RealmName>(text);
    one_text::<LoopAddress>(text);
    one_text::<RealmId>(text);
    one_text::<NodeId>(text);
    one_text::<MessageId>(text);
    one_text::<CallId>(text);
    one_text::<RunId>(text);
    one_text::<TicketId>(text);
    one_text::<Digest>(text);
    one_text::<Action>(text);
    one_text::<AskedResource>(text);
    one_text::<Effects>(text);
    one_text::<Reference>(text);
    if let Ok(time) = text.parse::<Time>() {
        assert_eq!(time.to_string().parse().ok(), Some(time));
    }
}

/// What the strict reader accepts, others read as the same value.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(value) = strict_json::parse(bytes) else {
        return;
    };
    let others: Result<Value, _> = serde_json::from_slice(bytes);
    assert_eq!(others.ok().as_ref(), Some(&value));
    let written = strict_json::to_bytes(&value);
    assert_eq!(strict_json::parse(&written).ok().as_ref(), Some(&value));
    let canonical = canonical_json(&value);
    let again = strict_json::parse(canonical.as_bytes()).expect("canonical JSON is JSON");
    assert_eq!(canonical_json(&again), canonical);
}

/// `[schema, instance]`, as a stranger's contract and the input or output that goes with it.
pub(crate) fn schema(bytes: &[u8]) {
    let Ok(value) = strict_json::parse(bytes) else {
        return;
    };
    let instance = value.get(1).unwrap_or(&Value::Null);
    let schema = value.get(0).unwrap_or(&value);
    let told = ToldSchema::new(schema.clone());
    let verdict = told.check(instance);
    assert!(verdict.is_ok() || verdict.is_err_and(|faults| !faults.is_empty()));
    let _ = told.check(&example(schema));
}

/// A loop's file, in each form. What is read can be written, and read again as the same.
pub(crate) fn manifest(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    for name in ["loop.yaml", "loop.json", "loop"] {
        let files = |_: &str| Some(r#"{"type": "object"}"#.to_owned());
        match load(name, text, &files) {
            Ok(loaded) => {
                let planned = Registry::default().plan_stacks(&loaded.stacks, &loaded.loops);
                loaded.loops.into_iter().for_each(registered);
                match planned {
                    Ok(planned) => planned.into_iter().for_each(registered),
                    Err(problems) => assert!(!problems.is_empty(), "refused for no reason"),
                }
            }
            Err(problems) => assert!(!problems.is_empty(), "refused for no reason"),
        }
    }
}

fn registered(manifest: Manifest) {
    let written = manifest.to_json();
    let again = Manifest::from_json(&written);
    let again = again.unwrap_or_else(|problems| panic!("{written} is refused: {problems:?}"));
    assert_eq!(again.to_json(), written);
    assert_eq!(
        again.contract_digest(again.own_effects()),
        manifest.contract_digest(manifest.own_effects())
    );
    let mut registry = Registry::default();
    let _ = registry.insert(manifest);
}

/// Cedar, as this realm's own and as an ancestor's.
pub(crate) fn policy(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let lines = text.split('\n').count();
    let problems = check(text);
    for problem in &problems {
        assert!((1..=lines).contains(&problem.line), "{problem:?}");
        assert!(problem.column >= 1, "{problem:?}");
    }
    let mut policy = Policy::new();
    let own = BTreeMap::from([("own".to_owned(), text.to_owned())]);
    assert_eq!(policy.set_own(own).is_ok(), problems.is_empty());
    decide(&policy);
    let root = RealmId::new([1; 32]);
    let scope = Scope {
        root,
        path: RealmPath::ROOT,
    };
    let _ = policy.set_ceiling(0, scope, root, 1, text);
    decide(&policy);
}

fn decide(policy: &Policy) {
    let scope = |path: &str| Scope {
        root: RealmId::new([1; 32]),
        path: path.parse().expect("a path"),
    };
    let (principal, owner) = (scope("health"), scope(""));
    let id: LoopId = "echo".parse().expect("a loop id");
    for action in Action::ALL {
        for resource in [
            Resource::Realm(&owner),
            Resource::Loop {
                owner: &owner,
                id: &id,
            },
        ] {
            let now = Timestamp::from_millis(1_800_000_000_000);
            let request = Request::new(action, (&principal).into(), resource, now);
            let _ = policy.decide(&request);
        }
    }
}

/// The body of a request on the local API, read as the daemon reads it.
pub(crate) fn request(bytes: &[u8]) {
    let Ok(value) = strict_json::parse(bytes) else {
        return;
    };
    body::<AllowRequest>(&value);
    body::<ApplyRequest>(&value);
    body::<BackupRequest>(&value);
    body::<CancelRequest>(&value);
    body::<DisallowRequest>(&value);
    body::<InvokeRequest>(&value);
    body::<JoinRequest>(&value);
    body::<PolicyApply>(&value);
    body::<PolicyCases>(&value);
    body::<PolicyQuestion>(&value);
    body::<PolicyText>(&value);
    body::<RevokeRequest>(&value);
    body::<TicketRequest>(&value);
}

fn body<T: DeserializeOwned + Serialize + PartialEq + Debug>(value: &Value) {
    if let Ok(read) = serde_json::from_value::<T>(value.clone()) {
        let written = serde_json::to_value(&read).expect("a request");
        let again: Result<T, _> = serde_json::from_value(written);
        assert_eq!(again.ok(), Some(read));
    }
}
