//! The local API: hostile requests, what every listing promises, events that resume.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    gate::Gate,
    http::{Event, Socket},
    limit::PATIENCE,
    person::Person,
};

#[test]
fn hostile_requests_are_refused_and_the_daemon_serves_on() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let api = daemon.api();
    // A header that never ends is cut off; nobody waits for it meanwhile.
    let endless = api.clone();
    let endless = thread::spawn(move || unanswered(&endless, "GET /v1/status HTTP/1.1\r\nX: "));

    let too_large = format!("{{\"loop\": \"{}\"}}", "x".repeat(1024 * 1024));
    api.post("/v1/invoke", &too_large).problem(413);
    let wrong = api
        .post("/v1/apply", r#"{"files": [{"name": "a", "text": 5}]}"#)
        .problem(400);
    assert_eq!(wrong["errors"][0]["pointer"], "/files/0/text", "{wrong}");
    let surplus = api.post("/v1/invoke", r#"{"loop": "echo", "input": {}, "in": 1}"#);
    let surplus = surplus.problem(400);
    assert_eq!(surplus["errors"][0]["pointer"], "/in", "{surplus}");
    let twice = r#"{"loop": "echo", "loop": "other", "input": {}}"#;
    api.post("/v1/invoke", twice).problem(400);
    api.post(
        "/v1/invoke",
        r#"{"loop": "echo", "input": {"a": 1, "a": 2}}"#,
    )
    .problem(400);
    api.post("/v1/invoke", "{\"loop\": ").problem(400);
    api.post("/v1/invoke", &"[".repeat(200_000)).problem(400);
    api.post("/v1/invoke", "").problem(400);
    api.get("/v1/nothing").problem(404);
    api.get("/v1/runs/no-run").problem(400);
    api.get("/v1/runs?limit=x").problem(400);
    api.get("/v1/loops/%00").problem(400);
    api.get("/v1/invoke").problem(405);
    let form = "POST /v1/invoke HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\
                Content-Type: text/plain\r\nConnection: close\r\n\r\n{}";
    api.exchange(form).problem(415);
    let many = "X-A: b\r\n".repeat(65);
    let many = api.exchange(&format!("GET /v1/status HTTP/1.1\r\n{many}\r\n"));
    assert_eq!(many.status, 431);
    for nonsense in [
        "\0\x01\x02\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
        "POST /v1/invoke HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}".to_owned(),
    ] {
        let answer = unanswered(&api, &nonsense);
        let refused = ["", "HTTP/1.1 400", "HTTP/1.1 414", "HTTP/1.1 431"];
        assert!(
            refused.contains(&answer.get(..12).unwrap_or_default()),
            "{answer}"
        );
    }

    assert!(!endless.join().unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(api.get("/v1/health").json()["status"], "ok");
    daemon.stop();
}

/// Sends bytes, and gives what comes until the daemon closes the connection.
fn unanswered(api: &Socket, bytes: &str) -> String {
    let mut stream = api.connect();
    stream.write_all(bytes.as_bytes()).ok();
    let mut answer = Vec::new();
    // Closing what was not read may reset the connection.
    let ended = stream
        .read_to_end(&mut answer)
        .map_err(|error| error.kind());
    let late = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
    assert!(
        !ended.is_err_and(|kind| late.contains(&kind)),
        "never cut off"
    );
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn every_listing_is_json_as_the_openapi_document_describes_it() {
    let (mercy, lab) = (Person::new(), Person::new());
    let (mercy_daemon, lab_daemon) = (mercy.realm("mercy"), lab.realm("lab"));
    let ticket = lab.ctl("invite --peer --allow echo").ok();
    mercy.ctl_with("join -", &ticket).ok();
    let run = mercy.ctl("invoke echo@lab text=hello -o json").json();
    let run = run["runId"].as_str().unwrap();
    let document = mercy_daemon.api().get("/openapi.json").json();
    let printed = mercy.run("realmd", &["openapi"], "").json();
    assert_eq!(
        printed, document,
        "what is served and what is printed differ"
    );

    for (line, schema) in [
        ("status", "Status"),
        ("info", "Info"),
        ("doctor", "Doctor"),
        ("peer ls", "[PeerSummary]"),
        ("peer show lab", "PeerDetail"),
        ("peer ping lab", "Pong"),
        ("realm ls", "RealmForest"),
        ("realm tree", "RealmForest"),
        ("realm show mercy", "RealmDetail"),
        ("loop ls", "[LoopSummary]"),
        ("loop ls @lab", "[LoopSummary]"),
        ("loop show echo", "LoopDetail"),
        ("loop show echo@lab --example", "LoopDetail"),
        ("agent ls", "[AgentView]"),
        ("agent show echo", "AgentView"),
        ("run ls", "[RunSummary]"),
        (&format!("run show {run}"), "RunDetail"),
        (&format!("run tree {run}"), "FrameTree"),
        (&format!("trace show {run}"), "Trace"),
        ("policy ls", "[PolicyView]"),
        ("invoke echo text=hello", "InvokeResult"),
        ("invite ward", "TicketIssued"),
        ("allow lab invoke echo", "Allowed"),
    ] {
        let shown = mercy.ctl(&format!("{line} -o json")).json();
        let faults = faults(&document, schema, &shown);
        assert!(faults.is_empty(), "{line}: {faults:#?} in {shown:#}");
        // The other forms hold as much, and nothing fails to print.
        let lines = mercy.ctl(&format!("{line} -o ndjson")).ok();
        assert!(
            lines
                .lines()
                .all(|line| serde_json::from_str::<Value>(line).is_ok()),
            "{lines}"
        );
    }
    for line in [
        "config show",
        "config schema",
        "key show",
        "ctx ls",
        "version",
        "explain loop",
    ] {
        mercy.ctl(&format!("{line} -o json")).json();
    }
    mercy_daemon.stop();
    lab_daemon.stop();
}

/// How a value departs from a schema of the document; `[X]` is a page of them.
fn faults(document: &Value, schema: &str, value: &Value) -> Vec<String> {
    let name = schema.trim_matches(['[', ']']);
    let one = json!({"$ref": format!("#/components/schemas/{name}")});
    let whole = match schema.starts_with('[') {
        true => json!({"required": ["items"], "properties": {"items": {"items": one}}}),
        false => one,
    };
    let mut whole = whole;
    whole["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&whole).unwrap();
    let fault =
        |error: jsonschema::ValidationError<'_>| format!("{error} at {}", error.instance_path());
    validator.iter_errors(value).map(fault).collect()
}

#[test]
fn an_event_stream_resumes_where_it_broke_off_without_loss_or_repeat() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let gate = Gate::new(&person, "lab", "gated");
    let run = person.ctl("invoke gated --detach").ok();
    let mut gate = gate.wait();
    let api = daemon.api();

    // The connection breaks while the run goes on; meanwhile more happens.
    let mut seen: Vec<Event> = api.events(&run, None).take(2).collect();
    gate.open();
    let all: Vec<Event> = api.events(&run, None).collect();
    seen.extend(api.events(&run, seen.last().unwrap().id));

    assert_eq!(seen, all);
    let (end, events) = all.split_last().unwrap();
    assert_eq!(end.kind, "end");
    assert_eq!(end.data["output"], json!({"went": "on"}));
    assert!(events.len() >= 3, "{events:?}");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(
            (event.id, event.kind.as_str()),
            (Some(index as u64), "trace")
        );
        let rest: Vec<Event> = api.events(&run, event.id).collect();
        assert_eq!(rest, all[index + 1..]);
    }
    let trace = person.ctl(&format!("trace show {run} -o json")).json();
    let told: Vec<&Value> = events.iter().map(|event| &event.data).collect();
    assert_eq!(json!(told), trace["events"]);
    let rest = api.get(&format!("/v1/runs/{run}/trace?cursor=2")).json();
    assert_eq!(json!(told[2..]), rest["events"]);
    assert_eq!(rest["next"], Value::Null);
    daemon.stop();
}

#[test]
fn a_run_that_never_waits_leaves_room_for_everything_else() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let api = daemon.api();
    let loops = r#"
id: step
version: 1.0.0
kind: tool
inputSchema: {}
outputSchema: {}
tool: {implementation: "builtin:count"}
---
id: count
version: 1.0.0
kind: machine
inputSchema: {}
outputSchema: {}
limits: {timeout: 1h}
machine: {loopId: step}
"#;
    let files = json!({"files": [{"name": "-", "text": loops}]});
    api.post("/v1/apply", &files.to_string()).json();
    let asked = json!({"loop": "count", "input": {"to": 1_000_000}, "detach": true});
    let begun = api.post("/v1/invoke", &asked.to_string()).json();
    let run = begun["runId"].as_str().expect("a run");

    api.get("/v1/status").json();
    let cancelled = api.post(&format!("/v1/runs/{run}/cancel"), "{}").json();

    assert_eq!(
        cancelled["status"], "cancelled",
        "before its million steps are done"
    );
}

/// Asks over TCP; gives the status and the whole answer.
fn over_tcp(address: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /v1/status HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer}")), answer)
}

