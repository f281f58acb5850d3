//! What a link may carry, and where a message goes next.

use realm_protocol::{
    Hop, Label, MessageId, Phase, Place, RealmId, RealmPath, Scope, Tick, Timestamp, limits,
};
use realm_router::{
    GRACE_MS, LinkId, Next, Relation, ReplayMemory, Routes, first_hop, forward_hop,
};
use serde_json::{Value, json};

use super::book::{Book, Case, Subject, hex};

pub(super) const SUBJECT: Subject = Subject {
    name: "routing",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    match case.text("question") {
        "ingress" => ingress(case),
        "next" => next(case),
        "hop" => hop(case),
        "replay" => replay(case),
        other => panic!("no question {other}"),
    }
}

/// Links by number: 1 parent, 2 child `a`, 3 child `b`, 4 peer 2, 5 shortcut.
fn routes(case: &Case) -> Routes {
    let mut routes = Routes::new(scope(case.text("me")));
    for (number, link) in (1..).zip(case.list("links")) {
        let link = link.as_str().unwrap();
        routes.add(LinkId(number), relation(link), Tick::from_millis(0));
    }
    for known in case.list("known") {
        match relation(known.as_str().unwrap()) {
            Relation::Child(label) => assert!(routes.know_child(label)),
            Relation::Peer(root) => assert!(routes.know_peer(root)),
            other => panic!("{other:?} is not known without a link"),
        }
    }
    routes
}

fn relation(text: &str) -> Relation {
    match text.split_once(' ') {
        None if text == "parent" => Relation::Parent,
        Some(("child", label)) => Relation::Child(label.parse::<Label>().unwrap()),
        Some(("peer", root)) => Relation::Peer(root_of(root)),
        Some(("direct", place)) => Relation::Direct(self::place(place)),
        _ => panic!("no relation {text}"),
    }
}

/// Roots are written as the one number their id repeats.
fn root_of(text: &str) -> RealmId {
    RealmId::new([text.parse().unwrap(); 32])
}

fn scope(text: &str) -> Scope {
    let (root, path) = text.split_once('/').unwrap_or((text, ""));
    Scope {
        root: root_of(root),
        path: path.parse::<RealmPath>().unwrap(),
    }
}

fn place(text: &str) -> Place {
    let scope = scope(text);
    Place {
        root: scope.root,
        path: scope.path,
        realm: None,
        node: None,
    }
}

fn phase(text: &str) -> Phase {
    let named = |phase: &&Phase| phase.name().eq_ignore_ascii_case(text);
    *Phase::ALL.iter().find(named).unwrap()
}

fn link(case: &Case) -> LinkId {
    let over = case.text("over");
    let position = case.list("links").iter().position(|link| link == over);
    LinkId(position.unwrap() as u64 + 1)
}

fn ingress(case: &Case) -> Result<(), String> {
    let scopes = case.0.get("scopes").and_then(Value::as_array).cloned();
    let scopes = |_| -> Vec<RealmPath> {
        let scopes = scopes.clone().unwrap_or_default();
        scopes
            .iter()
            .map(|scope| scope.as_str().unwrap().parse().unwrap())
            .collect()
    };
    let hop = Hop {
        left: case.number("left"),
        phase: phase(case.text("phase")),
        age_ms: 0,
    };
    let (from, to) = (place(case.text("source")), place(case.text("destination")));
    routes(case)
        .ingress(link(case), &from, &to, &hop, &scopes)
        .map_err(|error| error.to_string())
}

fn next(case: &Case) -> Result<(), String> {
    let routes = routes(case);
    let from = case.has("over").then(|| link(case));
    let leg = case.has("phase").then(|| phase(case.text("phase")));
    let to = scope(case.text("destination"));
    let after = Tick::from_millis(GRACE_MS + 1);
    let next = match routes.next(&to, from, leg, after) {
        Next::Deliver => json!("deliver"),
        Next::Offline => return Err("Offline".to_owned()),
        Next::NoRoute => return Err("NoRoute".to_owned()),
        Next::Wait { .. } => panic!("the grace is over"),
        Next::Forward { link, phase } => {
            let at = usize::try_from(link.0 - 1).unwrap();
            json!([case.list("links")[at], phase.name().to_lowercase()])
        }
    };
    assert_eq!(&next, case.value("next"));
    Ok(())
}

