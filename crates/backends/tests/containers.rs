//! Containers, real ones where an engine answers, and what is said where none does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod containers {
    pub(crate) mod engine;
}

use std::collections::BTreeMap;

use containers::engine::Engine;
use realm_backends::{Backends, ContainerRules, Parts, Progress};
use realm_executor::{
    BackendError, BackendOutput, BackendReply, BackendRequest, Container, ContainerError,
    ContainerLimits, ContainerRequest, Pull,
};
use realm_protocol::CallId;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const MIB: u64 = 1024 * 1024;

/// Rules under a name that no other test has.
fn rules(socket: &str, name: &str) -> ContainerRules {
    ContainerRules {
        socket: socket.into(),
        networks: Vec::new(),
        registries: Vec::new(),
        old_runtime: true,
        realm: format!("{name}-{}", std::process::id()),
        life: format!("{name}-{}", std::process::id()),
    }
}

fn backends(rules: ContainerRules) -> Backends {
    let backends = Backends::new();
    backends.set_containers(Some(rules));
    backends
}

fn request(image: &str, what: &str, timeout_ms: u64) -> ContainerRequest {
    ContainerRequest {
        container: Container {
            image: image.parse().unwrap(),
            argv: Some(vec!["/probe".to_owned(), what.to_owned()]),
            env: BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]),
            pull: Pull::Never,
            network: None,
            limits: ContainerLimits {
                memory: 32 * MIB,
                pids: 16,
                output: MIB,
                ..ContainerLimits::default()
            },
            lines: false,
        },
        key: CallId::new([7; 16]),
        input: json!({"n": 7}),
        stream: false,
        timeout_ms,
    }
}

fn absent() -> String {
    format!("sha256:{}", "0".repeat(64))
}

async fn call(
    backends: &Backends,
    request: ContainerRequest,
) -> Result<BackendReply, BackendError> {
    let request = BackendRequest::Container(Box::new(request));
    backends.call(request).await
}

fn output(reply: BackendReply) -> Value {
    match reply.output {
        BackendOutput::Json(value) => value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_an_engine_the_reason_and_what_helps_are_told() {
    let off = Backends::new();
    let error = call(&off, request(&absent(), "echo", 5_000))
        .await
        .unwrap_err();
    assert_eq!(error, ContainerError::Off.into());

    let gone = backends(rules("/no/such/docker.sock", "gone"));
    let error = call(&gone, request(&absent(), "echo", 5_000))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, BackendError::Container(ContainerError::NoEngine { socket, .. }) if socket == "/no/such/docker.sock"),
        "{error}"
    );
    assert!(
        error.to_string().contains("systemctl start docker"),
        "{error}"
    );
    assert!(!error.may_have_begun());
}

#[tokio::test]
async fn a_container_joins_no_network_that_the_owner_does_not_list() {
    let mut request = request(&absent(), "echo", 5_000);
    request.container.network = Some("bridge".to_owned());

    let error = call(&backends(rules("/no/such/docker.sock", "gone")), request).await;

    let network = "bridge".to_owned();
    assert_eq!(
        error.unwrap_err(),
        ContainerError::Network { network }.into()
    );
}

#[tokio::test]
async fn a_program_in_a_container_that_answers_in_lines_shows_its_words() {
    let Some(engine) = Engine::of_this_machine() else {
        return;
    };
    let mut request = request(&engine.image, "lines", 60_000);
    (request.container.lines, request.stream) = (true, true);
    let call = BackendRequest::Container(Box::new(request));
    let (to, mut words) = mpsc::channel(8);
    let parts = Parts::new(CallId::new([7; 16]), to);

    let reply = backends(rules(&engine.socket, "lines"))
        .call_telling(call, Some(&parts), Progress::default())
        .await;

    assert_eq!(output(reply.unwrap()), json!(7));
    let said = words.recv().await.map(|(_, _, text)| text);
    assert_eq!(said.as_deref(), Some("Good day"));
}

