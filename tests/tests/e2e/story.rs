//! The first five minutes: two organisations meet, by the command line alone.

use crate::person::Person;

#[test]
fn two_organisations_meet_and_one_calls_a_loop_of_the_other() {
    let (mercy, lab) = (Person::new(), Person::new());

    // Each makes a realm, and runs it.
    mercy
        .ctl("status")
        .fails(5, &["no realm on this machine", "help: realmctl init NAME"]);
    assert!(mercy.ctl("init mercy").ok().contains("realmd run mercy"));
    mercy.ctl("status").fails(4, &["help: realmd run mercy"]);
    lab.ctl("init lab").ok();
    let (mercy_daemon, lab_daemon) = (mercy.start("mercy"), lab.start("lab"));

    // The lab writes a loop, tries it, and invites the hospital to call it.
    lab.ctl("new loop variant-call --lang sh").ok();
    let applied = lab.ctl("-o json apply -f variant-call").json();
    assert_eq!(applied["applied"][0]["action"], "created");
    assert_eq!(
        lab.ctl("invoke variant-call text=hello").ok(),
        r#"{"bytes":16}"#
    );
    let ticket = lab.ctl("invite --peer").ok();
    assert!(lab.ctl_with("ticket show -", &ticket).ok().contains("lab"));

    // One string is the whole ceremony.
    let joined = mercy.ctl_with("join - -o json", &ticket).json();
    assert_eq!(joined["with"]["name"], "lab");
    assert!(mercy.ctl("peer ping lab").ok().contains("mercy → lab"));
    assert!(lab.ctl("peer ping mercy").ok().contains("lab → mercy"));

    // What nobody permitted is denied, and not even seen.
    assert_eq!(mercy.ctl("loop ls @lab -o name").ok(), "");
    let denial = mercy
        .ctl("invoke variant-call@lab text=hello")
        .fails(6, &["policy why "]);
    let unknown = mercy
        .ctl("invoke no-such-loop@lab text=hello")
        .fails(6, &["policy why "]);
    assert_eq!(
        lines_without_references(&denial),
        lines_without_references(&unknown)
    );

    // The decider explains it and prints the command that permits it; that command works.
    let why = denial
        .lines()
        .find_map(|line| line.split_once("realmctl "))
        .unwrap()
        .1;
    let suggestion = lab.ctl(&format!("{why} -o json")).json()["suggestion"].clone();
    let suggestion = suggestion.as_str().unwrap();
    assert_eq!(suggestion, "realmctl allow mercy invoke variant-call");
    let cedar = lab
        .ctl(&format!("{} --for 30d", &suggestion["realmctl ".len()..]))
        .ok();
    assert!(cedar.contains("context.now <"), "{cedar}");

    // The loop is there now, with its contract and an input to fill in.
    assert_eq!(mercy.ctl("loop ls @lab -o name").ok(), "variant-call@lab");
    let shown = mercy
        .ctl("loop show variant-call@lab --example -o json")
        .json();
    assert_eq!(shown["example"], serde_json::json!({"text": "hello"}));
    let result = mercy
        .ctl("invoke variant-call@lab text=hello -o json")
        .json();
    assert_eq!(result["output"]["bytes"], 16);
    assert_eq!(result["hops"], serde_json::json!(["mercy", "lab"]));
    mercy
        .ctl("invoke variant-call@lab txt=hello")
        .fails(7, &["\"text\" is a required property"]);

    // Both sides have their half of the trace, linked by the call.
    let run = result["runId"].as_str().unwrap();
    let tree = mercy.ctl(&format!("run tree {run}")).ok();
    assert!(
        tree.starts_with("variant-call@lab 0.1.0  completed"),
        "{tree}"
    );
    let trace = mercy.ctl(&format!("trace show {run} -o json")).json();
    let returned = trace["events"].as_array().unwrap().iter();
    let returned = returned
        .clone()
        .find(|event| event["type"] == "call.returned")
        .unwrap();
    let there = returned["payload"]["run"].as_str().unwrap();
    let half = lab.ctl(&format!("trace show {there} -o json")).json();
    assert_eq!(half["run"]["callId"], trace["run"]["callId"]);
    assert_eq!(half["run"]["direction"], "in");

    // The lab shows its half once its owner says so, and what it shows is what it signed.
    let federated = format!("trace show {run} --federated");
    let refused = mercy.ctl(&federated).ok();
    assert!(refused.contains("refused  -"), "{refused}");
    assert!(
        refused.contains("denied by policy; reference "),
        "{refused}"
    );
    lab.ctl("allow mercy read-trace variant-call").ok();
    let shown = mercy.ctl(&federated).ok();
    assert!(
        shown.starts_with("variant-call@lab 0.1.0  completed") && shown.contains("[signed]"),
        "{shown}"
    );
    let shown = mercy.ctl(&format!("{federated} -o json")).json();
    assert_eq!(shown["parts"][0]["runId"], there);
    assert_eq!(shown["parts"][0]["events"], half["events"]);
    // What stands there once the receipt was signed.
    let signed = shown["parts"][0]["signedEvents"].as_u64().unwrap();
    let later = &half["events"].as_array().unwrap()[signed as usize..];
    assert_eq!(later.len(), 1, "{later:?}");
    assert_eq!(later[0]["type"], "call.answered");

    // A trace in a file is the run it was exported from; a call that failed is another.
    let file = mercy.dir().join("trace.json");
    let file = file.display();
    mercy
        .ctl(&format!("trace export {run} --format json --out {file}"))
        .ok();
    let same = mercy.ctl(&format!("trace diff @{file} {run}")).ok();
    assert_eq!(same, "equal, 1 frame");
    let failed = mercy.ctl("run ls --status failed --limit 1 -o name").ok();
    mercy
        .ctl(&format!("trace diff @{file} {failed}"))
        .fails(1, &[]);

    // A child under the hospital can call it too once the lab permits that; then it is cut off.
    let ward = Person::new();
    ward.ctl("init ward").ok();
    let ward_daemon = ward.start("ward");
    ward.ctl_with("join -", &ticket)
        .fails(6, &["used up", "help: ask for a new ticket"]);
    let ticket = mercy.ctl("invite ward").ok();
    let ticket = ward.write("ticket", &ticket);
    ward.ctl(&format!("join @{}", ticket.display())).ok();
    let called = ward
        .ctl("invoke variant-call@lab text=hello -o json")
        .json();
    assert_eq!(
        called["hops"],
        serde_json::json!(["mercy/ward", "mercy", "lab"])
    );
    assert!(mercy.ctl("realm tree").ok().contains("ward  connected"));
    mercy.ctl("realm revoke mercy/ward").fails(2, &["--yes"]);
    mercy.ctl("realm revoke mercy/ward --yes").ok();
    ward_daemon.wait_for("link down", 1);
    ward.ctl("invoke variant-call@lab text=hello")
        .fails(13, &["help: realmctl realm tree"]);

    // What was permitted can be taken back.
    lab.ctl("disallow mercy invoke variant-call").ok();
    mercy
        .ctl("invoke variant-call@lab text=hello")
        .fails(6, &["policy why "]);
    let status = lab.ctl("status -o json").json();
    assert_eq!(status["peers"][0]["name"], "mercy");
    assert_eq!(status["store"]["state"], "ok");
    for daemon in [ward_daemon, mercy_daemon, lab_daemon] {
        daemon.stop();
    }
}

/// A denial without the references that make each its own.
fn lines_without_references(text: &str) -> Vec<String> {
    let line = |line: &str| line.rsplit_once(' ').unwrap().0.to_owned();
    text.lines().map(line).collect()
}
