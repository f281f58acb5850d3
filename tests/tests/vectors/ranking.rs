//! The order of bids, and announcements whose rule cannot be followed.

use realm_broadcast::{Candidate, Scale, check_announcement, rank, select};
use realm_protocol::{
    BroadcastId, Digest, RealmId, Scope, Timestamp,
    broadcast::{Announcement, Rule, Selection, Weights},
    cbor,
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    broadcast::{announcement, place},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "ranking",
    make,
    judge,
};

/// A change of an announcement that a reader takes, or refuses.
type Change = fn(&mut Announcement);

fn judge(case: &Case) -> Result<(), String> {
    if case.has("announcement") {
        let announcement = cbor::decode(&case.bytes("announcement")).unwrap();
        return check_announcement(&announcement).map_err(|error| error.to_string());
    }
    let candidates: Vec<Candidate> = case.cases("bids").iter().map(candidate).collect();
    let scale = Scale {
        micros: case.number("highest_price"),
        time_ms: case.number("longest_time"),
    };
    let rule = rule(case);
    let ranking = rank(&candidates, &rule, &scale, &case.array("secret"));
    let selected = select(&ranking, &rule).map_err(|error| error.to_string())?;

    assert_eq!(ranking.root.as_bytes(), &case.array("root"));
    let ranked = ranking.ranked.iter().map(|it| {
        let (bid, tie) = (hex(it.candidate.bid.as_bytes()), hex(it.tie.as_bytes()));
        json!({"bid": bid, "score": it.score, "tie": tie})
    });
    assert_eq!(&Value::from_iter(ranked), case.value("ranked"));
    assert_eq!(selected.winners.len() as u64, case.number("winners"));
    assert_eq!(selected.standbys.len() as u64, case.number("standbys_left"));
    Ok(())
}

fn candidate(bid: &Case) -> Candidate {
    Candidate {
        bid: Digest::new(bid.array("bid")),
        micros: bid.number("price"),
        time_ms: bid.number("time"),
        confidence: bid.number("confidence"),
        trust: bid.number("trust"),
        arrival: bid.number("arrival"),
    }
}

fn rule(case: &Case) -> Rule {
    let selection = case.text("selection");
    let named = |it: &&Selection| it.name().eq_ignore_ascii_case(selection);
    let weights = case.has("weights").then(|| {
        let weight = |at: usize| case.list("weights")[at].as_u64().unwrap();
        Weights {
            price: weight(0),
            time: weight(1),
            confidence: weight(2),
            trust: weight(3),
        }
    });
    Rule {
        selection: *Selection::ALL.iter().find(named).unwrap(),
        weights,
        awards: case.number("awards"),
        standbys: case.number("standbys"),
        min_bids: case.number("min_bids"),
        ..announcement().rule
    }
}

fn make(book: &mut Book) {
    book.about(
        "Rankings: `bids` by what the rule sees of them, `bid` being the digest and `arrival` the \
         how-manieth it was to count; the `selection` with its `weights` (price, time, confidence, \
         trust), `highest_price` and `longest_time`; the `root`, and all bids in rank order with \
         `score` and `tie`; then how many are winners and standbys. Announcements: the payload of \
         one that a reader takes, or refuses.",
    );
    rankings(book);
    too_few(book);
    announcements(book);
}

/// Eight bids, some of them alike.
fn bids() -> Vec<Value> {
    let bids = [
        (20_000, 3_000, 900_000, 500_000),
        (20_000, 2_000, 900_000, 500_000),
        (20_000, 2_000, 950_000, 400_000),
        (0, 60_000, 10_000, 0),
        (100_000, 1, 1_000_000, 1_000_000),
        (20_000, 2_000, 950_000, 400_000),
        (33_333, 4_999, 333_333, 666_667),
        (99_999, 5_000, 0, 999_999),
    ];
    let bids = (0_u64..).zip(bids);
    bids.map(|(arrival, (price, time, confidence, trust))| {
        let bid = Digest::of(&[b"bid", &arrival.to_be_bytes()]);
        json!({
            "bid": hex(bid.as_bytes()), "price": price, "time": time, "confidence": confidence,
            "trust": trust, "arrival": arrival,
        })
    })
    .collect()
}

