//! Hostile child processes of a real daemon.

use std::{
    io::Read as _,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    limit::{PATIENCE, skip},
    person::{Outcome, Person},
};

const HOSTILE: &str = include_str!("sandbox/hostile.py");
const PEEKING: &str = include_str!("sandbox/server.py");
const LEAVING: &str = include_str!("sandbox/leaving.py");
/// Ways out that are open without a sandbox, harmless ones of every kind: a way that is closed to everybody
/// would show nothing.
const OPEN: [&str; 18] = [
    "read_a_file_of_the_owners",
    "read_the_users_of_the_machine",
    "list_the_owners_folder",
    "watch_a_folder_of_the_owners",
    "read_by_a_symbolic_link",
    "write_temporary_files",
    "write_beside_the_program",
    "open_up_a_file_of_the_owners",
    "open_up_its_own_program",
    "take_over_a_file_of_the_owners",
    "date_back_a_file_of_the_owners",
    "date_back_its_folder",
    "connect_to_a_port",
    "connect_to_the_daemon",
    "connect_to_an_abstract_socket",
    "see_other_processes",
    "listen_on_a_port",
    "trace_itself",
];
/// Ways that are tried side by side.
const AT_A_TIME: usize = 4;
/// Ways that end the process that takes them.
const DEADLY: [&str; 3] = [
    "fork_without_end",
    "kill_everything",
    "take_memory_without_end",
];

/// What the hostile process is after.
struct Targets {
    person: Person,
    process: Child,
    token: String,
    told: Value,
    _listeners: (TcpListener, UnixListener, UnixListener),
}

impl Targets {
    fn new(daemon: u32, person: Person) -> Self {
        let folder = person.dir().to_owned();
        let token = format!("{}-{daemon}", std::process::id());
        let canary = person.write("canary", "canary\n");
        let victim = person.write("victim", "precious\n");
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UnixListener::bind(folder.join("socket")).unwrap();
        let name = SocketAddr::from_abstract_name(&token).unwrap();
        let abstracted = UnixListener::bind_addr(&name).unwrap();
        let process = person.command("sleep").arg("600").spawn().unwrap();
        let told = json!({
            "canary": canary, "victim_file": victim, "folder": folder,
            "home": person.home("mercy"), "daemon": daemon, "process": process.id(),
            "port": port.local_addr().unwrap().port(),
            "socket": folder.join("socket"), "abstract": token, "token": token,
        });
        Self {
            person,
            process,
            token,
            told,
            _listeners: (port, socket, abstracted),
        }
    }

    fn take(&self, loop_: &str, way: &str) -> Outcome {
        let input = json!({"way": way, "targets": self.told}).to_string();
        self.person
            .run("realmctl", &["invoke", loop_, "-i", &input], "")
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Whether a process runs under a name that holds this.
fn runs(name: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(name))
}

/// Whether a folder holds a file whose name begins with this.
fn has_file(folder: &Path, beginning: &str) -> bool {
    let mut files = std::fs::read_dir(folder).unwrap().flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with(beginning))
}

/// Whether the kernel can do what `strict` needs; else says that a test is left out.
fn is_strict() -> bool {
    let namespaces = ["-Urnpf", "true"];
    let unshared = Command::new("unshare")
        .args(namespaces)
        .stderr(Stdio::null())
        .status();
    let can = unshared.is_ok_and(|status| status.success());
    if !can {
        skip("the sandbox needs user namespaces, which this kernel does not give");
    }
    can
}

/// A loop that reads a file, under `strict`.
fn peek(id: &str, file: &Path, given: &str) -> String {
    let file = file.display();
    format!(
        "id: {id}\nversion: 1.0.0\nkind: tool\neffects: none\n\
         tool: {{implementation: commands, config: {{commands: {{read: {{argv: [cat, {file}]}}}}, sandbox: strict{given}}}}}\n"
    )
}

