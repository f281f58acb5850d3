//! Backups of a realm that works, and realms that come out of them.

use std::fs;

use crate::{daemon::Daemon, gate::Gate, person::Person};

#[test]
fn a_backup_taken_while_calls_run_restores_to_a_realm_that_serves() {
    let (mercy, lab) = (Person::new(), Person::new());
    let (mercy_daemon, lab_daemon) = (mercy.realm("mercy"), lab.realm("lab"));
    let ticket = lab.ctl("invite --peer --allow *").ok();
    mercy.ctl_with("join -", &ticket).ok();
    let program = "cat > /dev/null\necho >> calls\nprintf '{\"calls\": %s}' \"$(wc -l < calls)\"";
    lab.sh_loop("lab", "count", "once", program);
    let greets = "cat > /dev/null\nprintf '{\"went\": \"well\"}'";
    lab.sh_loop("lab", "greet", "idempotent", greets);
    let gate = Gate::new(&lab, "lab", "gated");
    let call = "invoke count@lab --idempotency-key k1 -o json";
    let before = mercy.ctl(call).json();
    let pending = mercy.ctl("invoke gated@lab --detach").ok();
    let mut gate = gate.wait();

    let saved = lab.ctl("backup saved -o json").json();
    lab.ctl("backup saved").fails(2, &["exists already"]);
    let log = lab.ctl("audit ls --action realm.backedUp -o json").json();
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
    assert_eq!(log["items"][0]["person"], "owner", "{log}");
    gate.open();

    // The call under way was not held up, and the file holds what was acknowledged before it.
    let end = mercy_daemon.api().events(&pending, None).last().unwrap();
    assert_eq!(end.data["output"]["went"], "on");
    assert!(saved["bytes"].as_u64().unwrap() > 0);
    lab_daemon.stop();

    // A home that exists stays as it is; a file that was changed makes none.
    lab.ctl("-r lab restore saved")
        .fails(2, &["exists already", "help: "]);
    let mut bytes = fs::read(lab.dir().join("saved")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(lab.dir().join("damaged"), bytes).unwrap();
    lab.ctl("-r other restore damaged")
        .fails(1, &["error[RLM-0708]"]);
    assert!(!lab.home("other").exists());

    // The realm goes on elsewhere: same name, same answers, sealed for with new keys.
    fs::rename(lab.home("lab"), lab.dir().join("lost")).unwrap();
    lab.ctl("-r lab restore saved").ok();
    let restored = Daemon::start(&lab, &lab.home("lab"));
    mercy_daemon.wait_for("link up", 2);
    let again = mercy.ctl(call).json();
    assert_eq!(again["output"], before["output"]);
    let next = mercy.ctl("invoke greet@lab -o json").json();
    assert_eq!(next["output"]["went"], "well");
    // Whether another key was used since the backup, nobody knows.
    mercy
        .ctl("invoke count@lab")
        .fails(8, &["came back from a backup"]);
    // A restored store is marked until new KEM keys are in it.
    let status = lab.ctl("status -o json").json();
    assert_eq!(status["store"]["restored"], false, "{status}");
    restored.stop();
    mercy_daemon.stop();
}
