//! Whom an announcement is passed to, and what a summary holds.

use realm_broadcast::{Capabilities, Left, Neighbour, Side, fan_out, window_below};
use realm_protocol::{
    Place, RealmId, Scope,
    broadcast::{Announcement, Levels, Reach, Summary},
    cbor::Blob,
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex, long},
    broadcast::announcement,
};

pub(super) const SUBJECT: Subject = Subject {
    name: "fanout",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    match case.text("question") {
        "passes" => assert_eq!(&passes(case), case.value("passes")),
        "window" => {
            let below = window_below(case.number("window"));
            assert_eq!(below, case.number("below"));
        }
        "summary" => {
            let summary = Summary {
                filter: Blob::from(case.bytes("filter")),
                realms: 1,
            };
            let read = Capabilities::read(&summary).map_err(|error| error.to_string())?;
            let entries = case.list("entries").iter().map(|it| it.as_str().unwrap());
            assert_eq!(read, Capabilities::of(entries));
        }
        other => panic!("no question {other}"),
    }
    Ok(())
}

fn scope(text: &str) -> Scope {
    let (root, path) = text.split_once('/').unwrap_or((text, ""));
    Scope {
        root: RealmId::new([root.parse().unwrap(); 32]),
        path: path.parse().unwrap(),
    }
}

fn side(text: &str) -> Side {
    match text.split_once(' ') {
        None if text == "here" => Side::Here,
        None => Side::Parent,
        Some(("child", label)) => Side::Child(label.parse().unwrap()),
        Some((_, root)) => Side::Peer(scope(root).root),
    }
}

/// Neighbour, levels down, levels up.
fn passes(case: &Case) -> Value {
    let reach = |at: usize| case.list("reach")[at].as_u64().unwrap();
    let besides = |at: usize| case.list("besides")[at].as_u64().unwrap();
    let named = case.list("realms").iter();
    let announcer = scope(case.text("announcer"));
    let announced = announcement();
    let announcement = Announcement {
        reach: Reach {
            down: reach(0),
            up: reach(1),
            across: reach(2),
            realms: named.map(|it| scope(it.as_str().unwrap())).collect(),
            besides: case.has("besides").then(|| Levels {
                down: besides(0),
                up: besides(1),
                across: besides(2),
            }),
        },
        capabilities: vec!["risk".parse().unwrap()],
        announcer: Place {
            root: announcer.root,
            path: announcer.path,
            ..announced.announcer.clone()
        },
        ..announced
    };
    let names: Vec<&str> = case
        .list("neighbours")
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    let neighbours: Vec<Neighbour> = names
        .iter()
        .map(|name| Neighbour {
            side: side(name),
            can: case
                .has(name)
                .then(|| Capabilities::of(case.value(name).as_str())),
            reachable: true,
        })
        .collect();
    let left = Left {
        down: case.number("down"),
        up: case.number("up"),
    };
    let here = scope(case.text("here"));
    let from = side(case.text("from"));
    let fan = fan_out(&announcement, &here, &from, left, 1_000, &neighbours);
    let name = |to: &Side| names.iter().find(|name| side(name) == *to).unwrap();
    let passes = fan.passes.iter();
    Value::from_iter(passes.map(|pass| json!([name(&pass.to), pass.left.down, pass.left.up])))
}