fn question(selection: &str, weights: Option<[u64; 4]>, bids: &[Value]) -> Value {
    let mut fields = json!({
        "selection": selection, "highest_price": 100_000, "longest_time": 5_000, "awards": 2,
        "standbys": 3, "min_bids": 1, "secret": hex([7; 32]), "bids": bids,
    });
    if let Some(weights) = weights {
        fields["weights"] = json!(weights);
    }
    fields
}

/// Adds what the ranking is.
fn answered(mut fields: Value) -> Value {
    let case = Case(fields.as_object().unwrap().clone());
    let candidates: Vec<Candidate> = case.cases("bids").iter().map(candidate).collect();
    let scale = Scale {
        micros: case.number("highest_price"),
        time_ms: case.number("longest_time"),
    };
    let rule = rule(&case);
    let ranking = rank(&candidates, &rule, &scale, &case.array("secret"));
    let ranked = ranking.ranked.iter().map(|it| {
        let (bid, tie) = (hex(it.candidate.bid.as_bytes()), hex(it.tie.as_bytes()));
        json!({"bid": bid, "score": it.score, "tie": tie})
    });
    fields["root"] = hex(ranking.root.as_bytes()).into();
    fields["ranked"] = Value::from_iter(ranked);
    let selected = select(&ranking, &rule).unwrap();
    fields["winners"] = selected.winners.len().into();
    fields["standbys_left"] = selected.standbys.len().into();
    fields
}

fn rankings(book: &mut Book) {
    let bids = bids();
    for (selection, weights, rules) in [
        ("first", None, "RANK-1 RANK-3 RANK-6"),
        ("best", None, "RANK-1 RANK-2 RANK-3 RANK-6"),
        ("random", None, "RANK-1 RANK-2 RANK-3"),
        ("all", None, "RANK-2 RANK-3"),
        ("weighted", Some([1, 1, 1, 1]), "RANK-2 RANK-4"),
        ("weighted", Some([1_000, 0, 0, 0]), "RANK-2 RANK-4"),
        ("weighted", Some([0, 7, 0, 0]), "RANK-2 RANK-4"),
        ("weighted", Some([3, 1, 2, 1]), "RANK-2 RANK-4"),
        ("weighted", Some([0, 0, 0, 0]), "RANK-2 RANK-4"),
    ] {
        let name = match weights {
            Some(weights) => format!("{selection} by {weights:?}"),
            None => selection.to_owned(),
        };
        book.valid(&name, rules, answered(question(selection, weights, &bids)));
    }
    for count in 1..=5 {
        let fields = question("random", None, &bids[..count]);
        book.valid(
            &format!("random, of {count}"),
            "RANK-1 RANK-2 RANK-6",
            answered(fields),
        );
    }
    let mut free = question("weighted", Some([1, 0, 0, 0]), &bids);
    free["highest_price"] = 0.into();
    book.valid("a ceiling of nothing", "RANK-5", answered(free));
    let mut another = question("random", None, &bids);
    another["secret"] = hex([8; 32]).into();
    book.valid("another secret", "RANK-2", answered(another));
}

fn too_few(book: &mut Book) {
    let bids = bids();
    let mut asks = question("best", None, &bids[..2]);
    asks["min_bids"] = 3.into();
    book.invalid("two bids of three", "RANK-6", asks);
    let mut none = question("best", None, &[]);
    none["min_bids"] = 0.into();
    book.invalid("no bids", "RANK-6", none);
}

