//! Agents that attach over a WebSocket, without the product's clients.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::{
    api::{listening, start_listening},
    daemon::Daemon,
    limit::PATIENCE,
    person::Person,
};

/// One connection of an agent.
struct Agent<S: Read + Write> {
    socket: WebSocket<S>,
}

impl Agent<UnixStream> {
    /// Opens a connection over the daemon's socket.
    #[track_caller]
    fn connect(daemon: &Daemon) -> Self {
        Self::over(daemon.api().connect(), "realm")
    }

    /// As [`Agent::connect`]; attaches as `agent`, to these loops.
    #[track_caller]
    fn attach(daemon: &Daemon, agent: &str, loops: Value) -> Self {
        let mut attached = Self::connect(daemon);
        attached.say(json!({"type": "attach", "agent": agent, "loops": loops, "concurrency": 2}));
        let welcome = attached.hear();
        assert_eq!(welcome["type"], "attached", "{welcome}");
        attached
    }
}

impl<S: Read + Write> Agent<S> {
    #[track_caller]
    fn over(stream: S, host: &str) -> Self {
        let request = format!("ws://{host}/v1/agents/attach");
        let (socket, _) = client(request, stream).map_err(|_| "no WebSocket").unwrap();
        Self { socket }
    }

    fn say(&mut self, said: Value) {
        self.socket.send(Message::text(said.to_string())).unwrap();
    }

    /// The next thing the realm says.
    #[track_caller]
    fn hear(&mut self) -> Value {
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other}"),
            }
        }
    }

    /// The next call; its number and input.
    #[track_caller]
    fn call(&mut self) -> (u64, Value) {
        let heard = self.hear();
        assert_eq!(heard["type"], "call", "{heard}");
        (heard["call"].as_u64().unwrap(), heard["input"].clone())
    }

    fn output(&mut self, call: u64, output: Value) {
        self.say(json!({"type": "output", "call": call, "output": output}));
    }

    /// Requires the end of the connection, with this reason.
    #[track_caller]
    fn refused(&mut self, code: &str, part: &str) {
        let heard = self.hear();
        let problem = &heard["problem"];
        assert_eq!(problem["code"], code, "{heard}");
        let whole = problem.to_string();
        assert!(whole.contains(part), "no `{part}` in {heard}");
        let ended = self.socket.read();
        assert!(matches!(ended, Ok(Message::Close(_))), "{ended:?}");
    }
}

fn definition(id: &str, effects: &str) -> Value {
    json!({
        "id": id, "version": "1.0.0", "effects": effects, "limits": {"timeout": "60s"},
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
    })
}

#[test]
fn an_agent_serves_from_inside_with_progress_failures_and_cancellation() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let mut agent = Agent::attach(&daemon, "desk", json!([definition("sort", "idempotent")]));

    let run = person.ctl("invoke sort n:=7 --detach").ok();
    let (call, input) = agent.call();
    assert_eq!(input, json!({"n": 7}));
    agent.say(json!({"type": "progress", "call": call, "progress": {"done": 0.5}}));
    agent.output(call, json!({"sorted": true}));
    let done = person.ctl(&format!("run wait {run}")).json();
    assert_eq!(done, json!({"sorted": true}));
    let trace = person.ctl(&format!("trace show {run} -o json")).ok();
    assert!(trace.contains("\"done\""), "{trace}");

    let run = person.ctl("invoke sort --detach").ok();
    let (call, _) = agent.call();
    agent.say(json!({
        "type": "failure", "call": call, "message": "out of paper", "category": "business",
    }));
    person
        .ctl(&format!("run wait {run}"))
        .fails(8, &["out of paper"]);

    let run = person.ctl("invoke sort --detach").ok();
    let (call, _) = agent.call();
    person.ctl(&format!("run cancel {run}")).ok();
    assert_eq!(agent.hear(), json!({"type": "cancel", "call": call}));
    agent.output(call, json!({}));

    let seen = person.ctl("agent ls").ok();
    assert!(seen.contains("desk (1 attached)"), "{seen}");
    agent.say(json!({"type": "detach"}));
    assert!(matches!(agent.socket.read(), Ok(Message::Close(_))));
    daemon.stop();
}