fn hop(case: &Case) -> Result<(), String> {
    let arrived = Hop {
        left: case.number("left"),
        phase: phase(case.text("phase")),
        age_ms: case.number("age"),
    };
    let leaves = forward_hop(&arrived, arrived.phase, case.number("waited")).ok_or("HopLimit")?;
    let bytes = realm_protocol::cbor::encode(&leaves);
    assert_eq!(hex(bytes), case.text("hex"));
    Ok(())
}

/// Admits messages one after the other; says why the last is not.
fn replay(case: &Case) -> Result<(), String> {
    let mut memory = ReplayMemory::new();
    let mut last = Ok(());
    for message in case.cases("messages") {
        assert_eq!(last, Ok(()), "only the last may be refused");
        let time = |key: &str| Timestamp::from_millis(message.number(key));
        let id = MessageId::new([u8::try_from(message.number("id")).unwrap(); 16]);
        last = memory.admit(id, root_of("2"), time("expires"), time("now"));
    }
    last.map_err(|error| error.to_string())
}

const CHILD: &str = "1/x";

fn make(book: &mut Book) {
    book.about(
        "Decisions of the realm at `me`. Places are written ROOT/PATH, a root as the number that \
         each byte of its id repeats. `links` are live; `known` neighbours are certified and not \
         connected. Ingress: whether a message `over` a link may have come; `scopes` are those of \
         the grant to the peer. Next: the link and phase it leaves by, `deliver`, or the failure; \
         without `over` the realm is its source. Hop: the hop it leaves with, by `hex`. \
         Replay: the `messages` that a destination has verified, one after the other; `id` is the \
         number that each byte repeats, `expires` created + ttl + 300000, `now` its clock.",
    );
    arrivals(book);
    ways(book);
    hops(book);
    replays(book);
}