fn announcements(book: &mut Book) {
    let fields =
        |announcement: &Announcement| json!({"announcement": hex(cbor::encode(announcement))});
    let plain = fields(&announcement());
    book.valid(
        "an announcement",
        "ANNOUNCE-1 ANNOUNCE-2 ANNOUNCE-3 ANNOUNCE-4 ANNOUNCE-15",
        plain,
    );
    let changes: [(&str, &str, Change); 28] = [
        ("round 3", "ANNOUNCE-1", |it| it.round = 3),
        ("depth 33", "ANNOUNCE-1", |it| it.depth = 33),
        ("no time for bids", "ANNOUNCE-1", |it| it.window_ms = 0),
        ("a minute and more for bids", "ANNOUNCE-1", |it| {
            it.window_ms = 60_001;
        }),
        ("no time for the work", "ANNOUNCE-1", |it| {
            it.execution_ms = 0;
        }),
        ("thirty days and more for the work", "ANNOUNCE-1", |it| {
            it.execution_ms = 2_592_000_001;
        }),
        ("17 capabilities", "ANNOUNCE-2", |it| {
            it.capabilities = (10..27)
                .map(|at| format!("c{at}").parse().unwrap())
                .collect();
        }),
        ("a capability twice", "ANNOUNCE-2", |it| {
            it.capabilities = vec!["c".parse().unwrap(), "c".parse().unwrap()];
        }),
        ("65 scopes", "ANNOUNCE-2", |it| {
            let scope = Scope {
                root: RealmId::new([1; 32]),
                path: "a".parse().unwrap(),
            };
            it.reach.realms = vec![scope; 65];
        }),
        ("a currency in lower case", "ANNOUNCE-2", |it| {
            it.limits.currency = Some("eur".to_owned());
        }),
        ("a price without a currency", "ANNOUNCE-2", |it| {
            it.limits.currency = None;
        }),
        ("no slots", "ANNOUNCE-3", |it| it.rule.awards = 0),
        ("257 slots", "ANNOUNCE-3", |it| it.rule.awards = 257),
        ("takes fewer bids than it asks for", "ANNOUNCE-3", |it| {
            it.rule.min_bids = it.rule.max_bids + 1;
        }),
        ("takes 8,193 bids", "ANNOUNCE-3", |it| {
            it.rule.max_bids = 8_193;
        }),
        ("weights beside best", "ANNOUNCE-3", |it| {
            it.rule.selection = Selection::Best;
        }),
        ("weighted without weights", "ANNOUNCE-3", |it| {
            it.rule.weights = None;
        }),
        ("a weight of 1,001", "ANNOUNCE-3", |it| weigh(it, 1_001)),
        (
            "a weight for prices without a highest one",
            "ANNOUNCE-3",
            |it| it.limits.price = None,
        ),
        ("a share above one", "ANNOUNCE-4", |it| {
            it.aggregation.threshold = Some(1_000_001);
        }),
        ("a confidence above one", "ANNOUNCE-4", |it| {
            it.limits.confidence = Some(1_000_001);
        }),
        ("consensus without a threshold", "ANNOUNCE-4", |it| {
            it.aggregation.threshold = None;
        }),
        ("more results than slots", "ANNOUNCE-4", |it| {
            it.aggregation.min_results = 4;
        }),
        ("nine members", "ANNOUNCE-4", |it| {
            it.aggregation.field = vec!["a".to_owned(); 9];
        }),
        ("an id of its own choice", "ANNOUNCE-15", |it| {
            it.broadcast = BroadcastId::new([1; 16]);
        }),
        ("the id of another announcer's", "ANNOUNCE-15", |it| {
            it.announcer = place(30, "health");
        }),
        ("the id that another secret gives", "ANNOUNCE-15", |it| {
            it.commitment = Digest::of(&[&[8; 32]]);
        }),
        ("an announcer without its realm", "ANNOUNCE-15", |it| {
            it.announcer.realm = None;
        }),
    ];
    for (name, rule, change) in changes {
        let mut changed = announcement();
        change(&mut changed);
        book.invalid(name, rule, fields(&changed));
    }
    let mut later = announcement();
    later.created = Timestamp::from_millis(0);
    later.round = 2;
    book.valid("a second round", "ANNOUNCE-1", fields(&later));
}

fn weigh(announcement: &mut Announcement, price: u64) {
    announcement.rule.weights = announcement
        .rule
        .weights
        .map(|weights| Weights { price, ..weights });
}