fn make(book: &mut Book) {
    book.about(
        "Passes: whom the realm `here` passes an announcement to that came `from` a neighbour with \
         levels left `down` and `up`, of an announcement by the realm `announcer`; `reach` is the announcement's down, up and across, `realms` \
         its scopes and, if there, `besides` the levels down, up and across beside them; places are written ROOT/PATH, a root as the number that each byte of its id \
         repeats; a neighbour named as a member can do that alone, the others have not said; the \
         announcement asks for the capability `risk`. Each pass is neighbour, levels down, levels \
         up. Window: the ms for those `below`. Summary: the `filter` of `entries`, runs of one byte \
         as [byte, count].",
    );
    let inner = ["parent", "child a", "child b"];
    let root = ["child a", "child b", "peer 2", "peer 3"];
    for (name, here, from, down, up, reach, realms) in [
        ("from here", "1/x", "here", 3, 2, [3, 2, 2], &[][..]),
        ("from a child", "1", "child a", 3, 1, [3, 2, 2], &[]),
        ("from the parent", "1/x", "parent", 1, 0, [3, 2, 2], &[]),
        ("from a peer", "1", "peer 2", 1, 0, [3, 2, 2], &[]),
        ("at the last level", "1/x", "parent", 0, 0, [3, 2, 2], &[]),
        ("to children alone", "1/x", "here", 1, 0, [1, 0, 0], &[]),
        ("to peers alone", "1", "here", 0, 0, [0, 0, 1], &[]),
        (
            "to realms below",
            "1/x",
            "here",
            8,
            8,
            [8, 8, 8],
            &["1/x/a/deep"],
        ),
        (
            "to realms elsewhere",
            "1/x",
            "here",
            8,
            8,
            [8, 8, 8],
            &["2/lab", "1/y"],
        ),
        (
            "to realms across",
            "1",
            "child a",
            8,
            8,
            [8, 8, 8],
            &["2/lab"],
        ),
    ] {
        let neighbours: &[&str] = if here == "1" { &root } else { &inner };
        let mut fields = json!({
            "question": "passes", "announcer": "1/x", "here": here, "from": from, "down": down, "up": up,
            "reach": reach, "realms": realms, "neighbours": neighbours,
        });
        let rules = if realms.is_empty() {
            "ANNOUNCE-7"
        } else {
            "ANNOUNCE-7 ANNOUNCE-8"
        };
        fields["passes"] = passes(&Case(fields.as_object().unwrap().clone()));
        book.valid(name, rules, fields);
    }
    for (name, here, from, down, up, besides) in [
        (
            "to realms below and children",
            "1/x",
            "here",
            8,
            8,
            [1, 0, 0],
        ),
        ("past the children", "1/x/b", "parent", 7, 0, [1, 0, 0]),
        (
            "to realms below and the subtree",
            "1/x/b",
            "parent",
            7,
            0,
            [2, 0, 0],
        ),
        ("to realms below and above", "1/x", "here", 8, 8, [0, 1, 0]),
        ("to realms below and peers", "1", "child x", 8, 7, [0, 8, 1]),
        (
            "to realms below and nobody across",
            "1",
            "child x",
            8,
            7,
            [1, 0, 1],
        ),
    ] {
        let neighbours: &[&str] = if here == "1" { &root } else { &inner };
        let mut fields = json!({
            "question": "passes", "announcer": "1/x", "here": here, "from": from, "down": down, "up": up,
            "reach": [8, 8, 8], "realms": ["1/x/a/deep"], "besides": besides,
            "neighbours": neighbours,
        });
        fields["passes"] = passes(&Case(fields.as_object().unwrap().clone()));
        book.valid(name, "ANNOUNCE-7 ANNOUNCE-8 ANNOUNCE-17", fields);
    }
    let mut able = json!({
        "question": "passes", "announcer": "1/x", "here": "1/x", "from": "here", "down": 1, "up": 0,
        "reach": [1, 0, 0], "realms": [], "neighbours": inner, "child a": "price", "child b": "risk",
    });
    able["passes"] = passes(&Case(able.as_object().unwrap().clone()));
    book.valid("to who can help", "ANNOUNCE-8", able);
    for window in [60_000_u64, 2_000, 1_001, 100, 99, 11, 10, 0] {
        let fields = json!({"question": "window", "window": window, "below": window_below(window)});
        book.valid(&format!("{window} ms"), "ANNOUNCE-9", fields);
    }
    for entries in [
        &[][..],
        &["risk"],
        &["risk", "price.check", "risk-classify@1"],
    ] {
        let filter = Capabilities::of(entries.iter().copied()).write().filter;
        let fields = json!({"question": "summary", "entries": entries, "filter": long(&*filter)});
        book.valid(
            &format!("a summary of {}", entries.len()),
            "SUMMARY-1",
            fields,
        );
    }
    for bytes in [0, 511, 513] {
        let fields = json!({"question": "summary", "entries": [], "filter": hex(vec![0; bytes])});
        book.invalid(&format!("a filter of {bytes} bytes"), "SUMMARY-1", fields);
    }
}