#[tokio::test]
async fn a_program_in_a_container_answers_and_has_nothing_of_the_machine() {
    let Some(engine) = Engine::of_this_machine() else {
        return;
    };
    let rules = rules(&engine.socket, "looks");
    let backends = backends(rules.clone());

    let echoed = call(&backends, request(&engine.image, "echo", 60_000)).await;
    let looked = call(&backends, request(&engine.image, "look", 60_000)).await;

    assert_eq!(output(echoed.unwrap()), json!({"n": 7}));
    assert_eq!(
        output(looked.unwrap()),
        json!({
            "Uid:": "65534 65534 65534 65534", "Gid:": "65534 65534 65534 65534",
            "CapEff:": "0000000000000000", "CapBnd:": "0000000000000000", "NoNewPrivs:": "1", "Seccomp:": "2",
            "root": 0, "scratch": 1, "socket": 0, "given": "yes", "key": 1,
        })
    );
    backends.cleared().await;
    assert_eq!(engine.containers(&rules.realm), "");
}

#[tokio::test]
async fn what_goes_wrong_in_a_container_is_told_by_its_kind_and_leaves_nothing() {
    let Some(engine) = Engine::of_this_machine() else {
        return;
    };
    let rules = rules(&engine.socket, "wrong");
    let backends = backends(rules.clone());
    let ask = |what| call(&backends, request(&engine.image, what, 60_000));

    let failed = ask("fail").await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the process ended with exit code 3: it does not work"
    );
    let flooded = ask("flood").await.unwrap_err();
    assert_eq!(
        flooded,
        BackendError::TooLarge {
            limit: MIB as usize
        }
    );
    let fed = ask("eat").await.unwrap_err();
    assert_eq!(fed, ContainerError::OutOfMemory { limit: 32 * MIB }.into());
    let born = output(ask("fork").await.unwrap()).as_u64().unwrap();
    assert!((1..16).contains(&born), "{born}");
    let silent = ask("nothing").await.unwrap_err();
    assert!(matches!(silent, BackendError::BadOutput { .. }), "{silent}");
    let hung = call(&backends, request(&engine.image, "hang", 3_000))
        .await
        .unwrap_err();
    assert_eq!(hung, BackendError::Timeout { after_ms: 3_000 });
    let missing = call(&backends, request(&absent(), "echo", 60_000))
        .await
        .unwrap_err();
    assert_eq!(missing, ContainerError::NoImage { image: absent() }.into());
    let mut wrong = request(&engine.image, "echo", 60_000);
    wrong.container.argv = Some(vec!["/no/such/program".to_owned()]);
    let wrong = call(&backends, wrong).await.unwrap_err();
    assert!(
        matches!(&wrong, BackendError::Container(ContainerError::NotStarted { reason }) if reason.contains("/no/such/program")),
        "{wrong}"
    );

    backends.cleared().await;
    assert_eq!(engine.containers(&rules.realm), "");
}

#[tokio::test]
async fn what_a_dead_daemon_left_behind_is_removed_and_nothing_else() {
    let Some(engine) = Engine::of_this_machine() else {
        return;
    };
    let rules = rules(&engine.socket, "dead");
    let other = format!("{}-other", rules.realm);
    engine.leave_behind(&rules.realm, "earlier");
    engine.leave_behind(&other, "earlier");

    backends(rules.clone()).sweep().await.unwrap();

    assert_eq!(engine.containers(&rules.realm), "");
    assert_ne!(engine.containers(&other), "");
    engine.remove(&other);
}

#[tokio::test]
async fn an_old_runtime_starts_nothing_unless_the_owner_lets_it() {
    let Some(engine) = Engine::of_this_machine() else {
        return;
    };
    let mut rules = rules(&engine.socket, "old");
    rules.old_runtime = false;

    let seen = backends(rules).engine(None).await;

    // What the engine of this machine is, the list of versions has its own test.
    match seen {
        Ok(view) => assert!(!view.version.is_empty()),
        Err(BackendError::Container(ContainerError::OldRuntime { version })) => {
            assert!(version.starts_with("1."), "{version}");
        }
        Err(error) => panic!("{error}"),
    }
}
