//! Power cuts, second daemons, and ends in good order.

use std::thread;

use rustix::process::Signal;

use crate::{
    gate::{Gate, lines},
    person::Person,
};

/// Answers with how often it ran, and writes its input down first.
const COUNT: &str = "cat >> calls\necho >> calls\nprintf '{\"calls\": %s}' \"$(wc -l < calls)\"\n";

#[test]
fn after_kill_9_nothing_acknowledged_is_lost_and_nothing_runs_twice() {
    let (mercy, lab, imaging) = (Person::new(), Person::new(), Person::new());
    let (mercy_daemon, lab_daemon) = (mercy.realm("mercy"), lab.realm("lab"));
    let count = lab.sh_loop("lab", "count", "once", COUNT);
    let gate = Gate::new(&lab, "lab", "gated");
    let ticket = mercy.ctl("invite --peer").ok();
    lab.ctl_with("join - --allow count --allow gated", &ticket)
        .ok();
    let call = "invoke count@lab sample=7 --idempotency-key k1 -o json";
    let answered = mercy.ctl(call).json();
    lab.ctl("allow mercy invoke later-*").ok();
    let child = lab.ctl("invite imaging").ok();
    let interrupted = mercy.ctl("invoke gated@lab --detach").ok();
    let gate = gate.wait();
    let policies = lab.ctl("policy ls -o json").json();

    lab_daemon.kill();
    assert!(lab.home("lab").join("realmd.sock").exists());
    assert!(lab.home("lab").join("realmd.lock").exists());
    let lab_daemon = lab.start("lab");

    // The link comes back by itself, and the same question gets the same answer.
    mercy_daemon.wait_for("link up", 2);
    assert_eq!(answered["output"]["calls"], 1);
    assert_eq!(mercy.ctl(call).json()["output"], answered["output"]);
    assert_eq!(lines(&count.join("calls")), 1);
    let runs = lab.ctl("run ls --loop count -o json").json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
    let run = runs["items"][0]["id"].as_str().unwrap();
    let run = lab.ctl(&format!("run show {run} -o json")).json();
    assert_eq!(run["status"], "completed");
    assert_eq!(run["output"], answered["output"]);

    // What was under way may have had its effect: it is not run again, and its caller waits for
    // what a person there says.
    let paused = lab.ctl("run ls --loop gated -o json").json();
    assert_eq!(paused["items"][0]["status"], "paused", "{paused}");
    let there = paused["items"][0]["id"].as_str().unwrap().to_owned();
    let resumed = format!("run resume {there} --gave {{\"went\":\"on\"}}");
    lab.ctl(&resumed).ok();
    let events = mercy_daemon.api().events(&interrupted, None);
    let end = events.last().unwrap();
    assert_eq!(end.kind, "end");
    assert_eq!(end.data["output"]["went"], "on", "{end:?}");
    assert_eq!(lines(&lab.dir().join("gated/runs")), 1);
    drop(gate);

    // Loops, policies and tickets are as they were.
    assert_eq!(lab.ctl("loop ls -o name").ok(), "count\necho\ngated");
    assert_eq!(lab.ctl("policy ls -o json").json(), policies);
    let imaging_daemon = imaging.realm("imaging");
    let joined = imaging.ctl_with("join - -o json", &child).json();
    assert_eq!(joined["realm"]["name"], "lab/imaging");
    for daemon in [imaging_daemon, lab_daemon, mercy_daemon] {
        daemon.stop();
    }
}

#[test]
fn a_call_that_nobody_waits_for_goes_on_though_its_realm_was_killed() {
    let (mercy, lab) = (Person::new(), Person::new());
    let (mercy_daemon, lab_daemon) = (mercy.realm("mercy"), lab.realm("lab"));
    let ticket = lab.ctl("invite --peer --allow gated").ok();
    mercy.ctl_with("join -", &ticket).ok();
    let gate = Gate::new(&lab, "lab", "gated");
    let call = "invoke gated@lab --idempotency-key k1";
    let run = mercy.ctl(&format!("{call} --detach")).ok();
    let mut gate = gate.wait();

    mercy_daemon.kill();
    let mercy_daemon = mercy.start("mercy");
    mercy_daemon.wait_for("link up", 1);

    // It asks again under its key and joins the run, as does whoever asks the same.
    let again = mercy.ctl(&format!("{call} --detach")).ok();
    gate.open();
    for run in [run, again] {
        let end = mercy_daemon.api().events(&run, None).last().unwrap();
        assert_eq!(end.data["output"]["went"], "on", "{end:?}");
    }
    assert_eq!(lines(&lab.dir().join("gated/runs")), 1);
    mercy_daemon.stop();
    lab_daemon.stop();
}

#[test]
fn sigterm_lets_a_running_call_finish() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let gate = Gate::new(&person, "lab", "gated");

    thread::scope(|scope| {
        let call = scope.spawn(|| person.ctl("invoke gated"));
        let mut gate = gate.wait();
        daemon.signal(Signal::TERM);
        daemon.wait_for("\"stopping; ", 1);
        // What is new is refused; what runs may end.
        person
            .ctl("invoke echo text=hello")
            .fails(4, &["error[RLM-0520]"]);
        gate.open();

        assert_eq!(call.join().unwrap().ok(), r#"{"went":"on"}"#);
    });
    let (status, log) = daemon.ended();
    assert!(status.success(), "{status}: {log}");
    assert!(!person.home("lab").join("realmd.sock").exists());
}