fn arrivals(book: &mut Book) {
    let inner = ["parent", "child a", "child b", "direct 9/z"];
    let root = ["child a", "child b", "peer 2"];
    let question = |me: &str, over: &str, phase: &str, from: &str, to: &str| {
        let links: &[&str] = if me == CHILD { &inner } else { &root };
        json!({
            "question": "ingress", "me": me, "links": links, "known": [], "over": over,
            "phase": phase, "source": from, "destination": to, "left": 9, "scopes": ["h", "k/l"],
        })
    };
    let rules = "INGRESS-1 INGRESS-3";
    for (me, over, phase, from, to) in [
        (CHILD, "child a", "up", "1/x/a", "1/x"),
        (CHILD, "child a", "up", "1/x/a/deep", "1/x/b"),
        (CHILD, "child a", "up", "1/x/a", "2/h"),
        (CHILD, "parent", "down", "1", "1/x"),
        (CHILD, "parent", "down", "1/y", "1/x/a"),
        (CHILD, "parent", "down", "2/h", "1/x/b"),
        (CHILD, "direct 9/z", "across", "9/z", "1/x"),
        ("1", "peer 2", "across", "2/h", "1"),
        ("1", "peer 2", "across", "2/h/i", "1/a"),
        ("1", "peer 2", "across", "2/k/l", "1/a"),
    ] {
        let name = format!("{from} to {to} over {over} at {me}");
        book.valid(&name, rules, question(me, over, phase, from, to));
    }
    for (me, over, phase, from, to, why) in [
        (CHILD, "child a", "down", "1/x/a", "1/x", "phase"),
        (CHILD, "child a", "across", "1/x/a", "1/x", "phase"),
        (CHILD, "parent", "up", "1", "1/x", "phase"),
        ("1", "peer 2", "up", "2/h", "1", "phase"),
        (
            CHILD,
            "child a",
            "up",
            "1/x/b",
            "1/x",
            "a sibling as source",
        ),
        (CHILD, "child a", "up", "1/x", "1/x", "me as source"),
        (
            CHILD,
            "child a",
            "up",
            "1/x/ab",
            "1/x",
            "a namesake as source",
        ),
        (
            CHILD,
            "child a",
            "up",
            "2/x/a",
            "1/x",
            "another root as source",
        ),
        (
            CHILD,
            "child a",
            "up",
            "1/x/a",
            "1/x/a/deep",
            "back below the child",
        ),
        (CHILD, "parent", "down", "1/x/a", "1/x", "a source below me"),
        (CHILD, "parent", "down", "1/x", "1/x", "me as source"),
        (CHILD, "parent", "down", "1", "1/y", "not to me"),
        (
            "1",
            "peer 2",
            "across",
            "2",
            "1",
            "a source outside the scopes",
        ),
        (
            "1",
            "peer 2",
            "across",
            "2/k",
            "1",
            "a source above a scope",
        ),
        (
            "1",
            "peer 2",
            "across",
            "3/h",
            "1",
            "a source in a third tree",
        ),
        ("1", "peer 2", "across", "2/h", "3", "to a third tree"),
        (
            CHILD,
            "direct 9/z",
            "across",
            "9/z/y",
            "1/x",
            "a source below the shortcut",
        ),
        (
            CHILD,
            "direct 9/z",
            "across",
            "9/z",
            "1/x/a",
            "beyond the shortcut",
        ),
    ] {
        let name = format!("{from} to {to} over {over} at {me}, {phase}: {why}");
        book.invalid(&name, "INGRESS-1", question(me, over, phase, from, to));
    }
    for left in [0, limits::HOPS + 1, 1_000] {
        let mut fields = question(CHILD, "parent", "down", "1", "1/x");
        fields["left"] = left.into();
        book.invalid(&format!("{left} hops left"), "INGRESS-3", fields);
    }
    for (name, me, link, phase, from, to) in [
        (
            "a peer below the root",
            "1/x",
            "peer 2",
            "across",
            "2/h",
            "1/x",
        ),
        ("a parent above the root", "1", "parent", "down", "2/h", "1"),
    ] {
        let fields = json!({
            "question": "ingress", "me": me, "links": [link], "known": [], "over": link,
            "phase": phase, "source": from, "destination": to, "left": 9, "scopes": ["h"],
        });
        book.invalid(name, "INGRESS-2", fields);
    }
}

fn ways(book: &mut Book) {
    let question = |me: &str, over: Option<(&str, &str)>, to: &str| {
        let links: &[&str] = match me {
            CHILD => &["parent", "child a", "child b", "direct 9/z"],
            _ => &["child a", "child b", "peer 2"],
        };
        let known: &[&str] = match me {
            CHILD => &["child c"],
            _ => &["child c", "peer 4"],
        };
        let mut fields = json!({
            "question": "next", "me": me, "links": links, "known": known, "destination": to,
        });
        if let Some((over, phase)) = over {
            fields["over"] = over.into();
            fields["phase"] = phase.into();
        }
        fields
    };
    let from_a = Some(("child a", "up"));
    let from_parent = Some(("parent", "down"));
    let from_peer = Some(("peer 2", "across"));
    for (rule, me, over, to, next) in [
        ("ROUTE-1", CHILD, from_a, "1/x", json!("deliver")),
        (
            "ROUTE-2",
            CHILD,
            None,
            "9/z",
            json!(["direct 9/z", "across"]),
        ),
        ("ROUTE-2", CHILD, from_a, "9/z", json!(["parent", "up"])),
        (
            "ROUTE-3",
            CHILD,
            None,
            "1/x/a/deep",
            json!(["child a", "down"]),
        ),
        (
            "ROUTE-3",
            CHILD,
            from_a,
            "1/x/b",
            json!(["child b", "down"]),
        ),
        (
            "ROUTE-3",
            CHILD,
            from_parent,
            "1/x/b",
            json!(["child b", "down"]),
        ),
        ("ROUTE-3", "1", from_peer, "1/a", json!(["child a", "down"])),
        ("ROUTE-4", CHILD, None, "1/y", json!(["parent", "up"])),
        ("ROUTE-4", CHILD, from_a, "2", json!(["parent", "up"])),
        ("ROUTE-4", "1", from_a, "2/h", json!(["peer 2", "across"])),
    ] {
        let mut fields = question(me, over, to);
        fields["next"] = next;
        let from = over.map_or("itself", |(over, _)| over);
        book.valid(&format!("from {from} to {to} at {me}"), rule, fields);
    }
    for (rule, me, over, to) in [
        ("ROUTE-5", CHILD, from_parent, "1/y"),
        ("ROUTE-5", "1", from_peer, "4"),
        ("ROUTE-6", CHILD, from_a, "1/x/a"),
        ("ROUTE-6", "1", from_peer, "2/h"),
        ("ROUTE-7", CHILD, None, "1/x/nobody"),
        ("ROUTE-7", CHILD, None, "1/x/c"),
        ("ROUTE-7", "1", from_a, "3"),
        ("ROUTE-7", "1", from_a, "4"),
    ] {
        let from = over.map_or("itself", |(over, _)| over);
        let name = format!("from {from} to {to} at {me}");
        book.invalid(&name, rule, question(me, over, to));
    }
}

