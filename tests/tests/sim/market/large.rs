//! Work whose input or output does not fit into one message.

use realm_node::Refusal;
use realm_protocol::{FailureCode, limits};

use super::*;

fn work(bytes: usize) -> BroadcastAsked {
    let rule = rule(Selection::Best, 1, 1);
    let mut work = asked("see", reach(1, 0, 0), rule, Strategy::Select);
    let around = json!({"text": ""}).to_string().len();
    work.input = json!({"text": "x".repeat(bytes - around)});
    work
}

#[test]
fn a_result_that_is_too_large_is_said_to_be_and_the_next_one_takes_over_at_once() {
    let (mut world, acme, [left, _]) = family(90, ["EUR 0.03", "EUR 0.02"]);
    let mut short = bids(Loops::idempotent("see", 100), "EUR 0.03");
    short["tool"]["config"]["argv"] = json!(["say", "{}"]);
    world.apply(left, &[short]);
    world.run_for(1_000);
    let before = world.elapsed_ms();

    // What the right one gives is a little more than its input.
    let ended = broadcast(&mut world, acme, work(limits::WORK_BYTES));

    assert_eq!(output(&ended), json!({}));
    assert!(
        world.elapsed_ms() - before < 2_000,
        "the lease was waited for"
    );
    assert_eq!(ended.slots[0].realm, world.hosts[left.0].realm);
    invariants::check(&mut world);
}

#[test]
fn an_input_that_no_lease_can_carry_is_refused_before_it_is_announced() {
    let (mut world, acme, _) = family(91, ["EUR 0.03", "EUR 0.02"]);
    let work = work(limits::WORK_BYTES + 1);

    match world.ask_and_wait(acme, Request::Broadcast(Box::new(work))) {
        Response::Refused(Refusal::Call(failure)) => {
            assert_eq!(failure.code, FailureCode::TooLarge, "{failure:?}");
        }
        other => panic!("announced: {other:?}"),
    }
    assert!(world.hosts[acme.0].disk.runs.is_empty());
}
