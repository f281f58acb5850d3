//! Models that call loops, here and elsewhere. The model of this world does whatever it reads.

use realm_node::Response;
use realm_protocol::journal::{Direction, Status};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// A prompt whose model may call these loops, by these names.
fn ask(template: &str, tools: &[(&str, &str)]) -> Value {
    let tools = tools.iter();
    let tools = tools.map(|(name, address)| json!({"name": name, "loopId": address}));
    json!({
        "id": "ask", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {
            "template": template, "variables": ["say"],
            "tools": tools.collect::<Vec<Value>>(), "maxTurns": 3,
        },
    })
}

fn served(world: &World, host: HostId) -> usize {
    let runs = world.hosts[host.0].disk.runs.values();
    runs.filter(|run| run.direction == Direction::In).count()
}

fn say(world: &mut World, host: HostId, words: &str) -> Response {
    let input = json!({"say": words});
    world.ask_and_wait(host, World::invoke("ask", input))
}

fn output(response: Response) -> Value {
    match response {
        Response::Invoked(done) => done.result.unwrap_or_else(|error| panic!("{error:?}")),
        other => panic!("no output: {other:?}"),
    }
}

/// The roots acme, which asks, lab, which lets it, and bank, which does not.
fn cast(seed: u64) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    let hosts = ["acme", "lab", "bank"].map(|name| world.found(name));
    let [acme, lab, bank] = hosts;
    world.peer(acme, lab);
    world.peer(acme, bank);
    world.allow(lab, "acme", "*");
    world.apply(lab, &[Loops::idempotent("look", 50)]);
    world.apply(bank, &[Loops::once("pay", 50)]);
    let tools = [("look", "look@lab"), ("pay", "pay@bank")];
    world.apply(acme, &[ask("{{say}}", &tools)]);
    world.run_for(1_000);
    (world, hosts)
}

#[test]
fn a_model_calls_a_loop_of_another_realm_and_answers_with_what_that_gave() {
    let (mut world, [acme, lab, _]) = cast(1);

    let answer = say(&mut world, acme, r#"call look {"n": 1}"#);

    assert!(output(answer).get("error").is_none());
    assert_eq!(served(&world, lab), 1);
    invariants::check(&mut world);
}

#[test]
fn whatever_a_model_reads_it_calls_nothing_that_policy_or_its_prompt_does_not_allow() {
    let (mut world, [acme, lab, bank]) = cast(2);

    // Offered, and refused by the realm that owns it.
    let refused = output(say(&mut world, acme, r#"call pay {"n": 1}"#));
    assert_eq!(refused["error"]["code"], "Denied", "{refused}");
    // Not offered at all, though it exists.
    let hidden = output(say(&mut world, acme, r#"call vault {"n": 1}"#));
    assert_eq!(hidden["error"]["code"], "LoopNotFound", "{hidden}");

    assert_eq!((served(&world, lab), served(&world, bank)), (0, 0));
    invariants::check(&mut world);
}

#[test]
fn a_conversation_goes_on_after_a_crash_and_no_tool_is_used_twice() {
    for after in [0, 20, 40, 60, 80, 120] {
        let (mut world, [acme, lab, _]) = cast(10 + after);
        let input = json!({"say": r#"call look {"n": 1} call look {"n": 2}"#});
        world.ask(acme, World::invoke("ask", input));
        world.run_for(after);
        world.crash_for(acme, 300);
        world.run_for(30_000);
        let runs = world.hosts[acme.0].disk.runs.values();
        let asked: Vec<_> = runs.filter(|run| run.loop_id == "ask").collect();
        let ended = asked.iter().all(|run| run.status == Status::Completed);
        assert!(ended, "after {after} ms: {asked:?}");
        assert_eq!(served(&world, lab), 2 * asked.len(), "after {after} ms");
        invariants::check(&mut world);
    }
}
