//! What realms say in a broadcast, its keys and its pages.

use realm_broadcast::{Candidate, Closed, Scale, close_pages, rank, slot_key};
use realm_protocol::{
    BroadcastId, CallId, Digest, FailureCode, NodeId, Place, RealmId, RunId, Scope,
    broadcast::{
        Aggregation, Announce, Announcement, Award, Bid, BidLimits, Close, Confirm, ConfirmAnswer,
        Deliver, EarlyClose, Effects, Lease, LeaseEnd, Offshoots, Outcome, OutcomeAck, Price,
        Reach, Rule, Selection, Stopped, Strategy, Summary, Tally, Verdict, Waiting, Weights,
        Winner, Withdraw, WorkProgress,
    },
    budget::{Budget, Spend},
    cbor::{self, Blob},
    records::{Record, Signed},
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    messages::{body, read},
    tree::NOW,
};

pub(super) const SUBJECT: Subject = Subject {
    name: "broadcast",
    make,
    judge,
};

/// The secret behind all announcements here.
const SECRET: [u8; 32] = [7; 32];

fn judge(case: &Case) -> Result<(), String> {
    match case.text("message") {
        "announcement" => read::<Announcement>(case),
        "Announce" => read::<Announce>(case),
        "Tally" => read::<Tally>(case),
        "bid" => read::<Bid>(case),
        "Award" => read::<Award>(case),
        "confirm" => read::<Confirm>(case),
        "Lease" => read::<Lease>(case),
        "Progress" => read::<WorkProgress>(case),
        "outcome" => read::<Outcome>(case),
        "Result" => read::<Deliver>(case),
        "ResultAck" => read::<OutcomeAck>(case),
        "Cancel" => read::<Withdraw>(case),
        "verdict" => read::<Verdict>(case),
        "Close" => read::<Close>(case),
        "summary" => read::<Summary>(case),
        "slot key" => {
            let work = case.has("work").then(|| CallId::new(case.array("work")));
            let broadcast = BroadcastId::new(case.array("broadcast"));
            let key = slot_key(broadcast, work, case.number("slot"));
            assert_eq!(key.as_bytes(), &case.array("key"));
            Ok(())
        }
        "close" => {
            let pages: Vec<Close> = case
                .list("pages")
                .iter()
                .map(|page| cbor::decode(&super::book::bytes(page)).unwrap())
                .collect();
            Closed::join(&pages)
                .map(|_| ())
                .map_err(|error| error.to_string())
        }
        other => panic!("no message {other}"),
    }
}

/// Signed by nobody in particular: these vectors show shapes, not signatures.
pub(super) fn signed<T: Record>(record: &T) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    signed.signatures = vec![[7; 64]; T::TAGS.len()];
    signed
}

pub(super) fn place(root: u8, path: &str) -> Place {
    Place {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
        realm: Some(RealmId::new([root + 1; 32])),
        node: Some(NodeId::new([root + 2; 32])),
    }
}

/// An announcement with every key.
pub(super) fn announcement() -> Announcement {
    announced(place(10, "health"))
}

/// The same by another announcer.
pub(super) fn announced(announcer: Place) -> Announcement {
    let commitment = Digest::of(&[&SECRET]);
    Announcement {
        broadcast: BroadcastId::of(announcer.realm.unwrap(), commitment),
        round: 1,
        announcer,
        loop_id: "risk-classify".parse().unwrap(),
        contract: Digest::of(&[b"contract"]),
        input_schema: Digest::of(&[b"true"]),
        output_schema: Digest::of(&[b"true"]),
        effects: Effects::Idempotent,
        capabilities: vec!["risk".parse().unwrap(), "triage".parse().unwrap()],
        limits: BidLimits {
            currency: Some("EUR".to_owned()),
            price: Some(100_000),
            time_ms: Some(5_000),
            confidence: Some(500_000),
        },
        reach: Reach {
            down: 8,
            up: 1,
            across: 1,
            realms: vec![Scope {
                root: RealmId::new([10; 32]),
                path: "health".parse().unwrap(),
            }],
            besides: None,
        },
        window_ms: 2_000,
        award_ms: 10_000,
        execution_ms: 60_000,
        rule: Rule {
            selection: Selection::Weighted,
            weights: Some(Weights {
                price: 3,
                time: 1,
                confidence: 2,
                trust: 1,
            }),
            awards: 3,
            standbys: 2,
            min_bids: 1,
            max_bids: 100,
            early: Some(EarlyClose {
                enough: 5,
                price: Some(50_000),
                time_ms: Some(2_000),
                confidence: Some(900_000),
            }),
            per_realm: Some(4),
        },
        aggregation: Aggregation {
            strategy: Strategy::Consensus,
            waiting: Waiting::Quorum,
            quorum: Some(600_000),
            threshold: Some(660_000),
            min_results: 2,
            confidence: Some(500_000),
            field: vec!["risk".to_owned()],
        },
        commitment,
        created: NOW,
        depth: 1,
        work: None,
    }
}

