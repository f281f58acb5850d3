//! A key that whoever is shown it repeats wherever it can stands in nothing that the realm shows or keeps.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
};

use crate::{daemon::Daemon, limit::PATIENCE, person::Person};

const KEY: &str = "sk-canary-5f2b9d41c07e";
/// How the model repeats it: in failures, and in the midst of what it writes.
const WAYS: [&str; 4] = ["unauthorized", "broken", "midway", "torn"];

/// Answers whoever asks, each connection once.
fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(|| answer(stream.unwrap()));
        }
    });
}

fn answer(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            match line.trim_end() {
                "" => break,
                _ => continue,
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => key = value.strip_prefix("Bearer ").unwrap().to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut asked = vec![0; length];
    reader.read_exact(&mut asked).unwrap();
    let asked = String::from_utf8(asked).unwrap();
    assert_eq!(key, KEY, "or nothing would be repeated");
    let way = WAYS.iter().find(|way| asked.contains(**way)).unwrap();
    let streams = asked.contains(r#""stream":true"#);
    let (status, kind, body) = match (*way, streams) {
        ("midway", true) => (
            "200 OK",
            "text/event-stream",
            format!(
                "data: {{\"choices\":[{{\"delta\":{{\"content\":\"Good \"}}}}]}}\n\ndata: {{\"error\":{{\"message\":\"of {key}\"}}}}\n\n"
            ),
        ),
        ("torn", true) => (
            "200 OK",
            "text/event-stream",
            format!("data: {{\"choices\":[{{\"delta\": {key}\n\n"),
        ),
        ("torn", false) => (
            "200 OK",
            "application/json",
            format!("{{\"choices\": {key}"),
        ),
        ("unauthorized", _) => (
            "401 Unauthorized",
            "application/json",
            format!("{{\"error\":{{\"message\":\"{key} is not the key\",\"code\":\"{key}\"}}}}"),
        ),
        _ => (
            "500 Internal Server Error",
            "application/json",
            format!("{{\"message\":\"{key}{key}\",\"{key}\":1}}"),
        ),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nX-Key: {key}\r\nWWW-Authenticate: {key}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
}

/// A realm whose one model is at this port, and shown the key.
fn realm(person: &Person, port: u16) -> Daemon {
    person.ctl("init desk").ok();
    let home = person.home("desk");
    let key = home.join("keys/office");
    fs::write(&key, KEY).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let toml = home.join("realm.toml");
    let written = fs::read_to_string(&toml).unwrap();
    let backend = format!(
        "\n[backends.office]\nformat = \"openai\"\nurl = \"http://127.0.0.1:{port}/v1\"\n\
         allow_private = [\"127.0.0.1:{port}\"]\nkey = \"file:keys/office\"\nmodel = \"m\"\n"
    );
    fs::write(&toml, format!("log.level = \"debug\"\n{written}{backend}")).unwrap();
    person.start("desk")
}

/// Whether a file in a folder holds the key; the file of the key itself does.
fn holder(folder: &Path) -> Option<String> {
    fs::read_dir(folder).unwrap().flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holder(&path);
        }
        // Sockets cannot be read, and hold nothing.
        let bytes = fs::read(&path).unwrap_or_default();
        let holds = bytes
            .windows(KEY.len())
            .any(|bytes| bytes == KEY.as_bytes());
        (holds && !path.ends_with("keys/office")).then(|| path.display().to_string())
    })
}

#[test]
fn a_key_that_a_model_repeats_in_its_failures_stands_in_nothing_that_is_shown_or_kept() {
    let person = Person::new();
    let model = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = model.local_addr().unwrap().port();
    serve(model);
    let daemon = realm(&person, port);
    person
        .ctl_with(
            "apply -f -",
            "id: ask\nversion: 1.0.0\nkind: prompt\ninputSchema: {type: object}\noutputSchema: {type: object}\n\
             prompt: {template: \"{{way}}\", variables: [way]}\nbackend: {id: office}\n",
        )
        .ok();

    // What is asked for is told, or this would show nothing.
    let tell = |line: &str| {
        let told = person.ctl(line);
        assert_eq!(told.code, 0, "{told:#?}");
        told
    };
    let mut shown = Vec::new();
    for way in WAYS {
        for how in ["", "--stream"] {
            let failed = person.ctl(&format!("invoke ask way={way} {how} -o json"));
            assert_ne!(failed.code, 0, "{failed:#?}");
            shown.push(failed);
        }
    }
    let runs = tell("run ls -o json");
    let listed: serde_json::Value = serde_json::from_str(&runs.out).unwrap();
    let listed = listed["items"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2 * WAYS.len());
    shown.push(runs);
    for run in &listed {
        let id = run["id"].as_str().unwrap();
        for told in ["run show", "run attempts", "run explain", "trace show"] {
            shown.push(tell(&format!("{told} {id} -o json")));
        }
        for format in ["json", "html", "csv", "otlp"] {
            shown.push(tell(&format!("trace export {id} --format {format}")));
        }
    }
    for told in [
        "backend ls -o json",
        "backend show office -o json",
        "config show -o json",
        "status -o json",
        "breaker ls -o json",
        "audit ls -o json",
        "loop show ask -o json",
    ] {
        shown.push(tell(told));
    }
    // It may find fault, which is its exit code.
    shown.push(person.ctl("doctor -o json"));
    person.ctl("backup saved").ok();

    for outcome in &shown {
        let holds = outcome.out.contains(KEY) || outcome.err.contains(KEY);
        assert!(!holds, "{outcome:#?}");
    }
    assert!(shown.iter().any(|outcome| outcome.err.contains("401")));
    let log = daemon.log();
    assert!(log.contains("desk") && !log.contains(KEY), "{log}");
    assert_eq!(holder(person.dir()), None);
    daemon.stop();
}
