//! Content that its owner erases.

use crate::person::Person;

const CANARY: &str = "patient-7f31c9";

#[test]
fn what_an_owner_erases_is_shown_nowhere_and_the_log_verifies_as_before() {
    let lab = Person::new();
    let daemon = lab.realm("lab");
    lab.ctl(&format!("invoke echo note={CANARY}")).ok();
    let run = lab.ctl("run ls --limit 1 -o name").ok();
    let shows = [
        format!("run show {run} -o json"),
        format!("trace show {run} -o json"),
        format!("run explain {run} -o json"),
    ];
    assert!(lab.ctl(&shows[0]).ok().contains(CANARY));
    lab.ctl("audit export --out before").ok();

    lab.ctl("erase person owner --dry-run").ok();
    assert!(lab.ctl(&shows[0]).ok().contains(CANARY), "a dry run");
    let erased = lab.ctl("erase person owner --why asked -o json").json();
    assert_eq!(erased["items"][0]["run"]["id"], run.as_str(), "{erased}");

    lab.ctl("audit export --out after").ok();
    for file in ["before", "after"] {
        lab.ctl(&format!("verify {file}")).ok();
    }
    let entries = lab.ctl("audit ls -o json").json();
    assert_eq!(entries["items"][0]["action"], "content.erased", "{entries}");
    daemon.stop();
    let daemon = lab.start("lab");
    for show in &shows {
        let shown = lab.ctl(show).ok();
        assert!(!shown.contains(CANARY), "{shown}");
    }
    let log = daemon.log();
    assert!(!log.contains(CANARY), "{log}");
    daemon.stop();
    lab.ctl("store check").ok();
}