#[test]
fn an_agent_claims_nothing_that_is_not_its_own() {
    let person = Person::new();
    let (daemon, address) = listening(&person, "lab");
    let token = fs::read_to_string(daemon.home().join("keys/http.token")).unwrap();
    let _desk = Agent::attach(&daemon, "desk", json!([definition("sort", "none")]));
    let attach = |loops: Value| json!({"type": "attach", "agent": "thief", "loops": loops});

    for (loops, code, part) in [
        (json!(["sort"]), "RLM-0901", "run by agent `desk`"),
        (
            json!([definition("sort", "none")]),
            "RLM-0901",
            "realmctl agent show sort",
        ),
        (json!(["echo"]), "RLM-0901", "no agent runs"),
        (
            json!([definition("echo", "none")]),
            "RLM-0302",
            "comes with every realm",
        ),
        (json!(["nothing"]), "RLM-0113", "register it first"),
        (json!([]), "RLM-0511", "1 to 256 loops"),
        (
            json!([{"id": "bad", "version": "one"}]),
            "RLM-0304",
            "three numbers",
        ),
    ] {
        let mut thief = Agent::connect(&daemon);
        thief.say(attach(loops));
        thief.refused(code, part);
    }
    for (said, part) in [
        (
            json!({"type": "output", "call": 1, "output": {}}),
            "`attach`",
        ),
        (
            json!({"type": "attach", "agent": "x", "loops": ["sort"], "huge": 1}),
            "huge",
        ),
        (
            json!({"type": "attach", "agent": "x", "loops": ["sort"], "concurrency": 65}),
            "1 to 64",
        ),
    ] {
        let mut odd = Agent::connect(&daemon);
        odd.say(said);
        odd.refused("RLM-0511", part);
    }
    let mut forger = Agent::attach(&daemon, "desk", json!(["sort"]));
    forger.output(77, json!({}));
    forger.refused("RLM-0511", "77");

    let connect = || {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Agent::over(stream, &address)
    };
    let mut stranger = connect();
    stranger.say(attach(json!(["sort"])));
    stranger.refused("RLM-0524", "token");
    let mut friend = connect();
    let mut shown = attach(json!(["sort"]));
    (shown["agent"], shown["token"]) = (json!("desk"), json!(token.trim_end()));
    friend.say(shown);
    assert_eq!(friend.hear()["type"], "attached");
    let stream = TcpStream::connect(&address).unwrap();
    let rebound = client("ws://evil.example/v1/agents/attach", stream);
    assert!(rebound.is_err(), "another host's name opens nothing");
    let log = daemon.log();
    assert!(!log.contains(token.trim_end()), "the token is never logged");
    daemon.stop();
}

#[test]
fn whoever_may_attach_no_more_is_attached_no_more() {
    let person = Person::new();
    person.ctl("init lab").ok();
    let home = person.home("lab");
    let key = home.join("keys/ann.token");
    let token = "ann-".to_owned() + &"t".repeat(40);
    fs::write(&key, &token).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let file = home.join("realm.toml");
    let without = fs::read_to_string(&file).unwrap();
    let ann = "\n[people.ann]\ntoken = \"file:keys/ann.token\"\nroles = [\"owner\"]\n";
    fs::write(&file, without.clone() + ann).unwrap();
    let (daemon, address) = start_listening(&person, &home);
    let stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut agent = Agent::over(stream, &address);
    let loops = json!([definition("sort", "none")]);
    agent.say(json!({"type": "attach", "agent": "desk", "loops": loops, "token": token}));
    assert_eq!(agent.hear()["type"], "attached");

    fs::write(&file, without).unwrap();
    daemon.signal(Signal::HUP);

    agent.refused("RLM-0524", "token");
    daemon.stop();
}

