//! What an owner has taken out of traces is in none, and the work is done all the same.

use realm_node::{Request, Response};
use realm_policy::Redaction;
use realm_protocol::journal::Status;
use realm_tests::{Loops, Tree, World, invariants};
use serde_json::json;

#[test]
fn a_run_that_is_broken_off_goes_on_with_what_its_trace_does_not_hold() {
    let mut world = World::new(71);
    let acme = world.found("acme");
    let names = ["$.patient.name", "$.done.patient.name"];
    world.hosts[acme.0].redaction = Redaction::new(&names, &[r"\d{3}-\d{2}-\d{4}"]).unwrap();
    world.crash(acme);
    world.start(acme);
    let settle = Loops::composite("settle", &["echo", "pay"]);
    world.apply(acme, &[Loops::idempotent("pay", 3_000), settle]);
    let input = json!({"patient": {"name": "Ada Lovelace", "note": "no. 123-45-6789 called"}});
    let asked = || {
        let Request::Invoke(mut asked) = World::invoke_within("settle", input.clone(), 60_000)
        else {
            unreachable!()
        };
        asked.key = Some("once".to_owned());
        Request::Invoke(asked)
    };
    world.ask(acme, asked());
    world.run_for(500);
    world.crash(acme);
    world.start(acme);
    world.run_for(20_000);

    let Response::Invoked(again) = world.ask_and_wait(acme, asked()) else {
        panic!("it is answered")
    };
    assert_eq!(
        again.result.unwrap(),
        json!({"done": input}),
        "nothing is lost to the work"
    );
    let disk = &world.hosts[acme.0].disk;
    let mut runs = disk.runs.values();
    let run = runs.find(|run| run.loop_id == "settle").unwrap();
    assert_eq!(run.status, Status::Completed, "{run:?}");
    let runs = disk.runs.values().flat_map(|run| [&run.input, &run.output]);
    let blobs = runs.flatten().map(|blob| blob.to_vec());
    let events = disk.events.values().map(|event| event.payload.to_vec());
    for written in blobs.chain(events) {
        let text = String::from_utf8(written).unwrap();
        assert!(
            !text.contains("Lovelace") && !text.contains("6789"),
            "{text}"
        );
    }
    invariants::check(&mut world);
}
