//! People of a provider: a real one that speaks OpenID Connect, codes that are entered there, and what becomes of
//! who leaves.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    api::start_listening,
    limit::{PATIENCE, output_within, skip, within},
    people::ask_as,
    person::Person,
};

const INSTALL: &str = "people of a provider need Node.js and oidc-provider: scripts/oidc-provider";

/// A provider of a test, which does what it is told.
struct Provider {
    issuer: String,
    child: Child,
    input: ChildStdin,
    said: Option<Lines<BufReader<ChildStdout>>>,
}

impl Provider {
    /// A provider that knows nobody; none where it is not installed.
    fn new() -> Option<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let modules = tests.join("../target/oidc");
        let node = Command::new("node").arg("--version").output();
        if node.is_err() || !modules.join("installed").exists() {
            skip(INSTALL);
            return None;
        }
        let mut child = Command::new("node")
            .arg(tests.join("oidc/provider.mjs"))
            .arg(modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, said) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut provider = Self {
            issuer: String::new(),
            child,
            input,
            said: Some(BufReader::new(said).lines()),
        };
        provider.issuer = provider.line();
        Some(provider)
    }

    /// Tells it something, and waits until it is done.
    fn told(&mut self, what: &str) {
        writeln!(self.input, "{what}").unwrap();
        assert_eq!(self.line(), "done", "{what}");
    }

    fn line(&mut self) -> String {
        let mut said = self.said.take().unwrap();
        let (line, said) = within(PATIENCE, "the provider says something", move || {
            (said.next().unwrap().unwrap(), said)
        });
        self.said = Some(said);
        line
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Adds to a realm's configuration where its people are.
fn configure(owner: &Person, provider: &Provider) {
    let home = owner.home("lab");
    let secret = home.join("keys/oidc.secret");
    fs::write(&secret, "the realm's own secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let issuer = &provider.issuer;
    let host = issuer.trim_start_matches("http://");
    let config = format!(
        "\n[oidc]\nissuer = \"{issuer}\"\nallow_private = [\"{host}\"]\nclient = \"realm\"\n\
         secret = \"file:keys/oidc.secret\"\nname = \"preferred_username\"\n\
         [groups.oncall]\nfrom = \"oidc\"\ngroup = \"oncall\"\nroles = [\"operator\"]\n\
         [groups.elsewhere]\nfrom = \"oidc\"\ngroup = \"oncall\"\nroles = [\"owner\"]\n\
         realms = [\"lab/genomics\"]\n"
    );
    let mut file = fs::File::options()
        .append(true)
        .open(home.join("realm.toml"))
        .unwrap();
    file.write_all(config.as_bytes()).unwrap();
}

/// Signs in from the command line; meanwhile this becomes of the code that it shows. Gives the exit code and what
/// was said.
fn login(owner: &Person, address: &str, becomes: impl FnOnce(&str)) -> (i32, String) {
    let mut child = owner
        .command("realmctl")
        .args(["--url", &format!("http://{address}"), "login"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let (code, before, talk) = within(PATIENCE, "a code is shown", move || {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            assert!(talk.read_line(&mut line).unwrap() > 0, "{before}");
            before += &line;
            if let Some(code) = line.strip_prefix("enter  ") {
                return (code.trim().to_owned(), before, talk);
            }
        }
    });
    becomes(&code);
    let (status, said) = within(PATIENCE, "the sign-in ends", move || {
        let rest: Vec<String> = talk.lines().map(Result::unwrap).collect();
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (
            output.status.code().unwrap(),
            before + &rest.join("\n") + &out,
        )
    });
    (status, said)
}

#[test]
fn people_of_a_provider_do_what_their_groups_let_them_until_they_leave_or_it_is_down() {
    let owner = Person::new();
    let Some(mut provider) = Provider::new() else {
        return;
    };
    owner.ctl("init lab").ok();
    configure(&owner, &provider);
    let (daemon, address) = start_listening(&owner, &owner.home("lab"));
    let url = format!("--url http://{address}");
    let spent = owner.sh_loop(
        "lab",
        "spend",
        "once",
        "cat > /dev/null; echo 1 >> spent; echo '{}'\n",
    );
    let spent = || fs::read_to_string(spent.join("spent")).unwrap_or_default();
    let steps = "id: main\nversion: 1.0.0\nkind: composite\ninputSchema: {type: object}\n\
                 outputSchema: {}\ncomposite:\n  steps:\n    - loopId: spend\n\
                 \x20   - loopId: spend\n      approval: {}\n";
    let file = owner.write("main/loop.yaml", steps);
    owner.ctl(&format!("apply -f {}", file.display())).ok();
    let none = json!({});
    provider.told("puts ann oncall others");
    provider.told("puts bob others");

    // Whoever does not want to, has no group here, or shows what was given to nobody is not let in.
    let (code, said) = login(&owner, &address, |code| {
        provider.told(&format!("denies {code}"));
    });
    assert!(code == 6 && said.contains("RLM-0527"), "{said}");
    let enters = |provider: &mut Provider, name: &str| {
        login(&owner, &address, |code| {
            provider.told(&format!("enters {code} {name}"));
        })
    };
    let (code, said) = enters(&mut provider, "bob");
    assert!(
        code == 6 && said.contains("bob@oidc is in no group"),
        "{said}"
    );
    let strange = json!({"device": "nobody was given this"});
    let (status, problem) = ask_as(&address, None, "POST", "/v1/sign-in/device/ask", &strange);
    assert_eq!((status, &problem["code"]), (410, &json!("RLM-0529")));
    owner
        .ctl(&format!("{url} people ls"))
        .fails(6, &["RLM-0524"]);

    // The roles are those of the groups.
    let (code, said) = enters(&mut provider, "ann");
    assert!(
        code == 0 && said.contains("ann@oidc") && said.contains("operator"),
        "{said}"
    );
    let kept = owner
        .dir()
        .join(format!(".config/realm/sign-ins/{address}.json"));
    let kept: Value = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
    let ann = kept["token"].as_str();
    let asked = |method, path: &str, body: &Value| ask_as(&address, ann, method, path, body);
    let shown = owner.ctl(&format!("{url} people show ann@oidc")).ok();
    assert!(
        shown.contains("oidc") && shown.contains("oncall"),
        "{shown}"
    );
    assert_eq!(asked("POST", "/v1/allow", &none).0, 403);
    let invoke = json!({"loop": "main", "input": {}, "detach": true});
    let (status, begun) = asked("POST", "/v1/invoke", &invoke);
    assert_eq!(status, 202, "{begun}");
    let run = begun["runId"].as_str().unwrap();
    assert_eq!(owner.ctl(&format!("run wait {run}")).code, 10);
    assert_eq!(spent(), "1\n");

    // Asked again and again, it gives something else to ask by each time.
    for times in 1..=2 {
        daemon.reload(times);
        assert_eq!(asked("GET", "/v1/runs", &none).0, 200, "after {times}");
    }

    // A restart signs nobody out, and does nothing for anybody before the provider was asked again.
    provider.told("down");
    daemon.stop();
    let (daemon, address) = start_listening(&owner, &owner.home("lab"));
    let asked = |method, path: &str, body: &Value| ask_as(&address, ann, method, path, body);
    let (status, problem) = asked("GET", "/v1/runs", &none);
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("RLM-0528")),
        "{problem}"
    );
    provider.told("up");
    assert_eq!(asked("GET", "/v1/runs", &none).0, 200);

    // Nothing is let be while the provider is down, but what it has no say in.
    provider.told("down");
    daemon.reload(1);
    let (status, problem) = asked("GET", "/v1/runs", &none);
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("RLM-0528")),
        "{problem}"
    );
    let doctor = owner.ctl("doctor");
    assert!(doctor.out.contains("provider oidc: "), "{doctor:?}");
    owner.ctl("status").ok();
    provider.told("up");
    assert_eq!(asked("GET", "/v1/runs", &none).0, 200);

    // Who leaves while the run is paused stops it at its next step.
    provider.told("puts ann others");
    daemon.reload(2);
    assert_eq!(asked("GET", "/v1/runs", &none).0, 403);
    let id = owner.ctl("approval ls -o name").ok();
    owner.ctl(&format!("approval approve {id}")).ok();
    let ended = owner.ctl(&format!("run wait {run}"));
    ended.fails(6, &["no group of ann@oidc lets them run loops any more"]);
    assert_eq!(spent(), "1\n");

    // Who is gone is gone.
    provider.told("removes ann");
    daemon.reload(3);
    let (status, problem) = asked("GET", "/v1/runs", &none);
    assert_eq!(
        (status, &problem["code"]),
        (401, &json!("RLM-0527")),
        "{problem}"
    );
    assert_eq!(asked("GET", "/v1/runs", &none).1["code"], "RLM-0524");
    let log = owner.ctl("audit ls --action person. --limit 100").ok();
    for action in ["person.signedIn", "person.refused", "person.signedOut"] {
        assert!(log.contains(action), "no {action} in {log}");
    }
    daemon.stop();
    let (daemon, address) = start_listening(&owner, &owner.home("lab"));
    let again = ask_as(&address, ann, "GET", "/v1/runs", &none);
    assert_eq!(again.1["code"], "RLM-0524", "{again:?}");
    // What must not be known is nowhere.
    let secret = output_within(PATIENCE, grep(&owner), "");
    assert_eq!(secret.status.code(), Some(1), "{secret:?}");
    daemon.stop();
}

/// Looks for the realm's secret in all that the daemon writes, but for where it was put.
fn grep(owner: &Person) -> Command {
    let mut command = Command::new("grep");
    command
        .args(["-r", "--exclude=oidc.secret", "the realm's own secret"])
        .arg(owner.home("lab"));
    command
}
