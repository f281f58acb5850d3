//! One daemon on one home.

use crate::person::Person;

#[test]
fn a_second_daemon_on_a_home_is_refused_with_a_command_that_shows_the_first() {
    let person = Person::new();
    let daemon = person.realm("lab");

    let second = person.run("realmd", &["run", "lab"], "");

    let told = second.fails(
        3,
        &["error[RLM-0508]", "another daemon runs on", ", process "],
    );
    let help = told
        .lines()
        .find_map(|line| line.strip_prefix("help: realmctl "))
        .unwrap();
    assert!(person.ctl(help).ok().contains("lab"));
    let store = person.run("realmd", &["store", "check"], "");
    store.fails(3, &["help: the daemon runs"]);
    daemon.stop();
    assert!(
        person
            .run("realmd", &["store", "check"], "")
            .ok()
            .contains("sound")
    );
}