#[test]
fn a_token_of_an_agent_attaches_it_alone_and_opens_nothing_else() {
    let person = Person::new();
    person.ctl("init lab").ok();
    let home = person.home("lab");
    let file = home.join("realm.toml");
    let without = fs::read_to_string(&file).unwrap();
    let token = person.agent_token(&home, "desk");
    let (daemon, address) = start_listening(&person, &home);
    let attach = |agent: &str| {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut attaching = Agent::over(stream, &address);
        let loops = json!([definition("sort", "none")]);
        attaching.say(json!({"type": "attach", "agent": agent, "loops": loops, "token": token}));
        attaching
    };

    attach("till").refused("RLM-0526", "agent `desk`");
    let mut desk = attach("desk");
    assert_eq!(desk.hear()["type"], "attached");
    let asks = [
        "GET /v1/status",
        "GET /v1/agents",
        "POST /v1/broadcasts",
        "POST /v1/apply",
    ];
    for line in asks {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        assert!(told.contains("RLM-0526"), "{line}: {told}");
    }

    fs::write(&file, without).unwrap();
    daemon.signal(Signal::HUP);
    desk.refused("RLM-0524", "token");
    daemon.stop();
}

#[test]
fn what_a_vanished_agent_had_is_asked_again_unless_it_counts() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let loops = json!([definition("sort", "idempotent"), definition("pay", "once")]);
    let mut first = Agent::attach(&daemon, "desk", loops);
    let sort = person.ctl("invoke sort --detach").ok();
    let (_, _) = first.call();
    let pay = person.ctl("invoke pay --detach").ok();
    let (_, _) = first.call();

    drop(first);
    let events = daemon.api().events(&pay, None);
    let mut kinds = events.map(|event| event.data["type"].clone());
    assert!(kinds.any(|kind| kind == "call.outcome.unknown"));
    let mut second = Agent::attach(&daemon, "desk", json!(["sort", "pay"]));
    let (call, _) = second.call();
    second.output(call, json!({"by": "second"}));

    let sorted = person.ctl(&format!("run wait {sort}")).json();
    assert_eq!(sorted, json!({"by": "second"}));
    let why = person.ctl(&format!("run explain {pay}")).ok();
    assert!(why.contains("its answer was lost"), "{why}");
    person
        .ctl(&format!("run resume {pay} --gave {{\"paid\":true}}"))
        .ok();
    assert_eq!(
        person.ctl(&format!("run wait {pay}")).json(),
        json!({"paid": true})
    );
    daemon.stop();
}

#[test]
fn a_machine_of_an_agents_steps_survives_the_death_of_both() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let machine = json!({
        "id": "climb", "version": "1.0.0", "kind": "machine", "limits": {"timeout": "5m"},
        "inputSchema": {}, "outputSchema": {}, "machine": {"loopId": "climb-step"},
    });
    let mut step = definition("climb-step", "idempotent");
    step["outputSchema"] = json!({});
    let mut agent = Agent::attach(&daemon, "climber", json!([step, machine]));
    let run = person.ctl("invoke climb at:=0 --detach").ok();
    for at in 0..3 {
        let (call, input) = agent.call();
        assert_eq!(input, json!({"at": at}));
        agent.output(call, json!({"continue": {"at": at + 1}}));
    }
    let (_, third) = agent.call();
    assert_eq!(third, json!({"at": 3}));

    daemon.kill();
    drop(agent);
    let daemon = person.start("lab");
    let mut agent = Agent::attach(&daemon, "climber", json!(["climb-step"]));

    let (call, again) = agent.call();
    assert_eq!(
        again,
        json!({"at": 3}),
        "no step that was recorded is taken again"
    );
    agent.output(call, json!({"complete": {"top": 4}}));
    assert_eq!(
        person.ctl(&format!("run wait {run}")).json(),
        json!({"top": 4})
    );
    daemon.stop();
}
