//! What the events of a run come to, shown or not.

use realm_protocol::{
    CallId, Digest, RunId,
    cbor::{self, Blob},
    journal::Event,
    trace::{Onward, TraceAsked, TraceItem, TraceRoot, TraceShown, event_digest},
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex},
    tree::{NOW, World, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "traces",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let shown: TraceShown = cbor::decode(&case.bytes("hex")).map_err(|error| error.to_string())?;
    let root = TraceRoot {
        events: case.number("events"),
        digest: Digest::new(case.array("root")),
    };
    if case.has("digests") {
        let digests = case.list("digests").iter();
        let told: Vec<_> = shown
            .items
            .iter()
            .map(|item| hex(item.digest().as_bytes()))
            .collect();
        assert!(
            told.iter()
                .eq(digests.map(|digest| digest.as_str().unwrap()))
        );
    }
    match TraceRoot::of(&shown.items, root.events) == Some(root) {
        true => Ok(()),
        false => Err("the events do not come to the root".to_owned()),
    }
}

fn event(index: u64, kind: &str, payload: &str) -> Event {
    Event {
        run: RunId::new([1; 16]),
        index,
        call: CallId::new([2; 16]),
        at: NOW.plus(index),
        kind: kind.to_owned(),
        payload: Blob::from(payload.as_bytes().to_vec()),
    }
}

fn items() -> Vec<TraceItem> {
    let events = [
        event(0, "call.received", r#"{"hops":2}"#),
        event(
            1,
            "call.started",
            r#"{"input":{"age":61},"loopId":"risk-classify"}"#,
        ),
        event(2, "call.completed", r#"{"output":{"risk":"low"}}"#),
        event(3, "call.answered", "{}"),
    ];
    let salted = (7..).zip(events);
    salted
        .map(|(salt, event)| TraceItem::Shown([salt; 16], event))
        .collect()
}

pub(super) fn asked(world: &World) -> TraceAsked {
    TraceAsked {
        call: CallId::new([2; 16]),
        loop_id: "risk-classify".parse().unwrap(),
        after: Some(3),
        pass: Some(world.lab.trace_pass(&world.acme)),
        caller: Some(world.lab.place().scope()),
    }
}

pub(super) fn shown(world: &World) -> TraceShown {
    let mut items = items();
    items[1] = TraceItem::Hidden(items[1].digest());
    TraceShown {
        run: RunId::new([1; 16]),
        items,
        more: false,
        onward: vec![Onward {
            call: CallId::new([3; 16]),
            to: world.health.place().scope(),
            loop_id: "read".parse().unwrap(),
            pass: world.lab.trace_pass(&world.acme),
        }],
        erased: false,
    }
}

fn make(book: &mut Book) {
    book.about(
        "What the events of a run come to: `hex` is a TraceShown, `digests` those of its events, and the first \
         `events` of them must come to `root`.",
    );
    let all = items();
    let digests: Vec<String> = all
        .iter()
        .map(|item| hex(item.digest().as_bytes()))
        .collect();
    let page = |items: Vec<TraceItem>| TraceShown {
        items,
        onward: Vec::new(),
        ..shown(&world())
    };
    let fields = |items: Vec<TraceItem>, root: &TraceRoot| {
        json!({
            "hex": hex(cbor::encode(&page(items))), "events": root.events,
            "root": hex(root.digest.as_bytes()),
        })
    };
    let rules = "TRACE-1 TRACE-2 TRACE-11";
    let root = TraceRoot::of(&all, 3).unwrap();
    let mut told = fields(all.clone(), &root);
    told["digests"] = digests.clone().into();
    book.valid("events that are shown", rules, told);
    let hidden = |at: &[usize]| {
        let mut items = all.clone();
        for at in at {
            items[*at] = TraceItem::Hidden(items[*at].digest());
        }
        items
    };
    let mut told = fields(hidden(&[1]), &root);
    told["digests"] = digests.into();
    book.valid("an event that is hidden", rules, told);
    book.valid(
        "nothing but digests",
        rules,
        fields(hidden(&[0, 1, 2, 3]), &root),
    );
    book.valid("no events", rules, fields(Vec::new(), &TraceRoot::empty()));

    let mut anew = all.clone();
    anew[2] = TraceItem::Shown([9; 16], event(2, "call.completed", r#"{"output":{}}"#));
    book.invalid("an event told anew", rules, fields(anew, &root));
    let mut salted = all.clone();
    salted[1] = TraceItem::Shown([9; 16], event(1, "call.started", "{}"));
    book.invalid("an event with another salt", rules, fields(salted, &root));
    let mut swapped = hidden(&[0, 1]);
    swapped.swap(0, 1);
    book.invalid("events in another order", rules, fields(swapped, &root));
    let mut lied = all.clone();
    lied[0] = TraceItem::Hidden(event_digest(&[1; 16], &event(0, "call.received", "{}")));
    book.invalid("a digest of another event", rules, fields(lied, &root));
    book.invalid("an event too few", rules, fields(all[..2].to_vec(), &root));
    let early = TraceRoot { events: 4, ..root };
    book.invalid("a root of fewer events", rules, fields(all, &early));
}
