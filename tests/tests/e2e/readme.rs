//! Every console block of the README does what it shows.
//!
//! Prompts name the machine: `mercy$ ` and `lab$ ` are two machines, here two network namespaces
//! with a cable between them; `$ ` alone is the repository's checkout. `…` stands for anything.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::{
    daemon::Daemon,
    limit::skip,
    person::{Outcome, Person},
};

const README: &str = include_str!("../../../README.md");

/// A command and what is shown below it.
#[derive(Debug, PartialEq)]
struct Step<'a> {
    machine: &'a str,
    line: &'a str,
    shown: Vec<&'a str>,
}

/// The steps of all console blocks, in order.
fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (false, _) => {}
            (true, line) => match line.split_once("$ ") {
                Some((machine, line)) if machine.chars().all(|c| c.is_ascii_lowercase()) => {
                    steps.push(Step {
                        machine,
                        line,
                        shown: Vec::new(),
                    });
                }
                _ => steps.last_mut().unwrap().shown.push(line),
            },
        }
    }
    steps
}

/// Whether text is as shown; `…` on a line of its own stands for any lines, within one for
/// anything on it.
fn is_as_shown(lines: &[&str], shown: &[&str]) -> bool {
    match shown {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|at| is_as_shown(&lines[at..], rest)),
        [first, rest @ ..] => {
            let [line, lines @ ..] = lines else {
                return false;
            };
            line_is(line.trim_end(), first.trim_end()) && is_as_shown(lines, rest)
        }
    }
}

fn line_is(line: &str, shown: &str) -> bool {
    match shown.split_once('…') {
        None => line == shown,
        Some((before, rest)) => line.strip_prefix(before).is_some_and(|line| {
            let mut ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.any(|at| line_is(&line[at..], rest))
        }),
    }
}

#[test]
fn the_section_for_two_machines_works_as_it_is_written() {
    let Some(network) = Network::lay() else {
        skip("needs root and `ip`: apt-get install iproute2");
        return;
    };
    let people: BTreeMap<&str, Person> = ["mercy", "lab"]
        .into_iter()
        .map(|name| {
            let namespace = network.namespace(name);
            (name, Person::inside(&["ip", "netns", "exec", &namespace]))
        })
        .collect();
    let mut daemons = Vec::new();

    let steps = steps(README);
    let steps: Vec<_> = steps
        .iter()
        .filter(|step| !step.machine.is_empty())
        .collect();
    assert!(steps.len() > 20, "{steps:#?}");
    for step in steps {
        let person = &people[step.machine];
        let ran = match step
            .line
            .strip_prefix("realmd run ")
            .and_then(|line| line.strip_suffix(" &"))
        {
            Some(name) => {
                daemons.push(person.start(name));
                continue;
            }
            None => person.run("sh", &["-c", step.line], ""),
        };
        assert_shown(step, &ran);
        carry_ticket(step, &people);
    }
    daemons.into_iter().for_each(Daemon::stop);
}

#[track_caller]
fn assert_shown(step: &Step<'_>, ran: &Outcome) {
    assert_eq!(ran.code, 0, "{step:#?} {ran:#?}");
    // A terminal shows both; what is talk may stand before or after.
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(is_as_shown(&lines, &step.shown), "{step:#?} {ran:#?}");
}

/// The file `ticket` is carried to the other machine, as the text says.
fn carry_ticket(step: &Step<'_>, people: &BTreeMap<&str, Person>) {
    if !step.line.ends_with("> ticket") {
        return;
    }
    let ticket = std::fs::read_to_string(people[step.machine].dir().join("ticket")).unwrap();
    for person in people.values() {
        person.write("ticket", &ticket);
    }
}

#[test]
fn the_commands_of_the_checkout_are_those_that_every_change_runs() {
    let steps = steps(README);
    let plain: Vec<&str> = steps
        .iter()
        .filter(|step| step.machine.is_empty())
        .map(|step| step.line)
        .collect();
    let expected = [
        "./scripts/demo",
        "cargo test --workspace",
        "export PATH=\"$PWD/target/debug:$PATH\"",
    ];
    assert_eq!(
        plain, expected,
        "this test knows no other command without a machine"
    );

    // Running them here would run this test again; what lands runs both first.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let checks = std::fs::read_to_string(root.join(".ci/run")).unwrap();
    for line in ["scripts/demo", "cargo test --workspace"] {
        assert!(checks.contains(line), "{line}");
    }
    assert!(root.join("scripts/demo").is_file());
}

#[test]
fn shown_output_matches_with_gaps_and_not_without() {
    let lines = ["a 1", "b 2", "c"];
    assert!(is_as_shown(&lines, &["a …", "…", "c"]));
    assert!(is_as_shown(&lines, &["…"]));
    assert!(is_as_shown(&lines, &["a 1", "b …", "c", "…"]));
    assert!(!is_as_shown(&lines, &["a 1", "c"]));
    assert!(!is_as_shown(&lines, &["a 2", "…"]));
    assert_eq!(steps("```console\nlab$ x\ny\n```\n$ z\n")[0].shown, ["y"]);
}

/// Two network namespaces and a cable, until it is dropped.
struct Network {
    id: u32,
}

impl Network {
    fn lay() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !ip("-V") {
            return None;
        }
        let network = Self {
            id: std::process::id(),
        };
        let (mercy, lab) = (network.namespace("mercy"), network.namespace("lab"));
        // A machine that runs what an earlier test left has its name free again.
        let laid = ip(&format!("netns add {mercy}"))
            && ip(&format!("netns add {lab}"))
            && ip(&format!(
                "-n {mercy} link add eth0 type veth peer name eth0 netns {lab}"
            ));
        if !laid {
            return None;
        }
        for (name, address) in [(&mercy, "192.0.2.1/24"), (&lab, "192.0.2.2/24")] {
            assert!(ip(&format!("-n {name} address add {address} dev eth0")));
            assert!(ip(&format!("-n {name} link set eth0 up")));
            assert!(ip(&format!("-n {name} link set lo up")));
        }
        Some(network)
    }

    fn namespace(&self, machine: &str) -> String {
        format!("realm-{machine}-{}", self.id)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in ["mercy", "lab"] {
            ip(&format!("netns delete {}", self.namespace(machine)));
        }
    }
}

fn ip(line: &str) -> bool {
    let output = Command::new("ip").args(line.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}
