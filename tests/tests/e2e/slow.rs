//! Callers that do not read what they are shown: they hold up nobody, and little memory.

use std::{
    fs,
    io::{Read as _, Write as _},
};

use crate::{daemon::Daemon, person::Person};

/// Says a MiB of progress, and shows the text that its output is.
const TELL: &str = r#"id: tell
version: 1.0.0
kind: tool
effects: idempotent
inputSchema: {}
outputSchema: {}
limits: {timeout: 2m, concurrency: 8}
tool:
  implementation: process
  config:
    lines: true
    argv:
      - python3
      - -c
      - |
        import json
        def say(**said): print(json.dumps(said), flush=True)
        for n in range(256): say(type="progress", progress={"n": n, "text": "x" * 4000})
        for n in range(60): say(type="part", text="y" * 1000)
        say(type="output", output={"text": "y" * 60000})
"#;
/// Callers that listen to one run and read nothing. If all of it were kept for each, that would be as many MiB.
const SLOW: usize = 128;
/// What they and all else may come to.
const MOST_KIB: usize = 64 * 1024;

/// Resident memory, KiB.
fn resident(daemon: &Daemon) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

#[test]
fn whoever_reads_nothing_holds_up_nobody_takes_little_memory_and_misses_nothing() {
    let person = Person::new();
    let daemon = person.realm("lab");
    person.ctl_with("apply -f -", TELL).ok();
    person.ctl("invoke tell").ok();
    let before = resident(&daemon);
    let run = person.ctl("invoke tell --detach").ok();
    let slow = (0..SLOW).map(|_| daemon.api().events(&run, None));
    let slow: Vec<_> = slow.collect();
    let mut streamed = daemon.api().connect();
    let body = r#"{"loop": "tell", "input": {}, "stream": true}"#;
    let asked = format!(
        "POST /v1/invoke HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    streamed.write_all(asked.as_bytes()).unwrap();

    // While they read nothing, the run ends, and others are shown theirs.
    person.ctl(&format!("run wait {run}")).ok();
    let shown = person.ctl("invoke tell --stream").ok();
    assert!(shown.contains(&"y".repeat(60_000)), "{}", shown.len());
    let grown = resident(&daemon).saturating_sub(before);
    assert!(grown < MOST_KIB, "{grown} KiB more");

    for events in slow {
        let events: Vec<_> = events.collect();
        let (end, traces) = events.split_last().unwrap();
        assert_eq!(end.kind, "end");
        let said = traces.iter().filter(|it| it.data["type"] == "log").count();
        assert_eq!(said, 256);
        assert!(
            traces
                .iter()
                .enumerate()
                .all(|(at, it)| it.data["index"] == at)
        );
    }
    let mut told = String::new();
    streamed.read_to_string(&mut told).unwrap();
    assert!(told.contains("event: end"), "{told}");
    daemon.stop();
}