#[test]
fn a_strict_program_without_a_folder_has_none_wherever_the_daemon_was_started() {
    if !is_strict() {
        return;
    }
    let person = Person::new();
    person.ctl("init mercy").ok();
    let home = person.home("mercy");
    let canary = person.write("canary", "canary\n");
    let server = person.write("server/server.py", PEEKING);
    let toml = home.join("realm.toml");
    let written = std::fs::read_to_string(&toml).unwrap();
    let mcp = format!(
        "\n[mcp.peek]\nargv = [\"python3\", {0:?}]\nsandbox = \"strict\"\nread = [{0:?}]\n",
        server.display().to_string()
    );
    std::fs::write(&toml, written + &mcp).unwrap();
    let mut command = person.command("realmd");
    command.current_dir("/");
    let daemon = Daemon::start_by(command, &person, &home);
    let tools = person.ctl("backend import peek").ok();
    let given = [
        ("none", String::new()),
        ("root", ", cwd: /".to_owned()),
        ("around", format!(", read: [{}]", person.dir().display())),
        (
            "inside",
            format!(", read: [{}]", home.join("keys").display()),
        ),
        ("file", format!(", read: [{}]", canary.display())),
    ];
    let loops = given.map(|(id, given)| peek(id, &canary, &given));
    let all = loops.iter().chain([&tools]).map(String::as_str);
    let all = all.collect::<Vec<&str>>().join("\n---\n");
    person.ctl_with("apply -f -", &all).ok();

    let read = |id: &str| person.ctl(&format!("invoke {id} command=read"));
    let none = read("none").json();
    assert_eq!(none["stdout"], json!(""), "{none}");
    assert!(
        none["stderr"].as_str().unwrap().contains("denied"),
        "{none}"
    );
    for id in ["root", "around", "inside"] {
        read(id).fails(8, &["was not started", home.to_str().unwrap()]);
    }
    assert_eq!(read("file").json()["stdout"], json!("canary\n"));
    let input = json!({"path": canary}).to_string();
    let peeked = person.run("realmctl", &["invoke", "peek/peek", "-i", &input], "");
    assert_eq!(peeked.json(), json!({"text": "PermissionError"}));
    daemon.stop();
}

#[test]
fn a_strict_program_does_as_it_likes_in_folders_that_it_was_given_to_write_to() {
    if !is_strict() {
        return;
    }
    let person = match rustix::process::geteuid().is_root() {
        true => Person::numbered(60_008),
        false => Person::new(),
    };
    let _daemon = person.realm("mercy");
    person.write("given/of_mine", "");
    person.write("given/in/of_mine", "");
    let given = person.dir().join("given");
    let given = given.display();
    let script = format!(
        "echo x > ../made && chmod 640 ../made && touch -d @0 ../made here && stat -c %a:%Y ../made {given}/made && stat -c %Y here"
    );
    let keep = format!(
        "id: keep\nversion: 1.0.0\nkind: tool\neffects: none\n\
         tool: {{implementation: commands, config: {{commands: {{keep: {{argv: [sh, -c, {script:?}]}}}}, sandbox: strict, \
         cwd: {given}/in, write: [{given}]}}}}\n"
    );
    person.ctl_with("apply -f -", &keep).ok();

    let kept = person.ctl("invoke keep command=keep").json();

    assert_eq!(kept["stdout"], "640:0\n640:0\n0\n", "{kept}");
}