/// Makes a realm that listens on TCP, too; gives the address.
pub(crate) fn listening(person: &Person, realm: &str) -> (Daemon, String) {
    let daemon = person.realm(realm);
    let home = daemon.home().to_owned();
    daemon.stop();
    start_listening(person, &home)
}

/// Runs the realm in this home with the local API over TCP, too; gives the address.
pub(crate) fn start_listening(person: &Person, home: &Path) -> (Daemon, String) {
    let port = Path::new("127.0.0.1:0");
    let daemon = Daemon::start_with(person, home, &[("REALMD_HTTP__LISTEN", port)]);
    daemon.wait_for("the local API listens on TCP too", 1);
    let log = daemon.log();
    let address = log
        .split("\"address\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let address = address.unwrap_or_else(|| panic!("{log}")).to_owned();
    (daemon, address)
}

#[test]
fn over_tcp_the_api_answers_whoever_shows_the_token_and_no_page_of_others() {
    let person = Person::new();
    let (daemon, address) = listening(&person, "lab");
    let (address, home) = (address.as_str(), daemon.home().to_owned());
    let file = home.join("keys/http.token");
    let token = fs::read_to_string(&file).unwrap();
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    let (host, bearer) = (
        format!("host: {address}\r\n"),
        format!("authorization: Bearer {}\r\n", token.trim_end()),
    );

    let (status, answer) = over_tcp(address, &format!("{host}{bearer}"));
    assert_eq!((status, mode), (200, 0o600), "{answer}");
    assert!(answer.contains("\"lab\""), "{answer}");
    let rebound = format!("host: evil.example:80\r\n{bearer}");
    let page = format!("{host}{bearer}origin: http://evil.example\r\n");
    for (headers, wanted) in [
        (host.as_str(), 401),
        (rebound.as_str(), 403),
        (page.as_str(), 403),
    ] {
        let (status, answer) = over_tcp(address, headers);
        assert_eq!(status, wanted, "{headers}");
        assert!(!answer.contains("\"lab\""), "{answer}");
    }
    assert!(
        !daemon.log().contains(token.trim_end()),
        "the token is never logged"
    );
    daemon.stop();
}