fn bid(number: u8) -> Bid {
    Bid {
        broadcast: announcement().broadcast,
        announcement: Signed::unsigned(&announcement()).digest(),
        bidder: place(20 + number, "genomics"),
        agent: "risk-classify".parse().unwrap(),
        contract: Digest::of(&[b"contract"]),
        price: Some(Price {
            currency: "EUR".to_owned(),
            micros: 20_000,
        }),
        time_ms: 2_000,
        confidence: 900_000,
        load: 250_000,
        created: NOW,
        expires_ms: 30_000,
    }
}

fn outcome() -> Outcome {
    Outcome {
        broadcast: announcement().broadcast,
        slot: 0,
        epoch: 1,
        bid: Digest::of(&[b"bid"]),
        end: LeaseEnd::Done,
        output: Some(Digest::of(&[b"{}"])),
        failure: Some(FailureCode::LoopFailed),
        confidence: Some(800_000),
        charged: Some(Price {
            currency: "EUR".to_owned(),
            micros: 20_000,
        }),
        run: Some(RunId::at(NOW, [1; 10])),
        created: NOW,
        spent: None,
        below: None,
    }
}

fn make(book: &mut Book) {
    book.about(
        "Bodies and payloads of records by `hex` and the `message` they are read as; signatures in \
         them are 64 bytes 07 and show nothing. A slot key has the `broadcast`, the `slot` and the \
         `key`. A close has its `pages`, which belong together or do not.",
    );
    bidding(book);
    working(book);
    let slots = [0_u64, 1, 255, 256];
    let broadcast = announcement().broadcast;
    for slot in slots {
        let key = slot_key(broadcast, None, slot);
        let fields = json!({
            "message": "slot key", "broadcast": hex(broadcast.as_bytes()), "slot": slot,
            "key": hex(key.as_bytes()),
        });
        book.valid(&format!("the key of slot {slot}"), "LEASE-5", fields);
    }
    let work = CallId::new([6; 16]);
    let fields = json!({
        "message": "slot key", "broadcast": hex(broadcast.as_bytes()), "work": hex(work.as_bytes()), "slot": 1,
        "key": hex(slot_key(broadcast, Some(work), 1).as_bytes()),
    });
    book.valid(
        "the key of a slot of work that may be announced again",
        "LEASE-5",
        fields,
    );
    closes(book);
}

fn bidding(book: &mut Book) {
    let mut one = |message: &str, name: &str, optional: &[u64], value: &dyn Body| {
        value.vectors(book, message, name, optional);
    };
    one("announcement", "an announcement", &[], &announcement());
    let again = Announcement {
        work: Some(CallId::new([6; 16])),
        ..announcement()
    };
    one(
        "announcement",
        "of work that may be announced again",
        &[64],
        &again,
    );
    let announce = Announce {
        announcement: signed(&announcement()),
        window_ms: 1_800,
        down: 2,
        up: 0,
        chain: Some(Blob::from(vec![0xa0])),
    };
    one("Announce", "an announce", &[4], &announce);
    let tally = Tally {
        broadcast: announcement().broadcast,
        round: 1,
        asked: 20,
        bids: 7,
        unreached: 1,
        suppressed: Some(1),
    };
    one("Tally", "a tally", &[5], &tally);
    one("bid", "a bid", &[5], &bid(0));
    let summary = Summary {
        filter: Blob::from(vec![0; 4]),
        realms: 3,
    };
    one("summary", "a summary", &[], &summary);
}

fn working(book: &mut Book) {
    let (broadcast, slot, epoch) = (announcement().broadcast, 0, 1);
    let bid = Digest::of(&[b"bid"]);
    let mut one = |message: &str, name: &str, optional: &[u64], value: &dyn Body| {
        value.vectors(book, message, name, optional);
    };
    let award = Award {
        broadcast,
        slot,
        epoch,
        bid,
        confirm_ms: 2_000,
        lease_ms: 30_000,
        budget: None,
    };
    one("Award", "an award", &[], &award);
    let bounded = Award {
        budget: Some(Budget {
            tokens: Some(20_000),
            ..Budget::default()
        }),
        ..award
    };
    one("Award", "an award with a budget", &[6], &bounded);
    let answer = ConfirmAnswer::Reserved;
    let confirm = Confirm {
        broadcast,
        slot,
        epoch,
        bid,
        answer,
    };
    one("confirm", "a confirm", &[], &confirm);
    let lease = Lease {
        broadcast,
        slot,
        epoch,
        answers: 0,
        lease_ms: 30_000,
        key: slot_key(broadcast, None, slot),
        input: Some(Blob::from(b"{}".to_vec())),
    };
    one("Lease", "a lease", &[6], &lease);
    let progress = WorkProgress {
        broadcast,
        slot,
        epoch,
        number: 1,
        done: 250_000,
        offshoots: None,
    };
    one("Progress", "a progress", &[], &progress);
    let announced = WorkProgress {
        offshoots: Some(Offshoots {
            under_way: 1,
            given: 2,
            failed: 0,
        }),
        ..progress
    };
    one(
        "Progress",
        "a progress of work that has announced more",
        &[64],
        &announced,
    );
    one("outcome", "an outcome", &[5, 6, 7, 8, 9], &outcome());
    let counted = Outcome {
        spent: Some(Spend {
            tokens: 1_200,
            calls: 3,
            ..Spend::default()
        }),
        ..outcome()
    };
    one(
        "outcome",
        "an outcome with what was used",
        &[5, 6, 7, 8, 9, 65],
        &counted,
    );
    let stopped = Outcome {
        below: Some(Stopped {
            confirmed: 3,
            silent: 1,
        }),
        ..outcome()
    };
    one(
        "outcome",
        "an outcome of work that was taken back",
        &[5, 6, 7, 8, 9, 66],
        &stopped,
    );
    let deliver = Deliver {
        outcome: signed(&outcome()),
        output: Some(Blob::from(b"{}".to_vec())),
    };
    one("Result", "a result", &[1], &deliver);
    let ack = OutcomeAck {
        broadcast,
        slot,
        epoch,
    };
    one("ResultAck", "a result ack", &[], &ack);
    let withdraw = Withdraw {
        broadcast,
        slot,
        epoch,
        waits_ms: None,
    };
    one("Cancel", "a cancel", &[], &withdraw);
    let waiting = Withdraw {
        waits_ms: Some(5_000),
        ..withdraw
    };
    one("Cancel", "a cancel that is waited for", &[64], &waiting);
}

