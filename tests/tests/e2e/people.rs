//! People with roles and tokens: what each may do, and approvals by two of them.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
};

use serde_json::{Value, json};

use crate::{api::start_listening, daemon::Daemon, limit::PATIENCE, person::Person};

/// Somebody's token: whoever it is, it has letters enough.
fn token(name: &str) -> String {
    format!("{name}-{}", "t".repeat(40))
}

/// A realm that knows a viewer, an operator and two approvers by their tokens, and its address.
fn realm(owner: &Person) -> (Daemon, String) {
    owner.ctl("init lab").ok();
    let mut config = String::from("\n");
    for (name, role) in [
        ("vera", "viewer"),
        ("olga", "operator"),
        ("ann", "approver"),
        ("bob", "approver"),
    ] {
        let path = owner.home("lab").join(format!("keys/{name}.token"));
        fs::write(&path, token(name)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        config +=
            &format!("[people.{name}]\ntoken = \"file:keys/{name}.token\"\nroles = [\"{role}\"]\n");
    }
    let file = owner.home("lab").join("realm.toml");
    let mut file = fs::File::options().append(true).open(file).unwrap();
    file.write_all(config.as_bytes()).unwrap();
    start_listening(owner, &owner.home("lab"))
}

fn ask(address: &str, who: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    ask_as(address, Some(&token(who)), method, path, body)
}

/// What whoever shows this token is answered: status and body.
pub(crate) fn ask_as(
    address: &str,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let shown = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let body = if method == "GET" {
        String::new()
    } else {
        body.to_string()
    };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         {}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        shown.unwrap_or_default(),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = &body[body.find('{').unwrap_or(0)..body.rfind('}').map_or(0, |end| end + 1)];
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn people_do_what_their_roles_allow_and_four_eyes_are_four() {
    let owner = Person::new();
    let (_daemon, address) = realm(&owner);
    let definition = "id: spend\nversion: 1.0.0\nkind: tool\ninputSchema: {type: object}\n\
                      outputSchema: {type: object}\neffects: once\n\
                      tool: {implementation: process, config: {argv: [sh, main.sh]}}\n\
                      approval: {count: 2, distinctFromRequester: true}\n";
    owner.write(
        "spend/main.sh",
        "cat > /dev/null; echo spent >> spent; echo '{}'\n",
    );
    let file = owner.write("spend/loop.yaml", definition);
    owner.ctl(&format!("apply -f {}", file.display())).ok();
    let spent = || fs::read_to_string(owner.dir().join("spend/spent")).unwrap_or_default();
    let invoke = json!({"loop": "spend", "input": {}, "detach": true});
    let none = json!({});

    for who in ["vera", "ann"] {
        let (status, problem) = ask(&address, who, "POST", "/v1/invoke", &invoke);
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("RLM-0526")),
            "{who}"
        );
    }
    assert_eq!(ask(&address, "vera", "GET", "/v1/runs", &none).0, 200);
    assert_eq!(ask(&address, "olga", "POST", "/v1/allow", &none).0, 403);
    assert_eq!(ask(&address, "nobody", "GET", "/v1/runs", &none).0, 401);
    let (status, begun) = ask(&address, "olga", "POST", "/v1/invoke", &invoke);
    assert_eq!(status, 202, "{begun}");
    let id = begun["approvals"][0].as_str().unwrap();
    let approve = format!("/v1/approvals/{id}/approve");
    assert_eq!(ask(&address, "vera", "POST", &approve, &none).0, 403);
    assert_eq!(ask(&address, "olga", "POST", &approve, &none).0, 403);
    let (status, shown) = ask(&address, "ann", "POST", &approve, &none);
    assert_eq!(
        (status, &shown["state"]),
        (200, &json!("waiting")),
        "{shown}"
    );
    assert_eq!(ask(&address, "ann", "POST", &approve, &none).0, 403);
    assert_eq!(spent(), "");
    let (status, shown) = ask(&address, "bob", "POST", &approve, &none);
    assert_eq!(
        (status, &shown["state"]),
        (200, &json!("granted")),
        "{shown}"
    );
    let run = begun["runId"].as_str().unwrap();
    owner.ctl(&format!("run wait {run}")).ok();
    assert_eq!(spent(), "spent\n");

    let waiting = owner.ctl("invoke spend --detach --quiet");
    assert_eq!(waiting.code, 10, "{waiting:?}");
    let id = owner.ctl("approval ls -o name").ok();
    let own = owner.ctl(&format!("approval approve {id}"));
    own.fails(6, &["owner asked for this", "RLM-0526"]);
    let explained = owner
        .ctl(&format!("run explain {}", waiting.out.trim()))
        .ok();
    assert!(explained.contains("realmctl approval show"), "{explained}");
    let waits = owner.ctl(&format!("run wait {}", waiting.out.trim()));
    assert_eq!(waits.code, 10, "{waits:?}");
    assert!(waits.out.contains("realmctl approval show"), "{waits:?}");
    owner.ctl(&format!("approval deny {id} --reason no")).ok();
    owner
        .ctl(&format!("run wait {}", waiting.out.trim()))
        .fails(6, &["denied by owner: no"]);
    assert_eq!(spent(), "spent\n");
}

#[test]
fn whoever_is_let_in_no_more_hears_no_more_of_a_run_that_they_listen_to() {
    let owner = Person::new();
    let (daemon, address) = realm(&owner);
    let definition = "id: spend\nversion: 1.0.0\nkind: tool\ninputSchema: {type: object}\n\
                      outputSchema: {type: object}\neffects: once\n\
                      tool: {implementation: process, config: {argv: [sh, main.sh]}}\n\
                      approval: {}\n";
    owner.write("spend/main.sh", "echo '{}'\n");
    let file = owner.write("spend/loop.yaml", definition);
    owner.ctl(&format!("apply -f {}", file.display())).ok();
    let invoke = json!({"loop": "spend", "input": {}, "detach": true});
    let (_, begun) = ask(&address, "olga", "POST", "/v1/invoke", &invoke);
    let run = begun["runId"].as_str().unwrap();
    let mut listens = TcpStream::connect(&address).unwrap();
    listens.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        listens,
        "GET /v1/runs/{run}/events HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\n\r\n",
        token("vera")
    )
    .unwrap();
    let mut heard = vec![0; 64 * 1024];
    let mut bytes = 0;
    while !String::from_utf8_lossy(&heard[..bytes]).contains("approval.requested") {
        let more = listens.read(&mut heard[bytes..]).unwrap();
        assert!(more > 0, "{}", String::from_utf8_lossy(&heard[..bytes]));
        bytes += more;
    }

    let file = owner.home("lab").join("realm.toml");
    let config = fs::read_to_string(&file).unwrap();
    let vera = "[people.vera]\ntoken = \"file:keys/vera.token\"\nroles = [\"viewer\"]\n";
    assert!(config.contains(vera), "{config}");
    fs::write(&file, config.replace(vera, "")).unwrap();
    daemon.reload(1);

    let mut rest = String::new();
    listens.read_to_string(&mut rest).expect("the stream ends");
    assert!(!rest.contains("event: end"), "{rest}");
    let log = owner.ctl("audit ls --action config.read -o json").json();
    let changed = log["items"][0]["why"].as_str().unwrap_or_default();
    assert!(
        changed.starts_with("people.vera.roles people.vera.token"),
        "{log}"
    );
    assert!(!changed.contains("people.ann"), "{log}");
}
