//! What is drawn of runs that are watched, at some moments of theirs.

use std::fmt::Write as _;

use realm_client::api::{Time, TraceEvent};
use realmctl::show::Board;
use serde_json::{Value, json};

use crate::compare;

/// When the first event was.
const BEGAN: u64 = 1_769_860_800_000;

fn event(after: u64, kind: &str, payload: Value) -> TraceEvent {
    TraceEvent {
        index: after,
        call_id: "c1".to_owned(),
        ts: Time::from_millis(BEGAN + after),
        kind: kind.to_owned(),
        payload,
    }
}

#[test]
fn a_board_shows_bids_as_they_come_the_deadline_leases_results_and_what_was_announced_besides() {
    let mut found = String::new();
    let mut board = Board::new("r1");
    let mut draw = |board: &Board, after: u64| {
        let lines = board.lines(Time::from_millis(BEGAN + after));
        writeln!(found, "after {after} ms\n{}\n", lines.join("\n")).unwrap();
    };

    let started = json!({ "loopId": "panel\u{1b}[2J", "version": "1.0.0" });
    board.take("r1", &event(0, "call.started", started));
    let announced = json!({ "broadcast": "b1" });
    board.take("r1", &event(4, "call.announced", announced));
    board.announced("r2", "review", "r1");
    let announced = json!({ "round": 1, "windowMs": 2_000, "entry": "AAAA" });
    board.take("r2", &event(5, "broadcast.announced", announced));
    let bid = json!({ "bid": "d1", "realm": "north", "price": "EUR 0.02", "timeMs": 1_500 });
    board.take("r2", &event(10, "broadcast.bid", bid));
    draw(&board, 500);

    let bid = json!({ "bid": "d2", "realm": "acme/law", "timeMs": 90_000 });
    board.take("r2", &event(600, "broadcast.bid", bid));
    let closed = json!({ "cause": "Tallied", "asked": 2, "bids": 2 });
    board.take("r2", &event(700, "broadcast.closed", closed));
    for (slot, bid) in [(0, "d1"), (1, "d2")] {
        let awarded = json!({ "slot": slot, "epoch": 1, "bid": bid });
        board.take("r2", &event(701, "broadcast.awarded", awarded));
    }
    let answered = json!({ "slot": 0, "epoch": 1, "answer": "Reserved" });
    board.take("r2", &event(710, "broadcast.answered", answered));
    let leased = json!({ "slot": 0, "epoch": 1, "realm": "north", "leaseMs": 10_000 });
    board.take("r2", &event(711, "broadcast.leased", leased));
    draw(&board, 3_000);

    let unanswered = json!({ "slot": 1, "epoch": 1 });
    board.take("r2", &event(5_701, "broadcast.answered", unanswered));
    let leased = json!({ "slot": 0, "epoch": 1, "realm": "north", "leaseMs": 10_000, "done": 0.4,
        "offshoots": { "underWay": 1, "given": 2, "failed": 0 } });
    board.take("r2", &event(6_000, "broadcast.leased", leased));
    draw(&board, 7_000);

    let ended = json!({ "slot": 0, "epoch": 1, "end": "Result" });
    board.take("r2", &event(8_711, "broadcast.ended", ended));
    let finished = json!({ "ending": "Output" });
    board.take("r2", &event(8_712, "broadcast.finished", finished));
    draw(&board, 9_000);

    compare("board.txt", &found);
}

#[test]
fn a_board_has_room_for_all_winners_and_for_the_last_of_many_bids() {
    let mut board = Board::new("r1");
    let started = json!({ "loopId": "quote" });
    board.take("r1", &event(0, "call.started", started));
    for bidder in 0..40 {
        let bid = json!({ "bid": bidder.to_string(), "realm": format!("r{bidder}"), "timeMs": 1 });
        board.take("r1", &event(1, "broadcast.bid", bid));
    }
    let awarded = json!({ "slot": 0, "epoch": 1, "bid": "3" });
    board.take("r1", &event(2, "broadcast.awarded", awarded));

    let lines = board.lines(Time::from_millis(BEGAN + 2)).join("\n");

    assert!(lines.contains("r3 ") && lines.contains("r39 "), "{lines}");
    assert!(
        !lines.contains("r28 ") && lines.contains("… 28 more"),
        "{lines}"
    );
}

#[test]
fn where_nothing_is_drawn_each_event_is_a_line_without_what_proves_it() {
    let mut board = Board::new("r1");
    board.announced("r2", "review", "r1");
    let bid = json!({ "bid": "d1", "realm": "north\n", "price": "EUR 0.02", "entry": "AAAA" });

    let own = board.take("r1", &event(0, "log", json!({ "text": "hello" })));
    let below = board.take("r2", &event(12, "broadcast.bid", bid));
    let proof = board.take(
        "r2",
        &event(13, "broadcast.proved", json!({ "entry": "AAAA" })),
    );

    assert_eq!(own.unwrap(), "     0 ms  log  text=hello");
    assert_eq!(
        below.unwrap(),
        "    12 ms  review: broadcast.bid  bid=d1 realm=north  price=EUR 0.02"
    );
    assert_eq!(proof, None);
}