/// A body of any type.
trait Body {
    fn vectors(&self, book: &mut Book, message: &str, name: &str, optional: &[u64]);
}

impl<T: cbor::Wire> Body for T {
    fn vectors(&self, book: &mut Book, message: &str, name: &str, optional: &[u64]) {
        body(book, "CAST-1", message, name, self, optional);
    }
}

/// The end of a broadcast with so many bids, of which so many win.
fn close(bids: u8, slots: u64) -> (Verdict, Vec<Close>) {
    let announcement = Announcement {
        rule: Rule {
            selection: Selection::First,
            weights: None,
            ..announcement().rule
        },
        ..announcement()
    };
    let bids: Vec<Signed<Bid>> = (0..bids).map(|number| signed(&bid(number))).collect();
    let candidates: Vec<Candidate> = (0..)
        .zip(&bids)
        .map(|(arrival, bid)| Candidate::of(&bid.peek().unwrap(), bid.digest(), 0, arrival))
        .collect();
    let scale = Scale::of(&announcement);
    let ranking = rank(&candidates, &announcement.rule, &scale, &SECRET);
    let winners = (0..slots)
        .zip(&ranking.ranked)
        .map(|(slot, ranked)| Winner {
            slot,
            epoch: 1,
            bid: ranked.candidate.bid,
            awarded: None,
        });
    let verdict = Verdict {
        broadcast: announcement.broadcast,
        announcement: Signed::unsigned(&announcement).digest(),
        secret: SECRET,
        counted: bids.len() as u64,
        root: ranking.root,
        order: ranking.order(),
        winners: winners.collect(),
        closed: NOW,
        unconfirmed: None,
    };
    let slots = usize::try_from(slots).unwrap();
    let pages = close_pages(&signed(&verdict), &verdict, &ranking, &bids[..slots]);
    (verdict, pages)
}

fn closes(book: &mut Book) {
    let fields = |pages: &[Close]| {
        let pages = pages.iter().map(|page| hex(cbor::encode(page)));
        json!({"message": "close", "pages": Value::from_iter(pages)})
    };
    let (verdict, one) = close(3, 2);
    body(book, "CAST-1", "verdict", "a verdict", &verdict, &[]);
    let lost = Verdict {
        unconfirmed: Some(vec![Digest::new([9; 32])]),
        ..verdict
    };
    let mut timed = lost.clone();
    timed.winners[0].awarded = Some(NOW);
    let what = "a verdict that says when a winner was awarded";
    body(book, "CAST-1 CLOSE-8", "verdict", what, &timed, &[64]);
    let what = "a verdict with an award that was not confirmed";
    body(book, "CAST-1", "verdict", what, &lost, &[64]);
    body(book, "CAST-1", "Close", "a close", &one[0], &[]);
    let (_, two) = close(8, 7);
    assert_eq!((one.len(), two.len()), (1, 2));
    book.valid("a close of one page", "CLOSE-1", fields(&one));
    book.valid("a close of two pages", "CLOSE-1", fields(&two));
    book.valid("a close of no bids", "CLOSE-1", fields(&close(0, 0).1));
    book.invalid("the first page of two", "CLOSE-1", fields(&two[..1]));
    let twice = [two[0].clone(), two[0].clone()];
    book.invalid("the first page twice", "CLOSE-1", fields(&twice));
    let mut fewer = one.clone();
    fewer[0].digests = fewer[0].digests[..64].to_vec().into();
    book.invalid("a digest less", "CLOSE-1", fields(&fewer));
    let mut turned = one;
    turned[0].winners.reverse();
    book.invalid("winners in another order", "CLOSE-1", fields(&turned));
}