fn hops(book: &mut Book) {
    let hop = |left: u64, waited: u64| {
        json!({
            "question": "hop", "left": left, "phase": "up", "age": 5, "waited": waited,
        })
    };
    let first = first_hop(Phase::Up);
    assert_eq!((first.left, first.age_ms), (17, 0));
    for (left, waited, hex) in [(17, 0, "a3001001010205"), (2, 250, "a30001010102 18ff")] {
        let mut fields = hop(left, waited);
        fields["hex"] = hex.replace(' ', "").into();
        let name = format!("{left} hops left, {waited} ms waited");
        book.valid(&name, "HOP-1 HOP-2", fields);
    }
    book.invalid("the last hop taken", "HOP-3", hop(1, 0));
    book.invalid("no hop left", "HOP-3", hop(0, 0));
}

fn replays(book: &mut Book) {
    let messages = |messages: &[(u8, u64, u64)]| {
        let messages = messages.iter();
        let messages: Vec<Value> = messages
            .map(|(id, expires, now)| json!({"id": id, "expires": expires, "now": now}))
            .collect();
        json!({"question": "replay", "messages": messages})
    };
    let apart = messages(&[(1, 2_000, 1_000), (2, 2_000, 1_000), (3, 1_500, 1_001)]);
    book.valid("three messages", "REPLAY-1", apart);
    let back = messages(&[(1, 2_000, 1_000), (2, 3_000, 2_000), (3, 2_001, 1_000)]);
    book.valid(
        "a later message after the clock was set back",
        "REPLAY-3",
        back,
    );
    type Steps = &'static [(u8, u64, u64)];
    let refused: [(&str, &str, Steps); 6] = [
        ("again", "REPLAY-1", &[(1, 2_000, 1_000), (1, 2_000, 1_001)]),
        (
            "again, said to expire later",
            "REPLAY-1",
            &[(1, 2_000, 1_000), (1, 9_000, 1_500)],
        ),
        (
            "again until it expires",
            "REPLAY-2",
            &[(1, 2_000, 1_000), (1, 2_000, 1_999)],
        ),
        (
            "again once it is forgotten",
            "REPLAY-3",
            &[(1, 2_000, 1_000), (1, 2_000, 2_000)],
        ),
        (
            "forgotten, after the clock was set back",
            "REPLAY-3",
            &[(1, 2_000, 1_000), (2, 3_000, 2_000), (1, 2_000, 1_000)],
        ),
        (
            "new and no later than a forgotten one, after the clock was set back",
            "REPLAY-3",
            &[(1, 2_000, 1_000), (2, 3_000, 2_000), (3, 2_000, 1_000)],
        ),
    ];
    for (name, rule, steps) in refused {
        book.invalid(&format!("a message {name}"), rule, messages(steps));
    }
}
