//! A call for a realm that is not there.

use std::{fs, io::Write as _};

use crate::{daemon::Daemon, gate::lines, person::Person};

/// Answers with how often it ran.
const COUNT: &str = "cat >> calls\necho >> calls\nprintf '{\"calls\": %s}' \"$(wc -l < calls)\"\n";

/// Founds a realm whose owner agrees to custody on one side of it.
fn agreeing(person: &Person, name: &str, key: &str) -> Daemon {
    person.ctl(&format!("init {name}")).ok();
    let path = person.home(name).join("realm.toml");
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    write!(file, "\n[custody]\n{key} = \"yes\"\n").unwrap();
    person.start(name)
}

#[test]
fn a_call_waits_at_the_parent_through_its_power_cut_until_the_child_is_back() {
    let (acme, health, billing) = (Person::new(), Person::new(), Person::new());
    let acme_daemon = agreeing(&acme, "acme", "keep_for_children");
    let health_daemon = agreeing(&health, "health", "ask");
    let billing_daemon = billing.realm("billing");
    for (child, label) in [(&health, "health"), (&billing, "billing")] {
        let ticket = acme.ctl(&format!("invite {label}")).ok();
        child.ctl_with("join -", &ticket).ok();
    }
    let count = health.sh_loop("health", "count", "once", COUNT);
    health_daemon.stop();
    acme_daemon.wait_for("link down", 1);

    let run = billing
        .ctl("invoke count@acme/health sample=7 --store --detach")
        .ok();
    let mut events = billing_daemon.api().events(&run, None);
    let stored = events.find(|event| event.data["type"] == "call.stored");
    assert!(stored.is_some(), "nothing was promised");
    acme_daemon.kill();
    let acme_daemon = acme.start("acme");
    billing_daemon.wait_for("link up", 2);
    let health_daemon = health.start("health");

    let end = billing_daemon.api().events(&run, None).last().unwrap();
    assert_eq!(end.data["output"]["calls"], 1, "{end:?}");
    assert_eq!(lines(&count.join("calls")), 1);
    for daemon in [billing_daemon, health_daemon, acme_daemon] {
        daemon.stop();
    }
}