#[test]
fn what_a_basic_program_lets_go_ends_with_its_call_and_with_the_daemon() {
    let person = Person::new();
    let daemon = person.realm("mercy");
    person.write("leave/main.py", LEAVING);
    for (id, timeout) in [("leave", "1m"), ("stop", "1s")] {
        let leave = format!(
            "id: {id}\nversion: 1.0.0\nkind: tool\neffects: none\n\
             inputSchema: {{type: object}}\noutputSchema: {{type: object}}\n\
             tool: {{implementation: process, config: {{argv: [python3, main.py]}}}}\nlimits: {{timeout: {timeout}}}\n"
        );
        let file = person.write(&format!("leave/{id}.yaml"), &leave);
        person.ctl(&format!("apply -f {}", file.display())).ok();
    }
    let socket = person.dir().join("left");
    let listener = UnixListener::bind(&socket).unwrap();
    let call = |id: &str, stays: &str| {
        let input = json!({"socket": socket, "stays": stays}).to_string();
        let mut command = person.command("realmctl");
        command.args(["invoke", id, "-i", &input]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let caller = command.spawn().unwrap();
        let (mut left, _) = listener.accept().unwrap();
        left.read_exact(&mut [0; 4]).unwrap();
        (caller, left)
    };
    // Its side of the connection closes with it.
    let ends = |mut left: UnixStream| {
        left.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(left.read(&mut [0]).unwrap(), 0);
    };

    let (mut caller, left) = call("leave", "");
    assert!(caller.wait().unwrap().success());
    ends(left);
    let (mut caller, left) = call("stop", "stops");
    assert!(!caller.wait().unwrap().success());
    ends(left);
    let (mut caller, left) = call("leave", "stays");
    daemon.kill();
    assert!(!caller.wait().unwrap().success());
    ends(left);
    let daemon = person.start("mercy");
    let (mut caller, left) = call("leave", "stopped");
    daemon.kill();
    assert!(!caller.wait().unwrap().success());
    ends(left);
}

#[test]
fn a_basic_program_is_bound_within_what_its_daemon_may_take() {
    let person = Person::new();
    let daemon = person.realm("mercy");
    let script = "import resource as r; print([r.getrlimit(it)[1] for it in (r.RLIMIT_NOFILE, r.RLIMIT_NPROC)])";
    let bounds = format!(
        "id: bounds\nversion: 1.0.0\nkind: tool\neffects: none\ninputSchema: {{}}\noutputSchema: {{}}\n\
         tool: {{implementation: process, config: {{argv: [python3, -c, {script:?}]}}}}\n"
    );
    person.ctl_with("apply -f -", &bounds).ok();
    let given = [(Resource::Nofile, 600), (Resource::Nproc, 9_000)];
    for (resource, most) in given {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        let pid = Pid::from_raw(daemon.pid().cast_signed());
        prlimit(pid, resource, limit).unwrap();
    }

    assert_eq!(person.ctl("invoke bounds").json(), json!([600, 9_000]));
}

#[test]
fn no_way_out_of_the_strict_sandbox_leads_anywhere_and_the_daemon_survives_all() {
    if is_strict() {
        try_all_ways(Person::new());
    }
}

/// Root's program is another user's under `strict`; an ordinary user's stays that user's, as far as files tell.
#[test]
fn no_way_out_leads_anywhere_for_a_program_that_owns_the_files_it_is_after() {
    if !rustix::process::geteuid().is_root() {
        skip("the other test is one of an ordinary user's already");
    } else if is_strict() {
        try_all_ways(Person::numbered(60_007));
    }
}

fn try_all_ways(person: Person) {
    let daemon = person.realm("mercy");
    let script = person.write("box/hostile.py", HOSTILE);
    // The loader writes down there what it loads, before a program's first step.
    let loaded = person.dir().join("loaded");
    let loader = format!("LD_DEBUG: libs, LD_DEBUG_OUTPUT: {}", loaded.display());
    let loops = [
        ("none", "none", ""),
        ("strict", "strict", ""),
        ("loaded-none", "none", loader.as_str()),
        ("loaded-strict", "strict", &loader),
    ];
    for (id, level, env) in loops {
        let definition = format!(
            "id: {id}\nversion: 1.0.0\nkind: tool\ninputSchema: {{}}\noutputSchema: {{}}\n\
             effects: none\ntool: {{implementation: process, config: {{argv: [/usr/bin/python3, hostile.py], sandbox: {level}, \
             env: {{{env}}}}}}}\nlimits: {{timeout: 30s}}\n"
        );
        let file = person.write(&format!("box/{id}.yaml"), &definition);
        person.ctl(&format!("apply -f {}", file.display())).ok();
    }
    let listed = person
        .run("python3", &[script.to_str().unwrap(), "list"], "")
        .ok();
    let ways: Vec<&str> = listed.lines().collect();
    let mut targets = Targets::new(daemon.pid(), person);

    let gets_out = |way: &&str| {
        let outcome = targets.take("strict", way);
        let said: Value = serde_json::from_str(&outcome.out).unwrap_or_default();
        let died = DEADLY.contains(way) && outcome.code != 0;
        (said["escaped"] != json!(false) && !died).then_some(outcome)
    };
    let escaped: Vec<Outcome> = thread::scope(|scope| {
        let shares = ways.chunks(ways.len().div_ceil(AT_A_TIME));
        let shares = shares.map(|share| {
            scope.spawn(|| share.iter().filter_map(gets_out).collect::<Vec<Outcome>>())
        });
        let shares: Vec<_> = shares.collect();
        let escaped = shares.into_iter().flat_map(|share| share.join().unwrap());
        escaped.collect()
    });
    let loads = |loop_| {
        targets.take(loop_, "become_root");
        has_file(targets.person.dir(), "loaded.")
    };
    let loaded = ["loaded-strict", "loaded-none"].map(loads);
    let open = OPEN.map(|way| (way, targets.take("none", way)));

    assert!(ways.len() >= 60, "{}", ways.len());
    assert!(escaped.is_empty(), "{escaped:#?}");
    assert_eq!(loaded, [false, true]);
    for (way, outcome) in open {
        assert_eq!(outcome.json()["escaped"], json!(true), "{way}");
    }
    assert!(targets.process.try_wait().unwrap().is_none());
    assert!(!runs(&format!("left-by-{}", targets.token)));
    let kept = |name: &str| std::fs::read_to_string(targets.person.dir().join(name)).unwrap();
    assert_eq!(kept("canary"), "canary\n");
    assert_eq!(kept("victim"), "precious\n");
    assert_eq!(daemon.api().get("/v1/health").status, 200);
    assert_eq!(
        targets.person.ctl("invoke echo text=hello").ok(),
        r#"{"text":"hello"}"#
    );
}
